"""What host-device does, seen from outside: selection, restoration, ADD, DEL, CHECK, GC, STATUS."""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import disk
from tests.support.bus import Bus
from tests.support.net import HOST, Space, run, unique
from tests.support.packets import Ear
from tests.support.plugin import DIST, Attachment

PCI = "0000:03:02.6"
AUXILIARY = "mlx5_core.sf.4"
ADDRESS = "10.9.0.2"
STATIC: dict[str, Any] = {
    "type": "static",
    "addresses": [{"address": f"{ADDRESS}/24", "gateway": "10.9.0.1"}],
    "routes": [{"dst": "10.7.0.0/16"}],
}
HOST_LOCAL: dict[str, Any] = {"type": "host-local", "ranges": [[{"subnet": "10.9.0.0/24"}]]}
MakeDevice = Callable[..., str]
MakePod = Callable[[], Space]
_ids = itertools.count(1)


@pytest.fixture
def bus() -> Iterator[Bus]:
    """A sysfs with PCI and auxiliary devices of the test's own."""
    made = Bus()
    yield made
    made.remove()


def attachment(pod: Space, ifname: str = "net1", args: str | None = None, **conf: Any) -> Attachment:
    """Return an attachment to be, to a network of its own unless `name` says which."""
    whole = {"cniVersion": "1.1.0", "name": unique("network"), "type": "host-device", **conf}
    return Attachment(whole, f"container{next(_ids)}", pod.path, ifname, args=args)


def assert_nothing_left(*attachments: Attachment) -> None:
    """No reservation and no record of these attachments."""
    for one in attachments:
        assert disk.reserved(one.conf["name"]) == {}
        assert f"{one.container_id}-{one.ifname}" not in disk.records()


def take_home(pod: Space, name: str) -> None:
    """Do what the kernel does to a physical link when its namespace dies: it is on the host, under its last name."""
    pod.ip("link", "set", name, "netns", str(os.getpid()))


# Selection


def by_hwaddr(spelling: Callable[[str], str]) -> Callable[[Bus, str], dict[str, Any]]:
    """Return a selector that names the device by its MAC address, spelled in some way."""

    def select(_: Bus, device: str) -> dict[str, Any]:
        return {"hwaddr": spelling(HOST.settings(device)["mac"])}

    return select


def by_kernelpath(bus: Bus, device: str) -> dict[str, Any]:
    return {"kernelpath": bus.folder("nic0", device)}


def by_pci(bus: Bus, device: str) -> dict[str, Any]:
    bus.pci(PCI, device, "ixgbevf")
    return {"pciBusID": PCI}


def by_pci_virtio(bus: Bus, device: str) -> dict[str, Any]:
    bus.pci(PCI, device, "virtio-pci", below="virtio0")
    return {"pciBusID": PCI}


def by_runtime_pci(bus: Bus, device: str) -> dict[str, Any]:
    bus.pci(PCI, device)
    return {"runtimeConfig": {"deviceID": PCI}}


def by_runtime_auxiliary(bus: Bus, device: str) -> dict[str, Any]:
    bus.auxiliary(AUXILIARY, device, "0000:03:00.0")
    return {"runtimeConfig": {"deviceID": AUXILIARY}}


def by_altname(_: Bus, device: str) -> dict[str, Any]:
    HOST.ip("link", "property", "add", "dev", device, "altname", f"{device}-second-name")
    return {"device": f"{device}-second-name"}


SELECTORS: dict[str, Callable[[Bus, str], dict[str, Any]]] = {
    "device": lambda _, device: {"device": device},
    "device-by-altname": by_altname,
    "hwaddr": by_hwaddr(str),
    "hwaddr-upper-case": by_hwaddr(str.upper),
    "hwaddr-dashes": by_hwaddr(lambda mac: mac.replace(":", "-")),
    "kernelpath": by_kernelpath,
    "pciBusID": by_pci,
    "pciBusID-virtio": by_pci_virtio,
    "runtimeConfig-pci": by_runtime_pci,
    "runtimeConfig-auxiliary": by_runtime_auxiliary,
}


@pytest.mark.parametrize("selector", SELECTORS)
def test_selects(selector: str, bus: Bus, pod: Space, make_device: MakeDevice) -> None:
    """Each way of naming a device attaches that one and gives it back; the one beside it stays where it is."""
    device, bystander = make_device(), make_device()
    one = attachment(pod, **SELECTORS[selector](bus, device), ipam=STATIC)
    before = HOST.settings(device)
    one.add()
    inside = pod.settings("net1")
    assert (inside["mac"], inside["up"], inside["alias"]) == (before["mac"], True, device)
    assert pod.addresses("net1") == [f"{ADDRESS}/24"]
    assert device not in HOST.links()
    assert bystander in HOST.links()
    one.check().ok()
    one.delete()
    assert HOST.settings(device) == before
    assert pod.links() == []
    assert_nothing_left(one)


