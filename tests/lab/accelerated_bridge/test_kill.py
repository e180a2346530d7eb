"""SIGKILL at every step of accelerated-bridge's ADD and of DEL, with the bridges, the uplink's VLANs and the
representor's settings in what has to be as before, its bridge and VLANs among them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.accelerated_bridge.rig import INFORMATION, Rig, WithInformation
from tests.support import disk, net
from tests.support.faults import Call
from tests.support.kill import (
    MOVE_FIRST,
    MOVE_LAST,
    Case,
    added_by_and_by,
    assert_equal,
    both_orders,
    each,
    go_through,
    killed,
    recorded,
    recorded_by_all,
    the,
)
from tests.support.plugin import Attachment
from tests.support.switchdev import vlans

Steps = tuple[list[Call], list[Call]]


@pytest.fixture(scope="module")
def steps(all_rigs: list[Rig]) -> Steps:
    """The steps of an ADD and of the DEL after it."""
    for rig in all_rigs:
        rig.prepare()
    return recorded_by_all(all_rigs)


def test_the_recording_sees_every_step(steps: Steps) -> None:
    """The sweeps below stand on it."""
    add, delete = steps
    assert [call.name for call in add].count("sendto") >= 20
    assert sum(call.name.startswith("rename") for call in add) == 4, (
        "record, reservation, last reserved IP, information"
    )
    assert add[-1].text.startswith("write(1,"), "the result is the last"
    assert [call.name for call in delete].count("sendto") >= 20
    assert sum(call.name.startswith("unlink") for call in delete) == 2, "reservation, record"


def test_add_killed_then_delete(rigs: list[Rig], steps: Steps) -> None:
    """SIGKILL before each step of ADD, the move before and after those beside it: one DEL puts everything right."""
    connected: set[bool] = set()

    def trial(rig: Rig, call: Call, order: str) -> None:
        killed(rig.attachment, "ADD", call, order)
        connected.add(200 in vlans(rig.nic.pf.name))
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, both_orders(steps[0]), trial)
    assert connected == {False, True}


def test_delete_killed_then_delete(rigs: list[Rig], steps: Steps) -> None:
    """SIGKILL before each step of DEL: the next DEL finishes."""

    def trial(rig: Rig, call: Call, order: str) -> None:
        rig.attachment.add()
        killed(rig.attachment, "DEL", call)
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, each(steps[1]), trial)


def test_first_add_of_a_node_killed(rigs: list[Rig]) -> None:
    """The same where no folder exists yet: SIGKILL before each folder and lock that the first ADD makes."""
    of_multus = os.path.dirname(os.path.dirname(INFORMATION))

    def forget() -> None:
        for folder in (disk.ACCELERATED_BRIDGE, disk.NETWORKS, of_multus):
            shutil.rmtree(folder, ignore_errors=True)

    def trial(rig: Rig, call: Call, order: str) -> None:
        forget()
        killed(rig.attachment, "ADD", call)
        rig.attachment.delete()
        rig.assert_clean()

    forget()
    add, _ = recorded(rigs[0])
    made = [call for call in add if call.name.startswith("mkdir") or "lock" in call.text]
    assert len(made) >= 12, "nine folders and three locks"
    go_through(rigs[:1], [(call, "") for call in made], trial)


def stages(add: list[Call]) -> list[Case]:
    """Return the stages of ADD, from its record on: each request until the move, the move, all done but the result."""
    record = the(add, lambda call: call.name.startswith("rename") and "/accelerated-bridge/.tmp-" in call.text)
    move = the(add, lambda call: call.name.startswith("clone"))
    messages = [index for index in range(record, move) if add[index].name == "sendto"]
    found = [*((add[index], "") for index in messages), (add[move + 1], MOVE_FIRST), (add[move + 1], MOVE_LAST)]
    found.append((add[-1], ""))
    assert len(found) >= 10
    return found


@pytest.mark.parametrize("comes", ["the same", "another", "another, DEL of the dead last"])
def test_add_killed_then_add(comes: str, rigs: list[Rig], steps: Steps) -> None:
    """SIGKILL at every stage of ADD: the next ADD of the same attachment works, and so does that of another pod when
    the first one's has died; the VLANs that it leaves on the uplink go with the last of them. The late DEL of the dead
    pod changes nothing.
    """
    is_another, is_last = comes != "the same", comes.endswith("last")

    def trial(rig: Rig, call: Call, order: str) -> None:
        killed(rig.attachment, "ADD", call, order)
        late = next_one = rig.attachment
        if is_another:
            rig.pod.delete()
            rig.pod = net.new_space()
            next_one = rig.attach(rig.pod, **{**rig.settings, "trunk": [{"id": 201}]})
        added(next_one, rig)
        assert set(vlans(rig.nic.pf.name)) == {1, 9, 100, *({201} if is_another else {7, 200, 201, 202, 203})}
        if not is_last:
            late.delete()
        if is_another:
            next_one.check().ok()
            next_one.delete()
            rig.attachment = rig.attach(rig.pod, **rig.settings)  # for the trials after this one
        if is_last:
            assert_equal(rig.snapshot(), rig.original)
            late.delete()
        rig.assert_clean()
        assert rig.left_on_disk(late, next_one) == []

    publishing = the(steps[0], lambda call: call.name.startswith("rename") and "/devinfo/" in call.text)
    cases = [*stages(steps[0]), (steps[0][publishing], "")]
    # By then the next pod's ADD has put right whatever the stage has left: every third one will do.
    go_through(rigs, cases[::-3] if is_last else cases, trial)


def test_add_killed_then_gc(rigs: list[Rig], steps: Steps) -> None:
    """SIGKILL at every stage of ADD: a GC for which nothing of this network is valid puts everything right."""

    def trial(rig: Rig, call: Call, order: str) -> None:
        killed(rig.attachment, "ADD", call, order)
        rig.attachment.call("GC", **{"cni.dev/valid-attachments": []}).ok()
        rig.attachment.remove_information()
        rig.assert_clean()

    go_through(rigs, stages(steps[0]), trial)


@pytest.fixture
def neighbours(rigs: list[Rig]) -> Iterator[dict[Rig, Attachment]]:
    """For each rig another VF of its PF, to be attached to the same VLAN of the same uplink."""
    pods = [net.new_space() for _ in rigs]
    vfs = [rig.nic.pf.vfs[1] for rig in rigs]
    attachments = {}
    for rig, vf, pod in zip(rigs, vfs, pods, strict=True):
        conf: dict[str, Any] = {"cniVersion": "1.1.0", "name": rig.network, "type": rig.plugin}
        conf |= {"deviceID": vf.address, "bridge": rig.bridge, "vlan": 100, "setUplinkVlan": True}
        attachments[rig] = Attachment(conf, net.unique("neighbour"), pod.path)
    yield attachments
    for vf, pod in zip(vfs, pods, strict=True):
        pod.delete()
        vf.reset()


def test_killed_beside_a_neighbour(rigs: list[Rig], neighbours: dict[Rig, Attachment]) -> None:
    """SIGKILL while representor and uplink are set or set back, beside another pod that shares a VLAN: after one DEL
    the uplink has what this one needs, and after its DEL what it had before.
    """
    for neighbour in neighbours.values():
        neighbour.add()
    add, delete = recorded_by_all(rigs)  # with the neighbour's record, which is looked at
    for rig in rigs:
        neighbours[rig].delete()
    shared, all_of_it = {1, 9, 100}, {1, 7, 9, 100, 200, 201, 202, 203}
    seen: dict[str, list[set[int]]] = {"ADD": [], "DEL": []}

    def trial(rig: Rig, call: Call, command: str) -> None:
        neighbour, uplink = neighbours[rig], rig.nic.pf.name
        neighbour.add()
        beside = rig.snapshot()
        if command == "DEL":
            rig.attachment.add()
        killed(rig.attachment, command, call)
        seen[command].append(set(vlans(uplink)))
        rig.attachment.delete()
        assert_equal(rig.snapshot(), beside)
        assert set(vlans(uplink)) == shared
        neighbour.check().ok()
        neighbour.delete()
        rig.assert_clean()

    stages = [(call, "ADD") for call in around_the_bridge(add)] + [(call, "DEL") for call in around_the_bridge(delete)]
    go_through(rigs, stages, trial)
    for on_uplink in seen.values():
        assert shared in on_uplink
        assert all_of_it in on_uplink


def around_the_bridge(calls: list[Call]) -> list[Call]:
    """Return the requests that change a port of a bridge, or its VLANs, and the step after each."""
    changing = [
        index
        for index, call in enumerate(calls)
        if call.changes_kernel and ("AF_BRIDGE" in call.text or "IFLA_MASTER" in call.text)
    ]
    assert len(changing) >= 2, "the representor's bridge, the uplink's VLANs"
    return [calls[index] for index in sorted({*changing, *(index + 1 for index in changing)})]


def added(one: WithInformation, rig: Rig) -> None:
    """ADD and CHECK; a VF that has not come back yet from a dead pod is asked for again."""
    added_by_and_by(one)
    one.check().ok()
    assert rig.pod.links() == ["net1"]
    with open(one.information) as file:
        assert json.load(file)["pci"]["representor-device"] == rig.nic.representor(rig.vf)
