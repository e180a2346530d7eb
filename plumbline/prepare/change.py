"""A PF is made what somebody wants it to be: looked at, decided, refused or allowed, and done, under locks."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from plumbline.errors import Status, VerbError
from plumbline.interruption import telling
from plumbline.node import functions, room
from plumbline.node.look import look
from plumbline.node.model import Node, Pf
from plumbline.node.roots import Roots
from plumbline.node.wish import Wish
from plumbline.prepare import claims, damaged, in_use, locks, permanent, session
from plumbline.prepare.carry_out import Progress, carry_out
from plumbline.prepare.explain import Situation, explain, told
from plumbline.prepare.kernel import Kernel
from plumbline.prepare.places import Places
from plumbline.prepare.plan import plan, touched
from plumbline.prepare.steps import SetMode, Step


@dataclass(frozen=True, slots=True)
class Terms:
    """How careful to be. force: do it even where a link is needed, or somebody else makes the VFs; VFs in use are left
    alone nevertheless. at_boot: the node boots, and runs no pod yet, by all that is known.
    """

    force: bool = False
    at_boot: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What is needed to change PFs of this node."""

    roots: Roots = field(default_factory=Roots)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def places(self) -> Places:
        """Where what is for the next boot lies, and the lock."""
        return Places(self.roots)

    def look(self, so_far: str = "nothing was changed, since it is not known who has VFs") -> Node:
        """Return what the node is like. Raises VerbError where not everything that counts here is known.

        so_far: what to say of it then: what has been done by now, and what is not known.
        """
        node = look(self.roots)
        for blind in node.unknown:
            # Who does not know the records or the links does not know who has a VF.
            if blind.startswith(("records:", "links:", "PFs:")):
                raise VerbError(Status.FAILURE, f"{so_far}: {blind}")
        return node

    def refuse(self, attempt: str, pf: Pf, steps: list[Step], node: Node, terms: Terms) -> None:
        """Raise VerbError (4) where steps would take away what somebody needs, 1 where nobody knows whether they would.
        attempt: what is not done then.
        """
        vfs = touched(pf, steps)
        is_first_of_boot = terms.at_boot and in_use.is_first_of_boot(self.roots)
        in_use.refuse(attempt, vfs, is_first_of_boot)
        if vfs:
            damaged.refuse(attempt, pf, node, is_first_of_boot)
        if terms.force or not steps:
            return
        try:
            needed = session.needed(node, self.environment, self.roots)
        except OSError as e:
            raise VerbError(Status.FAILURE, f"{attempt}: nothing was changed, since {e.strerror}") from e
        # One VF's driver is nothing to the others, nor to the PF.
        is_pf_touched = any(step.touches is None for step in steps)
        if terms.at_boot and not pf.vfs and not any(isinstance(step, SetMode) for step in steps):
            # VFs are made where there are none, and nobody is there to say --force: the link keeps its routes.
            is_pf_touched = False
        of_pf = [pf.link] if is_pf_touched else []
        session.refuse(attempt, [*of_pf, *(vf.link for vf in vfs)], needed)
        if not terms.at_boot:  # who wrote the file has been told
            claims.refuse(attempt, pf, self.roots)

    def make(self, wish: Wish, terms: Terms, progress: Progress) -> list[Step]:
        """Make a PF what it is to be; return the steps that were needed. The caller holds the lock of the node.

        Raises VerbError: 10 without such a PF, 4 where it is refused. Raises InterruptedVerbError.
        """
        with telling("nothing was changed") as state:
            with locks.of_vfs(self._addresses(wish), self.roots.sysfs):
                node = self.look()
                pf = find(node, wish)
                require_possible(pf, wish)
                steps = plan(pf, wish)
                self.refuse(f"make {pf.name} have {wish}", pf, steps, node, terms)
                state.text = f"that {pf.name} has {wish} was not verified"  # for before and after `carry_out`
                carry_out(steps, Kernel(self.roots), progress)
            if steps:
                self._verify(wish)
        return steps

    def _verify(self, wish: Wish) -> None:
        """Raise VerbError where the PF is not what it is to be after all."""
        so_far = f"{wish.address} was made {wish}, and that cannot be verified"
        pf = _of(self.look(so_far), wish)
        if pf is None:
            raise VerbError(Status.FAILURE, f"{wish.address} was made {wish}, and is not there any more")
        try:
            left = plan(pf, wish)
        except VerbError as e:
            raise VerbError(Status.FAILURE, f"{so_far}: {e.message}", e.hint) from e
        if left:
            raise VerbError(
                Status.FAILURE,
                f"{left[0].target.name} was made {wish}, and is not: still to do is to {left[0].title}",
                "somebody else may change it at the same time; `plumbline status` shows what it is",
            )

    def _addresses(self, wish: Wish) -> list[str]:
        """Return the addresses of the VFs that there are and that there will be."""
        if wish.bus != functions.PCI:
            return []
        device = os.path.realpath(functions.on_bus(wish.bus, wish.address, self.roots.sysfs))
        there = [os.path.basename(vf) for vf in functions.vf_folders(device).values()]
        return sorted({*there, *room.measure(device).addresses(wish.vfs)})


def find(node: Node, wish: Wish) -> Pf:
    """Return the PF that a wish is about. Raises VerbError: 10 where it is not there, 1 where another one is there or
    may be.
    """
    pf = _of(node, wish)
    if pf is None:
        raise VerbError(
            Status.NO_DEVICE,
            f"{wish.address}: there is no such PF; it was to have {wish}",
            "it may be broken, off in the firmware, or have another address since a card was plugged in: `plumbline` "
            f"shows what there is, `plumbline forget {wish.address}` takes it out of the file",
        )
    mac = permanent.mac(pf) if wish.mac else ""
    if wish.mac and not mac:
        raise VerbError(
            Status.FAILURE,
            f"{pf.name} at {wish.address} does not tell its permanent MAC address, and the file is about {wish.mac}; "
            "nothing was changed",
            "it may have no driver yet, or its link is in another namespace",
        )
    if mac != wish.mac:
        raise VerbError(
            Status.FAILURE,
            f"{pf.name} at {wish.address} has the permanent MAC address {mac}, and the file is about {wish.mac}; "
            "nothing was changed",
            "addresses on the bus shift when cards are added or removed: "
            f"`plumbline forget {wish.address}`, then set it up again",
        )
    return pf


def _of(node: Node, wish: Wish) -> Pf | None:
    """Return the PF that is where a wish has it."""
    return next((x for x in node.pfs if (x.bus, x.address) == (wish.bus, wish.address)), None)


def require_possible(pf: Pf, wish: Wish) -> None:
    """Raise VerbError where a PF cannot have so many VFs: those it has would be gone before the kernel says so."""
    if pf.possible is not None and wish.vfs > pf.possible:
        found = Situation(pf.name, pf.driver, wish.vfs, len(pf.vfs), pf.possible)
        message = f"{told(errno.ERANGE, found)}; nothing was changed"
        raise VerbError(Status.FAILURE, message, explain(errno.ERANGE, found))