@pytest.mark.parametrize(
    ("selector", "pci_id"), [("pciBusID", PCI), ("runtimeConfig-auxiliary", "0000:03:00.0"), ("device", None)]
)
def test_result_names_pci_function(selector: str, pci_id: str | None, bus: Bus, pod: Space, device: str) -> None:
    """A 1.1.0 result has the MTU, and the PCI address of a device that has one; an older one has neither."""
    HOST.ip("link", "set", device, "mtu", "1400")
    one = attachment(pod, **SELECTORS[selector](bus, device))
    mac = HOST.settings(device)["mac"]
    expected = {"name": "net1", "mac": mac, "mtu": 1400, "sandbox": pod.path, "pciID": pci_id}
    assert one.add()["interfaces"] == [{key: value for key, value in expected.items() if value}]
    one.delete()
    old = {"name": "net1", "mac": mac, "sandbox": pod.path}
    assert one.call("ADD", cniVersion="1.0.0").ok()["interfaces"] == [old]
    one.delete()


@pytest.mark.parametrize("driver", ["vfio-pci", "uio_pci_generic", "igb_uio"])
def test_userspace_driver(driver: str, bus: Bus, pod: Space) -> None:
    """A device that belongs to a program gets its addresses from IPAM and no link; DEL releases them."""
    bus.pci(PCI, driver=driver)
    one = attachment(pod, pciBusID=PCI, ipam=HOST_LOCAL)
    result = one.add()
    assert [ip["address"] for ip in result["ips"]] == ["10.9.0.2/24"]
    assert result["interfaces"] == [{"name": "net1", "sandbox": pod.path, "pciID": PCI}]
    assert [ip["interface"] for ip in result["ips"]] == [0]
    assert pod.links() == []
    assert list(disk.reserved(one.conf["name"])) == ["10.9.0.2"]
    one.check().ok()
    one.call("STATUS").ok()
    # The same attachment again: the runtime never saw the first result.
    assert len(one.add()["ips"]) == 1
    assert len(disk.reserved(one.conf["name"])) == 1
    one.delete()
    assert_nothing_left(one)


# Restoration


def tamper_all(pod: Space) -> None:
    """Everything at once that leaves the device's mark, by which it is known under another name, in place."""
    for name in ("mac", "mtu", "down", "altname-removed", "altname-added", "addresses", "name"):
        TAMPERINGS[name](pod)


TAMPERINGS: dict[str, Callable[[Space], object]] = {
    "nothing": lambda pod: None,
    "mac": lambda pod: pod.ip("link", "set", "net1", "address", "02:de:ad:be:ef:01"),
    "mtu": lambda pod: pod.ip("link", "set", "net1", "mtu", "1280"),
    "down": lambda pod: pod.ip("link", "set", "net1", "down"),
    "altname-removed": lambda pod: pod.ip("link", "property", "del", "dev", "net1", "altname", "first-altname"),
    "altname-added": lambda pod: pod.ip("link", "property", "add", "dev", "net1", "altname", "of-the-pod"),
    "alias": lambda pod: pod.ip("link", "set", "net1", "alias", "mine now"),
    "alias-removed": lambda pod: pod.ip("link", "set", "net1", "alias", ""),
    "alias-and-mac": lambda pod: pod.ip("link", "set", "net1", "alias", "", "address", "02:de:ad:be:ef:04"),
    "addresses": lambda pod: pod.ip("addr", "add", "192.0.2.1/24", "dev", "net1"),
    "name": lambda pod: pod.ip("link", "set", "net1", "name", "renamed"),
    "everything": tamper_all,
}


@pytest.mark.parametrize("up", [False, True], ids=["was-down", "was-up"])
@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_gives_back_what_it_took(tampering: str, up: bool, pod: Space, device: str) -> None:
    """Whatever the pod did to the link, DEL leaves it on the host as it was."""
    HOST.ip("link", "set", device, "mtu", "1450", "address", "02:00:5e:10:00:07", "alias", "rack 4, port 7")
    HOST.ip("link", "property", "add", "dev", device, "altname", "first-altname", "altname", "second-altname")
    HOST.ip("link", "set", device, "up" if up else "down")
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam=STATIC)
    one.add()
    TAMPERINGS[tampering](pod)
    one.delete()
    assert HOST.settings(device) == before
    assert HOST.addresses(device) == []
    assert pod.links() == []
    assert_nothing_left(one)


@pytest.mark.parametrize("altname", ["net1", "also-net1-in-full-length"])
def test_altname_equal_to_name_in_pod(altname: str, pod: Space, device: str) -> None:
    """An alternative name of the device that is its name in the pod is no obstacle, and is there again after DEL."""
    HOST.ip("link", "property", "add", "dev", device, "altname", altname)
    before = HOST.settings(device)
    one = attachment(pod, device=device)
    one.add()
    assert pod.links() == ["net1"]
    one.delete()
    assert HOST.settings(device) == before


def test_altname_taken_in_pod(pod: Space, make_device: MakeDevice) -> None:
    """A link of the pod that has the device's alternative name does not stop ADD; after DEL the device has it again."""
    device, other = make_device(), make_device()
    HOST.ip("link", "property", "add", "dev", device, "altname", "contested", "altname", "uncontested")
    before = HOST.settings(device)
    HOST.ip("link", "set", other, "netns", str(pod.name))
    pod.ip("link", "property", "add", "dev", other, "altname", "contested")
    one = attachment(pod, device=device)
    one.add()
    assert pod.settings("net1")["altnames"] == ["uncontested"]
    assert pod.settings(other)["altnames"] == ["contested"]
    one.delete()
    assert HOST.settings(device) == before
    assert pod.links() == [other]


