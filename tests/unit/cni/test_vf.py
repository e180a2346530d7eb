"""The VF table: messages that set an entry compared with what pyroute2 reads, and tables of pyroute2's and by hand."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from cni.linux.netlink import codec, vf
from cni.linux.netlink.link import IFINFOMSG
from cni.linux.netlink.socket import NetlinkError, NetlinkSocket
from cni.linux.netlink.vf import VF
from tests.support.messages import Recorder, attributes_of, decode, encode

RTM_GETLINK, RTM_SETLINK = 18, 19
PF = 0x01020304
NLA_F_NESTED = 0x8000
Q, AD = 0x8100, 0x88A8
UNKNOWN = 0xFFFFFFFF
MAC = "02:00:5e:10:00:2a"

# linux/if_link.h
IFLA_EXT_MASK, IFLA_VFINFO_LIST, IFLA_VF_INFO = 29, 22, 1
IFLA_VF_MAC, IFLA_VF_VLAN, IFLA_VF_TX_RATE, IFLA_VF_SPOOFCHK, IFLA_VF_LINK_STATE, IFLA_VF_RATE = range(1, 7)
IFLA_VF_RSS_QUERY_EN, IFLA_VF_STATS, IFLA_VF_TRUST, IFLA_VF_VLAN_LIST, IFLA_VF_BROADCAST = 7, 8, 9, 12, 13
IFLA_VF_VLAN_INFO = 1

Setter = Callable[[NetlinkSocket], None]

SETTERS: dict[str, tuple[Setter, tuple[int, bytes], dict[str, Any]]] = {
    "MAC": (
        lambda s: vf.set_mac(s, PF, 5, MAC),
        (IFLA_VF_MAC, struct.pack("=I32s", 5, bytes.fromhex("02005e10002a"))),
        {"IFLA_VF_MAC": {"vf": 5, "mac": MAC}},
    ),
    "no MAC": (
        lambda s: vf.set_mac(s, PF, 0, "00:00:00:00:00:00"),
        (IFLA_VF_MAC, bytes(36)),
        {"IFLA_VF_MAC": {"vf": 0, "mac": "00:00:00:00:00:00"}},
    ),
    "VLAN": (
        lambda s: vf.set_vlan(s, PF, 5, 4094, 7, Q),
        (IFLA_VF_VLAN, struct.pack("=III", 5, 4094, 7)),
        {"IFLA_VF_VLAN": {"vf": 5, "vlan": 4094, "qos": 7}},
    ),
    "no VLAN": (
        lambda s: vf.set_vlan(s, PF, 5, 0, 0, Q),
        (IFLA_VF_VLAN, struct.pack("=III", 5, 0, 0)),
        {"IFLA_VF_VLAN": {"vf": 5, "vlan": 0, "qos": 0}},
    ),
    "VLAN of 802.1ad": (
        lambda s: vf.set_vlan(s, PF, 5, 100, 3, AD),
        (
            IFLA_VF_VLAN_LIST | NLA_F_NESTED,
            struct.pack("=HHIII", 20, IFLA_VF_VLAN_INFO, 5, 100, 3) + b"\x88\xa8\0\0",
        ),
        {"IFLA_VF_VLAN_LIST": {"IFLA_VF_VLAN_INFO": {"vf": 5, "vlan": 100, "qos": 3, "proto": AD}}},
    ),
    "spoofchk on": (
        lambda s: vf.set_spoofchk(s, PF, 255, True),
        (IFLA_VF_SPOOFCHK, struct.pack("=II", 255, 1)),
        {"IFLA_VF_SPOOFCHK": {"vf": 255, "spoofchk": 1}},
    ),
    "spoofchk off": (
        lambda s: vf.set_spoofchk(s, PF, 255, False),
        (IFLA_VF_SPOOFCHK, struct.pack("=II", 255, 0)),
        {"IFLA_VF_SPOOFCHK": {"vf": 255, "spoofchk": 0}},
    ),
    "trust on": (
        lambda s: vf.set_trust(s, PF, 511, True),
        (IFLA_VF_TRUST, struct.pack("=II", 511, 1)),
        {"IFLA_VF_TRUST": {"vf": 511, "trust": 1}},
    ),
    "trust off": (
        lambda s: vf.set_trust(s, PF, 511, False),
        (IFLA_VF_TRUST, struct.pack("=II", 511, 0)),
        {"IFLA_VF_TRUST": {"vf": 511, "trust": 0}},
    ),
    "link state auto": (
        lambda s: vf.set_link_state(s, PF, 5, "auto"),
        (IFLA_VF_LINK_STATE, struct.pack("=II", 5, 0)),
        {"IFLA_VF_LINK_STATE": {"vf": 5, "link_state": 0}},
    ),
    "link state enable": (
        lambda s: vf.set_link_state(s, PF, 5, "enable"),
        (IFLA_VF_LINK_STATE, struct.pack("=II", 5, 1)),
        {"IFLA_VF_LINK_STATE": {"vf": 5, "link_state": 1}},
    ),
    "link state disable": (
        lambda s: vf.set_link_state(s, PF, 5, "disable"),
        (IFLA_VF_LINK_STATE, struct.pack("=II", 5, 2)),
        {"IFLA_VF_LINK_STATE": {"vf": 5, "link_state": 2}},
    ),
    "rates": (
        lambda s: vf.set_rates(s, PF, 5, 100, 4294967295),
        (IFLA_VF_RATE, struct.pack("=III", 5, 100, 4294967295)),
        {"IFLA_VF_RATE": {"vf": 5, "min_tx_rate": 100, "max_tx_rate": 4294967295}},
    ),
}


@pytest.mark.parametrize(("call", "attribute", "_"), SETTERS.values(), ids=SETTERS)
def test_bytes_of_a_setting(call: Setter, attribute: tuple[int, bytes], _: dict[str, Any]) -> None:
    """One RTM_SETLINK about the PF holds one VF with one attribute, byte for byte as linux/if_link.h lays it out."""
    recorder = Recorder()
    call(recorder)
    kind, value = attribute
    inner = struct.pack("=HH", 4 + len(value), kind) + value
    info = struct.pack("=HH", 4 + len(inner), IFLA_VF_INFO | NLA_F_NESTED) + inner
    table = struct.pack("=HH", 4 + len(info), IFLA_VFINFO_LIST | NLA_F_NESTED) + info
    assert recorder.sent == [(RTM_SETLINK, struct.pack("=BxHiII", 0, 0, PF, 0, 0) + table, 0)]


def _fields(message: Any) -> Any:
    """Return attributes by name, and what has fields as a dictionary."""
    if "attrs" in message:
        return {entry[0]: _fields(entry[1]) for entry in message["attrs"]}
    return {key: message[key] for key in message if key != "header"}


@pytest.mark.parametrize(("call", "_", "expected"), SETTERS.values(), ids=SETTERS)
def test_pyroute2_reads_a_setting(call: Setter, _: tuple[int, bytes], expected: dict[str, Any]) -> None:
    """pyroute2 sees the same VF with the same value."""
    recorder = Recorder()
    call(recorder)
    message = decode(ifinfmsg, recorder.sent[0])
    assert message["index"] == PF
    assert _fields(message) == {"IFLA_VFINFO_LIST": {"IFLA_VF_INFO": expected}}


def test_infiniband_mac() -> None:
    """A hardware address of 20 bytes is sent whole."""
    recorder = Recorder()
    mac = bytes(range(20))
    vf.set_mac(recorder, PF, 1, mac.hex(":"))
    assert recorder.sent[0][1][-32:] == mac + bytes(12)
    assert len(recorder.sent[0][1]) == 16 + 4 + 4 + 4 + 36


def shown(found: VF | None) -> dict[str, Any]:
    """Return everything that an entry says."""
    assert found is not None
    return {name: getattr(found, name) for name in found.__slots__}


def test_reading_pyroute2s_entry() -> None:
    """Every attribute that a plugin looks at is read from a message of pyroute2's, others are passed over."""
    attributes: list[tuple[str, Any]] = [
        ("IFLA_VF_MAC", {"vf": 3, "mac": MAC}),
        ("IFLA_VF_VLAN", {"vf": 3, "vlan": 100, "qos": 5}),
        ("IFLA_VF_RATE", {"vf": 3, "min_tx_rate": 10, "max_tx_rate": 20}),
        ("IFLA_VF_TX_RATE", {"vf": 3, "tx_rate": 20}),
        ("IFLA_VF_SPOOFCHK", {"vf": 3, "spoofchk": 1}),
        ("IFLA_VF_LINK_STATE", {"vf": 3, "link_state": 2}),
        ("IFLA_VF_RSS_QUERY_EN", {"vf": 3, "rss_query_en": 1}),
        ("IFLA_VF_TRUST", {"vf": 3, "trust": 0}),
    ]
    body = encode(
        ifinfmsg,
        {"index": PF},
        [("IFLA_IFNAME", "ens2f0"), ("IFLA_VFINFO_LIST", {"attrs": [("IFLA_VF_INFO", {"attrs": attributes})]})],
    )
    assert shown(vf.get(Recorder(body), PF, 3)) == {
        **{"index": 3, "mac": MAC, "vlan": 100, "qos": 5, "protocol": Q, "min_tx_rate": 10, "max_tx_rate": 20},
        **{"spoofchk": True, "link_state": "disable", "trust": False},
    }


