"""Lose answers of the kernel, or refuse a plugin system calls, one place after the other, and see what it makes of it.

A request whose answer is lost (ENOBUFS) has had its effect: strace does not let the answer be received, so that it is
in the queue when the next one is asked for, as that of an earlier request. The move, which has a thread of its own,
is made in the main thread where no thread is to be had (NO_THREAD), and so is gone through with the rest.
"""

from __future__ import annotations

import errno
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from cni.linux.netlink.socket import ATTEMPTS
from tests.support import sweep
from tests.support.faults import Call, strace, traced
from tests.support.plugin import Attachment, Outcome

_MORE = (ATTEMPTS - 1) * ATTEMPTS
"""How many more looks for an answer, after the first, fail: in each attempt, what is left of the one before is read."""

ONCE = "{at}"
"""One answer is lost; what comes when it is asked for again is received."""

FOR_GOOD = "{at}..{last}"
"""One answer is lost however often it is asked for; what comes after it is received."""

FROM_THEN_ON = "{at}+"
"""This answer is lost and all after it."""

NO_THREAD = "clone,clone3:error=EAGAIN"

PLACES = {
    "socket": (r"", ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM")),
    "setns": (r"", ("EPERM", "ENOMEM")),
    "openat": (r"", ("EMFILE",)),
    "clone,clone3": (r"", ("EAGAIN", "ENOMEM")),
    "bpf": (r"", ("EPERM", "ENOMEM")),
    "ioctl": (r"SIOC|NS_GET", ("ENOMEM",)),
}
"""Calls that are refused, which of them, and with what."""

REFUSALS = ("EAGAIN", "EMFILE", "ENETUNREACH", "ENFILE", "ENOBUFS", "ENOMEM", "EPERM")


class Rig(ABC):
    """A device, a pod, and their attachment to a network."""

    attachment: Attachment

    @abstractmethod
    def repair(self) -> None:
        """See `sweep.Rig`: make all of it anew."""

    @abstractmethod
    def prepare(self, command: str) -> None:
        """Make what a command is for; tamper with the device where it is to come back."""

    @abstractmethod
    def assert_works(self) -> None:
        """Assert that what ADD has answered 0 for is an attachment that works, and has its record."""

    @abstractmethod
    def assert_clean(self) -> None:
        """Assert that everything is as before, saying in what it is not."""

    def call(self, command: str, *injections: str) -> Outcome:
        """Give a command with faults (`faults.strace`)."""
        return self.attachment.call(command, prefix=strace("clone", *injections), **self.members(command))

    def members(self, command: str) -> dict[str, Any]:
        """Return what a command has on top of the configuration."""
        if command == "CHECK":
            return {"prevResult": self.attachment.result}
        return {"cni.dev/valid-attachments": []} if command == "GC" else {}

    def calls(self, command: str, names: str, *injections: str) -> list[Call]:
        """Give a command with faults, and take back what it has done; return its main thread's calls of these names."""
        self.prepare(command)
        _, found = traced(self.attachment, command, names, *injections, **self.members(command))
        self.attachment.delete()
        return [call for call in found if call.name in names.split(",")]

    def places(self, command: str, names: str, pattern: str = "") -> list[Call]:
        """Return the calls that look like the pattern."""
        return [call for call in self.calls(command, names) if re.search(pattern, call.text)]

    def answers(self, command: str) -> list[int]:
        """Return which answers of netlink there are to be lost, the one to the move among them."""
        return [call.number for call in self.calls(command, "recvfrom", NO_THREAD)]

    def first_answers(self, command: str) -> list[int]:
        """Return the same without those that continue an answer, or end it: when nothing is received any more they are
        not either.
        """
        calls = self.calls(command, "sendto,recvfrom", NO_THREAD)
        return [call.number for before, call in pairwise(calls) if (before.name, call.name) == ("sendto", "recvfrom")]

    def answers_to_undo(self) -> list[int]:
        """Return the same of an ADD that the kernel refuses a step, as its last: those to its undo."""
        answers = self.calls("ADD", "recvfrom", NO_THREAD)
        refused = max(call.number for call in answers if "error=-ENETUNREACH" in call.text)
        return [call.number for call in answers if call.number > refused]

    def lose(self, command: str, answers: Iterable[int], how: str = ONCE, error: str = "ENOBUFS") -> list[Outcome]:
        """Make a trial for each of these answers, which is lost. how: ONCE, FOR_GOOD or FROM_THEN_ON: then ADD cannot
        undo what it has begun, as it does not hear where the device is. Its record stays for the next DEL.
        """
        whens = [how.format(at=at, last=at + _MORE) for at in answers]
        faults = [(command, NO_THREAD, f"recvfrom:error={error}:when={when}") for when in whens]
        return self.sweep(faults, undoes=how != FROM_THEN_ON)

    def refuse(self, command: str, calls: str) -> list[Outcome]:
        """Make a trial for each of these calls (PLACES), which is refused, and for each error.

        What is a courtesy, or can be done without, is no reason to fail: threads, packet filters.
        """
        pattern, errors = PLACES[calls]
        places = self.places(command, calls, pattern)
        faults = [f"{call.name}:error={error}:when={call.number}" for call in places for error in errors]
        outcomes = self.sweep((command, fault) for fault in faults)
        if calls in ("clone,clone3", "bpf"):
            assert [outcome for outcome in outcomes if outcome.status] == []
        if calls == "bpf":
            for fault, outcome in zip(faults, outcomes, strict=True):
                assert ("cannot detach the " in outcome.stderr) is ("ENOMEM" in fault)
        return outcomes

    def refuse_ipam(self, command: str) -> None:
        """Make a trial in which each process for an IPAM executable of `make_ipam` is refused, and for each error."""
        places = self.places(command, "clone,clone3,vfork")
        errors = ("EAGAIN", "ENOMEM")
        faults = [f"{call.name}:error={error}:when={call.number}" for call in places for error in errors]
        outcomes = self.sweep((command, fault) for fault in faults)
        refused = [outcome.error(11)["msg"] for outcome in outcomes if outcome.status]
        assert len(refused) == 2
        assert all("by-hand" in text for text in refused)

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
        return sweep.go_through(self.all, trials, lambda rig, trial: rig.trial(*trial, undoes=undoes))

    @property
    def all(self) -> list[Rig]:
        """This rig, and others like it to make trials on side by side."""
        return [self]


IPAM = """#!/bin/sh
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.66.0.9/24"}]}'
"""


def make_ipam(folder: Path) -> dict[str, Any]:
    """Make an IPAM executable in a folder; return the configuration for it."""
    (folder / "by-hand").write_text(IPAM)
    (folder / "by-hand").chmod(0o755)
    return {"type": "by-hand"}


def assert_told(outcome: Outcome) -> None:
    """Assert that an error says what was attempted, and with what the kernel refused it."""
    error = outcome.error()
    said = error["msg"] + error.get("details", "")
    assert not [text for text in ("has a fault", "refused a step", "Traceback", "Error:") if text in said], outcome
    assert "Traceback" not in outcome.stderr
    assert re.match("cannot |failed to |DEL of net1: |GC of network |giving back |restoring ", error["msg"]), outcome
    assert [name for name in REFUSALS if os.strerror(getattr(errno, name)) in said], outcome
