"""Our host-device beside the reference one: same configuration, same result, same pod, same files."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import disk, net
from tests.support.bus import Bus
from tests.support.net import HOST, Space
from tests.support.plugin import DIST, REFERENCE, Attachment, Outcome, with_dns

DEVICE = "par0"
PEER = "parpeer"
MAC = "02:00:5e:10:00:01"
POD = "parity"
NETWORK = "blue"
VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0")
"""What the reference 1.1.1 knows; 1.1.0 came with the plugins 1.5."""

BOTH_WAYS = pytest.mark.parametrize("we_begin", [False, True], ids=["theirs-then-ours", "ours-then-theirs"])
LINK_IDENTITY = ("ifindex", "link_index", "link_netnsid", "link")
"""What differs between any two links, whoever moved them."""

DIFFERENCES = {
    "alias": "the reference leaves its note of the host name in the alias after DEL, before 1.9",
    "arp_notify": "addresses are announced; the kernel does it for those on a link that comes up",
    "optimistic_dad": "optimistic_dad is set, so that an address is usable while its detection runs",
    "tentative": "ours waits for duplicate address detection, theirs only for addresses with a gateway",
    "keep_addr_on_down": "keep_addr_on_down is set for every link that gets IPv6 addresses",
}
"""Known differences: what is not compared, and why. Everything else is."""


def v4(*routes: dict[str, Any], gateway: str | None = "10.1.0.1", **more: Any) -> dict[str, Any]:
    """Return a static IPAM section with one IPv4 address."""
    address = {"address": "10.1.0.5/24", **({"gateway": gateway} if gateway else {})}
    return {"ipam": {"type": "static", "addresses": [address], "routes": list(routes), **more}}


def host_local(*subnets: str, routes: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return a host-local IPAM section with a range set for each subnet."""
    ranges = [[{"subnet": subnet}] for subnet in subnets]
    return {"ipam": {"type": "host-local", "ranges": ranges, "routes": [{"dst": dst} for dst in routes], **more}}


DUAL_STATIC: dict[str, Any] = {
    "ipam": {
        "type": "static",
        "addresses": [
            {"address": "10.1.0.5/24", "gateway": "10.1.0.1"},
            {"address": "fd00:1::5/64", "gateway": "fd00:1::1"},
        ],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
        "dns": {"nameservers": ["10.1.0.53"]},
    }
}
DUAL_HOST_LOCAL = host_local("10.1.0.0/24", "fd00:1::/64", routes=("0.0.0.0/0", "::/0"))
DNS = {"nameservers": ["10.1.0.53", "fd00:1::53"], "domain": "lan", "search": ["a", "b.lan"], "options": ["ndots:2"]}

