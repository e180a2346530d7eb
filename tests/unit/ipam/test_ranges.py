"""Ranges: defaults, what is never given out, the order in which addresses come."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from ipam.host_local.ranges import SHOWN_RANGES, Range, RangeSet, find_overlap


def make(subnet: str, start: str = "", end: str = "", gateway: str = "") -> Range:
    return Range(ip_network(subnet), *(ip_address(text) if text else None for text in (start, end, gateway)))


def turn(ranges: list[Range], last: str = "", taken: tuple[str, ...] = ()) -> list[str]:
    """Return all addresses that come one after the other until the set is full."""
    given: list[str] = []
    after = ip_address(last) if last else None
    while (address := RangeSet(ranges).next_free(after, {*taken, *given})) is not None:
        given.append(str(address))
        after = address
    return given


@pytest.mark.parametrize(
    ("made", "text", "gateway"),
    [
        pytest.param(make("10.1.0.0/24"), "10.1.0.1-10.1.0.254", "10.1.0.1", id="IPv4"),
        pytest.param(make("10.1.0.0/30"), "10.1.0.1-10.1.0.2", "10.1.0.1", id="smallest IPv4"),
        pytest.param(make("fd00::/64"), "fd00::1-fd00::ffff:ffff:ffff:ffff", "fd00::1", id="IPv6"),
        pytest.param(make("fd00::/126"), "fd00::1-fd00::3", "fd00::1", id="smallest IPv6"),
        pytest.param(
            make("10.1.0.0/24", "10.1.0.9", "10.1.0.11", "10.9.9.9"), "10.1.0.9-10.1.0.11", "10.9.9.9", id="given"
        ),
    ],
)
def test_defaults(made: Range, text: str, gateway: str) -> None:
    assert (str(made), str(made.gateway)) == (text, gateway)


@pytest.mark.parametrize(
    ("ranges", "last", "taken", "expected"),
    [
        pytest.param([make("10.1.0.0/29")], "", (), "2 3 4 5 6", id="from the start, without the gateway"),
        pytest.param([make("10.1.0.0/29")], "10.1.0.4", (), "5 6 2 3 4", id="from the middle, the last one last"),
        pytest.param([make("10.1.0.0/29")], "10.1.0.6", (), "2 3 4 5 6", id="from the end"),
        pytest.param([make("10.1.0.0/29")], "10.2.0.4", (), "2 3 4 5 6", id="last is of another range"),
        pytest.param([make("10.1.0.0/29")], "fd00::4", (), "2 3 4 5 6", id="last is of another family"),
        pytest.param([make("10.1.0.0/29")], "", ("10.1.0.2", "10.1.0.5"), "3 4 6", id="without those taken"),
        pytest.param([make("10.1.0.0/29", gateway="10.1.0.4")], "10.1.0.3", (), "5 6 1 2 3", id="gateway inside"),
        pytest.param([make("10.1.0.0/29", "10.1.0.0", "10.1.0.7")], "", (), "2 3 4 5 6", id="no network, no broadcast"),
        pytest.param([make("10.1.0.0/30", "10.1.0.1", "10.1.0.1")], "", (), "", id="only the gateway"),
        pytest.param(
            [make("10.1.0.0/29", "10.1.0.2", "10.1.0.3"), make("10.1.0.0/29", "10.1.0.5", "10.1.0.6")],
            "10.1.0.5", (), "6 2 3 5", id="two ranges, from the second",
        ),
        pytest.param(
            [make("10.1.0.0/29", "10.1.0.2", "10.1.0.3"), make("10.1.0.0/29", "10.1.0.5", "10.1.0.6")],
            "10.1.0.3", (), "5 6 2 3", id="two ranges, from the end of the first",
        ),
    ],
)  # fmt: skip
def test_turn(ranges: list[Range], last: str, taken: tuple[str, ...], expected: str) -> None:
    assert turn(ranges, last, taken) == [f"10.1.0.{number}" for number in expected.split()]


def test_ipv6_gives_the_last_address_but_not_the_routers_anycast() -> None:
    assert turn([make("fd00::/126", "fd00::", gateway="fd00::2")]) == ["fd00::1", "fd00::3"]


def test_a_large_range_is_not_walked() -> None:
    taken = {f"fd00::{number:x}" for number in range(2, 500)}
    assert str(RangeSet([make("fd00::/32")]).next_free(None, taken)) == "fd00::1f4"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(make("10.1.0.0/24"), make("10.1.0.0/16"), True, id="inside"),
        pytest.param(make("10.1.0.0/16"), make("10.1.0.0/24"), True, id="around"),
        pytest.param(make("10.1.0.0/24", end="10.1.0.9"), make("10.1.0.0/24", "10.1.0.9"), True, id="one address"),
        pytest.param(make("10.1.0.0/24", end="10.1.0.9"), make("10.1.0.0/24", "10.1.0.10"), False, id="side by side"),
        pytest.param(make("10.1.0.0/24"), make("fd00::/64"), False, id="two families"),
        pytest.param(make("0.0.0.0/0"), make("::/0"), False, id="the same numbers in two families"),
    ],
)
def test_overlaps(one: Range, other: Range, expected: bool) -> None:
    assert (find_overlap([(0, one), (1, other)]) is not None) is expected
    assert (find_overlap([(0, other), (1, one)]) is not None) is expected


def test_the_two_that_overlap_come_in_their_order() -> None:
    """Among many others, the wide one between them, and one within it as the last."""
    many = [make(f"10.{number}.0.0/24") for number in range(1, 200)]
    wide, within = make("10.220.0.0/16"), make("10.220.9.0/24")
    for ranges, expected in (([*many, wide, within], (199, 200)), ([within, *many, wide], (0, 200))):
        found = find_overlap(list(enumerate(ranges)))
        assert found is not None
        assert (found[0][0], found[1][0]) == expected
    assert find_overlap(list(enumerate(many))) is None


def test_a_set_of_many_ranges_finds_its_own() -> None:
    many = [make(f"10.{number}.0.0/24", end=f"10.{number}.0.9") for number in (9, 3, 7, 1, 5)]
    made = RangeSet(many)
    for text, inside in (("10.7.0.9", True), ("10.7.0.10", False), ("10.0.0.1", False), ("10.9.0.1", True)):
        assert (ip_address(text) in made) is inside
    assert made.range_of(ip_address("10.7.0.9")) is many[2]
    assert ip_address("fd00::1") not in made


@pytest.mark.parametrize(
    ("made", "text", "gateway", "given"),
    [
        pytest.param(make("10.1.0.0/31"), "10.1.0.0-10.1.0.1", "None", "10.1.0.0 10.1.0.1", id="/31"),
        pytest.param(make("10.1.0.0/31", gateway="10.1.0.0"), "10.1.0.0-10.1.0.1", "10.1.0.0", "10.1.0.1",
                     id="/31 with a gateway"),
        pytest.param(make("10.1.0.0/31", end="10.1.0.0"), "10.1.0.0-10.1.0.0", "None", "10.1.0.0", id="half a /31"),
        pytest.param(make("10.1.0.7/32"), "10.1.0.7-10.1.0.7", "None", "10.1.0.7", id="/32"),
        pytest.param(make("10.1.0.7/32", gateway="169.254.1.1"), "10.1.0.7-10.1.0.7", "169.254.1.1", "10.1.0.7",
                     id="/32 with a gateway elsewhere"),
        pytest.param(make("fd00::/127"), "fd00::-fd00::1", "None", "fd00:: fd00::1", id="/127"),
        pytest.param(make("fd00::7/128"), "fd00::7-fd00::7", "None", "fd00::7", id="/128"),
    ],
)  # fmt: skip
def test_links_of_two_and_single_addresses(made: Range, text: str, gateway: str, given: str) -> None:
    """RFC 3021, RFC 6164."""
    assert (str(made), str(made.gateway)) == (text, gateway)
    assert turn([made]) == given.split()


def test_set_as_text() -> None:
    ranges = [make("10.1.0.0/29"), make("10.2.0.0/24", "10.2.0.9", "10.2.0.9")]
    assert str(RangeSet(ranges)) == "10.1.0.1-10.1.0.6,10.2.0.9-10.2.0.9"


def test_a_large_set_as_text_is_cut() -> None:
    ranges = [make(f"10.{number}.0.7/32") for number in range(SHOWN_RANGES + 3)]
    assert str(RangeSet(ranges)).endswith("10.7.0.7-10.7.0.7 and 3 more")
