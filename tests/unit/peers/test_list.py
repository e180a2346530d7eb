"""The list of callers and peers: what a test gets of it, and what is built of it."""

from __future__ import annotations

import os

import pytest

from tests import peers
from tests.peers import Module, listed, peer, versions


@pytest.mark.parametrize("each", listed(), ids=lambda each: f"{each.name}-{each.version}")
def test_there(each: peers.Module | peers.Package) -> None:
    """Every peer of the list is on this machine, at its version."""
    folder = peer(each.name, each.version)
    programs = each.programs if isinstance(each, Module) else ["host-device"] if each.name == "plugins" else []
    assert [name for name in programs if not os.access(os.path.join(folder, name), os.X_OK)] == []


def test_newest_first() -> None:
    """By number: 1.10.0 is newer than 1.9.1 and 1.1.1."""
    assert versions("plugins") == ["1.10.0", "1.1.1"]
    assert peer("plugins") == peer("plugins", "1.10.0") != peer("plugins", "1.1.1")


def test_unknown() -> None:
    """A name or version that is not listed is the mistake of whoever wrote the test."""
    with pytest.raises(KeyError, match="no nothing"):
        versions("nothing")
    with pytest.raises(KeyError, match=r"no plugins 0\.0\.1"):
        peer("plugins", "0.0.1")


@pytest.mark.parametrize(
    ("packaged", "version", "is_of"),
    [
        ("1.1.1+ds1-3+b5", "1.1.1", True),
        ("1.1.1-1", "1.1", True),
        ("1:4.3.1+ds1-8", "4.3.1", True),
        ("1.6.20~ds1-1+b1", "1.6", True),
        ("1.60.1-1", "1.6", False),
        ("11.6-1", "1.6", False),
        ("1.1.10-1", "1.1.1", False),
    ],
)
def test_version_of_a_package(packaged: str, version: str, is_of: bool) -> None:
    """What a package calls its version begins with upstream's."""
    assert peers.begins(packaged, version) is is_of
