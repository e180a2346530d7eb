"""VLANs of bridge ports: the messages that are sent and read, compared with what pyroute2 makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from cni.linux.netlink import bridge, link
from cni.linux.netlink.bridge import PVID, UNTAGGED, Port
from tests.support.messages import Recorder, attributes_of, decode, encode

RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 17, 18, 19
AF_BRIDGE = 7
BEGIN, END = 8, 16
NATIVE = PVID | UNTAGGED

EVERY = range(1, 4095)

Info = tuple[int, int]
"""Flags and VLAN ID, as in struct bridge_vlan_info."""

MESSAGES: dict[str, tuple[dict[int, int], list[Info]]] = {
    "none": ({}, []),
    "one": ({7: 0}, [(0, 7)]),
    "native": ({100: NATIVE}, [(NATIVE, 100)]),
    "two apart": ({7: 0, 9: 0}, [(0, 7), (0, 9)]),
    "two together": ({7: 0, 8: 0}, [(BEGIN, 7), (END, 8)]),
    "in order": ({9: 0, 7: 0, 8: 0, 100: 0, 1: 0}, [(0, 1), (BEGIN, 7), (END, 9), (0, 100)]),
    "all": (dict.fromkeys(EVERY, 0), [(BEGIN, 1), (END, 4094)]),
    "every other": (dict.fromkeys(EVERY[::2], 0), [(0, vlan) for vlan in EVERY[::2]]),
    "untagged": ({5: UNTAGGED, 6: UNTAGGED, 7: UNTAGGED}, [(BEGIN | UNTAGGED, 5), (END | UNTAGGED, 7)]),
    "untagged in between": ({5: 0, 6: UNTAGGED, 7: 0}, [(0, 5), (UNTAGGED, 6), (0, 7)]),
    "native in between": (
        dict.fromkeys(range(5, 11), 0) | {7: NATIVE},
        [(BEGIN, 5), (END, 6), (NATIVE, 7), (BEGIN, 8), (END, 10)],
    ),
    "native and untagged beside it": (
        {6: UNTAGGED, 7: NATIVE, 8: UNTAGGED},
        [(UNTAGGED, 6), (NATIVE, 7), (UNTAGGED, 8)],
    ),
    "PVIDs beside each other": ({6: PVID, 7: PVID}, [(PVID, 6), (PVID, 7)]),
    "first and last": ({1: 0, 4094: 0}, [(0, 1), (0, 4094)]),
}


def infos(recorder: Recorder) -> tuple[int, list[Info]]:
    """Return type and VLANs of the only message, for the port with index 7."""
    ((kind, body, flags),) = recorder.sent
    message = decode(ifinfmsg, (kind, body, flags))
    assert (message["family"], message["index"], message["flags"], message["change"], flags) == (AF_BRIDGE, 7, 0, 0, 0)
    ((name, nested, *_),) = message["attrs"]
    assert name == "IFLA_AF_SPEC"
    assert {entry[0] for entry in nested["attrs"]} <= {"IFLA_BRIDGE_VLAN_INFO"}
    return kind, [(entry[1]["flags"], entry[1]["vid"]) for entry in nested["attrs"]]


@pytest.mark.parametrize(("vlans", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_adding(vlans: dict[int, int], expected: list[Info]) -> None:
    """One message, with ranges where VLANs follow each other with the same flags; the kernel refuses a PVID in one."""
    recorder = Recorder()
    bridge.add_vlans(recorder, 7, vlans)
    assert infos(recorder) == (RTM_SETLINK, expected)


@pytest.mark.parametrize(
    ("vlans", "expected"),
    [
        ([7], [(0, 7)]),
        ([9, 7, 8], [(BEGIN, 7), (END, 9)]),
        ([1, 100], [(0, 1), (0, 100)]),
        ([7, 7], [(0, 7)]),
        (list(EVERY), [(BEGIN, 1), (END, 4094)]),
    ],
    ids=["one", "a range", "two", "twice", "all"],
)
def test_deleting(vlans: list[int], expected: list[Info]) -> None:
    """One message, of the type that deletes."""
    recorder = Recorder()
    bridge.delete_vlans(recorder, 7, vlans)
    assert infos(recorder) == (RTM_DELLINK, expected)


def test_asking() -> None:
    """A dump of the family, VLANs in ranges, and no statistics."""
    recorder = Recorder()
    assert bridge.ports(recorder) == {}
    (sent,) = recorder.sent
    message = decode(ifinfmsg, sent)
    assert (sent[0], message["family"], message["index"]) == (RTM_GETLINK, AF_BRIDGE, 0)
    compressed = 4  # RTEXT_FILTER_BRVLAN_COMPRESSED, linux/rtnetlink.h
    assert attributes_of(message) == {"IFLA_EXT_MASK": compressed | link.RTEXT_FILTER_SKIP_STATS}


def answer(index: int, master: int, vlans: list[Info] | None, **other: Any) -> bytes:
    """Return what the kernel says of a port; without a list of VLANs, as with a kernel that has none."""
    attributes: list[tuple[str, Any]] = [("IFLA_IFNAME", f"port{index}"), ("IFLA_MASTER", master), ("IFLA_MTU", 1500)]
    spec = [("IFLA_BRIDGE_" + key.upper(), value) for key, value in other.items()]
    spec += [("IFLA_BRIDGE_VLAN_INFO", {"flags": flags, "vid": vlan}) for flags, vlan in vlans or ()]
    if vlans is not None or spec:
        attributes.append(("IFLA_AF_SPEC", {"attrs": spec}))
    return encode(ifinfmsg, {"family": AF_BRIDGE, "index": index}, attributes)


def plain(port: Port | None) -> Any:
    """Return a port as plain values."""
    return None if port is None else (port.index, port.master, port.vlans)


READ: dict[str, tuple[list[Info] | None, dict[int, int]]] = {
    "no VLANs": (None, {}),
    "an empty list": ([], {}),
    "the default": ([(NATIVE, 1)], {1: NATIVE}),
    "tagged": ([(0, 7)], {7: 0}),
    "a range": ([(BEGIN, 7), (END, 10)], {7: 0, 8: 0, 9: 0, 10: 0}),
    "a range of two": ([(BEGIN, 7), (END, 8)], {7: 0, 8: 0}),
    "untagged range": ([(BEGIN | UNTAGGED, 7), (END | UNTAGGED, 8)], {7: UNTAGGED, 8: UNTAGGED}),
    "several": (
        [(NATIVE, 1), (BEGIN, 5), (END, 6), (UNTAGGED, 7), (BEGIN, 100), (END, 102), (0, 4094)],
        {1: NATIVE, 5: 0, 6: 0, 7: UNTAGGED, 100: 0, 101: 0, 102: 0, 4094: 0},
    ),
    "all": ([(BEGIN, 1), (END, 4094)], dict.fromkeys(EVERY, 0)),
    "every other": ([(0, vlan) for vlan in EVERY[::2]], dict.fromkeys(EVERY[::2], 0)),
    "flags that are not ours": ([(0x20 | NATIVE, 1), (0x20, 2)], {1: NATIVE, 2: 0}),
}


@pytest.mark.parametrize(("vlans", "expected"), READ.values(), ids=READ)
def test_reading(vlans: list[Info] | None, expected: dict[int, int]) -> None:
    """Index, bridge, and each VLAN with its flags."""
    assert plain(bridge.parse(answer(7, 3, vlans))) == (7, 3, expected)


@pytest.mark.parametrize("vlans", [vlans for vlans, _ in MESSAGES.values()], ids=MESSAGES)
def test_round_trip(vlans: dict[int, int]) -> None:
    """What is sent would be read as it was."""
    recorder = Recorder()
    bridge.add_vlans(recorder, 7, vlans)
    assert plain(bridge.parse(recorder.sent[0][1])) == (7, 0, vlans)


@pytest.mark.parametrize("mode", [{}, {"mode": 0}, {"mode": 1}], ids=["no mode", "VEB", "VEPA"])
def test_nics_with_a_switch_of_their_own(mode: dict[str, int]) -> None:
    """A NIC that answers for its own switch (BRIDGE_FLAGS_SELF) is no port of a bridge, whatever it says besides."""
    assert bridge.parse(answer(7, 0, None, flags=2, **mode)) is None
    assert bridge.parse(answer(7, 0, [(NATIVE, 1)], flags=2, **mode)) is None
    assert plain(bridge.parse(answer(7, 3, [(NATIVE, 1)], flags=1))) == (7, 3, {1: NATIVE})


def test_reading_all() -> None:
    """Every port and every bridge under its index; a NIC that is a port and has a switch of its own is a port."""
    found = bridge.ports(
        Recorder(
            answer(3, 3, [(NATIVE, 1)]),
            answer(7, 3, [(0, 100)]),
            answer(7, 0, None, flags=2, mode=0),
            answer(8, 0, None, flags=2, mode=0),
            answer(9, 4, []),
        )
    )
    assert {index: plain(port) for index, port in found.items()} == {
        3: (3, 3, {1: NATIVE}),
        7: (7, 3, {100: 0}),
        9: (9, 4, {}),
    }
