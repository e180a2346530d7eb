"""Every rtnetlink message that the plugins send or read, compared with what pyroute2 makes of it."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from cni.linux.netlink import addr, codec, link, route
from cni.linux.netlink.socket import NetlinkError, NetlinkSocket, RequestError, _raise_error
from cni.protocol.result import Route
from tests.support.messages import Recorder, attributes_of, decode, encode

RTM_SETLINK, RTM_NEWLINKPROP, RTM_DELLINKPROP, RTM_NEWADDR, RTM_NEWROUTE = 19, 108, 109, 20, 24
NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x200, 0x400, 0x800
LONG_NAME = "a-name-longer-than-the-sixteen-bytes-of-old"

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, int]]] = {
    "move and rename": (
        {"netns_fd": 9, "name": "net1"},
        {"IFLA_NET_NS_FD": 9, "IFLA_IFNAME": "net1"},
        (0, 0),
    ),
    "mac": ({"mac": "02:00:5e:10:00:01"}, {"IFLA_ADDRESS": "02:00:5e:10:00:01"}, (0, 0)),
    "mtu": ({"mtu": 65535}, {"IFLA_MTU": 65535}, (0, 0)),
    "alias": ({"alias": "ens5f0v11"}, {"IFLA_IFALIAS": "ens5f0v11"}, (0, 0)),
    "no alias": ({"alias": ""}, {"IFLA_IFALIAS": ""}, (0, 0)),
    "up": ({"up": True}, {}, (1, 1)),
    "down": ({"up": False}, {}, (0, 1)),
    "all at once": (
        {"name": "a", "netns_fd": 3, "mac": "02:00:00:00:00:02", "mtu": 1280, "alias": "x", "up": True},
        {
            "IFLA_NET_NS_FD": 3,
            "IFLA_ADDRESS": "02:00:00:00:00:02",
            "IFLA_MTU": 1280,
            "IFLA_IFNAME": "a",
            "IFLA_IFALIAS": "x",
        },
        (1, 1),
    ),
    "name of 15 bytes": ({"name": "fifteen-bytes-x"}, {"IFLA_IFNAME": "fifteen-bytes-x"}, (0, 0)),
}


@pytest.mark.parametrize(("given", "attributes", "flags"), CHANGES.values(), ids=CHANGES)
def test_change_of_a_link(given: dict[str, Any], attributes: dict[str, Any], flags: tuple[int, int]) -> None:
    """One RTM_SETLINK carries exactly what was asked for."""
    recorder = Recorder()
    link.change(recorder, 7, **given)
    (sent,) = recorder.sent
    message = decode(ifinfmsg, sent)
    assert (sent[0], sent[2], message["index"]) == (RTM_SETLINK, 0, 7)
    assert attributes_of(message) == attributes
    assert (message["flags"], message["change"]) == flags


def test_infiniband_address() -> None:
    """A hardware address of 20 bytes is sent whole; pyroute2 knows Ethernet's six only, so it is read by hand."""
    recorder = Recorder()
    mac = bytes(range(20)).hex(":")
    link.change(recorder, 7, mac=mac)
    assert dict(codec.attributes(recorder.sent[0][1], 16)) == {link.IFLA_ADDRESS: bytes(range(20))}


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("net1", "IFLA_IFNAME"), ("fifteen-bytes-x", "IFLA_IFNAME"), (LONG_NAME, "IFLA_ALT_IFNAME")],
    ids=["short", "longest proper name", "alternative name"],
)
def test_get_by_name(name: str, attribute: str) -> None:
    """A look-up by name leaves the header empty, as strict checking demands, and asks for no statistics."""
    recorder = Recorder(encode(ifinfmsg, {"index": 3}, [("IFLA_IFNAME", "x")]))
    found = link.get(recorder, name=name)
    message = decode(ifinfmsg, recorder.sent[0])
    assert found is not None
    assert (found.index, found.name) == (3, "x")
    assert [message[key] for key in ("family", "ifi_type", "index", "flags", "change")] == [0] * 5
    assert attributes_of(message) == {attribute: name, "IFLA_EXT_MASK": link.RTEXT_FILTER_SKIP_STATS}


def test_get_by_index() -> None:
    """A look-up by index has it in the header."""
    recorder = Recorder(encode(ifinfmsg, {"index": 4711}, []))
    assert link.get(recorder, index=4711) is not None
    assert decode(ifinfmsg, recorder.sent[0])["index"] == 4711


