"""SIGKILL at every step of accelerated-bridge's ADD and of DEL, with the bridge, the uplink's VLANs and the
representor's settings in what has to be as before.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.accelerated_bridge.conftest import BRIDGES, bridges_made
from tests.support import disk, kill, net
from tests.support.faults import Call
from tests.support.kill import MOVE_FIRST, MOVE_LAST, both_orders, go_through, killed, recorded, recorded_by_all, the
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import Nic, vlans

Steps = tuple[list[Call], list[Call]]


class Rig(kill.Rig):
    """With all that accelerated-bridge can set; the representor has settings of its own, the uplink a VLAN."""

    plugin = "accelerated-bridge"

    def __init__(self, nic: Nic, bridge: str) -> None:
        self.nic = nic
        self.bridge = bridge
        settings: dict[str, Any] = {
            **{"bridge": bridge, "vlan": 100, "trunk": [{"id": 7}, {"id": 9}, {"minID": 200, "maxID": 203}]},
            **{"setUplinkVlan": True, "mac": "02:00:5e:00:00:64", "mtu": 1400, "trust": "on", "spoofchk": "off"},
        }
        HOST.ip("link", "set", nic.representor(nic.pf.vfs[0]), "up", "mtu", "1700")
        net.run("bridge", "vlan", "add", "dev", nic.pf.name, "vid", "9")
        super().__init__(nic.pf.vfs[0], settings)

    def snapshot(self) -> str:
        """See `kill.Rig`."""
        return self.nic.snapshot(self.vf, self.bridge)


@pytest.fixture(scope="module")
def all_rigs(nics: list[Nic]) -> Iterator[list[Rig]]:
    """One rig at each PF, for all tests here: to make them takes a while."""
    with bridges_made(nics):
        made = [Rig(nic, bridge) for nic, bridge in zip(nics, BRIDGES, strict=True)]
        yield made
        for rig in made:
            rig.remove()


@pytest.fixture
def rigs(all_rigs: list[Rig]) -> list[Rig]:
    """Rigs to work side by side, on a disk with all folders."""
    for rig in all_rigs:
        rig.prepare()
    return all_rigs


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
    assert sum(call.name.startswith("rename") for call in add) == 3, "record, reservation, last reserved IP"
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

    go_through(rigs, [(call, "") for call in steps[1]], trial)


def test_first_add_of_a_node_killed(rigs: list[Rig]) -> None:
    """The same where no folder exists yet: SIGKILL before each folder and lock that the first ADD makes."""

    def forget() -> None:
        for folder in (disk.ACCELERATED_BRIDGE, disk.NETWORKS):
            shutil.rmtree(folder, ignore_errors=True)

    def trial(rig: Rig, call: Call, order: str) -> None:
        forget()
        killed(rig.attachment, "ADD", call)
        rig.attachment.delete()
        rig.assert_clean()

    forget()
    add, _ = recorded(rigs[0])
    made = [call for call in add if call.name.startswith("mkdir") or "lock" in call.text]
    assert len(made) >= 8, "five folders and three locks"
    go_through(rigs[:1], [(call, "") for call in made], trial)


@pytest.mark.parametrize("comes", ["the same", "another"])
def test_add_killed_then_add(comes: str, rigs: list[Rig], steps: Steps) -> None:
    """SIGKILL at every stage of ADD: the next ADD of the same attachment works, and so does that of another pod when
    the first one's has died; the VLANs that it leaves on the uplink go with the last of them.
    """
    add = steps[0]
    record = the(add, lambda call: call.name.startswith("rename") and "/accelerated-bridge/.tmp-" in call.text)
    move = the(add, lambda call: call.name.startswith("clone"))
    messages = [index for index in range(record, move) if add[index].name == "sendto"]
    stages = [*((add[index], "") for index in messages), (add[move + 1], MOVE_FIRST), (add[move + 1], MOVE_LAST)]
    stages.append((add[-1], ""))
    assert len(stages) >= 10

    def trial(rig: Rig, call: Call, order: str) -> None:
        killed(rig.attachment, "ADD", call, order)
        late, next_one = rig.attachment, rig.attachment
        if comes == "another":
            rig.pod.delete()
            rig.pod = net.new_space()
            next_one = rig.attach(rig.pod, **{**rig.settings, "trunk": [{"id": 201}]})
        added(next_one, rig.pod)
        assert set(vlans(rig.nic.pf.name)) == {1, 9, 100, *({201} if comes == "another" else {7, 200, 201, 202, 203})}
        late.delete()
        if late is not next_one:
            next_one.check().ok()
            next_one.delete()
            rig.attachment = rig.attach(rig.pod, **rig.settings)  # for the trials after this one
        rig.assert_clean()
        assert rig.left_on_disk(late, next_one) == []

    go_through(rigs, stages, trial)


def added(one: Attachment, pod: Space) -> None:
    """ADD and CHECK; a VF that has not come back yet from a dead pod is asked for again."""
    outcome = one.call("ADD")
    while outcome.status and outcome.error()["code"] == 11:
        outcome = one.call("ADD")
    one.result = outcome.ok()
    one.check().ok()
    assert pod.links() == ["net1"]