def test_altname_taken_on_host(pod: Space, make_device: MakeDevice) -> None:
    """A device whose alternative name somebody on the host took meanwhile comes back without it."""
    device, other = make_device(), make_device()
    HOST.ip("link", "property", "add", "dev", device, "altname", "contested", "altname", "uncontested")
    one = attachment(pod, device=device)
    one.add()
    HOST.ip("link", "property", "add", "dev", other, "altname", "contested")
    one.delete()
    assert HOST.settings(device)["altnames"] == ["uncontested"]
    assert HOST.settings(other)["altnames"] == ["contested"]
    assert_nothing_left(one)


@pytest.mark.parametrize("as_altname", [False, True], ids=["name", "altname"])
def test_host_name_taken(as_altname: bool, pod: Space, make_device: MakeDevice) -> None:
    """When another link has the device's name, DEL succeeds, the device gets a free name like it; that is logged."""
    device, usurper = make_device(), make_device()
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.add()
    if as_altname:
        HOST.ip("link", "property", "add", "dev", usurper, "altname", device)
    else:
        HOST.ip("link", "set", usurper, "name", device)
    usurper_index = HOST.json("link", "show", device)[0]["ifindex"]
    outcome = one.call("DEL")
    outcome.ok()
    assert HOST.settings(f"{device}_0") == {**before, "name": f"{device}_0"}
    assert HOST.json("link", "show", device)[0]["ifindex"] == usurper_index
    assert "taken" in outcome.stderr
    assert f"{device}_0" in outcome.stderr
    assert_nothing_left(one)


def test_next_pod_after_rename(pod: Space, device: str) -> None:
    """The name that a pod gave to the device is not mistaken for the original by the next attachment."""
    one = attachment(pod, device=device)
    one.add()
    pod.ip("link", "set", "net1", "name", "renamed")
    one.delete()
    two = attachment(pod, device=device)
    two.add()
    assert pod.settings("net1")["alias"] == device
    two.delete()
    assert HOST.settings(device)["name"] == device


# ADD


def test_name_taken_in_pod(pod: Space, make_device: MakeDevice) -> None:
    """An interface of that name in the pod is error 4, and the device is as it was."""
    device, occupant = make_device(), make_device()
    HOST.ip("link", "set", occupant, "netns", str(pod.name), "name", "net1")
    before, inside = HOST.settings(device), pod.settings("net1")
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    assert "net1" in one.call("ADD").error(4)["msg"]
    assert HOST.settings(device) == before
    assert pod.settings("net1") == inside
    assert_nothing_left(one)


def test_altname_of_another_link_in_pod(pod: Space, make_device: MakeDevice) -> None:
    """The same when it is an alternative name of another link in the pod."""
    device, occupant = make_device(), make_device()
    HOST.ip("link", "set", occupant, "netns", str(pod.name))
    pod.ip("link", "property", "add", "dev", occupant, "altname", "net1")
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    assert "net1" in one.call("ADD").error(4)["msg"]
    assert HOST.settings(device) == before
    assert_nothing_left(one)


def test_repeated_add(pod: Space, device: str) -> None:
    """A runtime that never saw the first result gives the same command again: it works, with one address held."""
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.add()
    one.add()
    assert len(disk.reserved(one.conf["name"])) == 1
    assert len(pod.addresses("net1")) == 1
    one.check().ok()
    one.delete()
    assert HOST.settings(device) == before
    assert_nothing_left(one)


def test_device_in_another_pod(make_pod: MakePod, device: str) -> None:
    """A device that a living pod has is not to be had, and stays there."""
    first, second = make_pod(), make_pod()
    one = attachment(first, device=device, ipam=STATIC)
    one.add()
    two = attachment(second, device=device, ipam=HOST_LOCAL)
    assert device in two.call("ADD").error(7)["msg"]
    two.delete()
    assert first.addresses("net1") == [f"{ADDRESS}/24"]
    one.check().ok()
    one.delete()
    assert_nothing_left(one, two)


def test_two_interfaces_in_one_pod(pod: Space, make_device: MakeDevice) -> None:
    """Two attachments of one container do not get in each other's way."""
    devices = [make_device(), make_device()]
    network = unique("network")
    both = [
        attachment(pod, f"net{number}", name=network, device=device, ipam=HOST_LOCAL)
        for number, device in enumerate(devices)
    ]
    both[1].container_id = both[0].container_id
    for one in both:
        one.add()
    assert sorted(pod.links()) == ["net0", "net1"]
    both[0].delete()
    assert pod.links() == ["net1"]
    both[1].check().ok()
    both[1].delete()
    assert_nothing_left(*both)


def test_previous_result(pod: Space, device: str) -> None:
    """A configuration in a chain carries the result of the plugin before: ADD reads it and answers with its own."""
    previous = {
        "cniVersion": "1.1.0",
        "interfaces": [{"name": "eth0", "sandbox": pod.path, "mtu": 9000}],
        "ips": [{"address": "10.200.0.2/16", "interface": 0}],
    }
    one = attachment(pod, device=device, ipam=STATIC, prevResult=previous)
    result = one.add()
    assert [interface["name"] for interface in result["interfaces"]] == ["net1"]
    assert [ip["address"] for ip in result["ips"]] == [f"{ADDRESS}/24"]
    assert pod.addresses("net1") == [f"{ADDRESS}/24"]
    one.check().ok()
    one.delete()


