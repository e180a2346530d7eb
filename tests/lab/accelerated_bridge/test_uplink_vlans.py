"""setUplinkVlan: VLANs come to the uplink with the first port that needs them and leave it with the last; the choice
of a bridge by where the uplink is.
"""

from __future__ import annotations

import fcntl
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk, faults, net, switchdev
from tests.support.bad_luck import renamed
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome
from tests.support.switchdev import NATIVE, Nic
from tests.support.vfs import VF, wait_for

TAGGED: set[str] = set()
OTHER_MAC = "02:00:00:00:00:2b"
Attach = Callable[..., Attachment]

SHARED: list[dict[str, Any]] = [
    {"vlan": 100, "trunk": [{"minID": 200, "maxID": 203}]},
    {"vlan": 101, "trunk": [{"id": 100}, {"id": 203}]},
    {"vlan": 203},
]
"""What three VFs ask for: 100 is shared by two of them, 203 by all, the others by none."""

NEEDED = [{100, 200, 201, 202, 203}, {100, 101, 203}, {203}]


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
    orders = list(itertools.permutations(range(3)))
    # DEL comes in each order once relative to ADD: first in, first out; last in, first out; and whatever else there is.
    for order_of_add, order in zip(orders, orders[1:] + orders[:1], strict=True):
        there: list[int] = []
        for index in order_of_add:
            attached[index].add()
            there.append(index)
            assert on_uplink(nic) == {101}.union(*(NEEDED[x] for x in there))
        gone: list[int] = []
        for index in (there[place] for place in order):
            attached[index].check().ok()
            attached[index].delete()
            gone.append(index)
            assert on_uplink(nic) == {101}.union(*(NEEDED[x] for x in there if x not in gone))
    assert snapshot(nic, three, bridge) == before


@pytest.mark.at_once
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


def test_the_lock(three: list[VF], nic: Nic, make_pod: Callable[[], Space], tmp_path: Path, attach: Attach) -> None:
    """While another process holds accelerated-bridge-cni's lock, neither ADD nor DEL changes the uplink's VLANs, and
    whoever does not want to is not held up.
    """
    path = f"{disk.ACCELERATED_BRIDGE}/vlan-uplink.lock"
    waiting, other = attach(three[0], make_pod(), vlan=100, setUplinkVlan=True), attach(three[1], make_pod(), vlan=100)
    other.add()
    other.delete()  # the folders are there
    rep = nic.representor(three[0])

    def held(command: str, before: set[int]) -> Outcome:
        """Give a command while the lock is held, let go of it, and return how the command ended."""
        turned_away = tmp_path / command
        strace = (*faults.strace("flock", log=str(turned_away)), "-y")
        with open(path, "w") as lock, ThreadPoolExecutor(1) as beside:
            fcntl.flock(lock, fcntl.LOCK_EX)
            running = beside.submit(waiting.call, command, prefix=strace)
            wait_for(lambda: is_turned_away(turned_away, path), f"{command} at the lock")
            other.add()
            other.delete()
            assert not running.done()
            assert on_uplink(nic) == before
            if command == "ADD":
                assert switchdev.port(rep).get("master") is None
                assert disk.records(disk.ACCELERATED_BRIDGE) == []
            fcntl.flock(lock, fcntl.LOCK_UN)
            return running.result()

    waiting.result = held("ADD", set()).ok()
    assert on_uplink(nic) == {100}
    waiting.check().ok()
    held("DEL", {100}).ok()
    assert on_uplink(nic) == set()
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


def is_turned_away(trace: Path, path: str) -> bool:
    """Return whether strace has seen the kernel refuse a lock."""
    lines = trace.read_text().splitlines() if trace.exists() else []
    return any(path in line and "EAGAIN" in line for line in lines)


