"""A look at a node whose folders are the test's own, but for records and links, of which a session has its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import Status, VerbError
from plumbline.node import details
from plumbline.node.look import look
from plumbline.node.model import Node, Source, State, Vf
from plumbline.node.roots import Roots
from plumbline.prepare import in_use
from plumbline.repair import release
from tests.support import disk, sysfstree
from tests.support.net import HOST, Space
from tests.support.sysfstree import Tree, folder, netdev

PF = "0000:03:00.0"
VFS = {index: f"0000:03:02.{index}" for index in range(6)}
GROUP = "-> ../../../kernel/iommu_groups"
GONE = "/run/netns/gone"


@pytest.fixture(autouse=True)
def uplink() -> Iterator[None]:
    """The PF's link, and nothing on the disk afterwards."""
    HOST.ip("link", "add", "uplink0", "type", "veth", "peer", "name", "uplink0peer")
    yield
    HOST.ip("link", "del", "uplink0")
    disk.clear()


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """A PF with six VFs, of which the third is a program's and the last has no driver."""
    tree: Tree = sysfstree.pf(PF, VFS, driver="ice") | netdev(folder(PF), "uplink0")
    for index, address in VFS.items():
        tree[folder(address, "iommu_group")] = f"{GROUP}/{index}"
    tree |= netdev(folder(VFS[4]), "uplink0peer")
    tree[folder(VFS[2], "driver")] = "vfio-pci"
    del tree[folder(VFS[5], "driver")]
    process = tmp_path / "proc/77"
    (process / "fd").mkdir(parents=True)
    (process / "fd/9").symlink_to("/dev/vfio/2")
    (process / "comm").write_text("testpmd\n")
    (tmp_path / "results").mkdir()
    (tmp_path / "logs").mkdir()
    return Roots(
        sysfs=sysfstree.build(tmp_path / "sys", tree),
        proc=str(tmp_path / "proc"),
        run=str(tmp_path / "run"),
        results=(str(tmp_path / "results"),),
        checkpoint=str(tmp_path / "checkpoint"),
        pod_logs=str(tmp_path / "logs"),
        devinfo=str(tmp_path / "devinfo"),
        etc=str(tmp_path / "etc"),
    )


def record(index: int, netns: str, container: str = "") -> str:
    """Write the record of a VF as sriov-cni does, which tells no pod; return its path."""
    state = {"HostIFName": f"vf{index}", "EffectiveMAC": "02:00:00:00:00:01", "MTU": 1500, "AdminMAC": "", "Vlan": 5}
    whole = {"name": "blue", "type": "sriov", "deviceID": VFS[index], "VFID": index, "OrigVfState": state}
    os.makedirs(f"{disk.SRIOV}/pci", exist_ok=True)
    path = f"{disk.SRIOV}/{container or f'c{index}'}-net1"
    Path(path).write_text(json.dumps({**whole, "Master": "uplink0", "vlan": 100, "vlanQoS": 3}))
    Path(f"{disk.SRIOV}/pci/{VFS[index]}").write_text(netns)
    return path


def given(roots: Roots, **uids: str) -> None:
    """Write the kubelet's checkpoint. uids: whose a VF is, as vf3="0a1b"."""
    entries = [{"PodUID": uid, "DeviceIDs": [VFS[int(name.removeprefix("vf"))]]} for name, uid in uids.items()]
    Path(roots.checkpoint).write_text(json.dumps({"Data": {"PodDeviceEntries": entries}}))


def vf(node: Node, index: int) -> Vf:
    """Return a VF of the only PF."""
    return node.pfs[0].vfs[index]


def test_states(roots: Roots, pod: Space) -> None:
    """One VF in each state that does not need a link elsewhere (tests/lab has that)."""
    record(0, pod.path)
    record(1, GONE)
    given(roots, vf3="0a1b")
    node = look(roots)
    states = [State.POD, State.DEAD, State.BUSY, State.STRAY, State.FREE, State.UNBOUND]
    assert [found.state for found in node.vfs] == states
    sources = [found.owner and found.owner.source for found in node.vfs]
    assert sources == [Source.RECORD, Source.RECORD, Source.VFIO, Source.KUBELET, None, None]
    assert (node.pfs[0].used, node.unknown) == (4, [])
    assert node.pfs[0].link is not None


def test_a_record_without_a_pod_gets_it_from_elsewhere(roots: Roots, pod: Space) -> None:
    """What a better source tells stays; who the pod is comes from the first that knows."""
    record(0, pod.path)
    given(roots, vf0="0a1b")
    Path(roots.pod_logs, "default_web_0a1b").mkdir()
    owner = vf(look(roots), 0).owner
    assert owner is not None
    assert (owner.source, owner.container_id, owner.interface, owner.network) == (Source.RECORD, "c0", "net1", "blue")
    assert (str(owner.pod), owner.pod.uid, owner.alive, owner.netns) == ("default/web", "0a1b", True, pod.path)


def test_a_link_that_nothing_leads_to(roots: Roots) -> None:
    """It is somebody's, whom a container does not see, and who holds the namespace by a descriptor alone: the VF is not
    free, and nobody takes it away.
    """
    for index in (3, 4):
        net = Path(roots.sysfs, "bus/pci/devices", VFS[index], "net")
        shutil.rmtree(net, ignore_errors=True)
        net.mkdir()
    given(roots, vf3="0a1b")
    node = look(roots)
    for found in (vf(node, 3), vf(node, 4)):
        assert (found.state, found.link) == (State.FOREIGN, None)
        assert in_use.user(found, True).startswith(f"{found.name} is in a namespace that cannot be seen from here")
        with pytest.raises(VerbError) as caught:
            release.require_seen(release.find(found.name, node, [], roots))
        assert caught.value.status is Status.IN_USE
        assert "cannot be seen from here" in caught.value.message