@pytest.mark.parametrize(
    ("function", "kind", "flags"),
    [
        (lambda s: link.add_altname(s, 7, LONG_NAME), RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND),
        (lambda s: link.delete_altnames(s, 7, [LONG_NAME]), RTM_DELLINKPROP, 0),
    ],
    ids=["add", "delete"],
)
def test_alternative_names(function: Any, kind: int, flags: int) -> None:
    """Alternative names are nested in IFLA_PROP_LIST, with the flags that iproute2 sends."""
    recorder = Recorder()
    function(recorder)
    (sent,) = recorder.sent
    assert (sent[0], sent[2]) == (kind, flags)
    assert attributes_of(decode(ifinfmsg, sent)) == {"IFLA_PROP_LIST": {"IFLA_ALT_IFNAME": LONG_NAME}}


def test_several_alternative_names() -> None:
    """Two names to delete are two attributes of one list."""
    recorder = Recorder()
    link.delete_altnames(recorder, 7, ["one", "another"])
    (properties,) = (entry[1] for entry in decode(ifinfmsg, recorder.sent[0])["attrs"])
    assert [entry[1] for entry in properties["attrs"]] == ["one", "another"]


def test_reading_a_link() -> None:
    """Every attribute that a plugin looks at is read from a message of pyroute2's; others are passed over."""
    body = encode(
        ifinfmsg,
        {"index": 42, "flags": 0x1043},
        [
            ("IFLA_IFNAME", "ens5"),
            ("IFLA_TXQLEN", 1000),
            ("IFLA_ADDRESS", "02:00:5e:aa:bb:cc"),
            ("IFLA_MTU", 9000),
            ("IFLA_LINK", 3),
            ("IFLA_LINK_NETNSID", 5),
            ("IFLA_GROUP", 7),
            ("IFLA_BROADCAST", "ff:ff:ff:ff:ff:ff"),
            ("IFLA_XDP", {"attrs": [("IFLA_XDP_ATTACHED", 2), ("IFLA_XDP_PROG_ID", 7)]}),
            ("IFLA_MASTER", 17),
            ("IFLA_CARRIER", 1),
            ("IFLA_IFALIAS", "a name with blanks"),
            ("IFLA_PERM_ADDRESS", bytes.fromhex("02005eaabbdd")),
            ("IFLA_PARENT_DEV_NAME", "0000:03:02.6"),
            ("IFLA_PHYS_PORT_NAME", "p1"),
            ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "veth")]}),
            ("IFLA_PROP_LIST", {"attrs": [("IFLA_ALT_IFNAME", "enp0s5"), ("IFLA_ALT_IFNAME", LONG_NAME)]}),
        ],
    )
    found = link.parse(body)
    assert {name: getattr(found, name) for name in found.__slots__} == {
        "index": 42,
        "name": "ens5",
        "mac": "02:00:5e:aa:bb:cc",
        "mtu": 9000,
        "up": True,
        "carrier": True,
        "running": True,
        "master": 17,
        "alias": "a name with blanks",
        "altnames": ["enp0s5", LONG_NAME],
        "permanent_mac": "02:00:5e:aa:bb:dd",
        "parent": "0000:03:02.6",
        "port": "p1",
        "kind": "veth",
        "movable": None,
        "peer": 3,
        "peer_nsid": 5,
        "xdp": 2,
        "xdp_program": 7,
        "properties": {
            **{"flags": 0x1000, "txQueueLength": 1000, "group": 7},
            "broadcast": "ff:ff:ff:ff:ff:ff",
        },
    }


def test_reading_a_bare_link() -> None:
    """What the kernel does not say has a value that stands for it."""
    found = link.parse(encode(ifinfmsg, {"index": 1, "flags": 0}, [("IFLA_IFNAME", "x"), ("IFLA_CARRIER", 0)]))
    assert (found.mac, found.mtu, found.master, found.alias, found.altnames) == ("", 0, 0, "", [])
    assert (found.up, found.running, found.carrier) == (False, False, False)