CASES: dict[str, dict[str, Any]] = {
    "no-ipam": {},
    "no-ipam-dns": {"dns": DNS},
    "ipam-empty": {"ipam": {}},
    "ipam-type-empty": {"ipam": {"type": ""}},
    "static-v4": v4(),
    "static-v4-no-gateway": v4(gateway=None),
    "static-v4-default-route": v4({"dst": "0.0.0.0/0"}),
    "static-v4-explicit-gw": v4({"dst": "10.7.0.0/16", "gw": "10.1.0.9"}, {"dst": "10.8.0.0/16", "gw": "10.1.0.8"}),
    "static-v4-several-routes": v4(
        {"dst": "0.0.0.0/0"}, {"dst": "10.7.0.0/16"}, {"dst": "10.7.1.0/24", "gw": "10.1.0.9"}
    ),
    "static-v4-same-route-twice": v4(
        {"dst": "10.7.0.0/16", "gw": "10.1.0.8"}, {"dst": "10.7.0.0/16", "gw": "10.1.0.9"}
    ),
    "static-v4-onlink-route": v4({"dst": "10.7.0.0/16"}, gateway=None),
    "static-v4-gateway-zero": v4({"dst": "10.1.0.0/24", "gw": "0.0.0.0"}, gateway="0.0.0.0"),
    "static-v4-gateway-zero-default": v4({"dst": "10.7.0.0/16"}, gateway="0.0.0.0"),
    "static-v4-slash32": {
        "ipam": {
            "type": "static",
            "addresses": [{"address": "10.1.0.5/32"}],
            "routes": [{"dst": "10.1.0.1/32", "gw": "0.0.0.0"}],
        }
    },
    "static-v4-two-addresses": {
        "ipam": {
            "type": "static",
            "addresses": [
                {"address": "10.1.0.5/24", "gateway": "10.1.0.1"},
                {"address": "10.2.0.5/24", "gateway": "10.2.0.1"},
            ],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
    },
    "static-v4-dns-both": {**v4(dns={"nameservers": ["10.9.9.9"]}), "dns": DNS},
    "static-v4-dns-ipam": v4(dns=DNS),
    "static-v6": {
        "ipam": {
            "type": "static",
            "addresses": [{"address": "fd00:1::5/64", "gateway": "fd00:1::1"}],
            "routes": [{"dst": "::/0"}, {"dst": "fd00:7::/48", "gw": "fd00:1::9"}],
        }
    },
    "static-v6-unusual-spelling": {
        "ipam": {"type": "static", "addresses": [{"address": "FD00:0001:0:0::0005/64", "gateway": "fd00:1:0::1"}]}
    },
    "static-dual": DUAL_STATIC,
    "host-local-v4": host_local("10.1.0.0/24"),
    "host-local-v4-default-route": host_local("10.1.0.0/24", routes=("0.0.0.0/0",)),
    "host-local-single-subnet": {
        "ipam": {
            "type": "host-local",
            "subnet": "10.1.0.0/24",
            "rangeStart": "10.1.0.40",
            "rangeEnd": "10.1.0.50",
            "gateway": "10.1.0.254",
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.7.0.0/16", "gw": "10.1.0.9"}],
        }
    },
    "host-local-v6": host_local("fd00:1::/64", routes=("::/0",)),
    "host-local-dual": DUAL_HOST_LOCAL,
    "host-local-two-ranges-in-a-set": {
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "10.1.0.0/30", "rangeStart": "10.1.0.2"}, {"subnet": "10.1.1.0/24"}]],
        }
    },
    "host-local-data-dir": host_local("10.1.0.0/24", dataDir="/var/lib/cni/networks/elsewhere"),
    "host-local-dns-both": {**host_local("10.1.0.0/24"), "dns": DNS},
    "host-local-ranges-by-runtime": {
        "ipam": {"type": "host-local"},
        "runtimeConfig": {"ipRanges": [[{"subnet": "10.3.0.0/24", "gateway": "10.3.0.9"}]]},
    },
    "host-local-ips-by-runtime": {
        **host_local("10.1.0.0/24", "fd00:1::/64"),
        "runtimeConfig": {"ips": ["10.1.0.77", "fd00:1::77"]},
    },
    "host-local-ips-by-args": {**host_local("10.1.0.0/24"), "args": {"cni": {"ips": ["10.1.0.78"]}}},
    "static-ips-by-runtime": {
        "ipam": {"type": "static"},
        "capabilities": {"ips": True},
        "runtimeConfig": {"ips": ["10.1.0.79/24", "fd00:1::79/64"]},
    },
    "static-ips-by-args": {"ipam": {"type": "static"}, "args": {"cni": {"ips": ["10.1.0.80/24"]}}},
    "prev-result": {
        **v4({"dst": "0.0.0.0/0"}),
        "prevResult": {
            "cniVersion": "1.0.0",
            "interfaces": [{"name": "eth0", "sandbox": "/run/netns/other"}],
            "ips": [{"address": "10.200.0.2/16", "interface": 0}],
        },
    },
}

CNI_ARGS = {
    "static-ip": ({"ipam": {"type": "static"}}, "IP=10.1.0.81/24,fd00:1::81/64;GATEWAY=10.1.0.1,fd00:1::1"),
    "host-local-ip": (host_local("10.1.0.0/24"), "IP=10.1.0.82"),
    "host-local-kubernetes": (
        host_local("10.1.0.0/24"),
        "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=1-2",
    ),
}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Leave nothing of a failed case to the next one."""
    yield
    _clear()


def _clear() -> None:
    net.Space(POD).delete()
    HOST.ip("link", "del", PEER, check=False)
    shutil.rmtree(disk.NETWORKS, ignore_errors=True)
    shutil.rmtree(disk.HOST_DEVICE, ignore_errors=True)


def _stage(folder: str, conf: dict[str, Any], version: str, args: str | None = None) -> tuple[Space, Attachment]:
    """Return an empty pod and an attachment to be, always under the same names and with the same device."""
    _clear()
    net.run("ip", "netns", "add", POD)
    pod = Space(POD)
    pod.ip("link", "set", "lo", "up")
    pod.without_dad()
    HOST.ip(
        *f"link add {DEVICE} address {MAC} type veth peer name {PEER} address 02:00:5e:10:00:02".split(),
    )
    HOST.ip("link", "set", PEER, "up")
    whole = {"cniVersion": version, "name": NETWORK, "type": "host-device", "device": DEVICE, **conf}
    return pod, Attachment(whole, "c0ffee", pod.path, folder=folder, path=folder, args=args)


def _inside(pod: Space, name: str = "net1") -> dict[str, Any]:
    """Return all that can be seen of the pod's network, without what differs between any two links."""
    # The kernel works on a link-local address in its own time, and nobody waits for that.
    deadline = time.monotonic() + 10
    while _tentative(pod, name) and time.monotonic() < deadline:
        time.sleep(0.02)
    link = pod.link(name)
    assert link is not None
    shown = pod.json("addr", "show", "dev", name)[0]["addr_info"]
    return {
        "link": {key: value for key, value in link.items() if key not in LINK_IDENTITY},
        "addresses": sorted(shown, key=lambda a: str(a["local"])),
        "routes": {family: pod.json(family, "-d", "route", "show", "table", "all") for family in ("-4", "-6")},
        "rules": pod.json("rule", "show"),
        "sysctls": _sysctls(pod, name),
        "links": sorted(pod.links()),
    }


