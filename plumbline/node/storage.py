"""Where records are kept: can they be written, and do they survive?"""

from __future__ import annotations

import os
from dataclasses import dataclass

from plumbline.node import functions
from plumbline.node.mounts import Mounts
from plumbline.node.roots import Roots


@dataclass(frozen=True, slots=True)
class Storage:
    """The folder of all records. is_writable: whether files can be made in it, or in what it would be made in.
    free_bytes, free_files: what is left on its file system; files is None where that has no such limit. newest_ns: when
    the youngest record was written, in nanoseconds since 1970, 0 without one.
    """

    path: str
    file_system: str = "ext4"
    is_writable: bool = True
    free_bytes: int = 1 << 40
    free_files: int | None = None
    newest_ns: int = 0


def look(roots: Roots, folders: list[str]) -> Storage:
    """Return what the folder of records is like. folders: those of the plugins, for the youngest record."""
    existing = os.path.realpath(roots.state)
    while not os.path.exists(existing):
        existing = os.path.dirname(existing)
    there = os.statvfs(existing)
    mount = Mounts.of(roots).above(existing)
    return Storage(
        path=roots.state,
        file_system=mount.kind,
        is_writable=os.path.isdir(existing) and os.access(existing, os.W_OK) and not there.f_flag & os.ST_RDONLY,
        free_bytes=there.f_bavail * there.f_frsize,
        free_files=there.f_favail if there.f_files else None,
        newest_ns=max((_written(folder, name) for folder in folders for name in functions.entries(folder)), default=0),
    )


def _written(folder: str, name: str) -> int:
    path = os.path.join(folder, name)
    try:
        return os.stat(path).st_mtime_ns if os.path.isfile(path) else 0
    except OSError:  # given back meanwhile
        return 0
