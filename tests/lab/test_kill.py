"""SIGKILL at every step of ADD and of DEL: the next DEL, or the next pod, finds a VF that can be put right.

A step is a netlink message, or a file operation that changes something; `tests.support.faults` tells how they are found
and struck. Two VFs, of different PFs, are worked on side by side, so that what `ip` says of one PF is one trial's.
"""

from __future__ import annotations

import os
import queue
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import disk, faults, net
from tests.support.faults import THREAD_END, Call
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome
from tests.support.untouched import left_on_disk
from tests.support.vfs import PF, VF, wait_for

MAC = "02:00:5e:00:00:64"
SETTINGS = {"vlan": 100, "vlanQoS": 3, "mac": MAC, "spoofchk": "off", "trust": "on", "mtu": 1400}
DELAY_US = 1_000_000
MOVE_FIRST = faults.move_first(DELAY_US)
MOVE_LAST = faults.move_last(DELAY_US)

STEPS = (
    "openat,?open,?mkdir,mkdirat,?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat,?unlink,unlinkat,"
    "write,pwrite64,ftruncate,?chmod,fchmod,fchmodat,sendto,sendmsg,clone,clone3"
)
"""Without locks, sockets and the like: what they change dies with the process."""


class Rig:
    """A VF, a pod, and their attachment to a network of its own, with all that sriov can set."""

    def __init__(self, vf: VF) -> None:
        self.vf = vf
        self.make()

    def make(self) -> None:
        """Make all but the VF, anew, and remember what VF and PF are like."""
        self.pod = net.new_space()
        self.network = net.unique("kill")
        self.attachment = self.attach(self.pod, **SETTINGS)
        self.original = self.vf.snapshot()
        self.prepare()

    def prepare(self) -> None:
        """See to it that all folders are there, as on any node but at the very first attachment."""
        self.attachment.add()
        self.attachment.delete()
        self.assert_clean()

    def attach(self, pod: Space, **settings: Any) -> Attachment:
        """Return an attachment of the VF to a pod."""
        conf = {
            **{"cniVersion": "1.1.0", "name": self.network, "type": "sriov", "deviceID": self.vf.address, **settings},
            "ipam": {"type": "host-local", "subnet": "10.77.0.0/24", "routes": [{"dst": "10.99.0.0/16"}]},
        }
        return Attachment(conf, net.unique("container"), pod.path)

    def left_on_disk(self, *attachments: Attachment) -> list[str]:
        """Return the files that tell of these attachments (else of the rig's own), of the network or of the VF."""
        owners = [attachment.container_id for attachment in attachments or (self.attachment,)]
        names = (*owners, f"networks/{self.network}/", self.vf.address)
        return [path for path in remains() if any(name in path for name in names)]

    def assert_clean(self) -> None:
        """Assert that the VF and its PF are as they were, and that nothing of the attachment is left on disk."""
        assert self.vf.snapshot() == self.original
        assert self.left_on_disk() == []

    def repair(self) -> None:
        """Make the rig good for the next trial, whatever it takes."""
        self.remove()
        for path in self.left_on_disk():
            os.unlink(os.path.join(disk.CNI, path))
        self.make()

    def remove(self) -> None:
        """Delete the pod and reset the VF."""
        self.pod.delete()
        self.vf.reset()


def remains() -> list[str]:
    """Return the files that plugins have left, without the locks of VFs, which stay for good as sriov-cni's do."""
    return [path for path in left_on_disk() if not path.startswith("sriov/pci/vf_lock/")]


@pytest.fixture(scope="module")
def all_rigs(pfs: list[PF]) -> Iterator[list[Rig]]:
    """One rig at each PF, for all tests here: to make them takes a while."""
    made = [Rig(pf.vfs[0]) for pf in pfs]
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
def steps(all_rigs: list[Rig]) -> tuple[list[Call], list[Call]]:
    """The steps of an ADD and of the DEL after it."""
    all_rigs[0].prepare()
    return recorded(all_rigs[0])


Case = tuple[Call, str]
"""A step at which the plugin is killed, and the order of its two threads."""