REQUESTED: dict[str, tuple[dict[str, Any], str | None]] = {
    "runtimeConfig-static": ({"ipam": {"type": "static"}, "runtimeConfig": {"ips": ["10.9.0.44/24"]}}, None),
    "runtimeConfig-host-local": ({"ipam": HOST_LOCAL, "runtimeConfig": {"ips": ["10.9.0.44"]}}, None),
    "args-static": ({"ipam": {"type": "static"}}, "IP=10.9.0.44/24"),
    "args-host-local": ({"ipam": HOST_LOCAL}, "IgnoreUnknown=1;IP=10.9.0.44;OTHER=x"),
}


@pytest.mark.parametrize("case", REQUESTED)
def test_requested_address(case: str, pod: Space, device: str) -> None:
    """An address that the runtime asks for is the one that the pod gets."""
    conf, args = REQUESTED[case]
    one = attachment(pod, args=args, device=device, **conf)
    one.add()
    assert pod.addresses("net1") == ["10.9.0.44/24"]
    one.check().ok()
    one.delete()
    assert_nothing_left(one)


ROUTES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mtu": ({"mtu": 1300}, {"metrics": [{"mtu": 1300}]}),
    "advmss": ({"advmss": 1200}, {"metrics": [{"advmss": 1200}]}),
    "priority": ({"priority": 77}, {"metric": 77}),
    "table": ({"table": 100}, {"table": "100"}),
    "table-above-255": ({"table": 4000}, {"table": "4000"}),
    "scope-link": ({"scope": 253, "gw": "0.0.0.0"}, {"scope": "link", "gateway": None}),
    "all": (
        {"mtu": 1300, "advmss": 1200, "priority": 77, "table": 100, "gw": "10.9.0.9"},
        {"metrics": [{"mtu": 1300, "advmss": 1200}], "metric": 77, "table": "100", "gateway": "10.9.0.9"},
    ),
}


@pytest.mark.parametrize("case", ROUTES)
def test_route_attributes(case: str, pod: Space, device: str) -> None:
    """The route attributes of version 1.1.0 are in the result and on the kernel's route, and CHECK wants them."""
    attributes, expected = ROUTES[case]
    ipam = {**STATIC, "routes": [{"dst": "10.7.0.0/16", **attributes}]}
    one = attachment(pod, device=device, ipam=ipam)
    assert one.add()["routes"] == ipam["routes"]
    table = str(attributes.get("table", "main"))
    (route,) = [found for found in pod.routes("net1", table="all") if found["dst"] == "10.7.0.0/16"]
    found = {"gateway": None, "table": table, **route}
    assert {key: found.get(key) for key in expected} == expected
    one.check().ok()
    pod.ip("route", "del", "10.7.0.0/16", "table", table)
    assert "10.7.0.0/16" in one.check().error()["msg"]
    one.delete()


@pytest.mark.parametrize("holder", ["static", "host-local"])
def test_duplicate_ipv6_address(holder: str, pod: Space, device: str) -> None:
    """An IPv6 address that a neighbour has is an error, and everything is undone."""
    peer = HOST.link(device)["link"]  # type: ignore[index]
    HOST.ip("addr", "add", "fd00:9::2/64", "dev", peer, "nodad")
    before = HOST.settings(device)
    ipam: dict[str, Any] = {"type": "static", "addresses": [{"address": "fd00:9::2/64"}]}
    if holder == "host-local":
        ipam = {"type": "host-local", "ranges": [[{"subnet": "fd00:9::/64", "rangeStart": "fd00:9::2"}]]}
    one = attachment(pod, device=device, ipam=ipam)
    assert "fd00:9::2" in one.call("ADD").error(999)["msg"]
    assert HOST.settings(device) == before
    assert pod.links() == []
    assert_nothing_left(one)


def test_ipv6_turned_off_in_pod(pod: Space, device: str) -> None:
    """A pod in which IPv6 is off by default gets its IPv6 address all the same."""
    for name in ("default", "lo"):
        pod.run("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1")
    pod.without_dad()
    one = attachment(pod, device=device, ipam={"type": "static", "addresses": [{"address": "fd00:9::2/64"}]})
    one.add()
    assert pod.addresses("net1") == ["fd00:9::2/64"]
    assert pod.run("sysctl", "-n", "net.ipv6.conf.net1.disable_ipv6").strip() == "0"
    one.delete()


def test_announces_addresses(pod: Space, device: str) -> None:
    """Neighbours hear each address with the device's MAC: gratuitous ARP and unsolicited neighbour advertisement."""
    link = HOST.link(device)
    assert link is not None
    addresses = [f"{ADDRESS}/24", "10.9.1.2/24", "fd00:9::2/64"]
    ipam = {"type": "static", "addresses": [{"address": address} for address in addresses]}
    one = attachment(pod, device=device, ipam=ipam)
    with Ear(link["link"]) as ear:
        one.add()
        assert ear.announced() == {address.partition("/")[0]: link["address"] for address in addresses}
    one.delete()


