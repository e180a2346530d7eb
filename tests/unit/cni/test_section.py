"""Typed reading: what each getter takes, and how it names what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from cni.protocol.errors import INVALID_CONFIG, CniError
from cni.protocol.section import Section

Getter = Callable[[Section], object]


def _vlan(section: Section) -> object:
    return section.integer("k", -1, 0, 4094)


STRING: Getter = lambda s: s.string("k", "default")  # noqa: E731
BOOLEAN: Getter = lambda s: s.boolean("k", True)  # noqa: E731
INTEGERS: Getter = lambda s: s.integers("k", 1, 4094)  # noqa: E731
STRINGS: Getter = lambda s: s.strings("k")  # noqa: E731
SECTION: Getter = lambda s: s.section("k").raw  # noqa: E731
SECTIONS: Getter = lambda s: [(x.where, x.raw) for x in s.sections("k")]  # noqa: E731
LISTS: Getter = lambda s: [[x.where for x in one] for one in s.section_lists("k")]  # noqa: E731
ADDRESS: Getter = lambda s: s.address("k")  # noqa: E731
INTERFACE: Getter = lambda s: s.interface("k")  # noqa: E731
NETWORK: Getter = lambda s: s.network("k")  # noqa: E731

ABSENT: list[tuple[Getter, object]] = [
    (STRING, "default"),
    (BOOLEAN, True),
    (_vlan, -1),
    (lambda s: s.optional_integer("k"), None),
    (INTEGERS, []),
    (STRINGS, []),
    (SECTION, {}),
    (SECTIONS, []),
    (LISTS, []),
    (ADDRESS, None),
    (INTERFACE, None),
    (NETWORK, None),
]


@pytest.mark.parametrize("raw", [{}, {"k": None}], ids=["absent", "null"])
@pytest.mark.parametrize(("getter", "expected"), ABSENT)
def test_absent(raw: dict[str, object], getter: Getter, expected: object) -> None:
    assert getter(Section(raw)) == expected
    assert not Section(raw).has("k")


@pytest.mark.parametrize(
    ("getter", "value", "expected"),
    [
        (STRING, "x", "x"),
        (STRING, "", ""),
        (BOOLEAN, False, False),
        (_vlan, 0, 0),
        (_vlan, 4094, 4094),
        (INTEGERS, [], []),
        (INTEGERS, [1, 4094, 7, 7], [1, 4094, 7, 7]),
        (lambda s: s.integers("k"), [-(1 << 70), 0, 1 << 70], [-(1 << 70), 0, 1 << 70]),
        (STRINGS, ["a", ""], ["a", ""]),
        (SECTION, {"a": 1}, {"a": 1}),
        (SECTIONS, [{}, {"a": 1}], [("w.k[0]", {}), ("w.k[1]", {"a": 1})]),
        (LISTS, [[{}, {}], []], [["w.k[0][0]", "w.k[0][1]"], []]),
        (ADDRESS, "10.0.0.1", ip_address("10.0.0.1")),
        (ADDRESS, "fd00::0:1", ip_address("fd00::1")),
        (ADDRESS, "::ffff:10.0.0.1", ip_address("10.0.0.1")),
        (ADDRESS, "", None),
        (INTERFACE, "10.0.0.1/8", ip_interface("10.0.0.1/8")),
        (INTERFACE, "fd00::1/64", ip_interface("fd00::1/64")),
        (NETWORK, "0.0.0.0/0", ip_network("0.0.0.0/0")),
        (NETWORK, "10.1.2.3/8", ip_network("10.0.0.0/8")),
    ],
)
def test_allowed(getter: Getter, value: object, expected: object) -> None:
    assert getter(Section({"k": value}, "w")) == expected


REFUSED: list[tuple[Getter, object, str]] = [
    (STRING, 5, "w.k: 5 is not allowed; it must be a string"),
    (STRING, "a\0b", 'w.k: "a\\u0000b" is not allowed; it must be a string without NUL characters'),
    (STRING, ["a\n\x7f"], 'w.k: ["a\\n\\u007f"] is not allowed; it must be a string'),
    (STRING, list(range(99)), "w.k: [" + ",".join(map(str, range(30)))[:79] + "... is not allowed"),
    (BOOLEAN, 1, "w.k: 1 is not allowed; it must be true or false"),
    (BOOLEAN, "true", 'w.k: "true" is not allowed; it must be true or false'),
    (_vlan, -1, "w.k: -1 is not allowed; it must be an integer from 0 up to 4094"),
    (_vlan, 4095, "w.k: 4095 is not allowed; it must be an integer from 0 up to 4094"),
    (_vlan, True, "w.k: true is not allowed"),
    (_vlan, 1.0, "w.k: 1.0 is not allowed"),
    (_vlan, "1", 'w.k: "1" is not allowed'),
    (lambda s: s.integer("k", minimum=1), 0, "it must be an integer from 1"),
    (INTEGERS, 7, "w.k: 7 is not allowed; it must be a list of integers"),
    (INTEGERS, "7", 'w.k: "7" is not allowed; it must be a list of integers'),
    (INTEGERS, {"0": 7}, 'w.k: {"0":7} is not allowed; it must be a list of integers'),
    (INTEGERS, [1, 0], "w.k[1]: 0 is not allowed; it must be an integer from 1 up to 4094"),
    (INTEGERS, [4095], "w.k[0]: 4095 is not allowed; it must be an integer from 1 up to 4094"),
    (INTEGERS, [1, 2, "3"], 'w.k[2]: "3" is not allowed; it must be an integer'),
    (INTEGERS, [True], "w.k[0]: true is not allowed; it must be an integer"),
    (INTEGERS, [1.0], "w.k[0]: 1.0 is not allowed; it must be an integer"),
    (INTEGERS, [None], "w.k[0]: null is not allowed; it must be an integer"),
    (INTEGERS, [[7]], "w.k[0]: [7] is not allowed; it must be an integer"),
    (STRINGS, "a", "it must be a list of strings"),
    (STRINGS, ["a", 5], "w.k[1]: 5 is not allowed; it must be a string"),
    (STRINGS, [None], "w.k[0]: null is not allowed; it must be a string"),
    (SECTION, [], "w.k: [] is not allowed; it must be an object"),
    (SECTIONS, {}, "w.k: {} is not allowed; it must be a list of objects"),
    (SECTIONS, [{}, 1], "w.k[1]: 1 is not allowed; it must be an object"),
    (LISTS, [{}], "w.k[0]: {} is not allowed; it must be a list of objects"),
    (LISTS, [[{}], [1]], "w.k[1][0]: 1 is not allowed; it must be an object"),
    (ADDRESS, 5, "w.k: 5 is not allowed; it must be a string"),
    (ADDRESS, "10.0.0.1/8", "it must be an IP address"),
    (ADDRESS, "10.0.0.256", "it must be an IP address"),
    (ADDRESS, "10.0.0.01", "it must be an IP address"),
    (ADDRESS, "fe80::1%eth0", "it must be an IP address"),
    (INTERFACE, "", "it must be an address with prefix length"),
    (INTERFACE, "10.0.0.1", "it must be an address with prefix length"),
    (INTERFACE, "10.0.0.1/255.0.0.0", "it must be an address with prefix length"),
    (INTERFACE, "10.0.0.1/33", "it must be an address with prefix length"),
    (INTERFACE, "fe80::1%a/64", "it must be an address with prefix length"),
    (INTERFACE, "10.0.0.1/-1", "it must be an address with prefix length"),
    (INTERFACE, "10.0.0.1/8/8", "it must be an address with prefix length"),
    (NETWORK, "", "it must be a subnet"),
    (NETWORK, "10.0.0.0", "it must be a subnet"),
    (NETWORK, "fd00::/129", "it must be a subnet"),
]


@pytest.mark.parametrize(("getter", "value", "message"), REFUSED)
def test_refused(getter: Getter, value: object, message: str) -> None:
    with pytest.raises(CniError) as caught:
        getter(Section({"k": value}, "w"))
    assert caught.value.code == INVALID_CONFIG
    assert message in caught.value.msg


def test_names() -> None:
    outer = Section({"a": {"b": {"c": 5}}})
    assert outer.name_of("a") == "a"
    with pytest.raises(CniError, match=r"^a\.b\.c: 5"):
        outer.section("a").section("b").string("c")


def test_case_is_ignored_unless_a_key_matches() -> None:
    section = Section({"MAC": "state", "Vlan": 5})
    assert section.string("mac") == "state"
    assert section.integer("vlan") == 5
    assert Section({"MAC": "state", "mac": "user"}).string("mac") == "user"


@pytest.mark.parametrize(
    ("key", "most"),
    [("trunk", 4096), ("routes", 1024), ("ips", 256), ("addresses", 256), ("cni.dev/valid-attachments", 65536)],
)
def test_lists_that_are_too_long(key: str, most: int) -> None:
    """Code 7, with the limit; the same wherever the list stands, and for each way to read it."""
    for item, read in (({}, Section.sections), ("x", Section.strings), (1, Section.integers)):
        assert len(list(read(Section({key: [item] * most}), key))) == most
        with pytest.raises(CniError) as caught:
            read(Section({"in": {key: [item] * (most + 1)}}).section("in"), key)
        assert caught.value.code == INVALID_CONFIG
        assert caught.value.msg == f"in.{key}: {most + 1} entries are not allowed; the limit is {most}"


def test_a_lenient_section() -> None:
    """Whatever a section refuses counts as absent, in objects inside, too, and is noted once."""
    bad = {"k": {}, "l": 5, "in": {"k": {}}, "list": [{"k": {}}], "bad list": [5], "lists": [[{"k": {}}]]}
    warnings: list[str] = []
    seen: list[str] = []
    section = Section(bad, "", warnings)
    for _ in range(2):
        assert section.section("l").raw == {}
        assert section.sections("bad list") == []
        for one in (section, section.section("in"), section.sections("list")[0], section.section_lists("lists")[0][0]):
            assert one.string("k", "default") == "default"
            assert one.boolean("k", True) is True
            assert one.integer("k", 7, 0, 9) == 7
            empty: list[object] = [one.integers("k"), one.strings("k"), one.sections("k"), one.section_lists("k")]
            assert empty == [[]] * 4
            nothing: list[object] = [
                one.optional_integer("k"), one.address("k"), one.interface("k"), one.network("k")
            ]  # fmt: skip
            assert nothing == [None] * 4
            seen += warnings
            if one is not section:
                warnings.clear()
    assert len(warnings) == len(set(warnings))
    for field in ("k: {}", "in.k: {}", "list[0].k: {}", "lists[0][0].k: {}", "l: 5", "bad list[0]: 5"):
        assert any(text.startswith(f"not read: {field} is not allowed") for text in seen), field


def test_many_members_are_folded_once() -> None:
    """A key that is written otherwise is found in an object of any size; the first of several is taken."""
    section = Section({**{f"m{number}": number for number in range(100_000)}, "TheKey": 1, "THEKEY": 2})
    for _ in range(1000):
        assert section.get("thekey") == 1
        assert section.get("none") is None
    assert section.get("THEKEY") == 2
