"""VLANs of a representor's port and of the uplink, on a simulated host (tests/support/bridging.py)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni.errors import CniError
from cni.netlink import bridge
from plugins.accelerated_bridge import uplink
from plugins.accelerated_bridge.port import RepresentorPort
from tests.support import sysfstree
from tests.support.bridging import NATIVE, PVID, RTM_DELLINK, RTM_SETLINK, UNTAGGED, Simulated
from tests.support.log import Lines
from tests.support.ports import connected, disconnected, found, port, shared

DEFAULT = {1: NATIVE}
"""What a bridge gives every port."""

EVERY = range(1, 4095)


@pytest.fixture
def machine() -> Simulated:
    """A host with two bridges that filter VLANs, three representors, and a PF in the first bridge."""
    host = Simulated()
    for name in ("br", "other"):
        host.add(name, "bridge", up=True)
    for index in range(3):
        host.add(f"rep{index}", port=f"pf0vf{index}")
    host.add("pf0", port="p0", master="br", up=True)
    return host


SETS: dict[str, tuple[dict[int, int], dict[int, int]]] = {
    "nothing": ({}, {1: NATIVE}),
    "vlan": ({100: NATIVE}, {100: NATIVE}),
    "vlan 1": ({1: NATIVE}, {1: NATIVE}),
    "trunk": ({7: 0}, {7: 0}),
    "trunk with VLAN 1": ({1: 0, 2: 0}, {1: 0, 2: 0}),
    "vlan and trunk": ({7: 0, 100: NATIVE, 101: 0}, {7: 0, 100: NATIVE, 101: 0}),
    "vlan 1 and trunk": ({1: NATIVE, 7: 0}, {1: NATIVE, 7: 0}),
    "vlan inside the trunk": (
        dict.fromkeys(range(5, 10), 0) | {7: NATIVE},
        {5: 0, 6: 0, 7: NATIVE, 8: 0, 9: 0},
    ),
    "all": (dict.fromkeys(EVERY, 0), dict.fromkeys(EVERY, 0)),
    "all, the last native": (dict.fromkeys(EVERY, 0) | {4094: NATIVE}, dict.fromkeys(EVERY, 0) | {4094: NATIVE}),
    "every other": (dict.fromkeys(EVERY[::2], 0), dict.fromkeys(EVERY[::2], 0)),
}

HAD: dict[str, tuple[str, dict[int, int]]] = {
    "in no bridge": ("", {}),
    "in the bridge": ("br", {1: NATIVE}),
    "in the bridge with a trunk": ("br", {1: NATIVE, 7: 0, 50: 0, 51: 0}),
    "in the bridge with VLANs of its own": ("br", {50: NATIVE, 51: UNTAGGED, 100: 0}),
    "in another bridge": ("other", {1: NATIVE}),
    "in another bridge with VLANs of its own": ("other", {7: 0, 50: PVID, 100: UNTAGGED}),
}


def put(machine: Simulated, name: str, master: str, vlans: dict[int, int]) -> None:
    """Make a link a port with these VLANs and no others."""
    machine.set(name, master=master)
    for vlan in machine.vlans(name):
        if vlan not in vlans:
            machine.no_vlan(name, vlan)
    for vlan, flags in vlans.items():
        machine.vlan(name, vlan, flags)
    assert machine.vlans(name) == vlans


@pytest.mark.parametrize(("master", "had"), HAD.values(), ids=HAD)
@pytest.mark.parametrize(("vlans", "expected"), SETS.values(), ids=SETS)
def test_there_and_back(
    machine: Simulated, master: str, had: dict[int, int], vlans: dict[int, int], expected: dict[int, int]
) -> None:
    """Exactly the VLANs that were asked for; then exactly those that it had where it was."""
    if master:
        put(machine, "rep0", master, had)
    made = connected(machine, port(machine, "rep0", "br", vlans))
    assert machine.vlans("rep0") == (expected if vlans or master != "br" else had)
    disconnected(machine, made)
    assert (machine.seen("rep0")["master"], machine.vlans("rep0")) == (master, had)
    disconnected(machine, made)
    assert (machine.seen("rep0")["master"], machine.vlans("rep0")) == (master, had)


@pytest.mark.parametrize("vlans", [{100: NATIVE}, {7: 0, 8: 0}], ids=["vlan", "trunk"])
def test_connected_twice(machine: Simulated, vlans: dict[int, int]) -> None:
    """A second time there is nothing to change."""
    made = connected(machine, port(machine, "rep0", "br", vlans))
    machine.changes.clear()
    connected(machine, made)
    assert machine.changes == []


def test_never_without_the_native_vlan(machine: Simulated) -> None:
    """What comes is set before what goes is taken."""
    made = port(machine, "rep0", "br", {100: NATIVE})
    connected(machine, made)
    assert machine.changes == [RTM_SETLINK, RTM_SETLINK, RTM_DELLINK, RTM_SETLINK]


Event = Callable[[Simulated], None]


def _nothing(machine: Simulated) -> None:
    pass


def _taken_out(machine: Simulated) -> None:
    machine.set("rep0", master="")


def _vlans_changed(machine: Simulated) -> None:
    machine.vlan("rep0", 3000)
    machine.no_vlan("rep0", 100)


def _bridge_deleted(machine: Simulated) -> None:
    machine.delete("br")


MEANWHILE = {"nothing": _nothing, "taken out": _taken_out, "VLANs changed": _vlans_changed, "gone": _bridge_deleted}


@pytest.mark.parametrize("happen", MEANWHILE.values(), ids=MEANWHILE)
def test_back_to_another_bridge_whatever_has_happened(machine: Simulated, happen: Event) -> None:
    """The VLANs that it had in the other bridge come back, too."""
    had = {7: 0, 50: NATIVE}
    put(machine, "rep0", "other", had)
    made = connected(machine, port(machine, "rep0", "br", {100: NATIVE}))
    happen(machine)
    disconnected(machine, made)
    assert (machine.seen("rep0")["master"], machine.vlans("rep0")) == ("other", had)


@pytest.mark.parametrize(
    "happen", [_nothing, _taken_out, _vlans_changed], ids=["nothing", "taken out", "VLANs changed"]
)
def test_back_to_the_same_bridge_whatever_has_happened(machine: Simulated, happen: Event) -> None:
    """The VLANs that it had in it come back."""
    had = {1: NATIVE, 50: 0}
    put(machine, "rep0", "br", had)
    made = connected(machine, port(machine, "rep0", "br", {100: NATIVE}))
    happen(machine)
    disconnected(machine, made)
    assert (machine.seen("rep0")["master"], machine.vlans("rep0")) == ("br", had)


def test_put_elsewhere_meanwhile(machine: Simulated) -> None:
    """Where somebody has put it with VLANs, it stays, and keeps them."""
    made = connected(machine, port(machine, "rep0", "br", {100: NATIVE}))
    put(machine, "rep0", "other", {60: NATIVE, 61: 0})
    disconnected(machine, made)
    assert (machine.seen("rep0")["master"], machine.vlans("rep0")) == ("other", {60: NATIVE, 61: 0})


def _vlan_gone(machine: Simulated) -> None:
    machine.no_vlan("rep0", 7)


def _vlan_added(machine: Simulated) -> None:
    machine.vlan("rep0", 8)


def _another_native(machine: Simulated) -> None:
    machine.vlan("rep0", 7, NATIVE)


def _all_gone(machine: Simulated) -> None:
    machine.no_vlan("rep0", 7)
    machine.no_vlan("rep0", 100)


def _uplink_lost(machine: Simulated) -> None:
    machine.no_vlan("pf0", 7)


def _uplink_out(machine: Simulated) -> None:
    machine.set("pf0", master="")


def _uplink_gone(machine: Simulated) -> None:
    machine.delete("pf0")


ASKED = "ADD set 7, 100, 100 for what is untagged"
WRONG: dict[str, tuple[Event, str]] = {
    "VLAN gone": (_vlan_gone, f"representor rep0 is in VLANs 100, {ASKED}"),
    "VLAN added": (_vlan_added, f"representor rep0 is in VLANs 7-8, 100, {ASKED}"),
    "another native": (_another_native, f"representor rep0 is in VLANs 7, 100, {ASKED}"),
    "no VLAN": (_all_gone, f"representor rep0 is in no VLAN, {ASKED}"),
    "lost by the uplink": (_uplink_lost, "uplink pf0 is not in VLANs 7, which ADD set there"),
    "uplink taken out": (_uplink_out, "uplink pf0 is in no bridge any more"),
    "uplink gone": (_uplink_gone, "uplink pf0 is in no bridge any more"),
}


@pytest.mark.parametrize(("happen", "said"), WRONG.values(), ids=WRONG)
def test_verify(machine: Simulated, tmp_path: Path, happen: Event, said: str) -> None:
    """What is not as it was made is named, with what it is and what it should be."""
    made = port(machine, "rep0", "br", {7: 0, 100: NATIVE}, folder=str(tmp_path))
    shared(machine, made, "pf0", [])
    connected(machine, made)
    happen(machine)
    with pytest.raises(CniError) as caught:
        made.verify(machine.host)
    assert caught.value.msg == said


WANTED: list[dict[int, int]] = [{100: NATIVE, 7: 0}, {7: 0, 8: 0, 9: 0}, {9: NATIVE, 100: 0, 200: 0, 201: 0}]
"""What three ports ask for: 7, 9 and 100 are shared by two each, 8, 200 and 201 by none."""


ORDERS = list(itertools.permutations(range(3)))


def _attached(machine: Simulated, names: tuple[int, ...], folder: Path, up: str = "pf0") -> dict[int, RepresentorPort]:
    """Connect the representors with these numbers in this order, with their VLANs on the uplink."""
    ports: dict[int, RepresentorPort] = {}
    for number in names:
        made = port(machine, f"rep{number}", "br", WANTED[number], folder=str(folder))
        shared(machine, made, up, list(ports.values()))
        ports[number] = connected(machine, made)
    return ports


@pytest.mark.parametrize("leaving", ORDERS, ids=str)
@pytest.mark.parametrize("coming", ORDERS, ids=str)
@pytest.mark.parametrize("administrators", [{}, {9: 0}, {7: UNTAGGED, 300: 0}], ids=["none", "9", "7 and 300"])
def test_three_ports_share_vlans(
    machine: Simulated,
    tmp_path: Path,
    administrators: dict[int, int],
    coming: tuple[int, ...],
    leaving: tuple[int, ...],
) -> None:
    """At each step the uplink has the administrator's VLANs, as they were, and what the ports need, tagged."""
    before = DEFAULT | administrators
    put(machine, "pf0", "br", before)

    def needed(numbers: tuple[int, ...]) -> dict[int, int]:
        return {vlan: 0 for number in numbers for vlan in WANTED[number]} | before

    ports: dict[int, RepresentorPort] = {}
    for step, number in enumerate(coming, 1):
        made = port(machine, f"rep{number}", "br", WANTED[number], folder=str(tmp_path))
        shared(machine, made, "pf0", list(ports.values()))
        ports[number] = connected(machine, made)
        assert machine.vlans("pf0") == needed(coming[:step])
    for step, number in enumerate(leaving, 1):
        disconnected(machine, ports[number])
        assert machine.vlans("pf0") == needed(leaving[step:])
        for other in leaving[step:]:
            ports[other].verify(machine.host)
    assert all(machine.seen(f"rep{number}")["master"] == "" for number in range(3))


