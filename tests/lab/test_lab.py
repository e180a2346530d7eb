"""The lab is what docs/lab.md says it is: what the other tests there stand on."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

import pytest

from tests.support import net, vfs
from tests.support.net import HOST
from tests.support.plugin import DIST, REPOSITORY
from tests.support.vfs import PF

NETDEVSIM = "netdevsim/netdevsim1"
ETHERTYPE = 0x88B5
"""For experiments (IEEE 802 clause 9.2.4): nobody but the test sends it."""


def link(path: str) -> str:
    """Return the last part of what a symbolic link of sysfs points to."""
    return os.path.basename(os.readlink(path))


@pytest.mark.parametrize("address", vfs.PFS)
def test_pf(address: str) -> None:
    """Each PF is an igb with all of its VFs on igbvf."""
    folder = f"{vfs.PCI}/{address}"
    assert link(f"{folder}/driver") == "igb"
    virtual = [f"{folder}/{name}" for name in os.listdir(folder) if name.startswith("virtfn")]
    assert [link(f"{vf}/driver") for vf in virtual] == ["igbvf"] * vfs.VFS_PER_PF
    assert all(len(os.listdir(f"{vf}/net")) == 1 for vf in virtual)


@pytest.mark.parametrize("back", [False, True], ids=["first-to-second", "second-to-first"])
def test_wire(pfs: list[PF], back: bool) -> None:
    """A frame that leaves one PF arrives at the other."""
    near, far = reversed(pfs) if back else pfs
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE)) as here,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE)) as there,
    ):
        here.bind((near.name, ETHERTYPE))
        there.bind((far.name, ETHERTYPE))
        there.settimeout(10)
        source = here.getsockname()[4]
        frame = b"\xff" * 6 + source + ETHERTYPE.to_bytes(2, "big") + b"through the wire".ljust(46, b"\0")
        vfs.wait_for(lambda: all(carrier(pf.name) for pf in pfs), "carrier on both PFs")
        here.send(frame)
        assert there.recv(2048) == frame


def carrier(name: str) -> bool:
    """Return whether a link has a peer that is up."""
    return "LOWER_UP" in HOST.json("link", "show", "dev", name)[0]["flags"]


def test_iommu(pfs: list[PF]) -> None:
    """Every PF and VF is in an IOMMU group, each VF in one of its own, so that vfio-pci takes it."""
    groups = [link(f"{vf.folder}/iommu_group") for pf in pfs for vf in pf.vfs]
    assert len(set(groups)) == len(groups) == 2 * vfs.VFS_PER_PF
    assert all(os.path.exists(f"{pf.folder}/iommu_group") for pf in pfs)


@pytest.fixture
def switchdev() -> Iterator[None]:
    """The netdevsim device in switchdev mode."""
    net.run("devlink", "dev", "eswitch", "set", NETDEVSIM, "mode", "switchdev")
    yield
    net.run("devlink", "dev", "eswitch", "set", NETDEVSIM, "mode", "legacy")


def test_representors(switchdev: None) -> None:
    """In switchdev mode, each VF of netdevsim has a representor that tells port and switch."""
    vfs.settle()
    uplink = HOST.json("-d", "link", "show", "dev", "eni1np1")[0]
    for number in range(4):
        representor = HOST.json("-d", "link", "show", "dev", f"eni1npf0vf{number}")[0]
        assert representor["phys_port_name"] == f"pf0vf{number}"
        assert representor["phys_switch_id"] == uplink["phys_switch_id"]


def test_udev_is_waited_for() -> None:
    """When `settle` returns, udev has noted every new link."""
    HOST.ip("link", "add", "settled7", "type", "dummy")
    try:
        vfs.settle()
        with open("/sys/class/net/settled7/ifindex") as file:
            assert os.path.exists(f"/run/udev/data/n{file.read().strip()}")
    finally:
        HOST.ip("link", "del", "settled7")


def test_a_vf_that_its_pf_binds_to_an_address_is_reset(pfs: list[PF]) -> None:
    """Though nothing is to be seen of that where the address is the one that the VF has: it can have another again."""
    vf = pfs[0].vfs[0]
    before = vf.snapshot()
    vf.pf.set(vf.index, "mac", vf.table()["address"])
    assert vf.snapshot() == before
    vf.reset()
    try:
        HOST.ip("link", "set", vf.name, "address", "02:00:00:00:00:2a")
        assert vf.snapshot() != before
    finally:
        vf.reset()


def test_host_is_safe() -> None:
    """The host's files cannot be written, even by a guest that mounts its root anew for writing."""
    path = "/plumbline-lab-was-here"
    net.run("mount", "-o", "remount,rw", "/", check=False)
    try:
        with pytest.raises(OSError, match="Read-only") as caught, open(path, "x"):
            os.unlink(path)
        assert caught.value.errno == errno.EROFS
    finally:
        net.run("mount", "-o", "remount,ro", "/", check=False)


def test_repository_can_be_written() -> None:
    """In the guest's memory only: the repository is an overlay."""
    path = os.path.join(REPOSITORY, "made-in-the-lab")
    with open(path, "x"):
        pass
    os.unlink(path)
    assert net.run("findmnt", "--noheadings", "--output", "FSTYPE", "--target", REPOSITORY).strip() == "overlay"


def test_binaries() -> None:
    """/opt/cni/bin holds what was built."""
    assert os.listdir("/opt/cni/bin")
    assert os.path.samefile("/opt/cni/bin", DIST)
