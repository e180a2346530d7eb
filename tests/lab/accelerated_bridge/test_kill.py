"""SIGKILL at every step of accelerated-bridge's ADD and of DEL, with the bridges, the uplink's VLANs and the
representor's settings in what has to be as before, its bridge and VLANs among them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.accelerated_bridge.rig import INFORMATION, Rig, WithInformation
from tests.support import disk, net
from tests.support.faults import Call
from tests.support.kill import MOVE_FIRST, MOVE_LAST, Case, assert_equal, go_through, killed, recorded_by_all, the
from tests.support.killed_vfs import Kills
from tests.support.plugin import Attachment
from tests.support.switchdev import vlans


class TestAcceleratedBridge(Kills[Rig]):
    """All of them."""

    messages = 20
    renamed = ("record", "reservation", "last reserved IP", "information")
    unlinked = ("reservation", "record")
    folders = (disk.ACCELERATED_BRIDGE, disk.NETWORKS, os.path.dirname(os.path.dirname(INFORMATION)))
    made = 9 + 3  # folders and locks
    places = frozenset((False, True))
    not_for_gc = ("information not published",)  # an unfinished file, whose path only ADD and DEL are told

    def place(self, rig: Rig, order: str) -> object:
        """See `Kills`: whether the uplink has got its VLANs."""
        return 200 in vlans(rig.nic.pf.name)

    def stages(self, add: list[Call]) -> dict[str, Case]:
        """See `Kills`: from the record on each request until the move, the move, information, all but the result."""
        record = the(add, lambda call: call.name.startswith("rename") and "/accelerated-bridge/.tmp-" in call.text)
        move = the(add, lambda call: call.name.startswith("clone"))
        information = the(add, lambda call: call.name.startswith("rename") and "/devinfo/" in call.text)
        messages = [index for index in range(record, move) if add[index].name == "sendto"]
        found = {f"request {number}": (add[index], "") for number, index in enumerate(messages)}
        found |= {"moved": (add[move + 1], MOVE_FIRST), "not moved": (add[move + 1], MOVE_LAST)}
        found |= {"all done but for the result": (add[-1], ""), "information not published": (add[information], "")}
        assert len(found) >= 11
        return found

    def of_the_dead(self, stages: dict[str, Case], is_late: bool) -> list[Case]:
        """See `Kills`. What comes after the next pod's ADD finds what that has put right: every third one will do."""
        cases = list(stages.values())
        return cases[::-3] if is_late else cases

    def others(self, rig: Rig) -> dict[str, Any]:
        """See `Kills`."""
        return {**rig.settings, "trunk": [{"id": 201}]}

    def assert_attached(self, rig: Rig, one: Attachment, before: object) -> None:
        """See `Kills`. VLANs that the killed ADD has left on the uplink are gone."""
        trunk = {201} if one.conf["trunk"] == [{"id": 201}] else {7, 200, 201, 202, 203}
        assert set(vlans(rig.nic.pf.name)) == {1, 9, 100, *trunk}
        assert rig.pod.links() == ["net1"]
        assert isinstance(one, WithInformation)
        with open(one.information) as file:
            assert json.load(file)["pci"]["representor-device"] == rig.nic.representor(rig.vf)


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
