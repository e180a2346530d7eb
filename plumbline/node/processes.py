"""The processes of the node, as procfs has them."""

from __future__ import annotations

from plumbline.node import functions
from plumbline.node.roots import Roots


def numbers(roots: Roots) -> list[str]:
    """Return the numbers of all processes, in their order, as their folders are called; none where procfs is not
    mounted.
    """
    return sorted((name for name in functions.entries(roots.proc) if name.isdecimal()), key=int)
