"""Members that nobody knows, and what was meant by them."""

from __future__ import annotations

import pytest

from cni.protocol.section import Section
from ipam import members


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("", "", 0), ("a", "", 1), ("", "ab", 2), ("gateway", "gatway", 1), ("dst", "dts", 2), ("kitten", "sitting", 3)],
)
def test_distance(one: str, other: str, expected: int) -> None:
    assert members.distance(one, other) == members.distance(other, one) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("startRange", "rangeStart"), ("range_start", "rangeStart"), ("end-range", "rangeEnd"), ("subnets", "subnet"),
        ("datadir2", "dataDir"), ("resolveConf", "resolvConf"), ("gw", ""), ("x", ""), ("", ""), ("a" * 10_000, ""),
        ("route", "routes"), ("adresses", "addresses"),
    ],
)  # fmt: skip
def test_nearest(name: str, expected: str) -> None:
    assert members.nearest(name, members.IPAM) == expected


def test_unknown() -> None:
    """Case does not matter, nor does the value; the place is named."""
    section = Section({"DST": "x", "gateway": None, "gww": 1}, "ipam.routes[3]")
    assert [members.sentence(section, name, members.ROUTE) for name in members.unknown(section, members.ROUTE)] == [
        'member "gateway" in ipam.routes[3] is not known and has no effect; '
        "known are dst, gw, mtu, advmss, priority, table, scope",
        'member "gww" in ipam.routes[3] is not known and has no effect; did you mean gw?',
    ]
