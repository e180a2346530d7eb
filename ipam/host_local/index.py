"""Whose the addresses of a large store are, in one file beside it, so that a command need not read them all.

The store's files alone count, and anybody may write them: the reference plugin, an operator, a restored backup. So the
index says which state of the folder it tells of. After our last change under the store's lock, the folder gets a time
of modification from the fine clock, which none of the kernel's own stamps equals, and the index notes it with the time
of the change, which nobody sets (inode(7)). Whoever makes, renames or removes a file there gives the folder other
times, and the index is believed no more: the next command that holds the lock reads the files, and makes it anew. So it
is after a command that was killed between its first change and its end. What it tells is verified in the files.

    /run/plumbline/host-local/<device>-<inode>      of the store's folder; 0600; gone after a boot

    <boot ID> <device>-<inode> <mtime> <ctime> <bytes when made> <bytes>      padded to 256 bytes
    LF <container ID> CR <interface name> CR <address>      for each address; LF at the end
    LF -ontainer ID> CR ...                                 an address that is free again

What changes is written alone: an entry at the end, or the first byte of one. The folder is changed before the index,
so that a reader without the lock is safe, too, which reads the index and then looks at the folder.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable

from cni.linux import boot, files
from cni.linux.log import Logger
from cni.protocol.config import is_safe_name
from cni.protocol.errors import CniError

FOLDER = "/run/plumbline/host-local"

WORTHWHILE = 128
"""From how many addresses on a store has an index. To read as many files takes half a millisecond."""

SEPARATOR = b"\r\n"
"""What is between container ID and interface name in an address file."""

_FREE = b"-"
"""In place of an entry's first byte: no container ID begins with it."""

_HEADER_BYTES = 256
_CHURN_BYTES = 1 << 12
"""How many bytes may be added to an index besides as many as it was made with, until it is made anew."""


class Index:
    """The index of one store. Where it is not believed, it takes note of nothing and says nothing.

    store: the store's folder. folder: where indexes are. No method fails: the files of the store tell the same.
    """

    __slots__ = ("_body", "_changes", "_folder", "_log", "_made", "_store", "is_believed")

    def __init__(self, store: str, log: Logger, folder: str = FOLDER) -> None:
        self.is_believed = False
        self._store, self._folder, self._log = store, folder, log
        self._body = bytearray()
        self._made = 0
        self._changes: list[tuple[int, bytes]] = []

    def load(self) -> bool:
        """Read the index, and return whether it tells of what the store is now."""
        self.is_believed = False
        try:
            fd = os.open(self._path(), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with files.closing(fd):
                content = os.read(fd, os.fstat(fd).st_size)
            *state, made, length = content[:_HEADER_BYTES].split()
            self._made, self._body = int(made), bytearray(content[_HEADER_BYTES : _HEADER_BYTES + int(length)])
            is_whole = len(self._body) == int(length) <= 2 * self._made + _CHURN_BYTES
            self.is_believed = is_whole and b" ".join(state) == self._state()
        except (OSError, ValueError, CniError):  # none, damaged, no boot ID
            pass
        return self.is_believed

    def find(self, container_id: str, ifname: str) -> list[str]:
        """Return the addresses of an attachment, and those that old files give to its whole container."""
        return [name for key in (ifname, "") for name in self._named(_key(container_id.encode(), os.fsencode(key)))]

    def _named(self, key: bytes) -> Iterable[str]:
        at = self._body.find(key)
        while at >= 0:
            at += len(key)
            yield os.fsdecode(bytes(self._body[at : self._body.index(b"\n", at)]))
            at = self._body.find(key, at)

    def make(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Make it anew of the names and contents of all address files. `seal` writes it."""
        entries = [_entry(name, data) for name, data in contents]
        self._body = bytearray(b"".join(entries) + b"\n")
        self._made, self._changes = len(self._body), [(0, bytes(self._body))]
        self.is_believed = True

    def add(self, name: str, data: bytes) -> None:
        """Take note of an address file that was written, and of its content."""
        self.remove(name)  # somebody long gone may have had it
        if self.is_believed and (entry := _entry(name, data)):
            self._change(len(self._body) - 1, entry + b"\n")

    def remove(self, name: str) -> None:
        """Take note of an address file that was removed."""
        wanted, at = b"\r" + os.fsencode(name) + b"\n", 0
        while self.is_believed and (at := self._body.find(wanted, at)) >= 0:
            self._change(self._body.rindex(b"\n", 0, at) + 1, _FREE)
            at += len(wanted) - 1

    def _change(self, at: int, data: bytes) -> None:
        self._body[at : at + len(data)] = data
        self._changes.append((at, data))

    def seal(self) -> None:
        """Write what was taken note of, and the store's state, which this gives it. With the store's lock held, at the
        end: what is changed after it makes the index worthless.
        """
        if not (self.is_believed and self._changes):
            return
        try:
            files.ensure_folder(self._folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            with files.closing(os.open(self._path(), flags, 0o600)) as fd:
                if any(os.pwrite(fd, data, _HEADER_BYTES + at) != len(data) for at, data in self._changes):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.ftruncate(fd, _HEADER_BYTES + len(self._body))  # one that was made anew may be shorter
                stamp = time.time_ns()
                os.utime(self._store, ns=(stamp, stamp))
                state = self._state()
                if state.split()[2] != b"%d" % stamp:
                    self._log.debug(f"no index of {self._store}: it has coarser times, or somebody changes it")
                    return
                os.pwrite(fd, (state + b" %d %d" % (self._made, len(self._body))).ljust(_HEADER_BYTES), 0)
        except (OSError, CniError) as e:
            self._log.debug(f"no index of {self._store}: {e}")

    def _path(self) -> str:
        status = os.stat(self._store)
        return os.path.join(self._folder, f"{status.st_dev:x}-{status.st_ino:x}")

    def _state(self) -> bytes:
        """Return the boot and the store's present state; opened, it is what a server of files has, not what it had."""
        with files.closing(os.open(self._store, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as folder:
            status = os.fstat(folder)
        place = f"{status.st_dev:x}-{status.st_ino:x}"
        return f"{boot.current()} {place} {status.st_mtime_ns} {status.st_ctime_ns}".encode()


def _key(container_id: bytes, ifname: bytes) -> bytes:
    return b"\n" + container_id + b"\r" + ifname + b"\r"


def _entry(name: str, data: bytes) -> bytes:
    """Return the entry of an address file, without the LF at its end; nothing when its content names no owner."""
    container_id, _, ifname = data.strip().partition(SEPARATOR)
    if not container_id.isascii() or not is_safe_name(container_id.decode()) or b"\r" in ifname or b"\n" in ifname:
        return b""
    return _key(container_id, ifname) + os.fsencode(name)
