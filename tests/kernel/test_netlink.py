"""Our netlink against the kernel, seen through ip(8)."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from cni.linux import netns
from cni.linux.netlink import addr, link, route
from cni.linux.netlink.link import Link
from cni.linux.netlink.socket import NetlinkError, NetlinkSocket
from cni.linux.netns import NetNS
from cni.protocol.result import Route
from tests.support.net import HOST, Space, unique


@pytest.fixture
def host() -> Iterator[NetlinkSocket]:
    """A socket in the session's namespace."""
    with NetlinkSocket() as socket:
        yield socket


@pytest.fixture
def inside(pod: Space) -> Iterator[NetNS]:
    """An open pod."""
    with netns.of_pod(pod.path) as opened:
        yield opened


def found(socket: NetlinkSocket, name: str) -> Link:
    """Return a link that is there."""
    entry = link.get(socket, name=name)
    assert entry is not None
    return entry


def seen(name: str) -> dict[str, Any]:
    """Return ip's view of a link of the host that is there."""
    entry = HOST.link(name)
    assert entry is not None
    return entry


def test_get_says_what_ip_says(host: NetlinkSocket, device: str) -> None:
    """Index, address, MTU, up state, carrier, alias and alternative names are those that ip shows."""
    HOST.ip("link", "set", device, "mtu", "1234", "alias", "an alias")
    HOST.ip("link", "property", "add", "dev", device, "altname", device + "-alternative-name")
    HOST.ip("link", "set", device, "up")
    entry, shown = found(host, device), seen(device)
    assert (entry.name, entry.index, entry.mac, entry.mtu, entry.up, entry.carrier, entry.alias, entry.altnames) == (
        *(device, shown["ifindex"], shown["address"], 1234, True, True, "an alias"),
        [device + "-alternative-name"],
    )


@pytest.mark.parametrize("by", ["name", "short alternative name", "long alternative name", "index"])
def test_get_finds(host: NetlinkSocket, device: str, by: str) -> None:
    """A link is found by its name, by an alternative name of any length, and by its index."""
    short, long = unique("alt"), unique("an-alternative-name-longer-than-fifteen-")
    for altname in (short, long):
        HOST.ip("link", "property", "add", "dev", device, "altname", altname)
    name = {"name": device, "short alternative name": short, "long alternative name": long}.get(by, "")
    entry = link.get(host, name=name, index=0 if name else seen(device)["ifindex"])
    assert entry is not None
    assert entry.name == device


@pytest.mark.parametrize(
    "selector",
    [{"name": "absent"}, {"name": "absent-and-longer-than-fifteen-bytes"}, {"index": 1 << 30}],
    ids=["name", "long name", "index"],
)
def test_get_finds_nothing(host: NetlinkSocket, selector: dict[str, Any]) -> None:
    """An unknown link is None, not an error."""
    assert link.get(host, **selector) is None


def test_dump_lists_what_ip_lists(host: NetlinkSocket, make_device: Callable[..., str]) -> None:
    """A dump of many links is complete."""
    for _ in range(40):
        make_device()
    shown = {(entry["ifname"], entry["ifindex"]) for entry in HOST.json("link", "show")}
    assert {(entry.name, entry.index) for entry in link.dump(host)} == shown


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"mac": "02:00:5e:10:00:01"}, {"address": "02:00:5e:10:00:01"}),
        ({"mtu": 1280}, {"mtu": 1280}),
        ({"alias": "ens5"}, {"ifalias": "ens5"}),
        ({"mac": "02:00:5e:10:00:02", "mtu": 1400, "alias": "x"}, {"address": "02:00:5e:10:00:02", "mtu": 1400}),
    ],
    ids=["mac", "mtu", "alias", "several"],
)
def test_change(host: NetlinkSocket, device: str, change: dict[str, Any], shown: dict[str, Any]) -> None:
    """A change is seen by ip."""
    link.change(host, found(host, device).index, **change)
    after = seen(device)
    assert {key: after[key] for key in shown} == shown


def test_change_of_the_up_state(host: NetlinkSocket, device: str) -> None:
    """Up and down, and only that: a change of something else leaves the state alone."""
    index = found(host, device).index
    for wanted in (True, False):
        link.change(host, index, up=wanted)
        assert ("UP" in seen(device)["flags"]) is wanted
        link.change(host, index, alias="x")
        assert ("UP" in seen(device)["flags"]) is wanted


