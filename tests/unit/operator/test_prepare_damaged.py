"""A record that nobody can read keeps VFs from being taken away that a pod may have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.errors import Status, VerbError
from plumbline.node.model import Node, Pf, Vf
from plumbline.node.roots import Roots
from plumbline.node.wish import Wish
from plumbline.prepare import change as changing
from plumbline.prepare import damaged
from plumbline.prepare.change import Change, Terms
from plumbline.prepare.plan import plan
from tests.support import disk
from tests.unit.operator.made_up import ADDRESS, address_of, pf

OTHER = Pf("ens4", "0000:04:00.0", "pci", vfs=[Vf("ens4", 0, "0000:04:02.0")])


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Nothing is on the disk afterwards."""
    os.makedirs(disk.SRIOV, exist_ok=True)
    yield
    disk.clear()


def _node(content: str, *found: Pf) -> Node:
    """Return a node with a damaged record, as a look tells of it."""
    path = Path(disk.SRIOV, "c0ffee-net1")
    path.write_text(content)
    line = f"2026-11-30T10:00:00Z warning record {path} is damaged and not used: Expecting value"
    return Node("n", "6.12", list(found), unknown=[line], damaged=[line])


def _refuse(node: Node, wish: Wish, terms: Terms, tmp_path: Path) -> None:
    roots = Roots(checkpoint=str(tmp_path / "checkpoint"), results=(), etc=str(tmp_path))
    found = node.pfs[0]
    Change(roots, {}).refuse("change it", found, plan(found, wish), node, terms)


@pytest.mark.parametrize("content", ["", "{", '{"deviceID": "0000:99:02.0", ', f'{{"deviceID": "{address_of(1)}", '])
def test_refused(content: str, tmp_path: Path) -> None:
    """VFs of a PF are left alone where the record names one of them, or none of this node; --force is none against."""
    node = _node(content, pf("igbvf", "igbvf"), OTHER)
    with pytest.raises(VerbError, match=r"change it: nothing was changed.*c0ffee-net1") as caught:
        _refuse(node, Wish(ADDRESS, 4), Terms(force=True), tmp_path)
    assert caught.value.status is Status.FAILURE
    _refuse(node, Wish(ADDRESS, 2), Terms(), tmp_path)  # nothing is to be done


def test_another_pf_and_none(tmp_path: Path) -> None:
    """One bad file does not keep other PFs from being changed, nor one that has no VFs."""
    _refuse(_node('{"deviceID": "0000:04:02.0", ', pf("igbvf"), OTHER), Wish(ADDRESS, 4), Terms(), tmp_path)
    _refuse(_node("{", pf()), Wish(ADDRESS, 4), Terms(), tmp_path)


def test_at_boot(tmp_path: Path) -> None:
    """A record that a power cut has spoilt is about nobody after it; one that was written since may be."""
    node = _node("", pf("igbvf"))
    with pytest.raises(VerbError):
        _refuse(node, Wish(ADDRESS, 4), Terms(at_boot=True), tmp_path)
    os.utime(Path(disk.SRIOV, "c0ffee-net1"), (1, 1))
    _refuse(node, Wish(ADDRESS, 4), Terms(at_boot=True), tmp_path)
    with pytest.raises(VerbError):
        _refuse(node, Wish(ADDRESS, 4), Terms(), tmp_path)


def test_named_by_its_owner() -> None:
    """Some damaged records are told by whose they are."""
    node = _node('{"deviceID": "0000:04:02.0"}', pf("igbvf"), OTHER)
    node.damaged = ["warning the record of net1 of c0ffee is damaged and not used: record.link: no object"]
    damaged.refuse("x", node.pfs[0], node, False)
    with pytest.raises(VerbError, match="VFs of ens4"):
        damaged.refuse("x", OTHER, node, False)


def test_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is not said to be undone because nobody can look at it."""
    blind = Node("n", "6.12", unknown=["links: Too many open files"])
    monkeypatch.setattr(changing, "look", lambda _: blind)
    wish = Wish(ADDRESS, 4)
    with pytest.raises(VerbError, match="nothing was changed, since it is not known who has VFs: links: Too many"):
        Change().look()
    with pytest.raises(VerbError, match=f"^{ADDRESS} was made 4 VFs, and that cannot be verified: links: Too many"):
        Change()._verify(wish)
    monkeypatch.setattr(changing, "look", lambda _: Node("n", "6.12"))
    with pytest.raises(VerbError, match="was made 4 VFs, and is not there any more"):
        Change()._verify(wish)
