"""Faults from the field with accelerated-bridge, as far as other code than sriov's has a part in them.

| fault | tests |
| --- | --- |
| 1.1 an impostor under the pod's name | test_an_impostor |
| 2 what a pod does to a VF does not stay with it | test_everything |
| 3.1 what dead pods have left, when the VF is not back at DEL | test_not_back_yet |
| 3.2 a fixed MAC on two VFs | test_a_fixed_mac |
| 3.4 the PF is down at DEL | test_the_pf_is_down |
| 3.7 another network under the same name | test_another_network |
| 5.4 records are believed without bounds | test_a_record_that_cannot_be_believed |
| issue, 6: pods have names | test_the_pods_name |

tests/lab/test_field_delete.py, test_field_identity.py and test_field_restored.py have all cases, with sriov.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import disk, field, links, properties, vfs
from tests.support.links import Netns
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import Nic
from tests.support.vfs import VF

Attach = Callable[..., Attachment]
MakePod = Callable[[], Space]

MAC = "02:00:00:00:00:2a"
IPAM = {"type": "host-local", "subnet": "10.6.0.0/24"}
SETTINGS: dict[str, Any] = {
    **{"mtu": 1400, "trust": "on", "spoofchk": "off", "mac": MAC, "ipam": IPAM},
    **{"vlan": 100, "trunk": [{"id": 7}], "setUplinkVlan": True},
}


def left() -> list[str]:
    """Return what is recorded or reserved."""
    return [*disk.records(disk.ACCELERATED_BRIDGE), *disk.reserved("lab")]


def test_an_impostor(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """Another link of the pod's gets the VF's name, mark and address: that one stays."""
    before, name = nic.snapshot(vf, bridge), vf.name
    one = attach(vf, **SETTINGS)
    one.add()
    pod.batch(
        *("link set net1 down", "link set net1 name mine", "link set mine alias ''"),
        *(f"link add net1 address {MAC} type veth peer name evil", f"link set net1 alias {name}"),
    )
    one.delete()
    assert (left(), nic.snapshot(vf, bridge)) == ([], before)
    assert sorted(pod.links()) == ["evil", "net1"]


def test_everything(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """All properties at once, those that are known by name and whatever else there is to be changed."""
    before = nic.snapshot(vf, bridge), field.state(vf)
    one = attach(vf, vlan=100)
    one.add()
    inside = Netns(os.open(pod.path, os.O_RDONLY | os.O_CLOEXEC))
    try:
        index = field.index_in(inside)
        properties.everything(inside, index)
        for make in properties.CHANGES.values():
            make(inside, index)
    finally:
        inside.forget()
    one.delete()
    assert links.differences(before[1], field.state(vf)) == {}
    assert (left(), nic.snapshot(vf, bridge)) == ([], before[0])


@pytest.mark.parametrize("next_one", ["DEL", "ADD of another"])
def test_not_back_yet(next_one: str, nic: Nic, three: list[VF], bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """DEL waits in vain: the pod reaches nobody any more, the record stays, and whoever comes next puts all right."""
    vf, neighbour, _ = three
    before, pod = nic.snapshot(vf, bridge), make_pod()
    one, other = attach(vf, pod, **SETTINGS), attach(neighbour, make_pod(), ipam=IPAM)
    one.add()
    with field.held(pod):
        outcome = one.call("DEL")
        outcome.ok()
        assert "its record stays" in outcome.stderr
        assert "master" not in (HOST.link(nic.representor(vf)) or {})
        assert disk.reserved("lab") == {}
    vfs.wait_for(lambda: bool(vf.name), "link on the host")
    if next_one == "DEL":
        one.delete()
    else:
        other.add()
        other.delete()
    assert (left(), nic.snapshot(vf, bridge)) == ([], before)


def test_a_fixed_mac(nic: Nic, three: list[VF], bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """A pod with a fixed address dies without DEL, and comes again on another VF of the PF, which has it then alone."""
    vf, neighbour, _ = three
    before, own, dead, pod = nic.snapshot(vf, bridge), HOST.settings(vf.name), make_pod(), make_pod()
    attach(vf, dead, **SETTINGS).add()
    dead.delete()
    vfs.wait_for(lambda: bool(vf.name), "link on the host")
    two = attach(neighbour, pod, mac=MAC, ipam=IPAM)
    two.add()
    assert HOST.settings(vf.name) == own
    assert [entry["vf"] for entry in nic.pf.table() if entry["address"] == MAC] == [neighbour.index]
    assert pod.settings("net1")["mac"] == MAC
    two.delete()
    assert (left(), nic.snapshot(vf, bridge)) == ([], before)


def test_the_pf_is_down(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """All is as before when it is up again."""
    before, one = nic.snapshot(vf, bridge), attach(vf, **SETTINGS)
    one.add()
    HOST.ip("link", "set", vf.pf.name, "down")
    try:
        outcome = one.call("DEL")
    finally:
        field.set_up_with_carrier(vf.pf.name)
    outcome.ok()
    assert (left(), nic.snapshot(vf, bridge)) == ([], before)


def test_another_network(nic: Nic, three: list[VF], bridge: str, attach: Attach) -> None:
    """ADD to another network under the name that is taken changes nothing of the live attachment."""
    before, one = nic.snapshot(three[0], bridge), attach(three[0], **SETTINGS)
    one.add()
    during = nic.snapshot(three[0], bridge)
    field.assert_other_network_is_refused(one, attach(three[1], None, one.container_id, name="other", ipam=IPAM))
    assert nic.snapshot(three[0], bridge) == during
    one.delete()
    assert (left(), nic.snapshot(three[0], bridge)) == ([], before)


BAD: dict[str, tuple[tuple[str, ...], Any]] = {
    "VF's number": (("vfid",), 1 << 32),
    "MTU": (("mtu",), 1 << 40),
    "MTU of the representor": (("orig_rep_state", "mtu"), 1 << 40),
    "device": (("deviceID",), "../x"),
    "name": (("orig_vf_state", "host_if_name"), "../x"),
    "PF": (("pf_name",), "../x"),
    "representor": (("representor",), "../x"),
    "bridge": (("bridge",), "../x"),
    "actual bridge": (("actual_bridge",), "../x"),
    "uplink": (("plumbline", "representor", "uplink"), "../x"),
    "VLANs": (("plumbline", "representor", "uplinkVlans"), [1 << 40]),
    "pod index": (("plumbline", "podIndex"), -1),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_record_that_cannot_be_believed(bad: str, nic: Nic, vf: VF, pod: Space, attach: Attach) -> None:
    """It counts as none, and that is said; nothing is done by what it says. The configuration tells the VF."""
    one, name = attach(vf, vlan=100, mtu=1400), vf.name
    one.add()
    field.falsify(one, *BAD[bad])
    decoys = field.make_decoys()
    outcome = one.call("DEL")
    outcome.ok()
    assert "not used: " in outcome.stderr
    assert "fault" not in outcome.stderr
    field.assert_untouched(decoys)
    assert pod.links() == []
    assert vf.name not in ("", "net1")
    assert left() == []
    if vf.name != name:
        HOST.batch(f"link set {vf.name} down", f"link set {vf.name} name {name}")
    HOST.ip("link", "set", nic.representor(vf), "mtu", "1500")


def test_the_pods_name(vf: VF, attach: Attach) -> None:
    """The record keeps what CNI_ARGS says of the pod, and every line of the log names it."""
    one = attach(vf)
    field.assert_named(one)
    one.delete()