@pytest.mark.parametrize(
    ("address", "attributes"),
    [
        ("10.1.2.3/16", {"IFA_LOCAL": "10.1.2.3", "IFA_ADDRESS": "10.1.2.3", "IFA_BROADCAST": "10.1.255.255"}),
        ("10.1.2.3/30", {"IFA_LOCAL": "10.1.2.3", "IFA_ADDRESS": "10.1.2.3", "IFA_BROADCAST": "10.1.2.3"}),
        ("10.1.2.3/31", {"IFA_LOCAL": "10.1.2.3", "IFA_ADDRESS": "10.1.2.3"}),
        ("10.1.2.3/32", {"IFA_LOCAL": "10.1.2.3", "IFA_ADDRESS": "10.1.2.3"}),
        ("fd00::1/64", {"IFA_LOCAL": "fd00::1", "IFA_ADDRESS": "fd00::1"}),
        ("fd00::1/128", {"IFA_LOCAL": "fd00::1", "IFA_ADDRESS": "fd00::1"}),
    ],
)
def test_adding_an_address(address: str, attributes: dict[str, str]) -> None:
    """An address with its prefix; the broadcast address where the network has one."""
    recorder = Recorder()
    interface = ip_interface(address)
    addr.add(recorder, 11, interface)
    (sent,) = recorder.sent
    message = decode(ifaddrmsg, sent)
    assert (sent[0], sent[2]) == (RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL)
    assert message["family"] == (socket.AF_INET if interface.version == 4 else socket.AF_INET6)
    assert (message["prefixlen"], message["index"], message["scope"]) == (interface.network.prefixlen, 11, 0)
    assert attributes_of(message) == attributes


def _address(index: int, family: int, prefix: int, *attributes: tuple[str, Any]) -> bytes:
    return encode(ifaddrmsg, {"index": index, "family": family, "prefixlen": prefix}, list(attributes))


def test_reading_addresses() -> None:
    """Ours is IFA_LOCAL where there is one (point-to-point links), IFA_ADDRESS otherwise; flags in either place."""
    found = addr.dump(
        Recorder(
            _address(5, socket.AF_INET, 24, ("IFA_ADDRESS", "10.0.0.1"), ("IFA_LOCAL", "10.0.0.1")),
            _address(5, socket.AF_INET, 32, ("IFA_ADDRESS", "10.9.9.9"), ("IFA_LOCAL", "10.0.0.2")),
            _address(5, socket.AF_INET, 32, ("IFA_LOCAL", "10.0.0.3"), ("IFA_ADDRESS", "10.9.9.9")),
            _address(5, socket.AF_INET6, 64, ("IFA_ADDRESS", "fd00::1"), ("IFA_FLAGS", 0x340)),
            struct.pack("=BBBBI", socket.AF_INET6, 64, addr.IFA_F_DADFAILED, 0, 5)
            + codec.attribute(addr.IFA_ADDRESS, ip_address("fd00::2").packed),
            _address(6, socket.AF_INET, 24, ("IFA_ADDRESS", "10.0.0.4"), ("IFA_LOCAL", "10.0.0.4")),
        ),
        5,
    )
    assert [(str(address.interface), address.flags) for address in found] == [
        ("10.0.0.1/24", 0),
        ("10.0.0.2/32", 0),
        ("10.0.0.3/32", 0),
        ("fd00::1/64", 0x340),
        ("fd00::2/64", addr.IFA_F_DADFAILED),
    ]


