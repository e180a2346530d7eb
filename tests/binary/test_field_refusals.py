"""The kernel's refusals: each answer of netlink is lost after its effect, each socket, thread, process, way into a
namespace and open file of one is refused, with every command of host-device.

A request whose answer is lost (ENOBUFS) has had its effect: strace does not let the answer be received, so that it is
in the queue when the next one is asked for, as that of an earlier request. The move, which has a thread of its own,
is made in the main thread where no thread is to be had, and so is gone through with the rest.

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

import errno
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from difflib import unified_diff
from pathlib import Path
from pprint import pformat
from typing import Any

import pytest

from cni.linux.netlink.socket import ATTEMPTS
from tests.support import disk, net
from tests.support.net import HOST
from tests.support.plugin import DIST, Attachment, Outcome
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

FOR_GOOD = (ATTEMPTS - 1) * ATTEMPTS
"""How many more looks for an answer, after the first, fail: in each attempt, what is left of the one before is read."""

REFUSALS = ("EAGAIN", "EMFILE", "ENETUNREACH", "ENFILE", "ENOBUFS", "ENOMEM", "EPERM")
NO_THREAD = "clone,clone3:error=EAGAIN"
HOST_LOCAL = {
    "type": "host-local",
    "ranges": [[{"subnet": "10.66.0.0/24"}], [{"subnet": "fd00:66::/64"}]],
    "routes": [{"dst": "10.77.0.0/16"}, {"dst": "fd00:77::/48"}],
}

MOMENTARY = ("info_slave_data", "operstate", "valid_life_time", "preferred_life_time", "qdisc")
CARRIER = ("LOWER_UP", "NO-CARRIER", "M-DOWN")
"""Members and flags in what ip(8) shows that follow carrier and time."""


class Rig:
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

    def snapshot(self) -> tuple[object, ...]:
        """Return all that has to be as before in the end."""
        ends = [entry for entry in HOST.json("-d", "addr", "show") if entry["ifname"] in (self.device, self.peer)]
        return lasting(ends), self.pod.links(), left_on_disk()

    def prepare(self, command: str) -> None:
        """Make what a command is for; tamper with the device where it is to come back."""
        if command in ("DEL", "CHECK", "GC"):
            self.attachment.add()
        if command in ("DEL", "GC"):
            self.pod.batch(
                "link set net1 mtu 1300 address 02:00:5e:66:66:66 promisc on",
                "link property add dev net1 altname of-the-pod",
                "link add link net1 name on-top type macvlan mode bridge",
            )

    def call(self, command: str, *injections: str) -> Outcome:
        """Give a command under strace, with faults."""
        return self.trace(command, os.devnull, "clone", *injections)

    def trace(self, command: str, log: str, traced: str, *injections: str) -> Outcome:
        """The same, with those calls in a log."""
        names = ",".join([traced, *(injection.split(":")[0] for injection in injections)])
        prefix = ["strace", "-f", "-qq", "-s", "64", "-o", log, "-e", f"trace={names}", "-e", "signal=none"]
        for injection in injections:
            prefix += ["-e", f"inject={injection}"]
        members: dict[str, Any] = {"prevResult": self.attachment.result} if command == "CHECK" else {}
        if command == "GC":
            members = {"cni.dev/valid-attachments": []}
        return self.attachment.call(command, prefix=tuple(prefix), **members)

    def places(self, command: str, calls: str, pattern: str = "", *injections: str) -> list[tuple[str, int]]:
        """Return the calls of the main thread that look like the pattern: name, and which of this name it is."""
        self.prepare(command)
        with tempfile.NamedTemporaryFile() as log:
            self.trace(command, log.name, calls, *injections)
            lines = log.read().decode(errors="replace").splitlines()
        self.attachment.delete()
        numbers: Counter[str] = Counter()
        found = []
        for line in lines:
            process, _, text = line.partition(" ")
            called = re.match(r"\s*(\w+)\(", text)
            if process == lines[0].split()[0] and called:
                numbers[called[1]] += 1
                if re.search(pattern, text) and called[1] in calls.split(","):
                    found.append((called[1], numbers[called[1]]))
        return found

    def assert_works(self) -> None:
        """Assert that what ADD has answered 0 for is an attachment that works, and has its record."""
        assert disk.records() == [f"{self.attachment.container_id}-net1"]
        self.attachment.check().ok()

    def assert_clean(self) -> None:
        """Assert that everything is as before, saying in what it is not."""
        now = self.snapshot()
        assert now == self.before, "\n".join(unified_diff(lines_of(self.before), lines_of(now), "before", "now", n=0))

    def trial(self, command: str, *injections: str, undoes: bool = True) -> Outcome:
        """Give a command with faults, and assert that it has answered 0 or an error that says what was attempted; that
        the attachment is there then, or nothing of it; and that after one DEL everything is as before.

        undoes: whether ADD can have undone everything itself.
        """
        self.prepare(command)
        outcome = self.call(command, *injections)
        if outcome.status == 0:
            if command == "ADD":
                self.attachment.result = outcome.ok()
            if command in ("ADD", "CHECK"):
                self.assert_works()
            else:
                self.assert_clean()
        else:
            assert_told(outcome)
            if command in ("ADD", "STATUS") and undoes:
                self.assert_clean()
        self.attachment.delete()
        self.assert_clean()
        return outcome

    def sweep(self, trials: Iterable[tuple[str, ...]], undoes: bool = True) -> list[Outcome]:
        """Make trials, given as command and faults; assert that none failed, listing those that did."""
        failures, outcomes = [], []
        for command, *injections in trials:
            try:
                outcomes.append(self.trial(command, *injections, undoes=undoes))
            except AssertionError as e:
                failures.append(f"{command} {injections}: {e}")
                self.remove()
                self.make()
        assert not failures, "\n\n".join(failures)
        return outcomes


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


def assert_told(outcome: Outcome) -> None:
    """Assert that an error says what was attempted, and with what the kernel refused it."""
    error = outcome.error()
    said = error["msg"] + error.get("details", "")
    assert not [text for text in ("has a fault", "refused a step", "Traceback", "Error:") if text in said], outcome
    assert "Traceback" not in outcome.stderr
    assert re.match("cannot |failed to |DEL of net1: |GC of network |restoring ", error["msg"]), outcome
    assert [name for name in REFUSALS if os.strerror(getattr(errno, name)) in said], outcome


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
    places = rig.places(command, "recvfrom", "", NO_THREAD)
    assert len(places) >= LEAST_ANSWERS[command]
    for error in ("ENOBUFS", "EINTR") if command == "ADD" else ("ENOBUFS",):
        faults = [(command, NO_THREAD, f"recvfrom:error={error}:when={number}") for _, number in places]
        assert [outcome for outcome in rig.sweep(faults) if outcome.status] == []


def test_an_answer_to_the_move_is_lost(rig: Rig) -> None:
    """The same beside the main thread: each thread has its own numbers, so that one of its own is lost, too."""
    outcomes = rig.sweep(("ADD", f"recvfrom:error=ENOBUFS:when={number}") for number in range(1, 5))
    assert [outcome for outcome in outcomes if outcome.status] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_an_answer_is_lost_for_good(rig: Rig, command: str) -> None:
    """It is, however often it is asked for; what comes after is answered. ADD, if it fails, undoes everything."""
    places = rig.places(command, "recvfrom", "", NO_THREAD)
    faults = [(command, NO_THREAD, f"recvfrom:error=ENOBUFS:when={at}..{at + FOR_GOOD}") for _, at in places]
    outcomes = rig.sweep(faults)
    assert len([outcome for outcome in outcomes if outcome.status]) > len(places) / 3


@pytest.mark.parametrize("command", COMMANDS)
def test_no_answer_any_more(rig: Rig, command: str) -> None:
    """From some point on none is received. An ADD cannot undo then what it has begun: it does not hear where the device
    is. Its record stays for the next DEL.
    """
    places = rig.places(command, "recvfrom", "", NO_THREAD)
    faults = [(command, NO_THREAD, f"recvfrom:error=ENOBUFS:when={number}+") for _, number in places]
    outcomes = rig.sweep(faults, undoes=False)
    assert [outcome for outcome in outcomes if outcome.status]


def test_an_answer_to_the_undo_is_lost(make_rig: Callable[..., Rig]) -> None:
    """ADD fails at its last step, and is undone all the same."""
    rig = make_rig({"type": "static", "addresses": [{"address": "10.66.0.2/24"}]})
    rig.attachment.conf["ipam"] = {**rig.ipam, "routes": [{"dst": "10.77.0.0/16", "gw": "10.99.0.1"}]}
    with tempfile.NamedTemporaryFile() as log:
        rig.trace("ADD", log.name, "recvfrom", NO_THREAD).error()
        count = log.read().count(b"recvfrom(")
    faults = [("ADD", NO_THREAD, f"recvfrom:error=ENOBUFS:when={number}") for number in range(count // 2, count + 1)]
    for outcome in rig.sweep(faults):
        assert "cannot add route" in outcome.error()["msg"]


PLACES = {
    "socket": (r"", ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM")),
    "setns": (r"", ("EPERM", "ENOMEM")),
    "openat": (r"/ns/net|netns/", ("EMFILE",)),
    "clone,clone3": (r"", ("EAGAIN", "ENOMEM")),
    "bpf": (r"", ("EPERM", "ENOMEM")),
    "ioctl": (r"SIOC|NS_GET", ("ENOMEM",)),
}
"""Calls that are refused, which of them, and with what."""


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("calls", PLACES)
def test_refused(rig: Rig, command: str, calls: str) -> None:
    """Each of them. What is a courtesy, or can be done without, is no reason to fail: threads, packet filters, features
    of the NIC, announcements.
    """
    pattern, errors = PLACES[calls]
    places = rig.places(command, calls, pattern)
    assert places or command in WITHOUT[calls]
    faults = [(command, f"{name}:error={error}:when={number}") for name, number in places for error in errors]
    outcomes = rig.sweep(faults)
    if calls in ("clone,clone3", "bpf"):
        assert [outcome for outcome in outcomes if outcome.status] == []
    if calls == "bpf":
        for (*_, fault), outcome in zip(faults, outcomes, strict=True):
            assert ("cannot detach the " in outcome.stderr) is ("ENOMEM" in fault)


IPAM = """#!/bin/sh
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.66.0.9/24"}]}'
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_no_process_for_ipam(make_rig: Callable[..., Rig], tmp_path: Path, command: str) -> None:
    """An IPAM executable that cannot be started: the runtime may try again."""
    (tmp_path / "by-hand").write_text(IPAM)
    (tmp_path / "by-hand").chmod(0o755)
    rig = make_rig({"type": "by-hand"}, str(tmp_path))
    places = rig.places(command, "clone,clone3,vfork")
    faults = [
        (command, f"{name}:error={error}:when={number}") for name, number in places for error in ("EAGAIN", "ENOMEM")
    ]
    outcomes = rig.sweep(faults)
    refused = [outcome.error(11)["msg"] for outcome in outcomes if outcome.status]
    assert len(refused) == 2
    assert all("by-hand" in text for text in refused)


def test_no_process_for_the_announcement(make_rig: Callable[..., Rig]) -> None:
    """The process that waits for the carrier: ADD does without."""
    rig = make_rig(carrier=False)
    faults = [("ADD", f"clone,clone3:error={error}") for error in ("EAGAIN", "ENOMEM")]
    for outcome in rig.sweep(faults):
        assert outcome.status == 0
        assert "cannot start a process for it" in outcome.stderr