def test_another_port_uses_the_vlan(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """A virtual machine's port of the same bridge keeps its VLAN on the uplink."""
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


def test_the_bridge_itself_uses_the_vlan(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """The host has an address in the VLAN (`bridge vlan add ... self`): its VLAN stays on the uplink."""
    one = attach(vf, trunk=[{"id": 100}, {"id": 7}], setUplinkVlan=True)
    one.add()
    net.run("bridge", "vlan", "add", "dev", bridge, "vid", "100", "self")
    one.delete()
    assert on_uplink(nic) == {100}


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
    one = attach(vf, vlan=100, setUplinkVlan=True)
    one.add()
    with renamed(nic.pf.name, "renamed7"):
        one.delete()
        assert set(switchdev.vlans("renamed7")) == {1}
    assert not disk.records(disk.ACCELERATED_BRIDGE)


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


def test_check_sees_what_is_lost(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """A VLAN that somebody took from the uplink or from the port, or that is not the one of what is untagged any more;
    the port's MTU and up state, the bridge; MAC address and IP address of the link in the pod. The MTU there may be
    that of a plugin later in the chain.
    """
    ipam = {"type": "host-local", "subnet": "10.6.0.0/24"}
    one = attach(vf, vlan=100, trunk=[{"id": 7}], setUplinkVlan=True, mtu=1400, ipam=ipam)
    result = one.add()
    mac, address = result["interfaces"][0]["mac"], result["ips"][0]["address"]
    rep = nic.representor(vf)

    def bridge_vlan(*words: str) -> None:
        net.run("bridge", "vlan", *words)

    def link_set(*words: str) -> None:
        HOST.ip("link", "set", rep, *words)

    def inside(*words: str) -> None:
        pod.ip(*words)

    def link_inside(*words: str) -> None:
        pod.ip("link", "set", "net1", *words)

    native = ("add", "dev", rep, "vid", "100")
    undone: list[tuple[Callable[..., None], tuple[str, ...], tuple[str, ...], str]] = [
        (bridge_vlan, ("del", "dev", nic.pf.name, "vid", "7"), ("add", "dev", nic.pf.name, "vid", "7"), "uplink"),
        (bridge_vlan, ("del", "dev", rep, "vid", "7"), ("add", "dev", rep, "vid", "7"), "VLAN"),
        (bridge_vlan, ("add", "dev", rep, "vid", "9"), ("del", "dev", rep, "vid", "9"), "VLAN"),
        (bridge_vlan, native, (*native, "pvid", "untagged"), "ADD set 7, 100, 100 for what is untagged"),
        (link_set, ("mtu", "1300"), ("mtu", "1400"), "MTU 1300"),
        (link_set, ("down",), ("up",), "down"),
        (link_inside, ("address", OTHER_MAC), ("address", mac), f"has MAC address {OTHER_MAC}, ADD gave {mac}"),
        (inside, ("addr", "del", address, "dev", "net1"), ("addr", "add", address, "dev", "net1"), address),
    ]
    for do, words, back, named in undone:
        one.check().ok()
        do(*words)
        assert named in one.check().error()["msg"]
        do(*back)
    link_inside("mtu", "1300")
    one.check().ok()
    link_set("nomaster")
    assert bridge in one.check().error()["msg"]
    one.delete()


@pytest.fixture(params=[switchdev.BOND, switchdev.TEAM], ids=["bond", "team"])
def bond(request: pytest.FixtureRequest, nic: Nic, bridge: str) -> Iterator[str]:
    """A bond, and a team, in the bridge with the PF as its port."""
    with switchdev.bonded(bridge, nic, kind=request.param) as name:
        yield name


def test_three_vfs_behind_a_bond(three: list[VF], bond: str, make_pod: Callable[[], Space], attach: Attach) -> None:
    """The bond gets the VLANs, tagged, and gives each back with the last that needs it, but for an administrator's."""
    net.run("bridge", "vlan", "add", "dev", bond, "vid", "101")
    before = switchdev.vlans_shown()
    attached = [attach(vf, make_pod(), setUplinkVlan=True, **conf) for vf, conf in zip(three, SHARED, strict=True)]
    there = set()
    for index, one in enumerate(attached):
        one.add()
        there.add(index)
        needed = {101}.union(*(NEEDED[x] for x in there))
        assert switchdev.vlans(bond) == {1: NATIVE, **dict.fromkeys(needed, TAGGED)}
    for index in (2, 0, 1):
        attached[index].check().ok()
        attached[index].delete()
        there.remove(index)
        assert set(switchdev.vlans(bond)) == {1, 101}.union(*(NEEDED[x] for x in there))
    assert switchdev.vlans_shown() == before


def test_two_nics_in_one_bond(
    nics: list[Nic], vf: VF, far_vf: VF, bridge: str, make_pod: Callable[[], Space], attach: Attach
) -> None:
    """VFs of both share a VLAN on the bond, which is the uplink of each: it stays for whichever is left."""
    with switchdev.bonded(bridge, *nics) as bond:
        before = switchdev.vlans_shown()
        one, two = (attach(x, make_pod(), vlan=100, setUplinkVlan=True) for x in (vf, far_vf))
        shared = {1: NATIVE, 100: TAGGED}
        one.add()
        two.add()
        one.delete()
        assert switchdev.vlans(bond) == shared
        two.check().ok()
        one.add()
        two.delete()
        assert switchdev.vlans(bond) == shared
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