V4 = ip_network("192.168.7.0/24")
ROUTES: dict[str, tuple[Route, str | None, dict[str, Any], dict[str, Any]]] = {
    "via a gateway": (
        Route(V4),
        "10.0.0.1",
        {"family": socket.AF_INET, "dst_len": 24, "table": 254, "scope": 0, "proto": 3, "type": 1},
        {"RTA_DST": "192.168.7.0", "RTA_OIF": 11, "RTA_GATEWAY": "10.0.0.1"},
    ),
    "on-link": (Route(V4), None, {"scope": 0}, {"RTA_DST": "192.168.7.0", "RTA_OIF": 11}),
    "default": (
        Route(ip_network("0.0.0.0/0")),
        "10.0.0.1",
        {"dst_len": 0},
        {"RTA_OIF": 11, "RTA_GATEWAY": "10.0.0.1"},
    ),
    "IPv6": (
        Route(ip_network("fd01::/48")),
        "fd00::1",
        {"family": socket.AF_INET6, "dst_len": 48},
        {"RTA_DST": "fd01::", "RTA_OIF": 11, "RTA_GATEWAY": "fd00::1"},
    ),
    "IPv6 default": (
        Route(ip_network("::/0")),
        "fd00::1",
        {"family": socket.AF_INET6, "dst_len": 0},
        {"RTA_OIF": 11, "RTA_GATEWAY": "fd00::1"},
    ),
    "scope link": (Route(V4, scope=253), None, {"scope": 253}, {"RTA_DST": "192.168.7.0", "RTA_OIF": 11}),
    "priority": (
        Route(V4, priority=4000000000),
        None,
        {},
        {"RTA_DST": "192.168.7.0", "RTA_OIF": 11, "RTA_PRIORITY": 4000000000},
    ),
    "small table": (Route(V4, table=100), None, {"table": 100}, {"RTA_DST": "192.168.7.0", "RTA_OIF": 11}),
    "large table": (
        Route(V4, table=70000),
        None,
        {"table": 0},
        {"RTA_DST": "192.168.7.0", "RTA_OIF": 11, "RTA_TABLE": 70000},
    ),
    "table 0 is main": (Route(V4, table=0), None, {"table": 254}, {"RTA_DST": "192.168.7.0", "RTA_OIF": 11}),
    "metrics": (
        Route(V4, mtu=1400, advmss=1360),
        None,
        {},
        {"RTA_DST": "192.168.7.0", "RTA_OIF": 11, "RTA_METRICS": {"RTAX_MTU": 1400, "RTAX_ADVMSS": 1360}},
    ),
}


@pytest.mark.parametrize(("wanted", "gateway", "fields", "attributes"), ROUTES.values(), ids=ROUTES)
def test_adding_a_route(wanted: Route, gateway: str | None, fields: dict[str, Any], attributes: dict[str, Any]) -> None:
    """A route with each of its attributes; NLM_F_EXCL is not sent, so one destination can have two routes."""
    recorder = Recorder()
    route.add(recorder, 11, wanted, ip_address(gateway) if gateway else None)
    (sent,) = recorder.sent
    message = decode(rtmsg, sent)
    assert (sent[0], sent[2]) == (RTM_NEWROUTE, NLM_F_CREATE)
    assert {key: message[key] for key in fields} == fields
    assert attributes_of(message) == attributes


def _route(fields: dict[str, Any], *attributes: tuple[str, Any]) -> bytes:
    return encode(rtmsg, {"family": socket.AF_INET, "type": 1, "table": 254, **fields}, list(attributes))


def test_reading_routes() -> None:
    """Routes through the link from all tables, those with several next hops too; broadcast routes and others' not."""
    found = route.collect(
        Recorder(
            _route({"dst_len": 24}, ("RTA_DST", "192.168.7.0"), ("RTA_OIF", 5), ("RTA_GATEWAY", "10.0.0.1")),
            _route({"dst_len": 0, "table": 0, "scope": 253}, ("RTA_OIF", 5), ("RTA_TABLE", 70000)),
            _route({"dst_len": 32, "type": 3}, ("RTA_DST", "10.0.0.255"), ("RTA_OIF", 5)),
            _route({"dst_len": 24}, ("RTA_DST", "192.168.8.0"), ("RTA_OIF", 6)),
            _route(
                {"dst_len": 16},
                ("RTA_DST", "172.16.0.0"),
                ("RTA_OIF", 5),
                ("RTA_PRIORITY", 50),
                ("RTA_METRICS", {"attrs": [("RTAX_MTU", 1400), ("RTAX_ADVMSS", 1360)]}),
            ),
            _route(
                {"dst_len": 24},
                ("RTA_DST", "192.168.9.0"),
                (
                    "RTA_MULTIPATH",
                    [
                        {"oif": 6, "hops": 0, "flags": 0, "attrs": [("RTA_GATEWAY", "10.6.0.1")]},
                        {"oif": 5, "hops": 0, "flags": 0, "attrs": [("RTA_GATEWAY", "10.5.0.1")]},
                    ],
                ),
            ),
        ),
        5,
        4,
        list,
    )
    assert [
        (str(r.dst), str(r.gw) if r.gw else None, r.table, r.scope, r.priority, r.mtu, r.advmss) for r in found
    ] == [
        ("192.168.7.0/24", "10.0.0.1", 254, 0, None, None, None),
        ("0.0.0.0/0", None, 70000, 253, None, None, None),
        ("172.16.0.0/16", None, 254, 0, 50, 1400, 1360),
        ("192.168.9.0/24", "10.5.0.1", 254, 0, None, None, None),
    ]