class Entry:
    """An entry as the kernel writes it (net/core/rtnetlink.c, rtnl_fill_vfinfo), each attribute of which may be left
    out or given other bytes.
    """

    def __init__(self, index: int, **other: bytes | None) -> None:
        pair = struct.Struct("=II").pack
        triple = struct.Struct("=III").pack
        vlan = triple(index, index % 4095, index % 8)
        values: dict[str, tuple[int, bytes | None]] = {
            "mac": (IFLA_VF_MAC, struct.pack("=I32s", index, b"\x02\0\0\0" + index.to_bytes(2, "big"))),
            "broadcast": (IFLA_VF_BROADCAST, b"\xff" * 6 + bytes(26)),  # the only one that does not say which VF
            "vlan": (IFLA_VF_VLAN, vlan),
            "rate": (IFLA_VF_RATE, triple(index, index, index + 1)),
            "tx_rate": (IFLA_VF_TX_RATE, pair(index, index + 1)),
            "spoofchk": (IFLA_VF_SPOOFCHK, pair(index, index & 1)),
            "link_state": (IFLA_VF_LINK_STATE, pair(index, index % 3)),
            "rss": (IFLA_VF_RSS_QUERY_EN, pair(index, UNKNOWN)),
            "trust": (IFLA_VF_TRUST, pair(index, index >> 1 & 1)),
            "vlans": (
                IFLA_VF_VLAN_LIST | NLA_F_NESTED,
                codec.attribute(IFLA_VF_VLAN_INFO, vlan + (AD if index & 1 else Q).to_bytes(2, "big") + b"\0\0"),
            ),
            "stats": (IFLA_VF_STATS | NLA_F_NESTED, None),
        }
        values |= {name: (values[name][0], value) for name, value in other.items()}
        self.attributes = [codec.attribute(kind, value) for kind, value in values.values() if value is not None]

    @property
    def body(self) -> bytes:
        """What is in the IFLA_VF_INFO."""
        return b"".join(self.attributes)