def test_without_carrier(pod: Space, device: str) -> None:
    """A device whose cable is out is attached like any other, addresses of both families and all."""
    HOST.ip("link", "set", HOST.link(device)["link"], "down")  # type: ignore[index]
    addresses = ["10.9.0.2/24", "fd00:9::2/64"]
    ipam = {"type": "static", "addresses": [{"address": address} for address in addresses]}
    one = attachment(pod, device=device, ipam=ipam)
    one.add()
    assert pod.addresses("net1") == addresses
    assert pod.link("net1")["operstate"] == "LOWERLAYERDOWN"  # type: ignore[index]
    one.check().ok()
    one.delete()
    assert HOST.link(device) is not None


def test_failing_ipam_leaves_device(pod: Space, device: str) -> None:
    """An exhausted range fails ADD with the device on the host and no trace of the attempt."""
    full: dict[str, Any] = {
        "type": "host-local",
        "ranges": [[{"subnet": "10.9.0.0/24", "rangeStart": "10.9.0.2", "rangeEnd": "10.9.0.2"}]],
    }
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam=full)
    holder = Attachment({**one.conf, "type": "host-local"}, "holder", pod.path)
    holder.add()
    assert "no IP addresses available in range set" in one.call("ADD").error()["msg"]
    assert HOST.settings(device) == before
    assert pod.links() == []
    assert disk.reserved(one.conf["name"]) == {"10.9.0.2": "holder\r\nnet1"}
    holder.delete()
    assert_nothing_left(one)


def test_refused_address_undoes_everything(pod: Space, device: str) -> None:
    """A route that the kernel refuses is an error that names it, and everything before it is undone."""
    ipam = {**HOST_LOCAL, "routes": [{"dst": "10.7.0.0/16", "gw": "172.30.0.1"}]}
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam=ipam)
    assert "10.7.0.0/16 via 172.30.0.1" in one.call("ADD").error(999)["msg"]
    assert HOST.settings(device) == before
    assert pod.links() == []
    assert_nothing_left(one)


# DEL


def gone(pod: Space) -> str:
    pod.delete()
    return pod.path


def empty_and_gone(pod: Space) -> str:
    pod.delete()
    return ""


def plain_file(pod: Space) -> str:
    pod.delete()
    with open(pod.path, "w"):
        pass
    return pod.path


def own_namespace(pod: Space) -> str:
    """As after the process ID of a pod was used again by a process of the host."""
    pod.delete()
    return f"/proc/{os.getpid()}/ns/net"


@pytest.mark.parametrize("vanish", [gone, empty_and_gone, plain_file, own_namespace])
@pytest.mark.parametrize("command", ["DEL", "GC"])
def test_namespace_vanished(command: str, vanish: Callable[[Space], str], pod: Space, device: str) -> None:
    """The pod is gone and its veth with it: DEL, and likewise GC, succeeds and lets go of address and record."""
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.add()
    one.netns = vanish(pod)
    if command == "DEL":
        one.delete()
        one.delete()
    else:
        one.call("GC", **gc_keys()).ok()
    assert_nothing_left(one)
    if os.path.isfile(pod.path):
        os.unlink(pod.path)


def test_empty_namespace_but_pod_alive(pod: Space, device: str) -> None:
    """The runtime no longer knows the namespace, but it is there: the device comes back from it."""
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.add()
    one.netns = ""
    one.delete()
    assert HOST.settings(device) == before
    assert_nothing_left(one)


@pytest.mark.parametrize("command", ["DEL", "DEL-no-netns", "GC"])
@pytest.mark.parametrize("their_alias", ["", "eth7"], ids=["link-without-alias", "link-of-host-device"])
def test_namespace_of_another_pod(their_alias: str, command: str, make_pod: MakePod, make_device: MakeDevice) -> None:
    """The path is another pod's by now, with a link of the same name in it: that one stays where it is."""
    pod, device = make_pod(), make_device()
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.add()
    pod.delete()
    run("ip", "netns", "add", str(pod.name))
    HOST.ip("link", "set", make_device(), "netns", str(pod.name), "name", "net1", "alias", their_alias)
    inside = pod.settings("net1")
    if command == "GC":
        one.call("GC", **gc_keys()).ok()
    else:
        one.netns = "" if command == "DEL-no-netns" else one.netns
        one.delete()
    assert pod.settings("net1") == inside
    assert_nothing_left(one)


@pytest.mark.parametrize("last_name", ["net1", "other0", None], ids=["name-in-pod", "renamed-by-pod", "name-on-host"])
@pytest.mark.parametrize("command", ["DEL", "DEL-no-netns", "GC", "ADD"])
def test_saved_by_the_kernel(command: str, last_name: str | None, bus: Bus, make_pod: MakePod, device: str) -> None:
    """A physical device outlives its pod, on the host under the pod's name: it becomes what it was."""
    pod = make_pod()
    folder = bus.pci(PCI, device)
    before = HOST.settings(device)
    one = attachment(pod, pciBusID=PCI, ipam=HOST_LOCAL)
    one.add()
    last_name = last_name or device
    pod.ip("link", "set", "net1", "down", "address", "02:de:ad:be:ef:02")
    pod.ip("link", "set", "net1", "mtu", "1280", "name", last_name)
    take_home(pod, last_name)
    # The real sysfs renames the entry with the link; ours has both names, and there is never a link for both.
    os.makedirs(f"{folder}/net/{last_name}", exist_ok=True)
    pod.delete()
    if command == "GC":
        one.call("GC", **gc_keys()).ok()
    elif command == "ADD":
        two = attachment(make_pod(), name=one.conf["name"], pciBusID=PCI, ipam=HOST_LOCAL)
        two.add()
        # The late DEL of the dead pod lets go of its address, not of the device that is the new pod's.
        one.delete()
        assert Space(two.netns.rpartition("/")[2]).settings("net1")["alias"] == device
        two.check().ok()
        two.delete()
        assert_nothing_left(two)
    else:
        one.netns = "" if command == "DEL-no-netns" else one.netns
        one.delete()
    assert HOST.settings(device) == before
    assert_nothing_left(one)