@pytest.mark.parametrize("leaving", ORDERS, ids=str)
def test_through_a_bond(machine: Simulated, tmp_path: Path, leaving: tuple[int, ...]) -> None:
    """The bond is the port that has the VLANs; the PF in it has none."""
    machine.add("bond0", "bond", master="br", up=True)
    machine.set("pf0", master="bond0")
    joined = uplink.find(found(machine, "pf0"), machine.host)
    assert joined is not None
    assert (joined[0].name, joined[1].name) == ("bond0", "br")
    ports = _attached(machine, (0, 1, 2), tmp_path, "bond0")
    assert set(machine.vlans("bond0")) == {1, 7, 8, 9, 100, 200, 201}
    for number in leaving:
        disconnected(machine, ports[number])
    assert (machine.vlans("bond0"), machine.vlans("pf0")) == (DEFAULT, {})


UPLINKS: dict[str, tuple[dict[str, Any], tuple[str, str] | None]] = {
    "in no bridge": ({"pf0": ""}, None),
    "in a bridge": ({"pf0": "other"}, ("pf0", "other")),
    "in a bond in no bridge": ({"pf0": "bond0"}, None),
    "in a bond in a bridge": ({"pf0": "bond0", "bond0": "br"}, ("bond0", "br")),
    "in a team in a bridge": ({"pf0": "team0", "team0": "br"}, ("team0", "br")),
    "in something else": ({"pf0": "vrf0"}, None),
    "in something else in a bridge": ({"pf0": "vrf0", "vrf0": "br"}, None),
    "in a bond in something else": ({"pf0": "bond0", "bond0": "vrf0"}, None),
}


