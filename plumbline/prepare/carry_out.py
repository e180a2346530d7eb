"""Does the steps of a plan, and takes them back where one fails or the person who asked has had enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cni.linux.signals import Terminated
from cni.protocol.errors import CniError
from plumbline import interruption
from plumbline.errors import Status, VerbError
from plumbline.prepare.kernel import Kernel
from plumbline.prepare.steps import Step


class Progress(Protocol):
    """Who is told how far it is."""

    def begin(self, title: str, units: int) -> None:
        """A step begins. units: how often `tick` will be called, about."""

    def tick(self) -> None:
        """One more VF is done."""


class InterruptedSetupError(Exception):
    """Somebody pressed Ctrl-C, or the process was told to end; what was done has been taken back, if that went well.

    told: what state things are in.
    """

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


def carry_out(steps: Sequence[Step], kernel: Kernel, progress: Progress) -> None:
    """Do all steps; where one fails, take back those that were begun, the last one first.

    Raises VerbError with what failed and in which state things are now, InterruptedSetupError where it was told to end.
    """
    begun: list[Step] = []
    with interruption.terminable():
        try:
            for step in steps:
                begun.append(step)  # before it is done: one that fails in the middle is taken back, too
                progress.begin(step.title, step.units)
                step.do(kernel, progress.tick)
        except Terminated as e:
            raise InterruptedSetupError(f"told to end ({e}); {_take_back(begun, kernel, progress)}") from e
        except (VerbError, CniError, OSError) as e:
            interruption.ignore()
            told = as_verb_error(e)
            state = _take_back(begun, kernel, progress)
            raise VerbError(told.status, told.message, "\n".join(x for x in (told.hint, state) if x)) from e


def as_verb_error(error: VerbError | CniError | OSError) -> VerbError:
    """Return an error as one that ends a verb."""
    return error if isinstance(error, VerbError) else VerbError(Status.FAILURE, str(error))


def _take_back(begun: list[Step], kernel: Kernel, progress: Progress) -> str:
    """Undo steps; return in which state things are now. One that cannot be undone keeps no other from it."""
    failures, differences = [], []
    for step in reversed(begun):
        progress.begin(f"take back: {step.title}", 1)
        try:
            difference = step.undo(kernel)
        except (VerbError, CniError, OSError) as e:
            failures.append(f"could not take back '{step.title}': {as_verb_error(e).message}")
        else:
            differences += [difference] if difference else []
    if failures:
        return "\n".join(failures)
    return ", ".join(["what had been done was taken back, and the PF is as it was before", *differences])