def test_an_empty_alias_removes_it(host: NetlinkSocket, device: str) -> None:
    """No trace of the alias is left, not even an empty one."""
    index = found(host, device).index
    link.change(host, index, alias="ens5")
    link.change(host, index, alias="")
    assert "ifalias" not in seen(device)


def test_rename(host: NetlinkSocket, device: str) -> None:
    """A rename; the link answers to the new name."""
    renamed = unique("new")
    link.change(host, found(host, device).index, name=renamed)
    assert device not in HOST.links()
    assert found(host, renamed).name == renamed


def test_move_and_rename_in_one_message(host: NetlinkSocket, inside: NetNS, pod: Space, device: str) -> None:
    """The link leaves the host and is in the pod under its new name."""
    link.change(host, found(host, device).index, netns_fd=inside.fd, name="net1")
    assert pod.links() == ["net1"]
    assert device not in HOST.links()


def test_alternative_names(host: NetlinkSocket, device: str) -> None:
    """Names are added one by one and deleted together; the others stay."""
    index = found(host, device).index
    names = [unique("alternative-name-number-") for _ in range(3)]
    for name in names:
        link.add_altname(host, index, name)
    assert sorted(seen(device)["altnames"]) == sorted(names)
    link.delete_altnames(host, index, names[:2])
    assert seen(device)["altnames"] == names[2:]


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"mtu": 1}, errno.EINVAL),
        ({"mac": "01:00:5e:00:00:01"}, errno.EADDRNOTAVAIL),
        ({"name": "lo"}, errno.EEXIST),
        ({"name": "a/b"}, errno.EINVAL),
    ],
    ids=["small MTU", "multicast MAC", "name in use", "name with a slash"],
)
def test_refused_changes(host: NetlinkSocket, device: str, change: dict[str, Any], number: int) -> None:
    """The kernel's refusal comes with its errno, and nothing has changed."""
    before = HOST.settings(device)
    with pytest.raises(NetlinkError) as caught:
        link.change(host, found(host, device).index, **change)
    assert caught.value.errno == number
    assert HOST.settings(device) == before


def test_the_kernels_own_words(host: NetlinkSocket, device: str) -> None:
    """Where the kernel explains itself, the explanation is part of the error."""
    with pytest.raises(NetlinkError, match=r"Invalid argument \(mtu less than device minimum\)"):
        link.change(host, found(host, device).index, mtu=1)


def test_change_of_an_absent_link(host: NetlinkSocket) -> None:
    """A link that has vanished is ENODEV."""
    with pytest.raises(NetlinkError) as caught:
        link.change(host, 1 << 30, mtu=1400)
    assert caught.value.errno == errno.ENODEV


def test_a_socket_works_on_after_a_refusal(host: NetlinkSocket, device: str) -> None:
    """One refusal does not disturb the next exchange."""
    with pytest.raises(NetlinkError):
        link.change(host, found(host, device).index, mtu=1)
    assert found(host, device).name == device


def test_left_over_answers_are_passed_over(host: NetlinkSocket, device: str) -> None:
    """What an exchange that was cut short has left in the socket is not taken for the next one's answer."""
    host._sequence += 1
    body = link.header()
    request = (16 + len(body)).to_bytes(4, "little") + b"\x12\x00\x01\x03" + host._sequence.to_bytes(4, "little")
    host._socket.send(request + bytes(4) + body)  # a dump of all links whose answers nobody reads
    assert found(host, device).name == device


class Told(BaseException):
    """Stands for the signal that ends a command."""


def test_a_dump_that_was_cut_short(pod: Space) -> None:
    """The kernel refuses a second dump while the first is not read to its end (EBUSY); the undo of an ADD makes one."""

    def read(bodies: Iterator[bytes]) -> None:
        next(bodies)
        raise Told

    pod.ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    pod.ip("link", "set", "d1", "up")
    pod.ip("link", "set", "d0", "up")
    pod.batch(*(f"route add 10.99.{n // 256}.{n % 256}/32 dev d0" for n in range(20_000)))
    with netns.of_pod(pod.path) as opened:
        index = found(opened.netlink, "d0").index
        for _ in range(3):
            with pytest.raises(Told):
                opened.netlink.collect(route.RTM_GETROUTE, bytes([2]) + bytes(11), "list", read)
            assert len(route.collect(opened.netlink, index, 4, list)) == 20_000
        with pytest.raises(Told):
            opened.netlink.collect(route.RTM_GETROUTE, bytes([2]) + bytes(11), "list", read)
        assert found(opened.netlink, "d0").name == "d0"


