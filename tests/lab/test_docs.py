"""What the sriov page says, on VFs: its examples are executed, and its error messages are those that come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support import disk, examples, net, vf_page
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.simulator import in_place_of_pf
from tests.support.vf_page import Page
from tests.support.vfs import VF

PAGE = Page("docs/sriov.md", {"type": "sriov"})
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
    with suitable(conf, vf) as (table, state):
        before, entry = state(), table()
        one = Attachment(vf_page.example(conf, vf), net.unique("docs"), pod.path)
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


BY_CONFIGURATION: dict[str, dict[str, Any]] = {
    **vf_page.BY_CONFIGURATION,
    "cannot set link_state": {"link_state": "enable"},
    "cannot set min_tx_rate": {"min_tx_rate": 10},
    "cannot set vlan": {"vlan": 5, "vlanProto": "802.1ad"},
    "vlanQoS: ": {"vlanQoS": 3},
    "<parameter>: ": {"spoofchk": "yes"},
}
"""A part of a message on the page, and the configuration that provokes it."""

BY_STATE = {**vf_page.BY_STATE, "is already allocated": PAGE.attached, "not visible here": vf_page.without_pf}
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


def test_messages_about_the_configuration(vf: VF, pod: Space) -> None:
    """What the page lists is what comes, and the VF is as it was."""
    before = vf.snapshot()
    PAGE.assert_provoked_by_configuration(vf, pod, BY_CONFIGURATION)
    assert vf.snapshot() == before


@pytest.mark.parametrize("part", BY_STATE)
def test_message_about_the_state(part: str, vf: VF, pod: Space) -> None:
    """What the page lists is what comes."""
    with BY_STATE[part](vf):
        outcome = PAGE.answer(vf, pod, vlan=5, trust="on")
    PAGE.assert_listed(part, outcome)


def test_every_message_is_provoked() -> None:
    """But for the few that are said not to be."""
    PAGE.assert_all_known(*BY_CONFIGURATION, *BY_STATE, *NOT_PROVOKED)