def _tentative(pod: Space, name: str) -> list[str]:
    """Return the scopes of the addresses whose duplicate address detection has not finished."""
    shown = pod.json("addr", "show", "dev", name)[0]["addr_info"]
    return [address["scope"] for address in shown if address.get("tentative")]


def _sysctls(pod: Space, name: str) -> dict[str, str]:
    listed = pod.run("sysctl", "-a", "-r", rf"^net\.ipv[46]\.(conf|neigh)\.({name}|lo|all)\.")
    settings = dict(line.split(" = ", 1) for line in listed.splitlines() if " = " in line)
    return {
        key: value
        for key, value in settings.items()
        if key.rpartition(".")[2] not in DIFFERENCES and not key.endswith("stable_secret")
    }


def _added(folder: str, conf: dict[str, Any], version: str, args: str | None = None) -> dict[str, Any]:
    """ADD, and return everything that can be seen of it."""
    pod, attachment = _stage(folder, conf, version, args)
    result = with_dns(attachment.add())
    if folder == DIST:
        assert "global" not in _tentative(pod, "net1")
    seen = {"result": result, "pod": _inside(pod), "host": HOST.links(), "files": disk.files(disk.NETWORKS)}
    if folder == DIST and version in ("0.4.0", "1.0.0"):
        # The reference's own CHECK does not find every route that its ADD made: one without gw beside a default route.
        attachment.check().ok()
    attachment.delete()
    given_back = HOST.settings(DEVICE)
    seen["given back"] = {key: value for key, value in given_back.items() if key not in DIFFERENCES}
    seen["files after DEL"] = disk.files(disk.NETWORKS)
    assert folder != DIST or given_back["alias"] == ""
    assert disk.records() == []
    return seen