def test_device_unplugged(pod: Space, device: str) -> None:
    """A device that no longer exists anywhere leaves nothing to give back: DEL succeeds."""
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.add()
    pod.ip("link", "del", "net1")
    one.delete()
    assert_nothing_left(one)


def test_renamed_with_another_link_in_its_place(pod: Space, make_device: MakeDevice) -> None:
    """The device is known by its mark, not by its name: a link of the pod's own that has the name stays."""
    device, other = make_device(), make_device()
    before = HOST.settings(device)
    one = attachment(pod, device=device)
    one.add()
    pod.ip("link", "set", "net1", "name", "renamed")
    HOST.ip("link", "set", other, "netns", str(pod.name), "name", "net1")
    one.delete()
    assert HOST.settings(device) == before
    assert pod.links() == ["net1"]


def test_repeated_delete(pod: Space, device: str) -> None:
    """Every further DEL succeeds and changes nothing."""
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.add()
    for _ in range(3):
        one.delete()
        assert HOST.settings(device) == before
    assert_nothing_left(one)


@pytest.mark.parametrize("netns", ["alive", "missing", "empty"])
def test_delete_without_add(netns: str, pod: Space, device: str) -> None:
    """CRI-O and containerd do this before the first ADD: nothing happens."""
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.netns = {"alive": pod.path, "missing": "/run/netns/no-such-pod", "empty": ""}[netns]
    one.delete()
    assert HOST.settings(device) == before
    assert_nothing_left(one)


@pytest.mark.parametrize("known_by", ["mark", "address", "index", "mark, without record"])
def test_delete_after_one_that_was_killed_between_two_names(known_by: str, pod: Space, device: str) -> None:
    """DEL gives the link its host name in the pod before it moves it: the next DEL finds it under either name."""
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.add()
    pod.ip("link", "set", "net1", "down")
    pod.ip("link", "set", "net1", "name", device)
    if known_by == "mark, without record":
        os.remove(f"{disk.HOST_DEVICE}/{one.container_id}-net1")
    if known_by in ("address", "index"):
        pod.ip("link", "set", device, "alias", "")
    if known_by == "index":
        pod.ip("link", "set", device, "address", "02:de:ad:be:ef:03")
    one.delete()
    assert HOST.settings(device) == before
    assert pod.links() == []
    assert_nothing_left(one)


def test_delete_of_another_attachment_after_such_a_one(pod: Space, device: str) -> None:
    """A DEL without a record leaves the link with its host name to the attachment whose record says that it owns it."""
    before = HOST.settings(device)
    owner = attachment(pod, device=device)
    owner.add()
    pod.ip("link", "set", "net1", "down")
    pod.ip("link", "set", "net1", "name", device)
    stranger = attachment(pod, device=device)
    stranger.ifname = "net2"
    stranger.delete()
    assert pod.links() == [device]
    owner.delete()
    assert HOST.settings(device) == before


def test_delete_leaves_links_whose_alias_is_their_name(bus: Bus, pod: Space) -> None:
    """Which is what a killed DEL leaves, too, but nothing tells that such a one is the device of the configuration."""
    bus.pci(PCI)
    pod.ip("link", "add", "theirs", "alias", "theirs", "type", "veth", "peer", "name", "other")
    before = pod.settings("theirs")
    attachment(pod, pciBusID=PCI).delete()
    attachment(pod, device="nosuch0").delete()
    assert pod.settings("theirs") == before


def test_delete_of_somebody_elses_link(pod: Space, make_device: MakeDevice) -> None:
    """A link in the pod that has the name, but that no plugin attached, stays there."""
    device, theirs = make_device(), make_device()
    HOST.ip("link", "set", theirs, "netns", str(pod.name), "name", "net1")
    inside = pod.settings("net1")
    one = attachment(pod, device=device)
    one.delete()
    assert pod.settings("net1") == inside
    assert device in HOST.links()


def test_delete_does_not_need_the_device(pod: Space) -> None:
    """A device that this host does not have is none of DEL's business."""
    one = attachment(pod, device="nosuch0", ipam=HOST_LOCAL)
    one.delete()


# CHECK

BREAKAGES: dict[str, tuple[Callable[[Space], object], str]] = {
    "address": (lambda pod: pod.ip("addr", "del", f"{ADDRESS}/24", "dev", "net1"), ADDRESS),
    "ipv6-address": (lambda pod: pod.ip("addr", "del", "fd00:9::2/64", "dev", "net1"), "fd00:9::2"),
    "prefix": (
        lambda pod: [
            pod.ip("addr", "del", f"{ADDRESS}/24", "dev", "net1"),
            pod.ip("addr", "add", f"{ADDRESS}/16", "dev", "net1"),
        ],
        f"{ADDRESS}/24",
    ),
    "route": (lambda pod: pod.ip("route", "del", "10.7.0.0/16"), "10.7.0.0/16"),
    "route-gateway": (lambda pod: pod.ip("route", "replace", "10.7.0.0/16", "via", "10.9.0.99"), "10.7.0.0/16"),
    "ipv6-route": (lambda pod: pod.ip("-6", "route", "del", "fd00:7::/48"), "fd00:7::/48"),
    "link": (lambda pod: pod.ip("link", "set", "net1", "name", "other"), "net1"),
    "mac": (lambda pod: pod.ip("link", "set", "net1", "address", "02:de:ad:be:ef:03"), "02:de:ad:be:ef:03"),
    "pod": (lambda pod: pod.delete(), "CNI_NETNS"),
}


