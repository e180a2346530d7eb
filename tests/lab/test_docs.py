"""What the sriov page says, on VFs: its examples are executed, and its error messages are those that come."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.support import disk, examples, net
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome
from tests.support.simulator import in_place_of_pf
from tests.support.vfs import VF

PAGE = "docs/sriov.md"
REFUSED_BY_IGB = {"link_state", "min_tx_rate"}


@contextmanager
def suitable(conf: dict[str, Any], vf: VF) -> Iterator[tuple[Callable[[], dict[str, Any]], Callable[[], object]]]:
    """Make the VF one that the example can be tried on; yield what returns its entry in the table of its PF, and what
    returns all that has to be the same again after DEL.

    igb takes what nearly all examples ask for, netdevsim takes everything, but it is not the PF that the VF reports its
    address to. The example of a DPDK program gets a VF on vfio-pci.
    """
    if REFUSED_BY_IGB & conf.keys():
        name = vf.name
        with in_place_of_pf(vf) as simulated:
            yield simulated.table, lambda: (simulated.table(), HOST.settings(name))
        return
    if conf["name"] == "dpdk":
        vf.bind("vfio-pci")
    yield vf.table, vf.snapshot


@pytest.mark.parametrize("conf", examples.networks("sriov"))
def test_example_attaches_and_detaches(conf: dict[str, Any], vf: VF, pod: Space) -> None:
    """ADD, CHECK and DEL with the example; the VF is put in where Multus puts it in, and where the example has one."""
    whole = {**conf, "deviceID": vf.address, "pciBusID": vf.address}
    if "deviceID" in conf.get("runtimeConfig", {}):
        whole["runtimeConfig"] = {**conf["runtimeConfig"], "deviceID": vf.address}
    with suitable(conf, vf) as (table, state):
        before, entry = state(), table()
        one = Attachment(whole, net.unique("docs"), pod.path)
        result = one.add()
        assert result["cniVersion"] == conf["cniVersion"]
        assert result["dns"] == (conf.get("dns", {}) if "ipam" in conf else {})
        assert_settings(conf, entry, table())
        if vf.driver == "igbvf":
            assert_link(conf, result, pod)
        else:
            assert pod.links() == []
            assert [x["pciID"] for x in result["interfaces"]] == [vf.address]
            assert [x["address"] for x in result["ips"]] == [x["address"] for x in conf["ipam"]["addresses"]]
        one.check().ok()
        one.delete()
        assert state() == before
    assert [path for path in disk.files(disk.SRIOV) if not path.endswith(".lock")] == []
    assert disk.reserved(conf["name"]) == {}


def assert_settings(conf: dict[str, Any], before: dict[str, Any], now: dict[str, Any]) -> None:
    """The PF's table has what the example asks for, and what it had of what the example leaves out."""
    vlan = (now.get("vlan_list") or [{}])[0]
    asked = (conf.get("vlan", 0), conf.get("vlanQoS", 0), conf.get("vlanProto", "802.1q"))
    assert (vlan.get("vlan", 0), vlan.get("qos", 0), vlan.get("protocol", "802.1Q").lower()) == asked
    for key in ("spoofchk", "trust"):
        assert now[key] == (conf[key] == "on" if key in conf else before[key])
    assert now["link_state"] == conf.get("link_state", before["link_state"])
    assert now["rate"] == {"min_tx": conf.get("min_tx_rate", 0), "max_tx": conf.get("max_tx_rate", 0)}
    assert now["address"] == conf.get("runtimeConfig", {}).get("mac", conf.get("mac", before["address"]))


def assert_link(conf: dict[str, Any], result: dict[str, Any], pod: Space) -> None:
    """The link in the pod has what the example asks for, and what the result says."""
    link = pod.link("net1")
    assert link is not None
    assert "UP" in link["flags"]
    assert link["mtu"] == conf.get("mtu", 1500)
    assert link["address"] == result["interfaces"][0]["mac"]
    assert link["address"] == conf.get("runtimeConfig", {}).get("mac", conf.get("mac", link["address"]))
    assert pod.addresses("net1") == sorted(ip["address"] for ip in result.get("ips", []))
    wanted = {route["dst"] for route in result.get("routes", [])}
    assert {"default" if dst == "0.0.0.0/0" else dst for dst in wanted} <= {x["dst"] for x in pod.routes("net1")}


@contextmanager
def without_pf(vf: VF) -> Iterator[None]:
    """Have the VF look as in a virtual machine: its folder in sysfs is covered with one that knows no PF."""
    folder, driver, name = os.path.realpath(vf.folder), os.path.realpath(f"{vf.folder}/driver"), vf.name
    net.run("mount", "-t", "tmpfs", "tmpfs", folder)
    try:
        os.symlink(driver, f"{folder}/driver")
        os.makedirs(f"{folder}/net/{name}")
        yield
    finally:
        net.run("umount", folder)