def test_a_collection_that_ends_early(pod: Space) -> None:
    """Whoever has seen enough need not read all: the rest is dropped."""
    pod.ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    pod.ip("link", "set", "d1", "up")
    pod.ip("link", "set", "d0", "up")
    pod.batch(*(f"route add 10.99.{n // 256}.{n % 256}/32 dev d0" for n in range(5000)))
    with netns.of_pod(pod.path) as opened:
        index = found(opened.netlink, "d0").index
        assert route.collect(opened.netlink, index, 4, lambda routes: str(next(routes).dst)).startswith("10.99.")
        assert len(route.collect(opened.netlink, index, 4, list)) == 5000


@pytest.mark.parametrize("address", ["10.1.2.3/16", "10.1.2.3/31", "10.1.2.3/32", "fd00::1/64", "fd00::1/128"])
def test_addresses(host: NetlinkSocket, device: str, address: str) -> None:
    """An address is added once, shown by ip, and found by us; the second time is EEXIST."""
    HOST.ip("link", "set", device, "up")
    index = found(host, device).index
    interface = ip_interface(address)
    addr.add(host, index, interface)
    assert HOST.addresses(device) == [address]
    assert address in [str(entry.interface) for entry in addr.dump(host, index)]
    assert address in [str(entry.interface) for entry in addr.dump(host, index, addr.family_of(interface.version))]
    with pytest.raises(NetlinkError) as caught:
        addr.add(host, index, interface)
    assert caught.value.errno == errno.EEXIST


def test_the_broadcast_address(host: NetlinkSocket, device: str) -> None:
    """An IPv4 address has its network's broadcast address."""
    addr.add(host, found(host, device).index, ip_interface("10.1.2.3/20"))
    (shown,) = HOST.json("-4", "addr", "show", "dev", device)
    assert shown["addr_info"][0]["broadcast"] == "10.1.15.255"


def test_other_links_addresses_are_not_listed(host: NetlinkSocket, make_device: Callable[..., str]) -> None:
    """A dump is of one link."""
    one, other = make_device(), make_device()
    addr.add(host, found(host, one).index, ip_interface("10.1.2.3/24"))
    assert addr.dump(host, found(host, other).index) == []


def test_tentative_addresses_say_so(host: NetlinkSocket, device: str) -> None:
    """The flags of an address are read: without carrier, duplicate address detection cannot finish."""
    addr.add(host, found(host, device).index, ip_interface("fd00::1/64"))
    (entry,) = addr.dump(host, found(host, device).index, addr.family_of(6))
    assert entry.flags & addr.IFA_F_TENTATIVE


ROUTES: dict[str, tuple[str, dict[str, Any], str | None, dict[str, Any]]] = {
    "gateway": ("192.168.7.0/24", {}, "10.1.0.1", {"dst": "192.168.7.0/24", "gateway": "10.1.0.1"}),
    "on-link": ("192.168.7.0/24", {}, None, {"dst": "192.168.7.0/24"}),
    "host": ("192.168.7.1/32", {}, None, {"dst": "192.168.7.1"}),
    "default": ("0.0.0.0/0", {}, "10.1.0.1", {"dst": "default", "gateway": "10.1.0.1"}),
    "scope": ("192.168.7.0/24", {"scope": 253}, None, {"scope": "link"}),
    "priority": ("192.168.7.0/24", {"priority": 4711}, None, {"metric": 4711}),
    "metrics": ("192.168.7.0/24", {"mtu": 1400, "advmss": 1360}, None, {"metrics": [{"mtu": 1400, "advmss": 1360}]}),
    "table": ("192.168.7.0/24", {"table": 100}, None, {"dst": "192.168.7.0/24"}),
    "large table": ("192.168.7.0/24", {"table": 70000}, None, {"dst": "192.168.7.0/24"}),
    "IPv6": ("fd01::/48", {}, "fd00::1", {"dst": "fd01::/48", "gateway": "fd00::1"}),
    "IPv6 default": ("::/0", {}, "fd00::1", {"dst": "default", "gateway": "fd00::1"}),
    "IPv6 metrics": ("fd01::/48", {"mtu": 1400}, None, {"metrics": [{"mtu": 1400}]}),
    "IPv6 priority": ("fd01::/48", {"priority": 4711}, None, {"metric": 4711}),
}