def expected(index: int) -> dict[str, Any]:
    """Return what such an entry says."""
    return {
        **{"index": index, "mac": f"02:00:00:00:{index >> 8:02x}:{index & 255:02x}", "vlan": index % 4095},
        **{"qos": index % 8, "protocol": AD if index & 1 else Q, "min_tx_rate": index, "max_tx_rate": index + 1},
        **{"spoofchk": bool(index & 1), "trust": bool(index >> 1 & 1)},
        **{"link_state": ("auto", "enable", "disable")[index % 3]},
    }


@pytest.mark.parametrize("index", [0, 1, 2, 3, 255, 256, 511, 65535])
def test_reading_the_kernels_entry(index: int) -> None:
    """Every attribute at its place, with 802.1ad at the odd ones."""
    assert shown(vf.parse(Entry(index).body)) == expected(index)


STATS = b"".join(struct.pack("=HHQ", 12, kind, (1 << 64) - kind) for kind in (1, 2, 3, 4))
PAIR = struct.Struct("=II").pack
TRIPLE = struct.Struct("=III").pack

ENTRIES: dict[str, tuple[dict[str, bytes | None], dict[str, Any]]] = {
    "whole": ({}, {}),
    "no VLAN list": ({"vlans": None}, {"protocol": Q}),
    "empty VLAN list": ({"vlans": b""}, {"protocol": Q}),
    "VLAN list cut off": ({"vlans": codec.attribute(IFLA_VF_VLAN_INFO, TRIPLE(7, 1, 1))}, {"protocol": Q}),
    "VLAN list without protocol": (
        {"vlans": codec.attribute(IFLA_VF_VLAN_INFO, TRIPLE(7, 9, 1) + bytes(4))},
        {"vlan": 9, "qos": 1, "protocol": Q},
    ),
    "VLAN list of two": (
        {
            "vlans": codec.attribute(IFLA_VF_VLAN_INFO, TRIPLE(7, 8, 1) + b"\x88\xa8\0\0")
            + codec.attribute(IFLA_VF_VLAN_INFO, TRIPLE(7, 9, 2) + b"\x81\0\0\0")
        },
        {"vlan": 8, "qos": 1, "protocol": AD},
    ),
    "VLAN list only": ({"vlan": None}, {}),
    "neither": ({"vlan": None, "vlans": None}, {"vlan": 0, "qos": 0, "protocol": Q}),
    "spoofchk -1": ({"spoofchk": PAIR(7, UNKNOWN)}, {"spoofchk": None}),
    "spoofchk absent": ({"spoofchk": None}, {"spoofchk": None}),
    "spoofchk off": ({"spoofchk": PAIR(7, 0)}, {"spoofchk": False}),
    "trust -1": ({"trust": PAIR(7, UNKNOWN)}, {"trust": None}),
    "trust absent": ({"trust": None}, {"trust": None}),
    "trust off": ({"trust": PAIR(7, 0)}, {"trust": False}),
    "both -1": (
        {"spoofchk": PAIR(7, UNKNOWN), "trust": PAIR(7, UNKNOWN)},
        {"spoofchk": None, "trust": None},
    ),
    "a link state to come": ({"link_state": PAIR(7, 9)}, {"link_state": "auto"}),
    "link state absent": ({"link_state": None}, {"link_state": "auto"}),
    "rates absent": ({"rate": None}, {"min_tx_rate": 0, "max_tx_rate": 0}),
    "MAC absent": ({"mac": None}, {"mac": ""}),
    "an old kernel": (
        {"broadcast": None, "rate": None, "rss": None, "trust": None, "vlans": None},
        {"min_tx_rate": 0, "max_tx_rate": 0, "trust": None, "protocol": Q},
    ),
    "with statistics": ({"stats": STATS}, {}),
}


