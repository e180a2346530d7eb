"""VLANs of bridge ports, of a representor's port and of the uplink, on the lab's kernel, seen through bridge(8).

Dummy links play the representors and the uplinks.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from cni.linux import netns
from cni.linux.netlink import bridge
from cni.linux.netlink.socket import NetlinkError
from cni.protocol.errors import CniError
from plugins.accelerated_bridge import uplink
from plugins.accelerated_bridge.port import RepresentorPort
from tests.support import sysfstree
from tests.support.bridging import NATIVE, PVID, UNTAGGED, Machine
from tests.support.net import HOST, unique
from tests.support.ports import connected, disconnected, found, port, shared

DEFAULT = {1: NATIVE}
EVERY = range(1, 4095)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """The host with what a test makes in it."""
    with netns.own() as host:
        made = Machine(host, "dummy", vlans=True)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def br(machine: Machine) -> str:
    """A bridge that filters VLANs."""
    return machine.add(unique("br"), "bridge", up=True)


@pytest.fixture
def rep(machine: Machine) -> str:
    """A representor."""
    return machine.add(unique("rep"))


VLANS: dict[str, dict[int, int]] = {
    "one": {7: 0},
    "native": {100: NATIVE},
    "a range": dict.fromkeys(range(5, 11), 0),
    "native in a range": dict.fromkeys(range(5, 11), 0) | {7: NATIVE},
    "all": dict.fromkeys(EVERY, 0),
    "every other": dict.fromkeys(EVERY[::2], 0),
    "every flag": {2: PVID, 3: UNTAGGED, 4: 0},
}


def _ours(machine: Machine, name: str) -> dict[int, int]:
    return bridge.ports(machine.host.netlink)[found(machine, name).index].vlans


@pytest.mark.parametrize("vlans", VLANS.values(), ids=VLANS)
def test_add_and_delete(machine: Machine, br: str, rep: str, vlans: dict[int, int]) -> None:
    """bridge(8) shows what was asked for, and we read the same; other ports and the default VLAN are not touched."""
    other = machine.add(unique("rep"), master=br)
    machine.set(rep, master=br)
    index = found(machine, rep).index
    bridge.add_vlans(machine.host.netlink, index, vlans)
    now = {1: UNTAGGED if any(flags & PVID for flags in vlans.values()) else NATIVE} | vlans
    assert machine.vlans(rep) == now == _ours(machine, rep)
    bridge.delete_vlans(machine.host.netlink, index, [*vlans, 4094])
    assert machine.vlans(rep) == {vlan: flags for vlan, flags in now.items() if vlan not in {*vlans, 4094}}
    assert machine.vlans(rep) == _ours(machine, rep)
    assert machine.vlans(other) == DEFAULT == _ours(machine, other)


def test_flags_are_replaced(machine: Machine, br: str, rep: str) -> None:
    """A VLAN that is there gets the new flags, whichever it had."""
    machine.set(rep, master=br)
    index = found(machine, rep).index
    wanted = list(itertools.product((0, PVID, UNTAGGED, NATIVE), repeat=2))
    replaced = []
    for before, flags in wanted:
        machine.vlan(rep, 7, before)
        was = machine.vlans(rep)[7]
        bridge.add_vlans(machine.host.netlink, index, {7: flags})
        replaced.append((was, machine.vlans(rep)[7]))
        machine.no_vlan(rep, 7)
    assert replaced == wanted


@pytest.mark.parametrize("vlan", [0, 4095])
def test_no_vlans(machine: Machine, br: str, rep: str, vlan: int) -> None:
    """The kernel refuses what is no VLAN."""
    machine.set(rep, master=br)
    with pytest.raises(NetlinkError) as caught:
        bridge.add_vlans(machine.host.netlink, found(machine, rep).index, {vlan: 0})
    assert caught.value.errno == errno.EINVAL


PLACES: dict[str, tuple[str, dict[int, int]]] = {
    "in no bridge": ("", {}),
    "in the bridge": ("same", DEFAULT),
    "in the bridge, VLANs of its own": ("same", {50: NATIVE, 51: 0}),
    "in another bridge": ("other", DEFAULT),
    "in another bridge, VLANs of its own": ("other", {50: NATIVE, 51: 0}),
}
"""Where a representor is before, and in which VLANs."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("vlans", [{}, {100: NATIVE}, {1: NATIVE, 7: 0}, {7: 0, 8: 0}], ids=str)
def test_there_and_back(machine: Machine, br: str, rep: str, place: str, vlans: dict[int, int]) -> None:
    """Exactly the VLANs that were asked for; then those that it had where it was."""
    where, had = PLACES[place]
    master = machine.add(unique("br"), "bridge") if where == "other" else br if where == "same" else ""
    if master:
        machine.set(rep, master=master)
        for vlan, flags in had.items():
            machine.vlan(rep, vlan, flags)
        if 1 not in had:
            machine.no_vlan(rep, 1)
    before = machine.seen(rep), machine.vlans(rep)
    made = connected(machine, port(machine, rep, br, vlans, mtu=1400))
    assert machine.seen(rep) == {"master": br, "mtu": 1400, "up": True}
    assert machine.vlans(rep) == (vlans or DEFAULT)
    disconnected(machine, made)
    assert (machine.seen(rep), machine.vlans(rep)) == before