def go_through(rigs: list[Rig], cases: Iterable[Case], trial: Callable[[Rig, Call, str], None]) -> None:
    """Try every case, each on a rig that is free; assert that none failed, listing those that did."""
    free: queue.SimpleQueue[Rig] = queue.SimpleQueue()
    for rig in rigs:
        free.put(rig)
    failures: list[str] = []

    def run(case: Case) -> None:
        call, order = case
        rig = free.get()
        try:
            trial(rig, call, order)
        except AssertionError as e:
            failures.append(f"{rig.vf.address}, {call!r} {order}: {e}")
            rig.repair()
        finally:
            free.put(rig)

    with ThreadPoolExecutor(len(rigs)) as pool:
        list(pool.map(run, cases))
    assert not failures, "\n\n".join(failures)
    assert remains() == []


def recorded(rig: Rig) -> tuple[list[Call], list[Call]]:
    """Return the steps of an ADD and of the DEL after it, without those that found nothing to do."""
    lists = (faults.calls(rig.attachment, command, STEPS) for command in ("ADD", "DEL"))
    add, delete = ([call for call in calls if not call.text.endswith(IN_VAIN)] for calls in lists)
    return add, delete


IN_VAIN = ("EEXIST (File exists)", "ENOENT (No such file or directory)")


def both_orders(calls: list[Call]) -> list[Case]:
    """Return every step as it comes; those that run beside the move, with the move before and after them too."""
    start = the(calls, lambda call: call.name.startswith("clone"))
    end = next(index for index, call in enumerate(calls) if index > start and call.name == "sendto")
    beside = calls[start + 1 : end + 1]
    return [
        *((call, "") for call in calls),
        (THREAD_END, ""),
        *((call, order) for order in (MOVE_FIRST, MOVE_LAST) for call in beside),
    ]


def the(calls: list[Call], condition: Callable[[Call], bool]) -> int:
    """Return the index of the one step for which the condition holds."""
    (index,) = (index for index, call in enumerate(calls) if condition(call))
    return index


def kill(attachment: Attachment, command: str, call: Call, order: str = "") -> None:
    """Give a command and kill the plugin before a step; assert that it died there: else nothing would be proven."""
    outcome = faults.inject(attachment, command, "signal=SIGKILL", call, order)
    assert outcome.status == -9, f"was not killed: {outcome!r}"


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
        kill(rig.attachment, "ADD", call, order)
        places.add((order, rig.vf.name == ""))
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, both_orders(steps[0]), trial)
    assert {(MOVE_FIRST, True), (MOVE_LAST, False)} <= places, "the two orders are what they say"


def test_delete_killed_then_delete(rigs: list[Rig], steps: tuple[list[Call], list[Call]]) -> None:
    """SIGKILL before each step of DEL: the next DEL finishes."""

    def trial(rig: Rig, call: Call, order: str) -> None:
        rig.attachment.add()
        kill(rig.attachment, "DEL", call)
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, [(call, "") for call in steps[1]], trial)


def test_first_add_of_a_node_killed(rigs: list[Rig]) -> None:
    """The same where no folder exists yet: SIGKILL before each folder and lock that the first ADD makes."""

    def forget() -> None:
        for folder in (disk.SRIOV, disk.NETWORKS):
            shutil.rmtree(folder, ignore_errors=True)

    def trial(rig: Rig, call: Call, order: str) -> None:
        forget()
        kill(rig.attachment, "ADD", call)
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
        kill(rig.attachment, "ADD", call, order)
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
        kill(dead, "ADD", call, order)
        rig.pod.delete()
        rig.pod = net.new_space()
        rig.attachment = rig.attach(rig.pod, **SETTINGS)  # for the trials after this one
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


def added_by_and_by(attachment: Attachment) -> None:
    """ADD as a runtime does it, which tries again when it is told to: the kernel takes its time to save the VF."""
    outcomes: list[Outcome] = []

    def is_done() -> bool:
        outcomes.append(attachment.call("ADD"))
        return outcomes[-1].status == 0 or outcomes[-1].error()["code"] != 11

    wait_for(is_done, "ADD that is over")
    attachment.result = outcomes[-1].ok()


def vlan(vf: VF) -> tuple[int, int]:
    """Return VLAN and QoS as the PF has them."""
    (entry,) = vf.table()["vlan_list"]
    return entry["vlan"], entry.get("qos", 0)


def switches(table: dict[str, Any]) -> tuple[object, ...]:
    """Return what a PF's table says of the switches of a VF."""
    return table["spoofchk"], table["trust"]
