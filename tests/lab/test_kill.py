"""SIGKILL at every step of sriov's ADD and of DEL: the next DEL, or the next pod, finds a VF that can be put right."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import disk, net
from tests.support.faults import Call
from tests.support.kill import (
    MOVE_FIRST,
    MOVE_LAST,
    Case,
    Rig,
    added_by_and_by,
    both_orders,
    each,
    go_through,
    killed,
    prepare,
    recorded,
    recorded_by_all,
    the,
)
from tests.support.net import HOST, Space
from tests.support.vfs import PF, VF

MAC = "02:00:5e:00:00:64"


SETTINGS = {"vlan": 100, "vlanQoS": 3, "mac": MAC, "spoofchk": "off", "trust": "on", "mtu": 1400}
"""All that sriov can set on igb."""


@pytest.fixture(scope="module")
def all_rigs(pfs: list[PF]) -> Iterator[list[Rig]]:
    """One rig at each PF, for all tests here: to make them takes a while."""
    made = [Rig(pf.vfs[0], SETTINGS) for pf in pfs]
    yield made
    for rig in made:
        rig.remove()


@pytest.fixture
def rigs(all_rigs: list[Rig]) -> list[Rig]:
    """Rigs to work side by side, on a disk with all folders."""
    prepare(all_rigs)
    return all_rigs


@pytest.fixture(scope="module")
def steps(all_rigs: list[Rig]) -> tuple[list[Call], list[Call]]:
    """The steps of an ADD and of the DEL after it."""
    prepare(all_rigs)
    return recorded_by_all(all_rigs)


def stages(add: list[Call]) -> dict[str, Case]:
    """Return cases that stand for all others: what an ADD that is killed there has done."""
    record = the(add, lambda call: call.name.startswith("rename") and "/sriov/.tmp-" in call.text)
    allocation = the(add, lambda call: call.name.startswith("rename") and "/sriov/pci/.tmp-" in call.text)
    move = the(add, lambda call: call.name.startswith("clone"))
    settings = [index for index in range(allocation, move) if add[index].name == "sendto"]
    assert len(settings) == 4, "trust, spoofchk, MAC address and VLAN"
    arrived = next(index for index, call in enumerate(add) if index > move and call.name == "sendto")
    return {
        "recorded": (add[record + 1], ""),
        "allocated": (add[settings[0]], ""),
        "one setting made": (add[settings[1]], ""),
        "all settings made": (add[move], ""),
        "moved": (add[move + 1], MOVE_FIRST),
        "addresses chosen, not moved": (add[arrived - 1], MOVE_LAST),
        "all done but for the result": (add[-1], ""),
    }


def test_the_recording_sees_every_step(steps: tuple[list[Call], list[Call]]) -> None:
    """The sweeps below stand on it."""
    add, delete = steps
    assert len(stages(add)) == 7
    assert [call.name for call in add].count("sendto") >= 15
    assert sum(call.name.startswith("rename") for call in add) == 4, "record, allocation, reservation, last reserved IP"
    assert add[-1].text.startswith("write(1,"), "the result is the last"
    assert [call.name for call in delete].count("sendto") >= 15
    assert sum(call.name.startswith("unlink") for call in delete) == 3, "reservation, allocation, record"


def test_add_killed_then_delete(rigs: list[Rig], steps: tuple[list[Call], list[Call]]) -> None:
    """SIGKILL before each step of ADD, the move before and after those beside it: one DEL puts everything right."""
    places: set[tuple[str, bool]] = set()

    def trial(rig: Rig, call: Call, order: str) -> None:
        killed(rig.attachment, "ADD", call, order)
        places.add((order, rig.vf.name == ""))
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, both_orders(steps[0]), trial)
    assert {(MOVE_FIRST, True), (MOVE_LAST, False)} <= places, "the two orders are what they say"


def test_delete_killed_then_delete(rigs: list[Rig], steps: tuple[list[Call], list[Call]]) -> None:
    """SIGKILL before each step of DEL: the next DEL finishes."""

    def trial(rig: Rig, call: Call, order: str) -> None:
        rig.attachment.add()
        killed(rig.attachment, "DEL", call)
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, each(steps[1]), trial)


def test_first_add_of_a_node_killed(rigs: list[Rig]) -> None:
    """The same where no folder exists yet: SIGKILL before each folder and lock that the first ADD makes."""

    def forget() -> None:
        for folder in (disk.SRIOV, disk.NETWORKS):
            shutil.rmtree(folder, ignore_errors=True)

    def trial(rig: Rig, call: Call, order: str) -> None:
        forget()
        killed(rig.attachment, "ADD", call)
        rig.attachment.delete()
        rig.assert_clean()

    forget()
    add, _ = recorded(rigs[0])
    made = [call for call in add if call.name.startswith("mkdir") or "lock" in call.text]
    assert len(made) >= 7, "five folders and two locks"
    go_through(rigs[:1], [(call, "") for call in made], trial)


def test_add_killed_then_add(rigs: list[Rig], steps: tuple[list[Call], list[Call]]) -> None:
    """SIGKILL at every stage of ADD: the next ADD of the same attachment works, with one address, and DEL undoes it."""

    def trial(rig: Rig, call: Call, order: str) -> None:
        killed(rig.attachment, "ADD", call, order)
        result = rig.attachment.add()
        address = result["ips"][0]["address"]
        assert rig.pod.addresses("net1") == [address]
        owner = f"{rig.attachment.container_id}\r\nnet1"
        assert disk.reserved(rig.network) == {address.partition("/")[0]: owner}
        rig.attachment.check().ok()
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, stages(steps[0]).values(), trial)


@pytest.mark.parametrize("is_late", [False, True], ids=["delete of the dead first", "delete of the dead last"])
def test_add_killed_then_another_pod(
    rigs: list[Rig], steps: tuple[list[Call], list[Call]], is_late: bool, make_pod: Callable[[], Space]
) -> None:
    """SIGKILL in ADD, and the pod dies: the next pod gets the VF with nothing but its own settings, its DEL makes VF
    and PF what they were before the first ADD, and the late DEL of the dead pod changes nothing.
    """

    def trial(rig: Rig, call: Call, order: str) -> None:
        before, own = rig.vf.table(), HOST.settings(rig.vf.name)
        dead = rig.attachment
        killed(dead, "ADD", call, order)
        rig.pod.delete()
        rig.pod = net.new_space()
        rig.attachment = rig.attach(rig.pod, **rig.settings)  # for the trials after this one
        pod = make_pod()
        new = rig.attach(pod, vlan=200)
        added_by_and_by(new)
        assert vlan(rig.vf) == (200, 0)
        assert switches(rig.vf.table()) == switches(before)
        inside = pod.settings("net1")
        assert (inside["mac"], inside["mtu"]) == (own["mac"], own["mtu"])
        if not is_late:
            dead.delete()
            assert vlan(rig.vf) == (200, 0)
            assert pod.settings("net1") == inside
            new.check().ok()
        new.delete()
        assert rig.vf.snapshot() == rig.original
        if is_late:
            dead.delete()
        rig.assert_clean()
        assert rig.left_on_disk(dead, new) == []

    cases = stages(steps[0])
    go_through(rigs, [cases[stage] for stage in TAKEN_OVER], trial)


TAKEN_OVER = ("recorded", "one setting made", "moved", "all done but for the result")


def vlan(vf: VF) -> tuple[int, int]:
    """Return VLAN and QoS as the PF has them."""
    (entry,) = vf.table()["vlan_list"]
    return entry["vlan"], entry.get("qos", 0)


def switches(table: dict[str, Any]) -> tuple[object, ...]:
    """Return what a PF's table says of the switches of a VF."""
    return table["spoofchk"], table["trust"]