def test_a_bridge_without_a_default(machine: Machine, br: str, rep: str) -> None:
    """It gives a port no VLAN. One that was in the bridge before, in VLANs of its own, leaves them until DEL."""
    HOST.ip("link", "set", br, "type", "bridge", "vlan_default_pvid", "0")
    machine.set(rep, master=br)
    machine.vlan(rep, 55, NATIVE)
    made = connected(machine, port(machine, rep, br))
    assert machine.vlans(rep) == {}
    disconnected(machine, made)
    assert machine.vlans(rep) == {55: NATIVE}


WANTED: list[dict[int, int]] = [{100: NATIVE, 7: 0}, {7: 0, 8: 0, 9: 0}, {9: NATIVE, 100: 0, 200: 0}]
ORDERS = list(itertools.permutations(range(3)))


@pytest.mark.parametrize("leaving", ORDERS, ids=str)
@pytest.mark.parametrize("kind", ["link", "bond"])
def test_three_ports_share_vlans(
    machine: Machine, br: str, tmp_path: Path, kind: str, leaving: tuple[int, ...]
) -> None:
    """At each step the uplink has the administrator's VLANs, as they were, and what the ports need, tagged; a second
    uplink in the bridge, here a bond, carries them and does not use them.
    """
    up, pf = machine.add(unique("up"), kind, master=br), unique("pf")
    if kind == "bond":
        machine.add(pf, master=up)
        joined = uplink.find(found(machine, pf), machine.host)
        assert joined is not None
        assert (joined[0].name, joined[1].name) == (up, br)
    second = machine.add(unique("up"), "bond", master=br)
    before = DEFAULT | {9: UNTAGGED, 300: 0}
    for vlan, flags in before.items():
        machine.vlan(up, vlan, flags)
        machine.vlan(second, vlan, flags)
    machine.vlan(second, 7)

    def needed(numbers: tuple[int, ...]) -> dict[int, int]:
        return {vlan: 0 for number in numbers for vlan in WANTED[number]} | before

    ports: list[RepresentorPort] = []
    for number in range(3):
        made = port(machine, machine.add(unique("rep")), br, WANTED[number], folder=str(tmp_path))
        shared(machine, made, up, ports)
        ports.append(connected(machine, made))
        assert machine.vlans(up) == needed(tuple(range(number + 1)))
    for step, number in enumerate(leaving, 1):
        disconnected(machine, ports[number], tuple(ports[other] for other in leaving[step:]))
        assert machine.vlans(up) == needed(leaving[step:])
        for other in leaving[step:]:
            ports[other].verify(machine.host)
    assert machine.vlans(second) == before | {7: 0}


@pytest.mark.parametrize("where", ["same", "other"])
@pytest.mark.parametrize("vlans", [{}, {100: NATIVE}], ids=str)
def test_a_port_without_vlans(machine: Machine, br: str, rep: str, where: str, vlans: dict[int, int]) -> None:
    """Representors that were in a bridge, and in none of its VLANs, are so again."""
    master = br if where == "same" else machine.add(unique("br"), "bridge")
    machine.set(rep, master=master)
    machine.no_vlan(rep, 1)
    made = connected(machine, port(machine, rep, br, vlans))
    disconnected(machine, made)
    assert (machine.seen(rep)["master"], machine.vlans(rep)) == (master, {})


@pytest.mark.parametrize("where", ["same", "other"])
def test_put_elsewhere(machine: Machine, br: str, rep: str, where: str) -> None:
    """What an administrator has made of a representor since stays, its VLANs, too."""
    machine.set(rep, master=br if where == "same" else machine.add(unique("br"), "bridge"))
    made = connected(machine, port(machine, rep, br, {100: NATIVE}))
    third = machine.add(unique("br"), "bridge")
    machine.set(rep, master=third)
    machine.vlan(rep, 60)
    disconnected(machine, made)
    assert (machine.seen(rep)["master"], machine.vlans(rep)) == (third, {1: NATIVE, 60: 0})


