"""The kernel refuses one step of ADD or of DEL, whichever it is: all is as before, or the next DEL makes it so.

What stands before and after is what `ip` and `bridge` say of VF, PF, representor, bridge and uplink, and the files.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.lab.accelerated_bridge.rig import Rig
from tests.lab.accelerated_bridge.test_docs import BY_REFUSAL, PAGE
from tests.support import examples, faults
from tests.support.faults import Call
from tests.support.kill import assert_equal, go_through, recorded_by_all, the
from tests.support.plugin import Outcome
from tests.support.vfs import without_permanent_mac

Steps = tuple[list[Call], list[Call]]

FILES = (
    "openat,?open,?mkdir,mkdirat,?rename,?renameat,renameat2,?link,linkat,?unlink,unlinkat,write,pwrite64,fsync,"
    "?chmod,fchmod,flock,clone,clone3,sendto"
)
"""Every request and every step with a file; the start of the second thread."""

ERRORS = {"unlink": "EIO", "unlinkat": "EIO", "flock": "EIO", "clone": "EAGAIN", "clone3": "EAGAIN"}
"""What a system call that is no request fails with; ENOSPC where nothing else is said."""


@pytest.fixture(scope="module")
def steps(all_rigs: list[Rig]) -> Steps:
    """The steps of an ADD from the first change on, which is its record, and of the DEL after it.

    Without those that make the files of locks, since to lock them is a step, and without the result of ADD: where that
    cannot be written, nobody knows how ADD ended. The first of several questions to the kernel in a row stands for all.
    """
    add, delete = recorded_by_all(all_rigs, FILES)
    start = next(index for index, call in enumerate(add) if "/accelerated-bridge/.tmp-" in call.text)
    return chosen(add[start:]), chosen(delete)


def chosen(calls: list[Call]) -> list[Call]:
    """Return the steps to refuse."""
    no_steps = ('.lock"', '/lock"', "write(1,")
    calls = [call for call in calls if not any(x in call.text for x in no_steps)]
    return calls[:1] + [call for before, call in pairwise(calls) if not (is_question(before) and is_question(call))]


def is_question(call: Call) -> bool:
    """Return whether a call asks the kernel something and changes nothing."""
    return call.asks_kernel and not call.changes_kernel


def refused(rig: Rig, command: str, call: Call) -> Outcome:
    """Give a command with one step refused; return how it ended.

    Which request has the number is certain until the link is up in the pod: after that its carrier may be waited for.
    """
    fault = faults.REFUSED if call.asks_kernel else f"error={ERRORS.get(call.name, 'ENOSPC')}"
    outcome = faults.inject(rig.attachment, command, fault, call)
    if outcome.status:
        assert outcome.error()["msg"]
    return outcome


def test_add_refused(rigs: list[Rig], steps: Steps) -> None:
    """ADD works nevertheless, or says an error and has undone everything, without any DEL."""
    failures: list[Outcome] = []

    def trial(rig: Rig, call: Call, order: str) -> None:
        outcome = refused(rig, "ADD", call)
        if outcome.status:
            failures.append(outcome)
        else:
            rig.attachment.result = outcome.ok()
            rig.attachment.check().ok()
            rig.attachment.delete()
        rig.assert_clean()

    assert sum(call.changes_kernel for call in steps[0]) >= 10
    go_through(rigs, [(call, "") for call in steps[0]], trial)
    assert len(failures) > len(steps[0]) / 2
    errors = [outcome.error() for outcome in failures]
    assert [x for x in errors if "has a fault" in x["msg"]] == []
    of_questions = [x for x in errors if x["msg"].startswith(("cannot look up ", "cannot list "))]
    assert [x for x in of_questions if "undone: " in x["details"]]  # not where nothing had been done yet
    representors = [rig.nic.representor(rig.vf) for rig in rigs]
    assert [x for x in of_questions if any(f"look up link {name}: " in x["msg"] for name in representors)]
    assert [x for x in errors if x["msg"].startswith("the kernel refused a step")] == []  # each names its device
    for setting in ("mac", "trust", "spoofchk"):
        assert [x["msg"] for x in errors if x["msg"].startswith(f"cannot set {setting} ") and "Invalid" in x["msg"]]
    for part in BY_REFUSAL:
        message, code = examples.listed(PAGE.path, part)
        assert [x for x in errors if x["code"] == code and examples.is_like(message, x)], message


def test_delete_refused(rigs: list[Rig], steps: Steps) -> None:
    """DEL has put everything right nevertheless, or says an error; then the next one does."""
    failures: list[Outcome] = []
    said_to_stay: list[Outcome] = []

    def trial(rig: Rig, call: Call, order: str) -> None:
        rig.attachment.add()
        outcome = refused(rig, "DEL", call)
        if outcome.status:
            failures.append(outcome)
            rig.attachment.delete()
        elif "it stays as the pod" in outcome.stderr:
            # A setting that is refused for good (EINVAL): DEL says so and lets the VF go, which the next pod may want.
            assert rig.left_on_disk() == []
            said_to_stay.append(outcome)
            rig.repair()
            return
        elif "permanent address" in outcome.stderr:
            # That of the driver: nobody depends on it. DEL says so and lets the VF go.
            assert_equal(*map(without_permanent_mac, (rig.snapshot(), rig.original)))
            assert rig.left_on_disk() == []
            rig.repair()
        rig.assert_clean()

    assert sum(call.changes_kernel for call in steps[1]) >= 10
    go_through(rigs, [(call, "") for call in steps[1]], trial)
    assert len(failures) > len(steps[1]) / 2
    assert 0 < len(said_to_stay) <= 4
    said = [outcome.error()["msg"] + outcome.error().get("details", "") for outcome in failures]
    assert [x for x in said if "cannot look up link " in x]
    assert [x for x in said if "the kernel refused a step" in x] == []


def test_a_setting_that_the_driver_does_not_have(rigs: list[Rig], steps: Steps) -> None:
    """EOPNOTSUPP, though the PF's table shows the switch as it is: ADD goes without it, and CHECK does not miss it."""

    def trial(rig: Rig, call: Call, setting: str) -> None:
        before = rig.vf.table()[setting]
        outcome = faults.inject(rig.attachment, "ADD", faults.UNSUPPORTED, call)
        rig.attachment.result = outcome.ok()
        assert f"{rig.nic.pf.name} does not support {setting}: VF {rig.vf.index} goes without" in outcome.stderr
        assert rig.vf.table()[setting] == before
        rig.attachment.check().ok()
        rig.attachment.delete()
        rig.assert_clean()

    def asking(attribute: str) -> Call:
        return steps[0][the(steps[0], lambda call: attribute in call.text)]

    go_through(rigs, [(asking("IFLA_VF_TRUST"), "trust"), (asking("IFLA_VF_SPOOFCHK"), "spoofchk")], trial)
