"""Network namespaces of the node besides its own: those that have a name, and those that processes are in."""

from __future__ import annotations

import os

from plumbline.node import functions, processes
from plumbline.node.roots import Roots


def paths(roots: Roots, known: list[str]) -> list[str]:
    """Return a path for each network namespace that can be found, but for the caller's own. known: paths that are
    preferred, such as those in records.
    """
    named = (os.path.join(roots.run, "netns", name) for name in functions.entries(os.path.join(roots.run, "netns")))
    every = [*known, *sorted(named), *(os.path.join(roots.proc, x, "ns/net") for x in processes.numbers(roots))]
    found: dict[int, str] = {}
    own = _inode(os.path.join(roots.proc, "self/ns/net"))
    for path in every:
        inode = _inode(path)
        if inode not in (0, own):
            found.setdefault(inode, path)
    return list(found.values())


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