@contextmanager
def unbound(vf: VF) -> Iterator[None]:
    """Have the VF bound to no driver."""
    vf.bind("")
    yield
    vf.bind("igbvf")


@contextmanager
def pf_unbound(vf: VF) -> Iterator[None]:
    """Have the PF without a link: its folder in sysfs is covered with one that has none."""
    folder = os.path.realpath(vf.pf.folder)
    net.run("mount", "-t", "tmpfs", "tmpfs", folder)
    try:
        os.symlink(os.path.realpath(vf.folder), f"{folder}/virtfn{vf.index}")
        yield
    finally:
        net.run("umount", folder)


@contextmanager
def astray(vf: VF) -> Iterator[None]:
    """Have the VF's link in a namespace that nobody knows of."""
    stray = net.new_space("stray")
    HOST.ip("link", "set", vf.name, "netns", str(stray.name))
    try:
        yield
    finally:
        stray.ip("link", "set", stray.links()[0], "netns", "1")
        stray.delete()


@contextmanager
def attached(vf: VF) -> Iterator[None]:
    """Have the VF attached to another pod."""
    other = net.new_space("other")
    conf = {"cniVersion": "1.0.0", "name": "other", "type": "sriov", "deviceID": vf.address}
    one = Attachment(conf, net.unique("docs"), other.path)
    one.add()
    yield
    one.delete()
    other.delete()


Place = Callable[[VF], AbstractContextManager[Any]]
BY_CONFIGURATION: dict[str, dict[str, Any]] = {
    "VF pci addr is required": {"deviceID": ""},
    "there is no such PCI device": {"deviceID": "0000:ff:1f.7"},
    "it is a physical function": {"deviceID": "0000:01:00.0"},
    "cannot set link_state": {"link_state": "enable"},
    "cannot set min_tx_rate": {"min_tx_rate": 10},
    "cannot set vlan": {"vlan": 5, "vlanProto": "802.1ad"},
    "cannot set MTU": {"mtu": 65535},
    "exists already in": {"ifname": "lo"},
    "are different devices": {"runtimeConfig": {"deviceID": "0000:ff:1f.7"}},
    "vlanQoS: ": {"vlanQoS": 3},
    "<parameter>: ": {"spoofchk": "yes"},
}
"""A part of a message on the page, and the configuration that provokes it."""

BY_STATE: dict[str, Place] = {
    "bound to no driver": unbound,
    "its physical function <address> has no link": pf_unbound,
    "though it is bound to": astray,
    "is already allocated": attached,
    "not visible here": without_pf,
}
"""The same, with the state of the VF that provokes it."""

NOT_PROVOKED = (
    *("cannot lock", "cannot set MAC address", "IPAM plugin returned", "cannot look up", "cannot list"),
    *("has just been attached anew", "of an earlier ADD has not come back", "is attached to network"),
    *("ADD left it <value>", "ADD set <setting>", "the network gave <address>", "has vanished from"),
    *("cannot give <address> the MAC address",),
)
"""What takes a minute, another driver, another IPAM plugin, or a kernel that refuses a question; two commands at once,
or an attachment that there is already; and CHECK's. Tests of those parts know these messages.
"""


def answer(vf: VF, pod: Space, ifname: str = "net1", **extra: Any) -> Outcome:
    """Return how ADD ends."""
    conf = {"cniVersion": "1.0.0", "name": "docs", "type": "sriov", "deviceID": vf.address, **extra}
    return Attachment(conf, net.unique("docs"), pod.path, ifname).call("ADD")


def test_messages_about_the_configuration(vf: VF, pod: Space) -> None:
    """What the page lists is what comes, and the VF is as it was."""
    before = vf.snapshot()
    for part, extra in BY_CONFIGURATION.items():
        examples.assert_listed(PAGE, part, answer(vf, pod, **extra))
    assert vf.snapshot() == before


@pytest.mark.parametrize("part", BY_STATE)
def test_message_about_the_state(part: str, vf: VF, pod: Space) -> None:
    """What the page lists is what comes."""
    with BY_STATE[part](vf):
        outcome = answer(vf, pod, vlan=5, trust="on")
    examples.assert_listed(PAGE, part, outcome)


def test_every_message_is_provoked() -> None:
    """But for the few that are said not to be."""
    known = [*BY_CONFIGURATION, *BY_STATE, *NOT_PROVOKED]
    assert [x for x in examples.messages(PAGE) if not any(part in x for part in known)] == []
