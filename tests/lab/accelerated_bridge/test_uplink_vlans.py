"""setUplinkVlan: VLANs come to the uplink with the first port that needs them and leave it with the last; the choice
of a bridge by where the uplink is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import disk, net, switchdev
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import NATIVE, Nic
from tests.support.vfs import PF, VF, settle

TAGGED: set[str] = set()
Attach = Callable[..., Attachment]

SHARED: list[dict[str, Any]] = [
    {"vlan": 100, "trunk": [{"minID": 200, "maxID": 203}]},
    {"vlan": 101, "trunk": [{"id": 100}, {"id": 203}]},
    {"vlan": 203},
]
"""What three VFs ask for: 100 is shared by two of them, 203 by all, the others by none."""

NEEDED = [{100, 200, 201, 202, 203}, {100, 101, 203}, {203}]


@pytest.fixture
def three(pfs: list[PF], nic: Nic) -> Iterator[list[VF]]:
    """Three VFs of the first PF."""
    vfs = pfs[0].vfs[:3]
    yield vfs
    for vf in vfs:
        if not vf.name:
            net.run("ip", "-all", "netns", "delete")
        vf.reset()


def on_uplink(nic: Nic) -> set[int]:
    """Return the VLANs of the uplink, but for the default one."""
    return set(switchdev.vlans(nic.pf.name)) - {1}


def snapshot(nic: Nic, vfs: list[VF], bridge: str) -> list[str]:
    """Return what is said of all these VFs."""
    return [nic.snapshot(vf, bridge) for vf in vfs]


def test_three_vfs_in_every_order(
    three: list[VF], nic: Nic, bridge: str, make_pod: Callable[[], Space], attach: Attach
) -> None:
    """At each step the uplink has what the attached ones need; an administrator's VLAN stays, though two share it."""
    net.run("bridge", "vlan", "add", "dev", nic.pf.name, "vid", "101")
    before = snapshot(nic, three, bridge)
    pods = [make_pod() for _ in three]
    attached = [attach(vf, pod, setUplinkVlan=True, **conf) for vf, pod, conf in zip(three, pods, SHARED, strict=True)]
    for number, (first, second, third) in enumerate(itertools.permutations(range(3))):
        order_of_add = [first, second, third] if number % 2 else [third, first, second]
        there: set[int] = set()
        for index in order_of_add:
            attached[index].add()
            there.add(index)
            assert on_uplink(nic) == {101}.union(*(NEEDED[x] for x in there))
        for index in (first, second, third):
            attached[index].check().ok()
            attached[index].delete()
            there.remove(index)
            assert on_uplink(nic) == {101}.union(*(NEEDED[x] for x in there))
    assert snapshot(nic, three, bridge) == before


def test_three_vfs_at_once(
    three: list[VF], nic: Nic, bridge: str, make_pod: Callable[[], Space], attach: Attach
) -> None:
    """Attached, exchanged and detached at the same time."""
    before = snapshot(nic, three, bridge)
    attached = [attach(vf, make_pod(), setUplinkVlan=True, **conf) for vf, conf in zip(three, SHARED, strict=True)]
    with ThreadPoolExecutor(3) as crowd:
        for _ in range(5):
            list(crowd.map(lambda one: one.add(), attached))
            assert on_uplink(nic) == set().union(*NEEDED)
            doing = [crowd.submit(attached[0].delete), crowd.submit(attached[1].delete)]
            assert [x.result() for x in doing] == [None, None]
            assert on_uplink(nic) == NEEDED[2]
            doing = [crowd.submit(attached[2].delete), crowd.submit(attached[0].add)]  # type: ignore[arg-type]
            for x in doing:
                x.result()
            assert on_uplink(nic) == NEEDED[0]
            attached[0].delete()
    assert snapshot(nic, three, bridge) == before


