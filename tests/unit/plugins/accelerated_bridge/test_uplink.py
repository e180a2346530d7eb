"""Uplinks: whose a VLAN is, and how VLANs are said."""

from __future__ import annotations

import pytest

from cni.linux.netlink.bridge import Port
from plugins.accelerated_bridge.uplink import listed, share

NATIVE = 6
"""The flags of VLAN 1 that a bridge gives every port."""

SHARES: dict[str, tuple[list[int], dict[int, int] | None, list[int], list[int]]] = {
    "nothing wanted": ([], {1: NATIVE}, [7], []),
    "none there": ([7, 100], {}, [], [7, 100]),
    "no port at all": ([7, 100], None, [], [7, 100]),
    "others there": ([7, 100], {1: NATIVE, 8: 0}, [8], [7, 100]),
    "the administrator's": ([7, 100], {7: 0}, [], [100]),
    "all the administrator's": ([1, 7], {1: NATIVE, 7: 0}, [], []),
    "another attachment's": ([7, 100], {7: 0}, [7], [7, 100]),
    "one of each": ([7, 8, 9], {7: 0, 8: 0}, [8], [8, 9]),
    "brought, but not there": ([7], {}, [7], [7]),
    "brought twice": ([7], {7: 0}, [7, 7], [7]),
    "out of order": ([100, 7, 50], None, [], [7, 50, 100]),
}


@pytest.mark.parametrize(("vlans", "present", "others", "expected"), SHARES.values(), ids=SHARES)
def test_share(vlans: list[int], present: dict[int, int] | None, others: list[int], expected: list[int]) -> None:
    """What is on the uplink and nobody has brought is the administrator's; all else is the attachment's, in order."""
    port = None
    if present is not None:
        port = Port(7)
        port.vlans = present
    before = dict(present or {})
    assert share(vlans, port, others) == expected
    assert share(dict.fromkeys(vlans, 0), port, iter(others)) == expected
    assert (present or {}) == before


@pytest.mark.parametrize(
    ("vlans", "expected"),
    [
        ([], ""),
        ([7], "7"),
        ([7, 8], "7-8"),
        ([8, 7], "7-8"),
        ([7, 9], "7, 9"),
        ([1, 7, 8, 9, 100, 4093, 4094], "1, 7-9, 100, 4093-4094"),
        (range(1, 4095), "1-4094"),
        (range(1, 10, 2), "1, 3, 5, 7, 9"),
        ({100: NATIVE, 7: 0}, "7, 100"),
        ({3, 1, 2}, "1-3"),
    ],
    ids=["none", "one", "two", "backwards", "a gap", "several", "all", "every other", "with flags", "a set"],
)
def test_listed(vlans: list[int], expected: str) -> None:
    """Ranges for what is consecutive, in ascending order."""
    assert listed(vlans) == expected