@pytest.mark.parametrize(("masters", "expected"), UPLINKS.values(), ids=UPLINKS)
def test_find(machine: Simulated, masters: dict[str, str], expected: tuple[str, str] | None) -> None:
    """The PF itself or the bond or team that it is in, if that is in a bridge."""
    for name, kind in (("bond0", "bond"), ("team0", "team"), ("vrf0", "vrf")):
        machine.add(name, kind)
    for name, master in masters.items():
        machine.set(name, master=master)
    joined = uplink.find(found(machine, "pf0"), machine.host)
    assert (None if joined is None else (joined[0].name, joined[1].name)) == expected


def _physical(tmp_path: Path, *names: str) -> str:
    """Return a sysfs root in which these links have a PCI device, as PFs and their representors do."""
    tree: sysfstree.Tree = {}
    for name in names:
        tree |= sysfstree.netdev(sysfstree.folder("0000:03:00.0"), name)
    return sysfstree.build(tmp_path / "sys", tree)


@pytest.mark.parametrize(
    ("name", "kind", "port_name", "physical", "stays"),
    [
        ("pf1", "link", "p1", True, False),
        ("eno1", "link", "", True, False),
        ("bond1", "bond", "", False, False),
        ("tap0", "link", "", False, True),
        ("eth7", "link", "pf1vf3", True, True),
        ("eth8", "link", "pf0sf88", True, True),
    ],
    ids=["another uplink", "another NIC", "a bond", "a tap of a VM", "a representor", "a sub-function's"],
)
def test_other_ports_of_the_bridge(
    machine: Simulated, tmp_path: Path, name: str, kind: str, port_name: str, physical: bool, stays: bool
) -> None:
    """A port that uses a VLAN keeps it on the uplink; what only carries it to elsewhere does not."""
    root = _physical(tmp_path, "pf0", "rep0", *([name] if physical else []))
    machine.add(name, kind, port=port_name)
    put(machine, name, "br", {7: 0, 50: 0})
    made = port(machine, "rep0", "br", {7: 0, 8: 0}, folder=str(tmp_path))
    made.sysfs_root = root
    shared(machine, made, "pf0", [])
    connected(machine, made)
    assert machine.vlans("pf0") == {1: NATIVE, 7: 0, 8: 0}
    disconnected(machine, made)
    assert machine.vlans("pf0") == ({1: NATIVE, 7: 0} if stays else DEFAULT)


