"""What PFs are to be as their file says, compared with what they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from cni.protocol.errors import CniError
from plumbline.errors import Status, VerbError
from plumbline.node import functions
from plumbline.node.model import Node
from plumbline.node.wish import Wish
from plumbline.prepare import waiting
from plumbline.prepare.carry_out import InterruptedSetupError, Progress, as_verb_error
from plumbline.prepare.change import Change, Terms, find
from plumbline.prepare.plan import plan
from plumbline.prepare.steps import Step

PF_S = 60.0
"""How long, in seconds, to wait at boot for a PF and its driver: the modules of some NICs load firmware first."""

POLL_S = 0.5


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

    Raises InterruptedSetupError, which says at which PF.
    """
    for number, wish in enumerate(wishes, 1):
        try:
            if terms.at_boot:
                progress.begin(f"wait for {wish.address}", 1)
                await_pf(wish, change)
            steps = change.make(wish, terms, progress)
        except (VerbError, CniError, OSError) as e:
            yield Outcome(wish, error=as_verb_error(e))
        except InterruptedSetupError as e:
            rest = ", ".join(x.address for x in wishes[number:])
            told = f"{wish.address}: {e.told}" + (f"\nnot begun: {rest}" if rest else "")
            raise InterruptedSetupError(told) from e
        else:
            yield Outcome(wish, tuple(steps))


def worst(outcomes: list[Outcome]) -> Status:
    """Return how the verb ends."""
    statuses = [x.status for x in outcomes]
    return Status.FAILURE if Status.FAILURE in statuses else max(statuses, default=Status.GOOD)


def await_pf(wish: Wish, change: Change, timeout_s: float = PF_S) -> None:
    """Wait until a PF has a driver; say nothing where it does not get one, what follows says it better."""
    device = functions.on_bus(wish.bus, wish.address, change.roots.sysfs)
    if wish.bus == functions.PCI:
        waiting.until(lambda: os.path.exists(os.path.join(device, "driver")), timeout_s, POLL_S)
        # A NIC has its link a moment later; what is no NIC has none, and no MAC address either.
        waiting.until(lambda: not wish.mac or os.path.isdir(os.path.join(device, "net")), timeout_s, POLL_S)


def left(wish: Wish, node: Node) -> Outcome:
    """Return what is still to do until a PF is what it is to be."""
    try:
        return Outcome(wish, tuple(plan(find(node, wish), wish)))
    except VerbError as e:
        return Outcome(wish, error=e)