@pytest.mark.parametrize(("destination", "settings", "gateway", "shown"), ROUTES.values(), ids=ROUTES)
def test_routes(
    host: NetlinkSocket,
    device: str,
    destination: str,
    settings: dict[str, Any],
    gateway: str | None,
    shown: dict[str, Any],
) -> None:
    """A route is shown by ip with each attribute, and our own dump reads back what was asked for."""
    for address in ("10.1.0.2/16", "fd00::2/64"):
        HOST.ip("addr", "add", address, "dev", device, *(("nodad",) if ":" in address else ()))
    HOST.ip("link", "set", device, "up")
    index = found(host, device).index
    wanted = Route(ip_network(destination), **settings)
    route.add(host, index, wanted, ip_address(gateway) if gateway else None)
    family = f"-{wanted.dst.version}"
    entries = HOST.routes(device, family, str(settings.get("table", "main")))
    assert [e for e in entries if shown.items() <= e.items()], entries
    read = [r for r in route.collect(host, index, wanted.dst.version, list) if r.dst == wanted.dst]
    assert len(read) == 1
    assert {key: getattr(read[0], key) for key in settings} == settings
    assert read[0].table == settings.get("table", 254)
    assert (str(read[0].gw) if read[0].gw else None) == gateway


def test_multipath_route_of_ip(host: NetlinkSocket, make_device: Callable[..., str]) -> None:
    """A route with a next hop on each of two links is listed for either, with that link's gateway."""
    devices = {make_device(): number for number in (1, 2)}
    for name, number in devices.items():
        HOST.ip("addr", "add", f"10.{number}.0.2/16", "dev", name)
        HOST.ip("link", "set", name, "up")
    hops = [w for name, number in devices.items() for w in ("nexthop", "via", f"10.{number}.0.1", "dev", name)]
    HOST.ip("route", "add", "192.168.7.0/24", *hops)
    for name, number in devices.items():
        routes = route.collect(host, found(host, name).index, 4, list)
        assert [str(r.gw) for r in routes if str(r.dst) == "192.168.7.0/24"] == [f"10.{number}.0.1"]


def test_unreachable_gateway(host: NetlinkSocket, device: str) -> None:
    """A gateway that no address reaches is refused, with the kernel's words."""
    HOST.ip("link", "set", device, "up")
    with pytest.raises(NetlinkError, match="Nexthop has invalid gateway") as caught:
        route.add(host, found(host, device).index, Route(ip_network("192.168.7.0/24")), ip_address("172.31.0.1"))
    assert caught.value.errno == errno.ENETUNREACH


def test_a_socket_stays_in_its_namespace(inside: NetNS, pod: Space, device: str) -> None:
    """The pod's socket sees the pod's links from wherever the thread is."""
    assert link.get(inside.netlink, name=device) is None
    HOST.ip("link", "set", device, "netns", str(pod.name))
    assert found(inside.netlink, device).name == device


def test_only_the_kernel_answers(device: str) -> None:
    """What anybody else in the namespace sends to our socket is no answer, however well it fits."""
    with NetlinkSocket() as ours, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as forger:
        port = ours._socket.getsockname()[0]
        body = struct.pack("=BxHiII", 0, 1, 42, 0, 0) + struct.pack("=HH8s", 12, 3, b"forged")
        for sequence in range(1, 4):
            message = struct.pack("=IHHII", 16 + len(body), 16, 0, sequence, 0) + body
            acknowledgement = struct.pack("=IHHII", 36, 2, 0, sequence, 0) + struct.pack("=i16x", 0)
            forger.sendto(message + acknowledgement, (port, 0))
        found = link.get(ours, name=device)
    assert found is not None
    assert found.name == device