def _assert_equal(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for key in theirs:
        assert ours[key] == theirs[key], f"{key}: {_difference(ours[key], theirs[key])}"
    assert ours.keys() >= theirs.keys()


def _difference(ours: Any, theirs: Any, where: str = "") -> str:
    """Say where two observations differ first."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        key = next(key for key in ours if ours[key] != theirs[key])
        return _difference(ours[key], theirs[key], f"{where}.{key}")
    return f"{where} is\n{ours}\nthe reference has\n{theirs}"


@pytest.mark.parametrize("case", CASES)
def test_same_as_reference(case: str, reference: str) -> None:
    """Result, links, addresses, routes, sysctls and files are equal after ADD, and again after DEL."""
    theirs = _added(reference, CASES[case], "1.0.0")
    _assert_equal(_added(DIST, CASES[case], "1.0.0"), theirs)


@pytest.mark.parametrize("case", CNI_ARGS)
def test_same_with_cni_args(case: str, reference: str) -> None:
    """CNI_ARGS mean to our IPAM what they mean to the reference's."""
    conf, args = CNI_ARGS[case]
    theirs = _added(reference, conf, "1.0.0", args)
    _assert_equal(_added(DIST, conf, "1.0.0", args), theirs)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ipam", ["static", "host-local"])
def test_same_in_every_version(ipam: str, version: str, reference: str) -> None:
    """Every version that the reference knows gives its form of result."""
    conf = DUAL_STATIC if ipam == "static" else {**DUAL_HOST_LOCAL, "dns": DNS}
    theirs = _added(reference, conf, version)
    ours = _added(DIST, conf, version)
    _assert_equal(ours, theirs)
    assert ours["result"]["cniVersion"] == version


def test_same_without_version(reference: str) -> None:
    """No cniVersion means 0.1.0."""

    def result(folder: str) -> dict[str, Any]:
        _, attachment = _stage(folder, DUAL_STATIC, "")
        del attachment.conf["cniVersion"]
        return attachment.add()

    assert result(DIST) == result(reference)


@pytest.mark.parametrize("version", VERSIONS)
def test_same_without_ipam_in_every_version(version: str, reference: str) -> None:
    """A result without addresses has a form in some versions, and is the same error in the others."""

    def outcome(folder: str) -> dict[str, Any]:
        _, attachment = _stage(folder, {}, version)
        done: Outcome = attachment.call("ADD")
        return {"status": done.status, **(done.json if done.status else with_dns(done.json))}

    theirs, ours = outcome(reference), outcome(DIST)
    # The reference's error objects lack the cniVersion; the specification has it.
    assert ours["cniVersion"] == version
    assert {**ours, "cniVersion": ""} == {**theirs, "cniVersion": ""}
    if ours["status"]:
        assert HOST.link(DEVICE) is not None, "ADD failed: the device must be on the host"


def test_same_with_duplicate_address_detection(reference: str) -> None:
    """With probes on, the address is usable when ADD returns, as with the reference."""

    def flags(folder: str) -> list[dict[str, Any]]:
        pod, attachment = _stage(folder, DUAL_STATIC, "1.0.0")
        pod.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=1")
        attachment.add()
        shown = pod.json("addr", "show", "dev", "net1")[0]["addr_info"]
        return [address for address in shown if address["scope"] == "global"]

    assert flags(DIST) == flags(reference)


@pytest.mark.parametrize("driver", ["vfio-pci", "uio_pci_generic", "igb_uio"])
@pytest.mark.parametrize("ipam", ["static", "none"])
def test_same_on_userspace_driver(driver: str, ipam: str, reference: str) -> None:
    """A device without a link gets addresses and a result, and nothing happens in the pod. That the result names the
    interface and the sandbox, as Multus needs, the reference does since 1.7.
    """
    selector = {"device": None, "pciBusID": "0000:03:02.6", **(DUAL_STATIC if ipam == "static" else {})}
    bus = Bus()
    try:
        bus.pci("0000:03:02.6", driver=driver)
        seen = []
        for folder in (reference, DIST):
            pod, attachment = _stage(folder, selector, "1.0.0")
            result = with_dns(attachment.add())
            seen.append((result, pod.links(), HOST.links(), disk.files(disk.NETWORKS)))
            attachment.delete()
    finally:
        bus.remove()
    theirs, ours = seen
    assert ours[0].pop("interfaces") == [{"name": "net1", "sandbox": pod.path}]
    assert theirs[0].pop("interfaces", None) == (
        None if reference == REFERENCE else [{"name": "net1", "sandbox": pod.path}]
    )
    for ip in ours[0].get("ips", []):
        assert ip.pop("interface") == 0
    for ip in theirs[0].get("ips", []):
        ip.pop("interface", None)
    assert ours == theirs


UNCHECKED_BY_THEM = ("static-v4-several-routes", "static-v4-gateway-zero", "static-v4-slash32")
"""What a reference's CHECK is not content with, whoever has made it: routes without gw, or with 0.0.0.0 for one."""


@pytest.mark.tried(
    "plugins", "host-device: our ADD and their DEL, their ADD and our DEL, CHECK, repeated DEL, ADD after it"
)
@pytest.mark.differs(
    "host-device",
    theirs="a repeated DEL fails: the link is not found",
    ours="is done",
    why="the specification: DEL should succeed when what it is about is gone; the runtime asks for ever otherwise",
)
@pytest.mark.parametrize("case", CASES)
@BOTH_WAYS
def test_one_finishes_what_the_other_began(case: str, we_begin: bool, reference: str) -> None:
    """CHECK of either implementation is content with what the other's ADD did; DEL gives it back, device and addresses.
    Then the device is as good as new for whoever comes next, whatever the other's DEL has left on disk.
    """
    adds, deletes = (DIST, reference) if we_begin else (reference, DIST)
    pod, attachment = _stage(adds, CASES[case], "1.0.0")
    before = HOST.settings(DEVICE)
    attachment.add()
    attachment.path = deletes
    if deletes == DIST or case not in UNCHECKED_BY_THEM:
        attachment.check(folder=deletes).ok()
    attachment.delete(folder=deletes)
    _assert_given_back(pod, before, by=deletes)
    again = attachment.call("DEL", folder=deletes)
    assert again.status == (0 if deletes == DIST else 1), again
    assert deletes == DIST or "Link not found" in again.json["msg"]
    _assert_given_back(pod, before, by=deletes)
    attachment.add(folder=deletes)
    attachment.path = adds
    attachment.delete(folder=adds)
    _assert_given_back(pod, before, by=adds)
    attachment.path = DIST
    attachment.add(folder=DIST)
    attachment.delete(folder=DIST)
    _assert_given_back(pod, before, by=DIST)
    assert disk.records() == []


def _assert_given_back(pod: Space, before: dict[str, Any], by: str) -> None:
    """The device is as it was, nothing is in the pod, and no address is taken."""
    after = HOST.settings(DEVICE)
    ignored = {"alias"} if by != DIST else set()
    assert {key: after[key] for key in after if key not in ignored} == {
        key: before[key] for key in before if key not in ignored
    }
    assert pod.links() == []
    assert disk.reserved(NETWORK) == {}


BEYOND_REFERENCE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "route-unmasked": (v4({"dst": "10.7.3.4/16"}), {"dst": "10.7.0.0/16", "gateway": "10.1.0.1"}),
    "v6-gateway-zero": (
        {
            "ipam": {
                "type": "static",
                "addresses": [{"address": "fd00:1::5/64", "gateway": "::"}],
                "routes": [{"dst": "fd00:7::/48", "gw": "::"}],
            }
        },
        {"dst": "fd00:7::/48", "gateway": None},
    ),
}
"""Routes that the reference passes to the kernel in a form that it refuses (EINVAL)."""


