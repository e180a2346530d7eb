"""Does the steps of a plan, and takes them back where one fails or the person who asked has had enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cni.linux.signals import Terminated
from cni.protocol.errors import CniError
from plumbline import interruption
from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError
from plumbline.prepare.kernel import Kernel
from plumbline.prepare.steps import Step


class Progress(Protocol):
    """Who is told how far it is."""

    def begin(self, title: str, units: int) -> None:
        """A step begins. units: how often `tick` will be called, about."""

    def tick(self) -> None:
        """One more VF is done."""


def carry_out(steps: Sequence[Step], kernel: Kernel, progress: Progress) -> None:
    """Do all steps, of one PF or of several; where one fails, take back those that were begun, the last one first.

    Raises VerbError with what failed and in which state things are now, InterruptedVerbError where it was told to end.
    """
    begun: list[Step] = []
    with interruption.terminable():
        try:
            try:
                for step in steps:
                    begun.append(step)  # before it is done: one that fails in the middle is taken back, too
                    progress.begin(step.title, step.units)
                    step.do(kernel, progress.tick)
            except (VerbError, CniError, OSError) as e:
                interruption.ignore()
                told = as_verb_error(e)
                state = _take_back(begun, steps, kernel, progress)
                raise VerbError(told.status, told.message, "\n".join(x for x in (told.hint, state) if x)) from e
        except Terminated as e:  # until `ignore` also where something has failed just before
            raise InterruptedVerbError(e, _take_back(begun, steps, kernel, progress)) from e


def as_verb_error(error: VerbError | CniError | OSError) -> VerbError:
    """Return an error as one that ends a verb."""
    return error if isinstance(error, VerbError) else VerbError(Status.FAILURE, str(error))


def _take_back(begun: Sequence[Step], steps: Sequence[Step], kernel: Kernel, progress: Progress) -> str:
    """Undo steps; return in which state things are now. One that cannot be undone keeps no other from it.

    steps: all of them, which tell the PFs that are none the worse for it.
    """
    failures: dict[str, str] = {}
    differences = []
    for step in reversed(begun):
        progress.begin(f"take back: {step.title}", 1)
        try:
            difference = step.undo(kernel)
        except (VerbError, CniError, OSError) as e:
            line = f"could not take back '{step.title}' of {step.target.name}: {as_verb_error(e).message}"
            failures[step.target.name] = "\n".join(filter(None, (failures.get(step.target.name), line)))
        else:
            differences += [difference] if difference else []
    names = list(dict.fromkeys(step.target.name for step in steps))
    as_before = [name for name in names if name not in failures]
    if failures:
        return "\n".join([*failures.values(), *(f"{name} is as it was before" for name in as_before)])
    told = "the PF is as it was before" if len(names) == 1 else f"{', '.join(names)} are as they were before"
    return ", ".join([f"what had been done was taken back, and {told}", *differences])
