"""Each errno of sriov_numvfs has its own explanation, with what was measured."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

import pytest

from plumbline.errors import VerbError
from plumbline.node.roots import Roots
from plumbline.prepare import room
from plumbline.prepare.explain import Situation, explain, told
from plumbline.prepare.kernel import Kernel, Target
from plumbline.prepare.room import Bar, Capability, Room
from tests.support import sysfstree

CAPABILITY = Capability(initial=8, total=8, offset=0x180, stride=2, ari=True)
ROOMY = Room((Bar(0, 8 << 20, True), Bar(3, 8 << 20, True)), CAPABILITY, 0x04, 0x0300)
FOUND = Situation("ens3", "igb", asked=8, now=0, possible=7, room=ROOMY)


def _with(**changes: object) -> Situation:
    values = {name: getattr(FOUND, name) for name in FOUND.__slots__}
    return Situation(**{**values, **changes})


CASES: dict[str, tuple[int, Situation, str]] = {
    "too many": (errno.ERANGE, FOUND, "it can have 7 VFs"),
    "too many, mlx5": (errno.ERANGE, _with(driver="mlx5_core"), "NUM_OF_VFS and set SRIOV_EN=1"),
    "no driver": (errno.ENOENT, _with(driver=""), "the PF has no driver"),
    "a driver without VFs": (errno.ENOENT, _with(driver="vfio-pci"), "vfio-pci cannot make VFs"),
    "in use": (errno.EBUSY, _with(now=3, holders=("0000:03:10.0 is in pod a/b",)), "0000:03:10.0 is in pod a/b"),
    "made by others": (errno.EBUSY, _with(now=3), "it has 3 VFs, which somebody has made meanwhile"),
    "busy": (errno.EBUSY, FOUND, "igb is busy"),
    "no addresses": (
        errno.ENOMEM,
        _with(room=Room((Bar(0, 8 << 20, False), Bar(3, 8 << 20, True)), CAPABILITY, 4, 0x0300)),
        "BAR 0 of the VFs needs 8 MiB and has no addresses: in the BIOS",
    ),
    "no bus": (
        errno.ENOMEM,
        _with(room=Room(ROOMY.bars, CAPABILITY, 3, 0x0300)),
        "the last VF would be on bus 04, and the bridge above the PF ends with bus 03",
    ),
    "no memory": (errno.ENOMEM, FOUND, "the VFs' BARs have 16 MiB, and bus numbers up to 04; so it is the driver igb"),
    "not measured": (errno.ENOMEM, _with(room=None), "no room for the VFs' addresses or bus numbers"),
    "firmware": (errno.EIO, FOUND, "the capability says 8 VFs at first and 8 in all"),
    "invalid": (errno.EINVAL, _with(room=None), "its driver igb cannot have so many as it is set now"),
    "virtual machines": (errno.EPERM, FOUND, "given to virtual machines"),
    "container": (errno.EROFS, FOUND, "privileged"),
    "anything else": (errno.ENOSPC, FOUND, "the driver igb says no"),
}


@pytest.mark.parametrize("name", CASES)
def test_explained(name: str) -> None:
    """With what is known of the PF."""
    number, found, said = CASES[name]
    assert said in explain(number, found)


def test_each_differs() -> None:
    """Nobody is told the same for two errors."""
    numbers = (errno.ERANGE, errno.ENOENT, errno.EBUSY, errno.ENOMEM, errno.EIO, errno.EPERM, errno.ENOSPC)
    assert len({explain(number, FOUND) for number in numbers}) == len(numbers)


def test_told() -> None:
    """What was attempted, and the kernel's word."""
    assert told(errno.ENOMEM, FOUND) == "cannot make 8 VFs of ens3: Cannot allocate memory (ENOMEM)"
    assert (
        told(errno.EBUSY, _with(asked=0, now=3)) == "cannot remove the 3 VFs of ens3: Device or resource busy (EBUSY)"
    )


def _config(at: int, ari: bool = True) -> bytes:
    """Return a configuration space with the SR-IOV capability behind another one."""
    space = bytearray(4096)
    struct.pack_into("<I", space, 0x100, 0x0001 | 1 << 16 | at << 20)
    struct.pack_into("<I", space, at, 0x0010 | 1 << 16)
    struct.pack_into("<H", space, at + 0x08, 0x10 if ari else 0)
    struct.pack_into("<HH", space, at + 0x0C, 8, 8)
    struct.pack_into("<HH", space, at + 0x14, 0x180, 2)
    return bytes(space)


def test_capability() -> None:
    """It is found in the list of extended capabilities, and nothing is made of what is no list."""
    assert room.capability(_config(0x160)) == CAPABILITY
    assert room.capability(_config(0x160, ari=False)) == Capability(8, 8, 0x180, 2, False)
    assert room.capability(_config(0x160)[:64]) is None  # who is not root sees no more
    assert room.capability(bytes(4096)) is None
    circle = bytearray(4096)
    struct.pack_into("<I", circle, 0x100, 0x0001 | 0x100 << 20)
    assert room.capability(bytes(circle)) is None


def test_measured(tmp_path: Path) -> None:
    """From a PF's folder and the bridge's above it."""
    zero = "0x0000000000000000 0x0000000000000000 0x0000000000000000"
    lines = [zero] * 7
    lines += ["0x00000000fe000000 0x00000000fe7fffff 0x0000000000040200", zero, zero]
    lines += ["0x0000000000000000 0x00000000007fffff 0x0000000000040200", zero, zero]
    tree: sysfstree.Tree = {
        sysfstree.folder("0000:03:00.0", "resource"): "\n".join(lines),
        f"{sysfstree.PORT}/subordinate_bus_number": "3",
        sysfstree.folder("0000:03:00.0", "sriov_offset"): "384",
        sysfstree.folder("0000:03:00.0", "sriov_stride"): "2",
    }
    root = sysfstree.build(tmp_path, tree)
    device = f"{root}/devices/{sysfstree.folder('0000:03:00.0')}"
    (tmp_path / "devices" / sysfstree.folder("0000:03:00.0") / "config").write_bytes(_config(0x160))
    found = room.measure(device)
    assert found == Room((Bar(0, 8 << 20, True), Bar(3, 8 << 20, False)), CAPABILITY, 3, 0x0300)
    assert [bar.number for bar in found.lacking] == [3]
    assert found.lacks_bus(1) == 4
    assert room.vf_addresses(device, 3) == ["0000:04:10.0", "0000:04:10.2", "0000:04:10.4"]


def test_fewer_than_asked_for(tmp_path: Path) -> None:
    """The kernel's yes is not believed; the same number is no error."""
    root = sysfstree.build(tmp_path, {sysfstree.folder("0000:03:00.0", "sriov_numvfs"): "3"})
    kernel, target = Kernel(Roots(sysfs=root)), Target("ens3", "0000:03:00.0")
    with pytest.raises(VerbError, match="4 VFs were asked for, the kernel said yes, and there are 3"):
        kernel.await_vfs(target, 4, lambda: None)
    with pytest.raises(VerbError, match="ens4 does not tell how many VFs it has"):
        kernel.await_vfs(Target("ens4", "0000:04:00.0"), 4, lambda: None)
