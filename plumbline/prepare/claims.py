"""A PF that somebody else manages is left alone: two who make its VFs undo each other's work, and pods lose theirs."""

from __future__ import annotations

from plumbline.errors import Status, VerbError
from plumbline.node import claims
from plumbline.node.model import Pf
from plumbline.node.roots import Roots


def refuse(attempt: str, pf: Pf, roots: Roots) -> None:
    """Raise VerbError (4) where somebody else makes VFs of a PF. attempt: what is not done then; roots: where
    configurations lie.
    """
    # Who names no PF may have none: the operator runs on nodes that its policies are not about.
    named = (x for x in claims.all_on(roots) if x.names is not None)
    found = next((x for x in named if x.covers(claims.names_of(pf))), None)
    if found is not None:
        raise VerbError(
            Status.IN_USE,
            f"{attempt}: refused, since {found.manager} makes its VFs ({found.path}); nothing was changed",
            "take the PF out of there first, or both undo each other's work; --force does it nevertheless",
        )
