"""What is mounted where (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from plumbline.node import functions
from plumbline.node.roots import Roots


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount. point: where; options: of the mount, such as noexec; kind: of the file system."""

    point: str
    options: frozenset[str]
    kind: str


NOWHERE = Mount("/", frozenset(), "")


@dataclass(frozen=True, slots=True)
class Mounts:
    """All mounts, the first ones below."""

    mounts: tuple[Mount, ...]

    @classmethod
    def of(cls, roots: Roots) -> Mounts:
        """Return what is mounted in the caller's namespace."""
        return cls.parse(functions.text(roots.proc, "self/mountinfo"))

    @classmethod
    def parse(cls, text: str) -> Mounts:
        """Return what mountinfo tells; a line that makes no sense is left out."""
        found = []
        for line in text.splitlines():
            before, separator, after = line.partition(" - ")
            parts, kinds = before.split(), after.split()
            if separator and len(parts) >= 6 and kinds:
                found.append(Mount(_unescaped(parts[4]), frozenset(parts[5].split(",")), kinds[0]))
        return cls(tuple(found))

    def above(self, path: str) -> Mount:
        """Return the mount that a path is on; links on the way are followed."""
        real = os.path.realpath(path)
        found = NOWHERE
        for mount in self.mounts:
            # A later one at the same point hides the earlier one.
            if is_below(real, mount.point) and len(mount.point) >= len(found.point):
                found = mount
        return found


def is_below(path: str, folder: str) -> bool:
    """Return whether a path is a folder, or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