def test_ports_of_another_bridge_use_nothing(machine: Simulated, tmp_path: Path) -> None:
    """A VLAN is a bridge's own."""
    put(machine, "rep1", "other", {7: 0})
    ports = _attached(machine, (0,), tmp_path)
    disconnected(machine, ports[0])
    assert machine.vlans("pf0") == DEFAULT


def test_the_bridge_itself_uses_a_vlan(machine: Simulated, tmp_path: Path) -> None:
    """The host itself may be in a VLAN of the bridge."""
    machine.find("br").vlans[7] = False
    ports = _attached(machine, (0,), tmp_path)
    disconnected(machine, ports[0])
    assert machine.vlans("pf0") == {1: NATIVE, 7: 0}


@pytest.mark.parametrize("happen", [_uplink_out, _uplink_gone, _bridge_deleted], ids=["out", "gone", "bridge gone"])
def test_uplink_that_is_in_no_bridge_any_more(machine: Simulated, tmp_path: Path, happen: Event) -> None:
    """It has nothing to give back, which is said and is no error."""
    ports = _attached(machine, (0, 1), tmp_path)
    happen(machine)
    for made in ports.values():
        log = disconnected(machine, made)
        assert "uplink pf0 is in no bridge any more: it has no VLANs to give back" in log.text("info")
    assert machine.seen("rep0") == {"master": "", "mtu": 1500, "up": False}


