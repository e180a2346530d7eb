"""What is believed of records: those of the Go plugins do not say of which boot they are. Whose VF one is about."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni.attach.records import Records
from cni.linux import boot
from plugins.accelerated_bridge.plugin import AcceleratedBridge
from plugins.sriov.plugin import Sriov
from plugins.vf.plugin import VfPlugin
from tests.support import disk, sysfstree
from tests.support.log import Lines

PF, VF = "0000:0a:00.0", "0000:0a:00.2"
YEAR_NS = 365 * 86400 * 10**9

GO: dict[str, tuple[type[VfPlugin], str, dict[str, Any]]] = {
    "sriov-cni": (Sriov, "c0ffee-net1", {"OrigVfState": {"HostIFName": "ens2f0v0"}}),
    "accelerated-bridge-cni": (
        AcceleratedBridge,
        "blue-c0ffee-net1",
        {"orig_vf_state": {"host_if_name": "ens2f0v0"}},
    ),
}


@pytest.fixture(autouse=True)
def empty_disk() -> Iterator[None]:
    """Take away the records."""
    yield
    disk.clear()


def boot_of_record(
    root: Path, kind: type[VfPlugin], name: str, members: dict[str, Any], links: list[str], age_ns: int
) -> str:
    """Return of which boot a record is taken to be. links: the VF's on the host; age_ns: of the record at this boot."""
    tree = sysfstree.pf(PF, {0: VF})
    for link in links:
        tree |= sysfstree.netdev(sysfstree.folder(VF), link)
    os.makedirs(kind.state_folder, exist_ok=True)
    path = f"{kind.state_folder}/{name}"
    with open(path, "w") as file:
        json.dump({"name": "blue", "deviceID": VF, **members}, file)
    written = boot.began_ns() - age_ns
    os.utime(path, ns=(written, written))
    (attachment,) = Records(kind(sysfstree.build(root, tree)), Lines()).all()
    return attachment.owner.boot_id


@pytest.mark.parametrize(("kind", "name", "members"), GO.values(), ids=GO)
def test_a_record_from_before_the_boot(
    tmp_path: Path, kind: type[VfPlugin], name: str, members: dict[str, Any]
) -> None:
    """The boot has reset what it tells of."""
    assert boot_of_record(tmp_path, kind, name, members, ["ens2f0v0"], YEAR_NS) == boot.EARLIER


@pytest.mark.parametrize(("kind", "name", "members"), GO.values(), ids=GO)
def test_a_record_of_this_boot(tmp_path: Path, kind: type[VfPlugin], name: str, members: dict[str, Any]) -> None:
    """It tells of how things were."""
    assert boot_of_record(tmp_path, kind, name, members, ["ens2f0v0"], -(10**9)) == ""


@pytest.mark.parametrize("links", [[], ["net1"]], ids=["in a pod", "back under the pod's name"])
@pytest.mark.parametrize("which", ["sriov-cni", "accelerated-bridge-cni"])
def test_a_clock_that_was_wrong(tmp_path: Path, which: str, links: list[str]) -> None:
    """It was set after the pod had come. The VF's link is not where a boot leaves it, so there was none."""
    assert boot_of_record(tmp_path, *GO[which], links, YEAR_NS) == ""


def test_a_vf_without_a_link(tmp_path: Path) -> None:
    """Nothing but the date tells of which boot its record is, which is not enough."""
    userspace = {"OrigVfState": {"HostIFName": ""}}
    assert boot_of_record(tmp_path, Sriov, "c0ffee-net1", userspace, [], YEAR_NS) == ""


def test_our_own_record_says_it(tmp_path: Path) -> None:
    """It is believed, whatever the file's date is."""
    ours: dict[str, Any] = {"orig_vf_state": {"host_if_name": "ens2f0v0"}, "plumbline": {"bootID": boot.current()}}
    ours |= {"containerID": "c0ffee", "ifName": "net1"}
    kind, name, _ = GO["accelerated-bridge-cni"]
    assert boot_of_record(tmp_path, kind, name, ours, ["ens2f0v0"], YEAR_NS) == boot.current()


def test_the_records_of_one_vf(tmp_path: Path) -> None:
    """Those that are about it, however they write its address, and none that only mention it."""
    others = "0000:0a:00.3"
    records: dict[str, dict[str, Any]] = {
        "capital": {"deviceID": VF.upper()},
        "other": {"deviceID": others, "runtimeConfig": {"deviceID": VF}},
    }
    os.makedirs(disk.SRIOV, exist_ok=True)
    for container_id, members in records.items():
        with open(f"{disk.SRIOV}/{container_id}-net1", "w") as file:
            json.dump({"name": "blue", "OrigVfState": {"HostIFName": "ens2f0v0"}, **members}, file)
    found = Records(Sriov(sysfstree.build(tmp_path, sysfstree.pf(PF, {0: VF, 1: others}))), Lines())
    assert [attachment.owner.container_id for attachment in found.of_device(VF)] == ["capital"]
    assert [attachment.owner.container_id for attachment in found.of_device(others)] == ["other"]
    assert len(found.all()) == 2