@pytest.mark.parametrize("happens", ["out of the bridge", "gone"])
def test_the_uplink_of_a_go_record(machine: Machine, br: str, rep: str, tmp_path: Path, happens: str) -> None:
    """It is looked for by the PF, which may be in no bridge any more, or not there: nothing to give back then."""
    up = machine.add(unique("up"), master=br)
    made = port(machine, rep, br, {7: 0}, folder=str(tmp_path))
    shared(machine, made, up, [])
    connected(machine, made)
    made.uplink, made.pf = "", up
    if happens == "gone":
        machine.delete(up)
    else:
        machine.set(up, master="")
    disconnected(machine, made)
    assert machine.seen(rep)["master"] == ""


@pytest.mark.parametrize("needs_it", [False, True], ids=["did not ask for the uplink", "asked for it"])
@pytest.mark.parametrize("takes_the_name", [False, True], ids=["renamed", "renamed, another has its name"])
def test_a_neighbour_was_renamed(
    machine: Machine, br: str, rep: str, tmp_path: Path, takes_the_name: bool, needs_it: bool
) -> None:
    """It is no foreign port thereby: the VLAN stays if the neighbour brought it to the uplink, too, and only then."""
    up, name = machine.add(unique("up"), master=br), unique("rep")
    one, two = (port(machine, x, br, {7: 0}, folder=str(tmp_path)) for x in (rep, machine.add(name)))
    shared(machine, one, up, [])
    connected(machine, one)
    if needs_it:
        shared(machine, two, up, [one])
    connected(machine, two)
    machine.rename(name, unique("renamed"))
    if takes_the_name:
        machine.add(name, master=br)
    dead = port(machine, rep, br, folder=str(tmp_path))  # what a dead pod left, of the same VF
    dead.original = two.original
    disconnected(machine, one, (dead, two))
    assert machine.vlans(up) == DEFAULT | ({7: 0} if needs_it else {})


def test_the_administrators_vlan_that_is_gone(machine: Machine, br: str, rep: str, tmp_path: Path) -> None:
    """A port that asked for it, and found it there, needs it as well when somebody else has brought it since."""
    up = machine.add(unique("up"), master=br)
    machine.vlan(up, 7)
    stays, leaves = (port(machine, x, br, {7: 0}, folder=str(tmp_path)) for x in (rep, machine.add(unique("rep"))))
    shared(machine, stays, up, [])
    assert stays.uplink_vlans == []
    connected(machine, stays)
    machine.no_vlan(up, 7)
    shared(machine, leaves, up, [stays])
    connected(machine, leaves)
    disconnected(machine, leaves, (stays,))
    assert machine.vlans(up) == DEFAULT | {7: 0}
    disconnected(machine, stays)
    assert machine.vlans(up) == DEFAULT | {7: 0}, "it never was this one's to take away"


def test_the_uplink_has_joined_a_bond(machine: Machine, br: str, rep: str, tmp_path: Path) -> None:
    """What was attached before needs its VLANs on the bond from then on."""
    up = machine.add(unique("up"), master=br)
    stays, leaves = (port(machine, x, br, {7: 0}, folder=str(tmp_path)) for x in (rep, machine.add(unique("rep"))))
    stays.pf = leaves.pf = up
    shared(machine, stays, up, [])
    connected(machine, stays)
    bond = machine.add(unique("bond"), "bond", master=br)
    machine.set(up, master="")
    machine.set(up, master=bond)
    shared(machine, leaves, bond, [stays])
    connected(machine, leaves)
    disconnected(machine, leaves, (stays,))
    assert machine.vlans(bond) == DEFAULT | {7: 0}
    disconnected(machine, stays)
    assert machine.vlans(bond) == DEFAULT | {7: 0}, "it was brought to another uplink"