def test_another_port_uses_the_vlan(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """A virtual machine's port of the same bridge keeps its VLAN on the uplink; a second uplink does not."""
    HOST.batch("link add tap7 type veth peer name tap7peer", f"link set tap7 master {bridge}")
    net.run("bridge", "vlan", "add", "dev", "tap7", "vid", "100")
    try:
        one = attach(vf, trunk=[{"id": 100}, {"id": 7}], setUplinkVlan=True)
        one.add()
        assert on_uplink(nic) == {7, 100}
        one.delete()
        assert on_uplink(nic) == {100}
    finally:
        HOST.ip("link", "del", "tap7")


def test_two_uplinks_in_one_bridge(
    nics: list[Nic], vf: VF, far_vf: VF, bridge: str, make_pod: Callable[[], Space], attach: Attach
) -> None:
    """Each uplink has the VLANs of its own NIC's VFs; that the other one carries them, too, holds them nowhere."""
    HOST.ip("link", "set", nics[1].pf.name, "master", bridge)
    one, two = (attach(x, make_pod(), vlan=100, setUplinkVlan=True) for x in (vf, far_vf))
    one.add()
    assert [on_uplink(nic) for nic in nics] == [{100}, set()]
    two.add()
    assert [on_uplink(nic) for nic in nics] == [{100}, {100}]
    one.delete()
    assert [on_uplink(nic) for nic in nics] == [set(), {100}]
    two.delete()
    assert [on_uplink(nic) for nic in nics] == [set(), set()]


def test_a_vf_without_it_shares_a_vlan(
    three: list[VF], nic: Nic, make_pod: Callable[[], Space], attach: Attach
) -> None:
    """A VF that did not ask for the uplink does not keep there what another one brought."""
    one, two = attach(three[0], make_pod(), vlan=100, setUplinkVlan=True), attach(three[1], make_pod(), vlan=100)
    one.add()
    two.add()
    one.delete()
    assert on_uplink(nic) == set()
    two.delete()


def test_the_uplink_was_renamed(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """It is known by its index, too."""
    name = nic.pf.name
    one = attach(vf, vlan=100, setUplinkVlan=True)
    one.add()
    HOST.batch(f"link set {name} down", f"link set {name} name renamed7", "link set renamed7 up")
    one.delete()
    assert set(switchdev.vlans("renamed7")) == {1}
    settle()
    HOST.ip("link", "property", "del", "dev", "renamed7", "altname", name, check=False)  # udev's
    HOST.batch("link set renamed7 down", f"link set renamed7 name {name}", f"link set {name} up")
    settle()
    HOST.ip("link", "property", "del", "dev", name, "altname", "renamed7", check=False)
    assert not records()


def records() -> list[str]:
    """Return the names of the records."""
    return [path for path in disk.files(disk.ACCELERATED_BRIDGE) if not path.endswith(".lock")]


def test_the_uplink_is_in_another_bridge(nic: Nic, vf: VF, bridges: tuple[str, str], attach: Attach) -> None:
    """What an administrator has set there is not what the pod brought to the first one."""
    one = attach(vf, vlan=100, setUplinkVlan=True)
    one.add()
    HOST.ip("link", "set", nic.pf.name, "master", bridges[1])
    net.run("bridge", "vlan", "add", "dev", nic.pf.name, "vid", "100")
    one.delete()
    assert on_uplink(nic) == {100}


def test_uplink_is_needed(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """Without the uplink in the bridge there is nothing to set VLANs on."""
    HOST.ip("link", "set", nic.pf.name, "nomaster")
    before = nic.snapshot(vf, bridge)
    message = attach(vf, vlan=100, setUplinkVlan=True).call("ADD").error(7)["msg"]
    assert "setUplinkVlan" in message
    assert nic.pf.name in message
    assert nic.snapshot(vf, bridge) == before


def test_check_sees_what_is_lost(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """A VLAN that somebody took from the uplink or from the port, MTU, up state, the bridge."""
    one = attach(vf, vlan=100, trunk=[{"id": 7}], setUplinkVlan=True, mtu=1400)
    one.add()
    rep = nic.representor(vf)

    def bridge_vlan(*words: str) -> None:
        net.run("bridge", "vlan", *words)

    def link_set(*words: str) -> None:
        HOST.ip("link", "set", rep, *words)

    undone: list[tuple[Callable[..., None], tuple[str, ...], tuple[str, ...], str]] = [
        (bridge_vlan, ("del", "dev", nic.pf.name, "vid", "7"), ("add", "dev", nic.pf.name, "vid", "7"), "uplink"),
        (bridge_vlan, ("del", "dev", rep, "vid", "7"), ("add", "dev", rep, "vid", "7"), "VLAN"),
        (bridge_vlan, ("add", "dev", rep, "vid", "9"), ("del", "dev", rep, "vid", "9"), "VLAN"),
        (link_set, ("mtu", "1300"), ("mtu", "1400"), "MTU 1300"),
        (link_set, ("down",), ("up",), "down"),
    ]
    for do, words, back, named in undone:
        one.check().ok()
        do(*words)
        assert named in one.check().error()["msg"]
        do(*back)
    one.check().ok()
    link_set("nomaster")
    assert bridge in one.check().error()["msg"]
    one.delete()


@pytest.fixture
def bond(nic: Nic, bridge: str) -> Iterator[str]:
    """A bond in the bridge with the PF as its port."""
    pf = nic.pf.name
    HOST.batch(
        "link add bond7 type bond mode active-backup",
        *(f"link set {pf} nomaster", f"link set {pf} down", f"link set {pf} master bond7"),
        *(f"link set bond7 master {bridge}", "link set bond7 up", f"link set {pf} up"),
    )
    yield "bond7"
    HOST.batch(f"link set {pf} nomaster", "link del bond7", f"link set {pf} up")


def test_uplink_in_a_bond(nic: Nic, vf: VF, bridge: str, bond: str, attach: Attach) -> None:
    """The bond gets the VLANs, and gives them back."""
    before = switchdev.vlans_shown()
    one = attach(vf, vlan=100, trunk=[{"id": 7}], setUplinkVlan=True)
    one.add()
    assert switchdev.vlans(bond) == {1: NATIVE, 7: TAGGED, 100: TAGGED}
    one.check().ok()
    one.delete()
    assert switchdev.vlans_shown() == before


def test_choice_between_two_bridges(
    nics: list[Nic], bridges: tuple[str, str], vf: VF, far_vf: VF, make_pod: Callable[[], Space], attach: Attach
) -> None:
    """The one that the uplink is in; a list may have blanks, and bridges that are not there."""
    for nic, x, bridge in zip(nics, (vf, far_vf), bridges, strict=True):
        one = attach(x, make_pod(), bridge=f"nowhere7, {bridges[1]} ,{bridges[0]}")
        one.add()
        assert switchdev.port(nic.representor(x))["master"] == bridge
        one.call("STATUS").ok()
        one.check().ok()
        one.delete()


def test_choice_through_a_bond(bond: str, nic: Nic, bridges: tuple[str, str], vf: VF, attach: Attach) -> None:
    """The bond that the uplink is in tells."""
    one = attach(vf, bridge=",".join(reversed(bridges)))
    one.add()
    assert switchdev.port(nic.representor(vf))["master"] == bridges[0]
    one.delete()