def test_check_tolerates_later_plugins(pod: Space, device: str) -> None:
    """What tuning and sbr change after us is no fault: the MTU, the table of a route, a MAC address in capitals."""
    one = attachment(pod, device=device, ipam={**HOST_LOCAL, "routes": [{"dst": "10.7.0.0/16"}]})
    result = one.add()
    pod.ip("link", "set", "net1", "mtu", "1400")
    pod.ip("route", "del", "10.7.0.0/16")
    pod.ip("route", "add", "10.7.0.0/16", "via", "10.9.0.1", "dev", "net1", "table", "100")
    result["interfaces"][0]["mac"] = result["interfaces"][0]["mac"].upper()
    one.check().ok()
    one.delete()


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_check_notices(breakage: str, pod: Space, device: str) -> None:
    """CHECK is content after ADD, and names what is wrong afterwards."""
    break_it, named = BREAKAGES[breakage]
    ipam = {
        "type": "static",
        "addresses": [{"address": f"{ADDRESS}/24", "gateway": "10.9.0.1"}, {"address": "fd00:9::2/64"}],
        "routes": [{"dst": "10.7.0.0/16"}, {"dst": "fd00:7::/48", "gw": "fd00:9::1"}],
    }
    pod.without_dad()
    one = attachment(pod, device=device, ipam=ipam)
    one.add()
    one.check().ok()
    break_it(pod)
    assert named in one.check().error()["msg"]
    one.delete()


def test_check_notices_lost_reservation(pod: Space, device: str) -> None:
    """CHECK asks IPAM as well: an address whose reservation is gone is not the pod's any more."""
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.add()
    one.check().ok()
    os.unlink(f"{disk.NETWORKS}/{one.conf['name']}/10.9.0.2")
    one.check().error()
    one.delete()


def test_check_tolerates_additions(pod: Space, device: str) -> None:
    """What a pod adds to its interface is its own affair."""
    one = attachment(pod, device=device, ipam=STATIC)
    one.add()
    pod.ip("addr", "add", "192.0.2.7/24", "dev", "net1")
    pod.ip("route", "add", "198.51.100.0/24", "via", "192.0.2.1")
    one.check().ok()
    one.delete()


def test_check_needs_previous_result(pod: Space, device: str) -> None:
    """CHECK without prevResult is refused."""
    one = attachment(pod, device=device, ipam=STATIC)
    one.add()
    assert "prevResult" in one.call("CHECK").error()["msg"]
    one.delete()


# GC


def gc_keys(*valid: Attachment) -> dict[str, Any]:
    """Return what libcni adds to the configuration for GC."""
    return {"cni.dev/valid-attachments": [{"containerID": one.container_id, "ifname": one.ifname} for one in valid]}


@pytest.fixture
def three(make_pod: MakePod, make_device: MakeDevice) -> Iterator[list[tuple[Attachment, Space, dict[str, Any]]]]:
    """Three attachments to one network, each with its pod and what its device was like."""
    network = unique("network")
    made = []
    for _ in range(3):
        pod, device = make_pod(), make_device()
        before = HOST.settings(device)
        one = attachment(pod, name=network, device=device, ipam=HOST_LOCAL)
        one.add()
        made.append((one, pod, before))
    yield made
    for one, _, _ in made:
        one.delete()


@pytest.mark.parametrize("valid", [(), (1,), (0, 2), (0, 1, 2)], ids=["none", "one", "two", "all"])
@pytest.mark.parametrize("key", ["cni.dev/valid-attachments", "cni.dev/attachments"])
def test_gc(key: str, valid: tuple[int, ...], three: list[tuple[Attachment, Space, dict[str, Any]]]) -> None:
    """GC gives back the devices and addresses of all attachments that are not in the list, and of no others."""
    (listed,) = gc_keys(*(three[number][0] for number in valid)).values()
    three[0][0].call("GC", **{key: listed}).ok()
    held = disk.reserved(three[0][0].conf["name"]).values()
    for number, (one, pod, before) in enumerate(three):
        name = before["name"]
        assert (f"{one.container_id}\r\n{one.ifname}" in held) == (number in valid)
        if number in valid:
            assert pod.links() == ["net1"]
            one.check().ok()
        else:
            assert pod.links() == []
            assert HOST.settings(name) == before
            assert f"{one.container_id}-net1" not in disk.records()