def test_round_trip_of_a_route() -> None:
    """What we send is read back by us as it was: the two halves agree about every attribute."""
    recorder = Recorder()
    wanted = Route(ip_network("fd01:2::/32"), mtu=1400, advmss=1360, priority=77, table=1000, scope=0)
    route.add(recorder, 9, wanted, ip_address("fd00::9"))
    (found,) = route.collect(Recorder(recorder.sent[0][1]), 9, 6, list)
    assert (found.dst, found.mtu, found.advmss, found.priority, found.table, found.scope) == (
        *(wanted.dst, 1400, 1360, 77, 1000, 0),
    )
    assert found.gw == ip_address("fd00::9")


@pytest.mark.parametrize("length", range(9))
def test_attributes_are_aligned(length: int) -> None:
    """Whatever the length of one attribute, the next is found."""
    data = codec.attribute(1, b"x" * length) + codec.attribute(2, b"next")
    assert list(codec.attributes(data)) == [(1, b"x" * length), (2, b"next")]
    assert len(data) % 4 == 0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\x04\x00", []),
        (struct.pack("=HH", 3, 1), []),
        (struct.pack("=HH", 0, 1), []),
        (struct.pack("=HH", 12, 1) + b"1234", []),
        (codec.attribute(1, b"a") + struct.pack("=HH", 99, 2), [(1, b"a")]),
        (struct.pack("=HH", 5, 0x8001) + b"a", [(1, b"a")]),
    ],
    ids=["nothing", "half a header", "too short", "zero", "too long", "second too long", "nested flag, no padding"],
)
def test_damaged_attributes(data: bytes, expected: list[tuple[int, bytes]]) -> None:
    """A walk over attributes ends at the first that cannot be: it neither raises nor runs on for ever."""
    assert list(codec.attributes(data)) == expected


@pytest.mark.parametrize("name", [b"plain", b"with\xff\xfebytes", "ümlaut".encode()])
def test_names_of_any_bytes(name: bytes) -> None:
    """The kernel lets a name hold any bytes but a few; they survive the way through Python."""
    assert codec.os_bytes(codec.os_text(name + b"\0rubbish")) == name


@pytest.mark.parametrize(("width", "value"), [(1, 200), (2, 60000), (4, 4000000000), (8, 1 << 40)])
def test_numbers_of_any_width(width: int, value: int) -> None:
    """Numbers are read in the machine's byte order."""
    assert codec.number(struct.pack({1: "=B", 2: "=H", 4: "=I", 8: "=Q"}[width], value)) == value


REQUEST = struct.pack("=IHHII", 16 + 5, 19, 5, 1, 0) + b"\0" * 8  # a request of 21 bytes, padded to 24
WORDS = codec.text(1, "Something is wrong")


@pytest.mark.parametrize(
    ("body", "kind", "flags", "message"),
    [
        (struct.pack("=i", -17), 3, 0, "File exists"),
        (struct.pack("=i", -17) + REQUEST[:16], 2, 0x100, "File exists"),
        (struct.pack("=i", -17) + REQUEST[:16] + WORDS, 2, 0x300, "File exists (Something is wrong)"),
        (struct.pack("=i", -17) + REQUEST + WORDS, 2, 0x200, "File exists (Something is wrong)"),
        (struct.pack("=i", -17) + WORDS, 3, 0x200, "File exists (Something is wrong)"),
    ],
    ids=["end of a dump", "capped", "capped, with words", "whole request, with words", "end of a dump, with words"],
)
def test_refusals(body: bytes, kind: int, flags: int, message: str) -> None:
    """The kernel's own words are found behind the request that it echoes, whole or only its header."""
    with pytest.raises(NetlinkError) as caught:
        _raise_error(body, kind, flags)
    assert (caught.value.errno, caught.value.strerror) == (17, message)


@pytest.mark.parametrize("body", [struct.pack("=i", 0), struct.pack("=i", 0) + REQUEST, b"", b"\0"])
def test_success(body: bytes) -> None:
    """An acknowledgement raises nothing."""
    _raise_error(body, 2, 0)


