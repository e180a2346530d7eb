"""Applying a result to a link in a pod, and finding out later whether it still holds."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from cni.attach import ifconfig
from cni.attach.ifconfig import PodLink
from cni.linux import netns
from cni.linux.netlink import link
from cni.protocol.errors import GENERIC, CniError
from cni.protocol.result import IPConfig, Result, Route
from tests.support.log import Lines
from tests.support.net import HOST, Space


def set_ipv6(pod: Space, name: str, setting: str, value: str) -> None:
    """Change a sysctl of a link."""
    pod.run("sh", "-c", f"echo {value} >/proc/sys/net/ipv6/conf/{name}/{setting}")


@pytest.fixture
def inside(pod: Space, device: str) -> Iterator[PodLink]:
    """A link called net1, down, in a pod; its other end is on the host and up."""
    HOST.ip("link", "set", device, "netns", str(pod.name), "name", "net1")
    set_ipv6(pod, "net1", "accept_dad", "0")  # it takes seconds; one test below turns it on again
    with netns.of_pod(pod.path) as opened:
        found = link.get(opened.netlink, name="net1")
        assert found is not None
        yield PodLink(opened, found.index, "net1")


def ip(address: str, gateway: str | None = None, interface: int | None = 0) -> IPConfig:
    """Return an address of a result."""
    return IPConfig(ip_interface(address), ip_address(gateway) if gateway else None, interface)


def to(destination: str, gateway: str | None = None, **settings: int) -> Route:
    """Return a route of a result."""
    return Route(ip_network(destination), ip_address(gateway) if gateway else None, **settings)


def apply(inside: PodLink, result: Result) -> None:
    """Do what ADD does."""
    log = Lines()
    ifconfig.add_addresses(inside, result, log)
    link.change(inside.netns.netlink, inside.index, up=True)
    ifconfig.add_routes(inside, result, log)


def test_addresses_of_both_families(inside: PodLink, pod: Space) -> None:
    """All of the first interface's addresses are set, and no other's."""
    apply(
        inside,
        Result(
            ips=[ip("10.1.0.2/16"), ip("10.2.0.2/24", interface=None), ip("fd00::2/64"), ip("10.9.9.9/24", None, 1)]
        ),
    )
    assert pod.addresses("net1") == ["10.1.0.2/16", "10.2.0.2/24", "fd00::2/64"]


def test_ipv6_where_it_is_turned_off(inside: PodLink, pod: Space) -> None:
    """IPv6 is turned on for the link and for lo, and set so that addresses serve at once and stay."""
    for name in ("all", "default", "lo", "net1"):
        set_ipv6(pod, name, "disable_ipv6", "1")
    apply(inside, Result(ips=[ip("fd00::2/64")]))
    assert pod.addresses("net1") == ["fd00::2/64"]
    for setting, value in (("disable_ipv6", "0"), ("optimistic_dad", "1"), ("keep_addr_on_down", "1")):
        assert pod.run("cat", f"/proc/sys/net/ipv6/conf/net1/{setting}").strip() == value


def test_ipv6_stays_off_without_ipv6_addresses(inside: PodLink, pod: Space) -> None:
    """A result with IPv4 alone does not meddle with IPv6."""
    set_ipv6(pod, "net1", "disable_ipv6", "1")
    apply(inside, Result(ips=[ip("10.1.0.2/16")]))
    assert pod.run("cat", "/proc/sys/net/ipv6/conf/net1/disable_ipv6").strip() == "1"


def test_duplicate_detection_is_over(inside: PodLink, pod: Space) -> None:
    """No address is tentative any more when the routes are in."""
    set_ipv6(pod, "net1", "accept_dad", "1")
    apply(inside, Result(ips=[ip("fd00::2/64")], routes=[to("::/0", "fd00::1")]))
    assert pod.json("-6", "addr", "show", "dev", "net1", "tentative") in ([], [{}])


ROUTES: dict[str, tuple[Route, dict[str, Any]]] = {
    "gateway of the route": (to("192.168.7.0/24", "10.1.0.9"), {"dst": "192.168.7.0/24", "gateway": "10.1.0.9"}),
    "gateway of the family": (to("192.168.7.0/24"), {"dst": "192.168.7.0/24", "gateway": "10.1.0.1"}),
    "default": (to("0.0.0.0/0"), {"dst": "default", "gateway": "10.1.0.1"}),
    "on-link": (to("192.168.7.0/24", "0.0.0.0"), {"dst": "192.168.7.0/24"}),
    "priority": (to("192.168.7.0/24", priority=77), {"gateway": "10.1.0.1", "metric": 77}),
    "metrics": (to("192.168.7.0/24", mtu=1400, advmss=1360), {"metrics": [{"mtu": 1400, "advmss": 1360}]}),
    "IPv6 gateway of the family": (to("fd01::/48"), {"dst": "fd01::/48", "gateway": "fd00::1"}),
    "IPv6 on-link": (to("fd01::/48", "::"), {"dst": "fd01::/48"}),
    "IPv6 default": (to("::/0"), {"dst": "default", "gateway": "fd00::1"}),
}
IPS = [ip("10.1.0.2/16"), ip("10.2.0.2/24", "10.1.0.1"), ip("fd00::2/64", "fd00::1")]


@pytest.mark.parametrize(("route", "shown"), ROUTES.values(), ids=ROUTES)
def test_routes(inside: PodLink, pod: Space, route: Route, shown: dict[str, Any]) -> None:
    """ip shows the route with its gateway, none for on-link ones; and CHECK finds it."""
    result = Result(ips=IPS, routes=[route])
    apply(inside, result)
    entries = pod.routes("net1", f"-{route.dst.version}")
    found = [entry for entry in entries if shown.items() <= entry.items()]
    assert len(found) == 1, entries
    assert ("gateway" in found[0]) is (route.gw is None or not route.gw.is_unspecified)
    ifconfig.verify(inside, result)


def test_route_in_another_table(inside: PodLink, pod: Space) -> None:
    """The table is the one asked for, and CHECK looks there; asked for none, a later plugin may have chosen one."""
    result = Result(ips=IPS, routes=[to("192.168.7.0/24", table=1234)])
    apply(inside, result)
    assert [entry["dst"] for entry in pod.routes("net1", table="1234")] == ["192.168.7.0/24"]
    ifconfig.verify(inside, result)
    ifconfig.verify(inside, Result(ips=IPS, routes=[to("192.168.7.0/24")]))
    with pytest.raises(CniError, match=r"route 192.168.7.0/24 via 10.1.0.1 through net1 is missing"):
        ifconfig.verify(inside, Result(ips=IPS, routes=[to("192.168.7.0/24", table=254)]))


def test_refused_address(inside: PodLink) -> None:
    """An address that the link has already is named."""
    with pytest.raises(CniError, match=r"cannot add address 10.1.0.2/16 to net1: File exists") as caught:
        apply(inside, Result(ips=[ip("10.1.0.2/16"), ip("10.1.0.2/16")]))
    assert caught.value.code == GENERIC


def test_refused_route(inside: PodLink) -> None:
    """A route with a gateway that no address reaches is named, with the kernel's words."""
    with pytest.raises(CniError, match=r"cannot add route 192.168.7.0/24 via 172.16.0.1 through net1: .*gateway"):
        apply(inside, Result(ips=IPS, routes=[to("192.168.7.0/24", "172.16.0.1")]))