@pytest.mark.parametrize("happens", ["moved to another bridge", "made anew"])
def test_the_uplink_lost_what_was_brought(machine: Machine, br: str, rep: str, tmp_path: Path, happens: str) -> None:
    """A VLAN that is set there afterwards is the administrator's, for who comes and for who leaves."""
    up, into = machine.add(unique("up"), master=br), br
    first, second = (port(machine, x, br, {7: 0}, folder=str(tmp_path)) for x in (rep, machine.add(unique("rep"))))
    shared(machine, first, up, [])
    connected(machine, first)
    if happens == "made anew":
        machine.delete(up)
        machine.add(up, master=br)
    else:
        into = machine.add(unique("br"), "bridge")
        machine.set(up, master=into)
    machine.vlan(up, 7)
    shared(machine, second, up, [first])
    assert second.uplink_vlans == []
    disconnected(machine, first)
    assert machine.vlans(up) == DEFAULT | {7: 0}


def test_another_link_has_the_name_of_the_uplink(machine: Machine, br: str, rep: str, tmp_path: Path) -> None:
    """Known by its index, the uplink that was renamed is verified and gives its VLANs back."""
    up, renamed = machine.add(unique("up"), master=br), unique("renamed")
    made = port(machine, rep, br, {7: 0}, folder=str(tmp_path))
    shared(machine, made, up, [])
    connected(machine, made)
    machine.rename(up, renamed)
    machine.add(up, "bond", master=br)
    made.verify(machine.host)
    machine.vlan(up, 7)
    disconnected(machine, made)
    assert (machine.vlans(renamed), machine.vlans(up)) == (DEFAULT, DEFAULT | {7: 0})


def test_the_pf_of_a_go_record_was_renamed(machine: Machine, br: str, rep: str, tmp_path: Path) -> None:
    """sysfs tells its name, by the VF: its VLANs stay for a neighbour of ours, and ours for it; then all are gone."""
    up, pf, vf = machine.add(unique("up"), master=br), "0000:03:00.0", "0000:03:00.2"
    tree = sysfstree.pf(pf, {0: vf}) | sysfstree.netdev(sysfstree.folder(pf), up, "p0", "aa")
    theirs, ours = (port(machine, x, br, {7: 0}, folder=str(tmp_path)) for x in (rep, machine.add(unique("rep"))))
    theirs.pf, theirs.vf, theirs.sysfs_root = "formerly", vf, sysfstree.build(tmp_path, tree)
    shared(machine, theirs, up, [])
    connected(machine, theirs)
    shared(machine, ours, up, [theirs])
    theirs.uplink, theirs.uplink_index, theirs.bridge_index = "", 0, 0
    connected(machine, ours)
    disconnected(machine, ours, (theirs,))
    assert machine.vlans(up) == DEFAULT | {7: 0}
    disconnected(machine, theirs)
    assert machine.vlans(up) == DEFAULT


@pytest.mark.parametrize("where", ["in another bridge", "in no bridge", "gone"])
def test_verify_the_uplink(machine: Machine, br: str, rep: str, tmp_path: Path, where: str) -> None:
    """One that is in the same VLANs elsewhere leads nowhere from this bridge."""
    up, other = machine.add(unique("up"), master=br), machine.add(unique("br"), "bridge")
    made = port(machine, rep, br, {7: 0}, folder=str(tmp_path))
    shared(machine, made, up, [])
    connected(machine, made)
    if where == "gone":
        machine.delete(up)
    else:
        machine.set(up, master=other if where == "in another bridge" else "")
    if where == "in another bridge":
        machine.vlan(up, 7)
    said = f"a port of {other}" if where == "in another bridge" else "in no bridge any more"
    with pytest.raises(CniError) as caught:
        made.verify(machine.host)
    assert caught.value.msg == f"uplink {up} is {said}, ADD found it in {br}"


def test_verify(machine: Machine, br: str, rep: str) -> None:
    """A VLAN that somebody took away is named."""
    made = connected(machine, port(machine, rep, br, {7: 0, 100: NATIVE}))
    machine.no_vlan(rep, 7)
    with pytest.raises(CniError) as caught:
        made.verify(machine.host)
    asked = "ADD set 7, 100, 100 for what is untagged"
    assert caught.value.msg == f"representor {rep} is in VLANs 100, {asked}"


def test_verify_the_port_of_a_go_record(machine: Machine, br: str, rep: str) -> None:
    """accelerated-bridge-cni leaves a default VLAN that is not 1: other VLANs are no fault there, a lack of one is."""
    HOST.ip("link", "set", br, "type", "bridge", "vlan_default_pvid", "5")
    made = connected(machine, port(machine, rep, br, {7: 0}))
    machine.vlan(rep, 5)
    with pytest.raises(CniError):
        made.verify(machine.host)
    made.exact = False
    made.verify(machine.host)
    machine.no_vlan(rep, 7)
    with pytest.raises(CniError):
        made.verify(machine.host)
