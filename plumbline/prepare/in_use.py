"""VFs that somebody has are left alone: making VFs anew, or another driver, takes them away under a running pod."""

from __future__ import annotations

import os

from cni.linux import boot
from plumbline.errors import Status, VerbError
from plumbline.node.model import Source, State, Vf
from plumbline.node.roots import Roots

SHOWN = 8
"""How many are named; a node has a hundred pods."""


def user(vf: Vf, at_boot: bool) -> str:
    """Return who has a VF and how, empty for nobody.

    at_boot: whether no pod has been started since. What the kubelet and the runtimes have written down is of the boot
    before, then; of our own records, those that are of this boot still count.
    """
    owner = vf.owner
    if vf.state is State.POD:
        return f"{vf.name} is in pod {owner}"
    if vf.state is State.BUSY:
        return f"{vf.name} is open in process {owner}"
    if vf.state is State.FOREIGN:
        where = vf.elsewhere
        return f"{vf.name} is in {where}" + (f", of {owner}" if owner is not None and str(owner) != where else "")
    if at_boot or owner is None:
        return ""
    if vf.state is State.DEAD:
        return f"{vf.name} is still recorded for {owner}, which is gone: `plumbline gc` gives it back"
    if vf.state is State.STRAY and not (owner.source is Source.ALLOCATION and not owner.alive):
        return f"{vf.name} is allocated to {owner}"
    return ""


def users(vfs: list[Vf], at_boot: bool = False) -> list[str]:
    """Return who has which of some VFs."""
    return [told for told in (user(vf, at_boot) for vf in vfs) if told]


def is_first_of_boot(roots: Roots) -> bool:
    """Return whether neither the kubelet nor a runtime has written anything down since the boot, by their files."""
    return all(_changed_ns(path) < boot.began_ns() for path in (roots.checkpoint, *roots.results))


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def refuse(attempt: str, vfs: list[Vf], at_boot: bool = False) -> None:
    """Raise VerbError (4) where somebody has one of the VFs. attempt: what is not done then."""
    found = users(vfs, at_boot)
    if found:
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        raise VerbError(
            Status.IN_USE,
            f"{attempt}: refused, since VFs are in use; nothing was changed",
            "\n".join([*found[:SHOWN], *more, "move these pods to another node first (kubectl drain), or end them"]),
        )