def test_a_vlan_that_the_administrator_took_away(machine: Simulated, tmp_path: Path) -> None:
    """It is not missed."""
    ports = _attached(machine, (0,), tmp_path)
    machine.no_vlan("pf0", 7)
    disconnected(machine, ports[0])
    assert machine.vlans("pf0") == DEFAULT


def test_a_representor_that_is_gone(machine: Simulated, tmp_path: Path) -> None:
    """The uplink's VLANs go nevertheless, but for those of others."""
    ports = _attached(machine, (0, 1), tmp_path)
    machine.delete("rep0")
    disconnected(machine, ports[0])
    assert machine.vlans("pf0") == {1: NATIVE, 7: 0, 8: 0, 9: 0}


def test_adding_what_is_there(machine: Simulated) -> None:
    """It stays as it is, its flags included; nothing is sent when nothing is missing."""
    put(machine, "pf0", "br", {1: NATIVE, 7: UNTAGGED})
    uplink.add("pf0", [7], machine.host)
    assert machine.changes == []
    uplink.add("pf0", [1, 6, 7, 8], machine.host)
    assert machine.vlans("pf0") == {1: NATIVE, 6: 0, 7: UNTAGGED, 8: 0}


def test_all_vlans_on_the_uplink(machine: Simulated, tmp_path: Path) -> None:
    """All 4094, and back to the default one."""
    made = port(machine, "rep0", "br", dict.fromkeys(EVERY, 0), folder=str(tmp_path))
    shared(machine, made, "pf0", [])
    assert 1 not in made.uplink_vlans
    connected(machine, made)
    assert machine.vlans("pf0") == dict.fromkeys(EVERY, 0) | DEFAULT
    assert bridge.ports(machine.host.netlink)[found(machine, "pf0").index].vlans == machine.vlans("pf0")
    disconnected(machine, made)
    assert machine.vlans("pf0") == DEFAULT


def test_the_uplink_of_a_record_of_the_go_plugin(machine: Simulated, tmp_path: Path) -> None:
    """It does not note the uplink: it is the one that the PF is in the bridge by."""
    ports = _attached(machine, (0,), tmp_path)
    ports[0].uplink, ports[0].pf = "", "pf0"
    assert ports[0].uplink_name(machine.host) == "pf0"
    disconnected(machine, ports[0])
    assert machine.vlans("pf0") == DEFAULT


def test_an_uplink_that_refuses(machine: Simulated, tmp_path: Path) -> None:
    """The error names the VLANs and the uplink; the representor is taken out all the same."""
    made = port(machine, "rep0", "br", {7: 0, 8: 0, 100: NATIVE}, folder=str(tmp_path))
    shared(machine, made, "pf0", [])
    machine.set("pf0", master="")
    with pytest.raises(CniError) as caught:
        made.connect(machine.host, Lines())
    assert caught.value.msg == "cannot set VLANs 7-8, 100 on uplink pf0: Operation not supported"
    disconnected(machine, made)
    assert machine.seen("rep0") == {"master": "", "mtu": 1500, "up": False}