@pytest.mark.parametrize(("other", "differing"), ENTRIES.values(), ids=ENTRIES)
def test_reading_other_entries(other: dict[str, bytes | None], differing: dict[str, Any]) -> None:
    """What an entry does not say has a value that stands for it; whose it is is known whatever is in it."""
    assert shown(vf.parse(Entry(7, **other).body)) == {**expected(7), **differing}


def test_order_does_not_matter() -> None:
    """The entry is the same with its attributes the other way round."""
    attributes = Entry(7, vlan=None).attributes
    assert shown(vf.parse(b"".join(reversed(attributes)))) == expected(7)


@pytest.mark.parametrize("name", ["mac", "vlan", "rate", "spoofchk", "link_state", "trust", "vlans"])
@pytest.mark.parametrize("length", [0, 1, 4, 7, 8, 11])
def test_short_attributes(name: str, length: int) -> None:
    """An attribute that is too short is passed over; it is no crash."""
    whole = {"spoofchk": 8, "link_state": 8, "trust": 8}.get(name, 12)
    found = shown(vf.parse(Entry(7, **{name: PAIR(7, 1).ljust(12, b"\0")[:length]}).body))
    if length < whole:
        assert found["index"] == 7
        assert found["link_state"] == ("auto" if name == "link_state" else "enable")


def test_infiniband_entry() -> None:
    """The length of an address is the caller's to say: the entry has 32 bytes of it whatever the link."""
    guid = bytes(range(1, 21))
    body = Entry(7, mac=struct.pack("=I32s", 7, guid)).body
    assert vf.parse(body, 20).mac == guid.hex(":")
    assert vf.parse(body).mac == "01:02:03:04:05:06"


