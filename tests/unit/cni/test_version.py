"""Versions: order and the VERSION reply."""

from __future__ import annotations

import pytest

from cni.protocol.version import CURRENT, OLDEST, SUPPORTED, at_least, reply


def test_constants() -> None:
    assert SUPPORTED[0] == OLDEST
    assert SUPPORTED[-1] == CURRENT == "1.1.0"


@pytest.mark.parametrize(
    ("version", "minimum", "expected"),
    [
        ("0.1.0", "0.1.0", True),
        ("0.3.1", "0.4.0", False),
        ("0.4.0", "0.4.0", True),
        ("1.0.0", "0.4.0", True),
        ("1.0.0", "1.1.0", False),
    ],
)
def test_at_least(version: str, minimum: str, expected: bool) -> None:
    assert at_least(version, minimum) is expected


def test_at_least_knows_only_supported_versions() -> None:
    with pytest.raises(ValueError, match=r"tuple\.index"):
        at_least("2.0.0", "1.0.0")


@pytest.mark.parametrize(
    ("asked", "answered"), [("0.4.0", "0.4.0"), ("1.1.0", "1.1.0"), ("", "1.1.0"), ("9.9.9", "1.1.0")]
)
def test_reply(asked: str, answered: str) -> None:
    assert reply(asked) == {"cniVersion": answered, "supportedVersions": list(SUPPORTED)}
