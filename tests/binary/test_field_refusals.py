"""The kernel's refusals: each answer of netlink is lost after its effect, each socket, thread, process, way into a
namespace and open file of one is refused, with every command of host-device.

How that is done is told in tests/support/refusals.py. The same with VFs is tests/lab/test_refusals.py.

| what is refused | test |
| --- | --- |
| one answer of a command, and what EINTR interrupts | test_an_answer_is_lost |
| one answer while two threads are at work | test_an_answer_to_the_move_is_lost |
| one answer, however often it is asked for | test_an_answer_is_lost_for_good |
| all answers from some point on | test_no_answer_any_more |
| one answer in the undo of an ADD that fails | test_an_answer_to_the_undo_is_lost |
| sockets, namespaces, packet filters, features | test_refused |
| the process of IPAM | test_no_process_for_ipam |
| the process that waits for carrier | test_no_process_for_the_announcement |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import unified_diff
from pathlib import Path
from pprint import pformat
from typing import Any

import pytest

from tests.support import disk, net, refusals
from tests.support.net import HOST
from tests.support.plugin import DIST, Attachment
from tests.support.refusals import FOR_GOOD, FROM_THEN_ON, PLACES
from tests.support.untouched import left_on_disk

COMMANDS = ("ADD", "DEL", "CHECK", "GC", "STATUS")
LEAST_ANSWERS = {"ADD": 20, "DEL": 15, "CHECK": 5, "GC": 15, "STATUS": 2}
WITHOUT = {
    "socket": (),
    "setns": ("STATUS",),
    "openat": (),
    "clone,clone3": ("DEL", "CHECK", "GC", "STATUS"),
    "bpf": ("CHECK", "STATUS"),
    "ioctl": ("STATUS",),
}
"""Commands that make no such calls."""

HOST_LOCAL = {
    "type": "host-local",
    "ranges": [[{"subnet": "10.66.0.0/24"}], [{"subnet": "fd00:66::/64"}]],
    "routes": [{"dst": "10.77.0.0/16"}, {"dst": "fd00:77::/48"}],
}

MOMENTARY = ("info_slave_data", "operstate", "valid_life_time", "preferred_life_time", "qdisc")
CARRIER = ("LOWER_UP", "NO-CARRIER", "M-DOWN")
"""Members and flags in what ip(8) shows that follow carrier and time."""


class Rig(refusals.Rig):
    """A device with settings of its own, a pod, and their attachment to a network of its own. ipam: of the network.

    folders: what CNI_PATH has besides the built binaries. carrier: whether the device has it.
    """

    def __init__(self, ipam: dict[str, Any] = HOST_LOCAL, folders: str = "", carrier: bool = True) -> None:
        self.ipam = ipam
        self.folders = folders
        self.carrier = carrier
        self.bridge = net.unique("bridge")
        HOST.ip("link", "add", self.bridge, "type", "bridge")
        self.make()

    def make(self) -> None:
        """Make all of it, anew."""
        self.device, self.peer = net.new_device()
        self.pod = net.new_space()
        self.pod.without_dad()
        if not self.carrier:
            HOST.ip("link", "set", self.peer, "down")
        HOST.ip("link", "set", self.device, "mtu", "1400", "alias", "my uplink", "up")
        HOST.ip("link", "property", "add", "dev", self.device, "altname", "net1")  # in the way of the move
        HOST.ip("link", "set", self.device, "master", self.bridge)
        conf = {"cniVersion": "1.1.0", "name": net.unique("refusals"), "type": "host-device", "device": self.device}
        path = ":".join((self.folders, DIST))
        self.attachment = Attachment({**conf, "ipam": self.ipam}, net.unique("container"), self.pod.path, path=path)
        self.attachment.add()  # the folders are there, as on any node but at the very first attachment
        self.attachment.delete()
        self.before = self.snapshot()

    def remove(self) -> None:
        """Delete all but the bridge."""
        self.pod.delete()
        net.delete_device(self.peer)
        disk.clear()

    def __repr__(self) -> str:
        return self.device

    def repair(self) -> None:
        """See `refusals.Rig`."""
        self.remove()
        self.make()

    def snapshot(self) -> tuple[object, ...]:
        """Return all that has to be as before in the end."""
        ends = [entry for entry in HOST.json("-d", "addr", "show") if entry["ifname"] in (self.device, self.peer)]
        return lasting(ends), self.pod.links(), left_on_disk()

    def prepare(self, command: str) -> None:
        """See `refusals.Rig`."""
        if command in ("DEL", "CHECK", "GC"):
            self.attachment.add()
        if command in ("DEL", "GC"):
            self.pod.batch(
                "link set net1 mtu 1300 address 02:00:5e:66:66:66 promisc on",
                "link property add dev net1 altname of-the-pod",
                "link add link net1 name on-top type macvlan mode bridge",
            )

    def assert_works(self) -> None:
        """See `refusals.Rig`."""
        assert disk.records() == [f"{self.attachment.container_id}-net1"]
        self.attachment.check().ok()

    def assert_clean(self) -> None:
        """See `refusals.Rig`."""
        now = self.snapshot()
        assert now == self.before, "\n".join(unified_diff(lines_of(self.before), lines_of(now), "before", "now", n=0))


def lines_of(snapshot: tuple[object, ...]) -> list[str]:
    """Return a snapshot for a comparison by eye."""
    return [line for part in snapshot for line in pformat(part).splitlines()]


def lasting(told: Any) -> Any:
    """Return what ip(8) shows without what follows carrier and time."""
    if isinstance(told, dict):
        return {key: lasting(value) for key, value in told.items() if key not in MOMENTARY}
    if isinstance(told, list):
        kept = [lasting(entry) for entry in told if entry not in CARRIER]
        return [entry for entry in kept if not (isinstance(entry, dict) and entry.get("scope") == "link")]
    return told


@pytest.fixture
def make_rig() -> Iterator[Callable[..., Rig]]:
    """A function that makes a rig, removed after the test."""
    rigs: list[Rig] = []

    def make(*arguments: Any, **options: Any) -> Rig:
        rigs.append(Rig(*arguments, **options))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.remove()
        net.delete_device(rig.bridge)


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """A rig."""
    return make_rig()


@pytest.mark.parametrize("command", COMMANDS)
def test_an_answer_is_lost(rig: Rig, command: str) -> None:
    """One of them: it is asked for again, or looked at what has come of the request, and nobody notices."""
    answers = rig.answers(command)
    assert len(answers) >= LEAST_ANSWERS[command]
    for error in ("ENOBUFS", "EINTR") if command == "ADD" else ("ENOBUFS",):
        assert [outcome for outcome in rig.lose(command, answers, error=error) if outcome.status] == []


def test_an_answer_to_the_move_is_lost(rig: Rig) -> None:
    """The same beside the main thread: each thread has its own numbers, so that one of its own is lost, too."""
    outcomes = rig.sweep(("ADD", f"recvfrom:error=ENOBUFS:when={number}") for number in range(1, 5))
    assert [outcome for outcome in outcomes if outcome.status] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_an_answer_is_lost_for_good(rig: Rig, command: str) -> None:
    """It is, however often it is asked for; what comes after is answered. ADD, if it fails, undoes everything."""
    answers = rig.answers(command)
    outcomes = rig.lose(command, answers, FOR_GOOD)
    assert len([outcome for outcome in outcomes if outcome.status]) > len(answers) / 3


@pytest.mark.parametrize("command", COMMANDS)
def test_no_answer_any_more(rig: Rig, command: str) -> None:
    """From some point on none is received."""
    outcomes = rig.lose(command, rig.answers(command), FROM_THEN_ON)
    assert [outcome for outcome in outcomes if outcome.status]


def test_an_answer_to_the_undo_is_lost(make_rig: Callable[..., Rig]) -> None:
    """ADD fails at its last step, and is undone all the same."""
    rig = make_rig({"type": "static", "addresses": [{"address": "10.66.0.2/24"}]})
    rig.attachment.conf["ipam"] = {**rig.ipam, "routes": [{"dst": "10.77.0.0/16", "gw": "10.99.0.1"}]}
    answers = rig.answers_to_undo()
    assert len(answers) >= LEAST_ANSWERS["DEL"]
    for outcome in rig.lose("ADD", answers):
        assert "cannot add route" in outcome.error()["msg"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("calls", PLACES)
def test_refused(rig: Rig, command: str, calls: str) -> None:
    """Each of them. What is a courtesy, or can be done without, is no reason to fail: threads, packet filters, features
    of the NIC, announcements.
    """
    assert bool(rig.refuse(command, calls)) is (command not in WITHOUT[calls])


@pytest.mark.parametrize("command", COMMANDS)
def test_no_process_for_ipam(make_rig: Callable[..., Rig], tmp_path: Path, command: str) -> None:
    """An IPAM executable that cannot be started: the runtime may try again."""
    make_rig(refusals.make_ipam(tmp_path), str(tmp_path)).refuse_ipam(command)


def test_no_process_for_the_announcement(make_rig: Callable[..., Rig]) -> None:
    """The process that waits for the carrier: ADD does without."""
    rig = make_rig(carrier=False)
    faults = [("ADD", f"clone,clone3:error={error}") for error in ("EAGAIN", "ENOMEM")]
    for outcome in rig.sweep(faults):
        assert outcome.status == 0
        assert "cannot start a process for it" in outcome.stderr