def table_of(indices: range, wrapped: bool = False) -> bytes:
    """Return the answer about a PF with these VFs, other attributes around the table.

    wrapped: as kernels answer whose table is longer than the length of an attribute can say.
    """
    entries = b"".join(codec.attribute(IFLA_VF_INFO | NLA_F_NESTED, Entry(index).body) for index in indices)
    length = (4 + len(entries)) & 0xFFFF if wrapped else 4 + len(entries)
    header = struct.pack("=HH", length, IFLA_VFINFO_LIST | NLA_F_NESTED)
    around = codec.text(3, "ens2f0"), codec.u32(21, len(indices)), codec.text(33, "after")
    return IFINFOMSG.pack(0, 1, PF, 0x1043, 0) + around[0] + around[1] + header + entries + around[2]


@pytest.mark.parametrize("index", [0, 1, 33, 34, 127, 254, 255])
def test_a_table_of_256(index: int) -> None:
    """Each entry of a large table is found, the last as the first."""
    assert shown(vf.get(Recorder(table_of(range(256))), PF, index)) == expected(index)


@pytest.mark.parametrize("index", [256, -1, UNKNOWN])
def test_no_such_entry(index: int) -> None:
    """What is not in the table is None, and not the nearest."""
    assert vf.get(Recorder(table_of(range(256))), PF, index) is None


@pytest.mark.parametrize("index", [0, 100, 170, 400, 511])
def test_a_table_that_is_too_long(index: int) -> None:
    """512 entries do not fit into one attribute, and kernels without a check cut its length to 16 bits. Of such a table
    an entry is right or unknown, never another's.
    """
    found = vf.get(Recorder(table_of(range(512), wrapped=True)), PF, index)
    assert found is None or shown(found) == expected(index)
    assert found is not None or index > 170


def test_a_table_without_order() -> None:
    """An entry is found by its number, not by its place."""
    assert shown(vf.get(Recorder(table_of(range(9, -1, -1))), PF, 2)) == expected(2)


@pytest.mark.parametrize(
    "body",
    [
        IFINFOMSG.pack(0, 1, PF, 0, 0) + codec.text(3, "ens2f0"),
        IFINFOMSG.pack(0, 1, PF, 0, 0) + codec.attribute(IFLA_VFINFO_LIST | NLA_F_NESTED, b""),
        IFINFOMSG.pack(0, 1, PF, 0, 0)
        + codec.attribute(IFLA_VFINFO_LIST | NLA_F_NESTED, codec.attribute(IFLA_VF_INFO | NLA_F_NESTED, b"")),
    ],
    ids=["no table", "an empty table", "an empty entry"],
)
def test_a_driver_that_tells_nothing(body: bytes) -> None:
    """None, and no error: a driver need not tell."""
    assert vf.get(Recorder(body), PF, 0) is None


def test_the_question() -> None:
    """One targeted request for the PF, for its table and without statistics."""
    recorder = Recorder(table_of(range(1)))
    vf.get(recorder, PF, 0)
    (sent,) = recorder.sent
    message = decode(ifinfmsg, sent)
    assert sent[0] == RTM_GETLINK
    assert [message[key] for key in ("family", "ifi_type", "index", "flags", "change")] == [0, 0, PF, 0, 0]
    assert attributes_of(message) == {"IFLA_EXT_MASK": 1 | 8}


class Refusing(Recorder):
    """A kernel that does not do it."""

    def change(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Refuse."""
        raise NetlinkError(errno.EOPNOTSUPP, "Operation not supported")

    def get(self, kind: int, body: bytes, question: str) -> bytes:
        """Refuse."""
        raise NetlinkError(errno.ENODEV, "No such device")


@pytest.mark.parametrize("call", [x[0] for x in SETTERS.values()], ids=SETTERS)
def test_refused_setting(call: Setter) -> None:
    """The kernel's refusal is passed on as it is."""
    with pytest.raises(NetlinkError) as caught:
        call(Refusing())
    assert caught.value.errno == errno.EOPNOTSUPP


def test_refused_question() -> None:
    """So is that of the question: a PF that is gone is not a PF that tells nothing."""
    with pytest.raises(NetlinkError) as caught:
        vf.get(Refusing(), PF, 0)
    assert caught.value.errno == errno.ENODEV