@pytest.mark.parametrize("containers", [("a", "b"), ("b", "a")])
def test_a_living_pod_comes_before_a_dead_one(roots: Roots, pod: Space, containers: tuple[str, str]) -> None:
    """A record that a dead pod has left names the same VF, whichever is read first."""
    dead, living = containers
    path = record(0, pod.path, dead)
    whole = json.loads(Path(path).read_text())
    Path(path).write_text(json.dumps({**whole, "plumbline": {"netns": GONE, "bootID": "earlier"}}))
    record(0, pod.path, living)
    node = look(roots)
    assert vf(node, 0).state is State.POD
    assert vf(node, 0).owner is not None
    assert str(vf(node, 0).owner) == living
    found = details.of(VFS[0], roots)
    assert [owner.alive for owner in found.owners if owner.source is Source.RECORD] == [True, False]
    assert len(found.records) == 2


def test_a_device_of_another_node_is_nobodys_vf(roots: Roots, pod: Space) -> None:
    """A record of a VF that is not there is one of another device."""
    path = record(0, pod.path)
    whole = json.loads(Path(path).read_text())
    Path(path).write_text(json.dumps({**whole, "deviceID": "0000:99:02.0"}))
    os.unlink(f"{disk.SRIOV}/pci/{VFS[0]}")
    node = look(roots)
    assert vf(node, 0).state is State.FREE
    assert [(name, owner.container_id) for name, owner in node.others] == [("vf0", "c0")]


def test_what_cannot_be_read_is_said(roots: Roots) -> None:
    """A damaged record does not hide the others, and is not passed over in silence."""
    record(0, GONE)
    Path(record(1, GONE)).write_text("{")
    node = look(roots)
    assert vf(node, 0).state is State.DEAD
    assert len(node.unknown) == 1
    assert f"{disk.SRIOV}/c1-net1" in node.unknown[0]
    assert vf(node, 1).state is State.STRAY


def test_details(roots: Roots, pod: Space) -> None:
    """All sources, the record with what was before and asked for, device information."""
    path = record(0, pod.path)
    given(roots, vf0="0a1b")
    content: dict[str, Any] = {"type": "pci", "version": "1.0.0", "pci": {"pci-address": VFS[0].upper()}}
    for folder_of, told in (("cni/default", content), ("dp", {**content, "pci": {"pci-address": VFS[1]}})):
        os.makedirs(f"{roots.devinfo}/{folder_of}")
        Path(roots.devinfo, folder_of, "net1.json").write_text(json.dumps(told))
    Path(roots.devinfo, "dp/bad.json").write_text("[")
    found = details.of("uplink0:0", roots)
    assert [owner.source for owner in found.owners] == [Source.RECORD, Source.KUBELET, Source.ALLOCATION]
    assert [(info.path, info.content) for info in found.device_info] == [
        (f"{roots.devinfo}/cni/default/net1.json", content)
    ]
    (one,) = found.records
    assert (one.plugin, one.path, one.by_us, one.of_this_boot) == ("sriov", path, False, True)
    assert one.written_s == os.stat(path).st_mtime
    assert one.link is not None
    assert (one.link.name, one.link.mtu, one.link.up, one.link.carrier) == ("vf0", 1500, None, None)
    assert one.settings is not None
    assert (one.settings.vlan, one.asked.vlan, one.asked.vlan_qos, one.asked.vlan_proto) == (5, 100, 3, "802.1Q")
    assert (one.asked.mac, one.asked.trust, one.asked.trunk) == (None, None, None)


def test_details_of_a_program(roots: Roots) -> None:
    """Who has it open is told of a VF without a record as well."""
    found = details.of(VFS[2], roots)
    assert [owner.program for owner in found.owners] == ["77 testpmd"]
    assert (found.records, found.link, found.addresses) == ([], None, None)
    Path(roots.proc, "77/comm").write_text("a\x1b[2J\nplumbline: b\n")
    (owner,) = details.of(VFS[2], roots).owners
    assert owner.program == "77 a\\x1b[2J\\nplumbline: b"  # it may be a pod's: it forges no line


@pytest.mark.parametrize("text", ["lo", "nothing0", "uplink0:9", ""])
def test_no_such_device(roots: Roots, text: str) -> None:
    """The error says what it is, if there is such a link, and what there is."""
    with pytest.raises(VerbError) as caught:
        details.of(text, roots)
    assert caught.value.status is Status.NO_DEVICE
    assert f'"{text}"' in caught.value.message
    assert "is a link of the host" in caught.value.message or text != "lo"
    assert "uplink0" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (json.dumps({"schema": "plumbline/pfs/1", "pfs": [{"address": PF, "vfs": 6}]}), True),
        (json.dumps({"schema": "plumbline/pfs/1", "pfs": [{"address": "0000:04:00.0", "vfs": 6}]}), False),
        (json.dumps({"schema": "plumbline/pfs/1", "pfs": [{"address": PF, "vfs": 6}, 7]}), False),
        ("{", False),
        (None, False),
    ],
)
def test_persistent(roots: Roots, text: str | None, expected: bool) -> None:
    """A PF is if it is in the file that is applied after a boot."""
    if text is not None:
        Path(roots.pfs_file).parent.mkdir(parents=True)
        Path(roots.pfs_file).write_text(text)
    assert look(roots).pfs[0].persistent is expected
