"""What processes tell, in a /proc of the test's own: who has a device open, and which namespaces there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plumbline.node import namespaces, vfio
from plumbline.node.roots import Roots


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
    """The first process that has a group open, in the order of their numbers; vfio's own file is no group."""
    process(tmp_path, "100", "vm", "/dev/vfio/vfio", "/dev/vfio/17", "/dev/null")
    process(tmp_path, "99", "vm", "/dev/vfio/17", "/dev/vfio/18")
    process(tmp_path, "7", "us", "/dev/null", "socket:[17]")
    found = vfio.holders({17, 19}, roots)
    assert {group: owner.program for group, owner in found.items()} == {17: "99 99-program"}
    assert found[17].netns == f"{roots.proc}/99/ns/net"
    assert vfio.holders(set(), roots) == {}


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
    assert vfio.holders({1}, roots) == {}
