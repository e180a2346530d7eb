"""The undo stack."""

from __future__ import annotations

import os
import signal

import pytest

from cni.attach.rollback import Rollback
from cni.linux.log import Logger
from cni.linux.signals import Terminated, raise_on_termination
from cni.protocol.errors import CniError
from tests.support.log import Lines


class Steps(Lines):
    """A logger that also serves as the target of undos."""

    def __init__(self) -> None:
        super().__init__()
        self.undone: list[object] = []

    def fail(self, name: str) -> None:
        """Fail, as an undo may."""
        self.undone.append(name)
        raise OSError(16, f"{name} is busy")


def _rollback(steps: Steps) -> Rollback:
    return Rollback(steps)


def test_reverse_order_and_no_hiding() -> None:
    steps = Steps()

    def add() -> None:
        with _rollback(steps) as rollback:
            rollback.push("undo one", steps.undone.append, 1)
            rollback.push("undo two", steps.fail, "two")
            rollback.push("undo three", steps.undone.append, 3)
            raise CniError(5, "the first error")

    with pytest.raises(CniError, match="the first error") as caught:
        add()
    assert steps.undone == [3, "two", 1]
    assert steps.text("error") == "cannot undo two: OSError: [Errno 16] two is busy"
    assert caught.value.details == (
        "undone: undo three: done, undo two: failed ([Errno 16] two is busy), undo one: done"
    )


@pytest.mark.parametrize("commit", [True, False])
def test_nothing_is_undone_without_an_error(commit: bool) -> None:
    steps = Steps()
    with _rollback(steps) as rollback:
        rollback.push("undo", steps.undone.append, 1)
        if commit:
            rollback.commit()
    assert steps.undone == []
    rollback.undo()
    assert steps.undone == ([] if commit else [1])
    rollback.undo()
    assert len(steps.undone) <= 1, "each undo runs once"


def test_an_error_after_commit_undoes_nothing() -> None:
    steps = Steps()

    def add() -> None:
        with _rollback(steps) as rollback:
            rollback.push("undo", steps.undone.append, 1)
            rollback.commit()
            raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        add()
    assert (steps.undone, steps.lines) == ([], [])


def test_the_error_says_what_was_undone() -> None:
    """The operator learns from the error itself what state things are in."""
    steps = Steps()

    def add() -> None:
        with _rollback(steps) as rollback:
            rollback.push("give ens5 back", steps.undone.append, 1)
            rollback.push("release the addresses", steps.fail, "y")
            raise CniError(999, "no route", "errno 101")

    with pytest.raises(CniError) as caught:
        add()
    assert caught.value.details.startswith("errno 101; undone: release the addresses: failed (")
    assert caught.value.details.endswith("give ens5 back: done")


def test_an_error_that_nobody_worded_says_it_too() -> None:
    steps = Steps()

    def add() -> None:
        with _rollback(steps) as rollback:
            rollback.push("give ens5 back", steps.undone.append, 1)
            raise KeyError("k")

    with pytest.raises(KeyError) as caught:
        add()
    assert caught.value.__notes__ == ["undone: give ens5 back: done"]


def test_a_signal_waits_for_the_undo() -> None:
    steps = Steps()

    def add() -> None:
        with Rollback(Logger("error")) as rollback:
            rollback.push("undo one", steps.undone.append, 1)
            rollback.push("be interrupted", os.kill, os.getpid(), signal.SIGTERM)
            raise CniError(5, "the first error")

    raise_on_termination()
    with pytest.raises(Terminated, match="SIGTERM") as caught:
        add()
    assert steps.undone == [1]
    assert isinstance(caught.value.__context__, CniError)
    os.kill(os.getpid(), signal.SIGTERM)  # the second one is ignored