BREAKAGES = {
    "an address is gone": (("addr", "del", "10.1.0.2/16", "dev", "net1"), "address 10.1.0.2/16 is missing on net1"),
    "all addresses are gone": (("addr", "flush", "dev", "net1"), "address 10.1.0.2/16 is missing on net1"),
    "an IPv6 address is gone": (("addr", "del", "fd00::2/64", "dev", "net1"), "address fd00::2/64 is missing"),
    "a prefix is another": (("addr", "del", "10.2.0.2/24", "dev", "net1"), "address 10.2.0.2/24 is missing"),
    "a route is gone": (
        ("route", "del", "192.168.7.0/24"),
        "route 192.168.7.0/24 via 10.1.0.1 through net1 is missing",
    ),
    "a route has another gateway": (
        ("route", "replace", "192.168.7.0/24", "via", "10.1.0.8", "mtu", "1400", "dev", "net1"),
        "route 192.168.7.0/24 via 10.1.0.1 through net1 is missing",
    ),
    "a route has another MTU": (
        ("route", "replace", "192.168.7.0/24", "via", "10.1.0.1", "mtu", "1300", "dev", "net1"),
        "route 192.168.7.0/24 via 10.1.0.1 through net1 is missing",
    ),
    "a default route is gone": (("-6", "route", "del", "default"), "route ::/0 via fd00::1 through net1 is missing"),
}


@pytest.mark.parametrize(("change", "message"), BREAKAGES.values(), ids=BREAKAGES)
def test_verify_notices(inside: PodLink, pod: Space, change: tuple[str, ...], message: str) -> None:
    """What is missing is named; before the change nothing is."""
    result = Result(ips=IPS, routes=[to("192.168.7.0/24", mtu=1400), to("::/0")])
    apply(inside, result)
    ifconfig.verify(inside, result)
    pod.ip(*change)
    with pytest.raises(CniError) as caught:
        ifconfig.verify(inside, result)
    assert message in caught.value.msg


def test_verify_tolerates_what_the_pod_adds(inside: PodLink, pod: Space) -> None:
    """Further addresses, routes and rules are the pod's own affair."""
    result = Result(ips=IPS, routes=[to("192.168.7.0/24")])
    apply(inside, result)
    pod.ip("addr", "add", "10.3.0.2/24", "dev", "net1")
    pod.ip("route", "add", "192.168.8.0/24", "dev", "net1")
    pod.ip("route", "add", "192.168.7.0/24", "dev", "net1", "metric", "500")
    ifconfig.verify(inside, result)


def test_an_empty_result(inside: PodLink, pod: Space) -> None:
    """Without IPAM nothing is set and nothing is missed."""
    apply(inside, Result())
    assert pod.addresses("net1") == []
    ifconfig.verify(inside, Result())
