"""What PFs are to be as their file says, compared with what they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cni.protocol.errors import CniError
from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError
from plumbline.node.model import Node
from plumbline.node.wish import Wish
from plumbline.prepare.arrival import as_they_come
from plumbline.prepare.carry_out import Progress, as_verb_error
from plumbline.prepare.change import Change, Terms, find
from plumbline.prepare.plan import plan
from plumbline.prepare.steps import Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a wish. steps: what was done, or is still to do; none where all was as it should be.

    error: what went wrong, if anything did.
    """

    wish: Wish
    steps: tuple[Step, ...] = ()
    error: VerbError | None = None

    @property
    def titles(self) -> str:
        """The steps, in words."""
        return "; ".join(step.title for step in self.steps)

    @property
    def status(self) -> Status:
        """How the verb is to end for this one: what is missing is a finding."""
        if self.error is None:
            return Status.GOOD
        return Status.IN_USE if self.error.status is Status.IN_USE else Status.FAILURE


def apply(wishes: list[Wish], change: Change, terms: Terms, progress: Progress) -> Iterator[Outcome]:
    """Make each PF what it is to be; one that cannot be keeps no other from it. The caller holds the node's lock.

    At boot, those that are not there yet come last, and are waited for. Raises InterruptedVerbError, which says at
    which PF.
    """
    left = list(wishes)
    for wish in as_they_come(wishes, change.roots, progress) if terms.at_boot else wishes:
        left.remove(wish)
        try:
            steps = change.make(wish, terms, progress)
        except (VerbError, CniError, OSError) as e:
            yield Outcome(wish, error=as_verb_error(e))
        except InterruptedVerbError as e:
            raise InterruptedVerbError(e.by, f"{wish.address}: {e.state}\n{begun(left)}".rstrip()) from e
        else:
            yield Outcome(wish, tuple(steps))


def begun(left: list[Wish]) -> str:
    """Say which PFs are not begun, nothing where there is none. left: what is wished for them."""
    return f"not begun: {', '.join(x.address for x in left)}" if left else ""


def worst(outcomes: list[Outcome]) -> Status:
    """Return how the verb ends."""
    statuses = [x.status for x in outcomes]
    return Status.FAILURE if Status.FAILURE in statuses else max(statuses, default=Status.GOOD)


def left(wish: Wish, node: Node) -> Outcome:
    """Return what is still to do until a PF is what it is to be."""
    try:
        return Outcome(wish, tuple(plan(find(node, wish), wish)))
    except VerbError as e:
        return Outcome(wish, error=e)