class Interrupted(NetlinkSocket):
    """A socket whose dumps the kernel marks as inconsistent, for a number of times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked = 0

    def _exchange(self, kind: int, flags: int, body: bytes) -> Iterator[bytes]:
        assert flags == 0x300
        self.asked += 1
        self._interrupted = self.asked <= self.times
        yield str(self.asked).encode()


class Exhausted(NetlinkSocket):
    """A socket for which the kernel has no buffer."""

    def __init__(self) -> None:
        """Open none."""

    def _exchange(self, kind: int, flags: int, body: bytes) -> Iterator[bytes]:
        raise OSError(errno.ENOBUFS, "No buffer space available")


def test_no_buffer() -> None:
    """What the socket itself refuses is told with what was asked for, and is no refusal of the kernel's."""
    socket = Exhausted()
    asked: dict[str, Callable[[], object]] = {
        "look up link ens5": lambda: link.get(socket, name="ens5"),
        "look up link with index 7": lambda: link.get(socket, index=7),
        "look up link ens6": lambda: link.get(socket, index=6, known_as="ens6"),
        "list the links": lambda: link.dump(socket),
        "list the addresses of link with index 7": lambda: addr.dump(socket, 7),
        "": lambda: link.change(socket, 7, up=True),
    }
    for question, command in asked.items():
        with pytest.raises(RequestError) as caught:
            command()
        assert not isinstance(caught.value, NetlinkError)
        found = (caught.value.errno, caught.value.strerror, caught.value.question)
        assert found == (errno.ENOBUFS, "No buffer space available", question)


class Forgetful(NetlinkSocket):
    """A socket on which answers are lost, so many of them; then the kernel says this. asked: how often it was asked."""

    def __init__(self, losses: int, says: int = 0) -> None:
        self.losses = losses
        self.says = says
        self.asked = 0
        self._interrupted = False

    def _exchange(self, kind: int, flags: int, body: bytes) -> Iterator[bytes]:
        self.asked += 1
        if self.asked <= self.losses:
            raise OSError(errno.ENOBUFS, "No buffer space available")
        if self.says:
            raise NetlinkError(self.says, "refused")
        yield bytes(16)


MADE = {
    "address": (lambda socket: addr.add(socket, 7, ip_interface("10.9.0.2/24")), errno.EEXIST),
    "route": (lambda socket: route.add(socket, 7, Route(ip_network("10.9.0.0/24")), None), errno.EEXIST),
    "alternative name": (lambda socket: link.add_altname(socket, 7, "x"), errno.EEXIST),
    "no alternative name": (lambda socket: link.delete_altnames(socket, 7, ["x"]), errno.ENOENT),
    "no link": (lambda socket: link.delete(socket, 7), errno.ENODEV),
}


@pytest.mark.parametrize(("request_it", "when_done"), MADE.values(), ids=MADE)
def test_a_lost_answer_to_what_is_done(request_it: Callable[[NetlinkSocket], None], when_done: int) -> None:
    """The request is made again, and refused: it was done the first time. At the first time it is a refusal."""
    socket = Forgetful(2, when_done)
    request_it(socket)
    assert socket.asked == 3
    for refusing in (Forgetful(0, when_done), Forgetful(1, errno.EPERM)):
        with pytest.raises(NetlinkError):
            request_it(refusing)


def test_a_lost_answer() -> None:
    """What is asked, or set, is asked again; a move is not: another link may have the index by then."""
    for command in (lambda x: link.get(x, index=7), link.dump, lambda x: link.change(x, 7, name="a")):
        socket = Forgetful(2)
        command(socket)
        assert socket.asked == 3
    named = Forgetful(1, errno.EEXIST)
    with pytest.raises(NetlinkError):
        link.change(named, 7, name="a")
    moving = Forgetful(1)
    with pytest.raises(RequestError) as caught:
        link.change(moving, 7, name="a", netns_fd=3)
    assert (moving.asked, type(caught.value)) == (1, RequestError)


@pytest.mark.parametrize(("times", "asked"), [(0, 1), (1, 2), (3, 4), (1000, 10)])
def test_interrupted_dumps(times: int, asked: int) -> None:
    """A dump during which the table changed is asked for again, but not for ever; the last answer counts."""
    socket = Interrupted(times)
    assert socket.dump(18, b"", "list") == [str(asked).encode()]
    assert socket.asked == asked