@pytest.mark.parametrize("case", BEYOND_REFERENCE)
def test_works_where_reference_fails(case: str, reference: str) -> None:
    """What the configuration says clearly enough is done."""
    conf, expected = BEYOND_REFERENCE[case]
    _, attachment = _stage(reference, conf, "1.0.0")
    assert "invalid argument" in attachment.call("ADD").json["msg"]
    pod, attachment = _stage(DIST, conf, "1.0.0")
    attachment.add()
    found = [{"gateway": None, **route} for family in ("-4", "-6") for route in pod.routes("net1", family)]
    assert expected in [{key: route[key] for key in expected} for route in found]
    attachment.check().ok()
    attachment.delete()


@pytest.mark.tried(
    "plugins", "host-device: result, links, addresses, routes, sysctls, files after ADD and after DEL are the same"
)
@pytest.mark.differs(
    "host-device",
    theirs="1.1.1 leaves a note in the link's alias after DEL",
    ours="clears it, as theirs do since 1.9",
    why="the device is given back as it was",
)
@pytest.mark.differs(
    "host-device",
    theirs="announces no address",
    ours="sets `arp_notify`, and announces",
    why="neighbours that knew the address elsewhere send to the new place at once",
)
@pytest.mark.differs(
    "host-device",
    theirs="waits for duplicate address detection of addresses with a gateway only",
    ours="waits for all, and sets `optimistic_dad`",
    why="an address of the result is usable when ADD returns",
)
@pytest.mark.differs(
    "host-device",
    theirs="1.1.1 leaves IPv6 addresses to go when the link goes down",
    ours="sets `keep_addr_on_down`, as the newest do",
    why="a pod that takes its link down and up has its addresses, as it has those of IPv4",
)
def test_known_differences_still_exist(reference: str) -> None:
    """What the table above leaves out really differs; when the reference changes, this says so."""
    aliases, settings = [], []
    for folder in (reference, DIST):
        pod, attachment = _stage(folder, DUAL_STATIC, "1.0.0")
        attachment.add()
        names = ("ipv6.conf.net1.optimistic_dad", "ipv6.conf.net1.keep_addr_on_down", "ipv4.conf.net1.arp_notify")
        settings.append(pod.run("sysctl", "-n", *(f"net.{name}" for name in names)).split())
        attachment.delete()
        aliases.append(HOST.settings(DEVICE)["alias"])
    assert aliases == [DEVICE if reference == REFERENCE else "", ""]
    assert settings == [["0", "0" if reference == REFERENCE else "1", "0"], ["1", "1", "1"]]
    if reference == REFERENCE:
        _, attachment = _stage(reference, DUAL_STATIC, "1.1.0")
        assert attachment.call("ADD").json["code"] == 1
    _, attachment = _stage(DIST, DUAL_STATIC, "1.1.0")
    assert json.dumps(attachment.add()["interfaces"][0]["mtu"]) == "1500"