def test_gc_sweeps_locks_of_killed_commands(three: list[tuple[Attachment, Space, dict[str, Any]]]) -> None:
    """A lock file that nobody holds goes; the lock is the file's, not the name's."""
    folder = os.path.join(disk.HOST_DEVICE, "lock")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "killed"), "w"):
        pass
    with open(os.path.join(folder, "held"), "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        valid: Any = [{"containerID": one.container_id, "ifname": one.ifname} for one, _, _ in three]
        three[0][0].call("GC", **{"cni.dev/valid-attachments": valid}).ok()
        assert os.listdir(folder) == ["held"]
    os.unlink(held.name)


def test_gc_without_list(three: list[tuple[Attachment, Space, dict[str, Any]]]) -> None:
    """An absent list is not an empty one: what belongs to those who live is not taken away (as `cnitool gc` asks)."""
    three[0][0].call("GC").ok()
    for one, pod, _ in three:
        assert pod.links() == ["net1"]
        one.check().ok()


def test_gc_leaves_other_networks_alone(three: list[tuple[Attachment, Space, dict[str, Any]]]) -> None:
    """GC is for one network."""
    other = attachment(three[0][1], device="nosuch0", ipam=HOST_LOCAL)
    other.call("GC", **gc_keys()).ok()
    for one, _, _ in three:
        one.check().ok()


def test_gc_needs_1_1_0(pod: Space, device: str) -> None:
    """GC came with version 1.1.0; for an older configuration it is the wrong version."""
    one = attachment(pod, device=device, cniVersion="1.0.0")
    one.call("GC", **gc_keys()).error(1)


# STATUS


def test_status(pod: Space, device: str) -> None:
    """STATUS is content with a device that is on the host, and with one that is in a pod."""
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    assert one.call("STATUS").ok() == {}
    one.add()
    one.call("STATUS").ok()
    one.delete()


MISSING: dict[str, dict[str, Any]] = {
    "device": {"device": "nosuch0"},
    "hwaddr": {"hwaddr": "02:ff:ff:ff:ff:fe"},
    "kernelpath": {"kernelpath": "/sys/devices/platform/nosuch"},
    "pciBusID": {"pciBusID": "0000:7f:1f.7"},
    "auxiliary": {"runtimeConfig": {"deviceID": "mlx5_core.sf.99"}},
}


@pytest.mark.parametrize("selector", MISSING)
def test_status_device_missing(selector: str, pod: Space) -> None:
    """A device that this host does not have makes the plugin unavailable, and ADD an error that names it."""
    one = attachment(pod, **MISSING[selector])
    value = next(iter(MISSING[selector].values()))
    value = value["deviceID"] if isinstance(value, dict) else value
    assert value in one.call("STATUS").error(50)["msg"]
    assert value in one.call("ADD").error(7)["msg"]
    assert_nothing_left(one)


def test_status_addresses_exhausted(make_pod: MakePod, make_device: MakeDevice) -> None:
    """When IPAM has no address left, STATUS says so before ADD has to fail."""
    ipam: dict[str, Any] = {
        "type": "host-local",
        "ranges": [[{"subnet": "10.9.0.0/24", "rangeStart": "10.9.0.2", "rangeEnd": "10.9.0.2"}]],
    }
    one = attachment(make_pod(), device=make_device(), ipam=ipam)
    one.call("STATUS").ok()
    one.add()
    two = attachment(make_pod(), name=one.conf["name"], device=make_device(), ipam=ipam)
    error = two.call("STATUS").error(50)
    assert "no IP addresses available" in error["msg"]
    one.delete()
    two.call("STATUS").ok()


def test_status_unknown_ipam(pod: Space, device: str) -> None:
    """An IPAM plugin that no folder of CNI_PATH has makes STATUS fail, and ADD, which does not touch the device."""
    before = HOST.settings(device)
    one = attachment(pod, device=device, ipam={"type": "no-such-ipam"})
    assert "no-such-ipam" in one.call("STATUS").error()["msg"]
    assert "no-such-ipam" in one.call("ADD").error()["msg"]
    assert HOST.settings(device) == before
    assert_nothing_left(one)


# The node's configuration


def test_builtin_ipam_switched_off(pod: Space, device: str, tmp_path: Any) -> None:
    """With "builtinIPAM": false the host-local of CNI_PATH is run in place of ours."""
    fake = tmp_path / "host-local"
    fake.write_text('#!/bin/sh\necho \'{"cniVersion":"1.1.0","ips":[{"address":"10.9.0.123/24"}]}\'\n')
    fake.chmod(0o755)
    one = attachment(pod, device=device, ipam=HOST_LOCAL)
    one.path = f"{tmp_path}:{DIST}"
    one.add()
    assert pod.addresses("net1") == ["10.9.0.2/24"]
    one.delete()
    os.makedirs("/etc/plumbline", exist_ok=True)
    with open("/etc/plumbline/node.json", "w") as file:
        file.write('{"builtinIPAM": false}')
    try:
        one.add()
        assert pod.addresses("net1") == ["10.9.0.123/24"]
        fake.write_text("#!/bin/sh\n")
        one.delete()
    finally:
        os.unlink("/etc/plumbline/node.json")
    assert_nothing_left(one)


def test_version_and_about() -> None:
    """VERSION lists the versions; without a command there is a line about the plugin, on standard error only."""
    done = run(f"{DIST}/host-device", env={"CNI_COMMAND": "VERSION"}, input='{"cniVersion":"0.4.0"}')
    assert '"0.1.0"' in done
    assert '"1.1.0"' in done
    assert run(f"{DIST}/host-device", env={"PATH": os.environ["PATH"]}) == ""
