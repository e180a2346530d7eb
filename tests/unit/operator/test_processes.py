"""What processes tell, in a /proc of the test's own: who has a device open, and which namespaces there are."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plumbline.node import namespaces, vfio
from plumbline.node.model import Vdpa, Vf
from plumbline.node.roots import Roots
from tests.support import sysfstree
from tests.support.sysfstree import Tree, folder


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """Folders of the test's own, with a process that is us."""
    process(tmp_path, "self", "us")
    return Roots(proc=str(tmp_path / "proc"), run=str(tmp_path / "run"))


def process(root: Path, name: str, netns: str, *opened: str) -> None:
    """Make a process. netns: the name of its namespace, all of which are files. opened: what it has open."""
    space = root / "spaces" / netns
    space.parent.mkdir(exist_ok=True)
    space.touch()
    folder = root / "proc" / name
    (folder / "fd").mkdir(parents=True)
    (folder / "ns").mkdir()
    (folder / "ns/net").hardlink_to(space)
    (folder / "comm").write_text(f"{name}-program\n")
    for number, path in enumerate(opened):
        (folder / "fd" / str(number)).symlink_to(path)


def test_holders(roots: Roots, tmp_path: Path) -> None:
    """The first process that has a node open, in the order of their numbers."""
    process(tmp_path, "100", "vm", "/dev/vfio/vfio", "/dev/vfio/17", "/dev/vhost-vdpa-3")
    process(tmp_path, "99", "vm", "/dev/vfio/17", "/dev/vfio/18")
    process(tmp_path, "7", "us", "/dev/null", "socket:[17]")
    found = vfio.holders({"/dev/vfio/17", "/dev/vfio/19", "/dev/vhost-vdpa-3"}, roots)
    programs = {path: owner.program for path, owner in found.items()}
    assert programs == {"/dev/vfio/17": "99 99-program", "/dev/vhost-vdpa-3": "100 100-program"}
    assert found["/dev/vfio/17"].netns == f"{roots.proc}/99/ns/net"
    assert vfio.holders(set(), roots) == {}


VF = "0000:03:02.0"
NO_IOMMU = ["/dev/vfio/17", "/dev/vfio/noiommu-17"]


@pytest.mark.parametrize(
    ("tree", "changes", "expected"),
    [
        ({}, {}, NO_IOMMU),
        ({"vfio-dev/vfio4": None}, {}, [*NO_IOMMU, "/dev/vfio/devices/vfio4"]),
        ({"vfio-dev/vfio4": None}, {"iommu_group": None}, ["/dev/vfio/devices/vfio4"]),
        ({"net": None}, {}, []),
        ({}, {"driver": ""}, []),
        ({}, {"address": None}, []),
        ({"net": None}, {"vdpa": Vdpa("vdpa0", "vhost", "/dev/vhost-vdpa-3")}, ["/dev/vhost-vdpa-3"]),
        ({"net": None}, {"vdpa": Vdpa("vdpa0", "virtio", "/sys/bus/virtio/devices/virtio1")}, []),
    ],
    ids=["group", "group and device", "device", "a link", "no driver", "simulated", "vDPA", "virtio"],
)
def test_nodes(tmp_path: Path, tree: Tree, changes: dict[str, Any], expected: list[str]) -> None:
    """By what a program can have a VF: nothing where a driver gives it a link, but for a vDPA device's."""
    whole = {folder(VF, path): text for path, text in tree.items()} | {folder(VF, "vendor"): "0x8086"}
    vf = Vf("eth0", 0, VF, "vfio-pci", iommu_group=17)
    assert vfio.nodes(replace(vf, **changes), sysfstree.build(tmp_path, whole)) == expected


def test_paths(roots: Roots, tmp_path: Path) -> None:
    """Each namespace once, by the best path: one that is known, a name, a process; never the caller's own."""
    process(tmp_path, "10", "known")
    process(tmp_path, "11", "named")
    process(tmp_path, "12", "nameless")
    process(tmp_path, "13", "us")
    spaces = tmp_path / "spaces"
    folder = tmp_path / "run/netns"
    folder.mkdir(parents=True)
    for name in ("known", "named", "us"):
        os.link(spaces / name, folder / name)
    known = [str(spaces / "known"), str(spaces / "gone")]
    expected = [known[0], str(folder / "named"), f"{roots.proc}/12/ns/net"]
    assert namespaces.paths(roots, known) == expected


def test_nothing_there(tmp_path: Path) -> None:
    """Without /proc and names there are no namespaces and no programs."""
    roots = Roots(proc=str(tmp_path / "proc"), run=str(tmp_path / "run"))
    assert namespaces.paths(roots, []) == []
    assert vfio.holders({"/dev/vfio/1"}, roots) == {}
