"""Advisory locks between processes: flock(2) on a file, with a time limit.

The kernel drops a flock when its holder dies, so a killed plugin never blocks the next one. flock has no time limit of
its own and alarm signals belong to the whole process, so a contended lock is polled: the more seldom, the longer that
has gone on. Of many who wait, as in a burst of pods, one looks soon enough whenever the lock is free, and all of them
together leave the CPU to the holder.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from cni.linux import files
from cni.linux.files import io_failure, names
from cni.linux.signals import Deferred
from cni.protocol.errors import TRY_AGAIN_LATER, CniError

POLL_SHARE = 0.1
"""How long to sleep between two attempts, as a share of the time waited so far."""

MIN_POLL_S, MAX_POLL_S = 0.003, 0.05
"""The bounds of that sleep, in seconds."""


DEPTH = "PLUMBLINE_DEPTH"
"""The environment variable that an IPAM executable gets, as 1 (ipam.delegate)."""

LOOK_AFTER_S = 0.5
"""After how long, in seconds, to look who holds the lock: a process that executed us may hold it, and wait for our end,
as a plugin whose IPAM plugin comes back to one of ours, which DEPTH tells. Nobody would get on."""


class FileLock:
    """An exclusive lock on a file that stays. Use as a context manager.

    path: the file; its folder must exist. timeout_s: how long to wait, in seconds. mode: of the file, which is created
    when it is missing; None: that is an error.
    Entering raises CniError: code 11 when another process holds it for longer, code 5 when the file cannot be used.
    """

    def __init__(self, path: str, timeout_s: float = 60.0, mode: int | None = 0o600) -> None:
        self.path = path
        self._timeout_s = timeout_s
        self._mode = mode
        self._fd = -1

    def __enter__(self) -> FileLock:
        began, looked = time.monotonic(), False
        try:
            while not self._attempt():
                waited = time.monotonic() - began
                if waited > self._timeout_s:
                    raise self._refusal(f"another process has held it for {self._timeout_s:g} s", _holder(self.path))
                if waited > LOOK_AFTER_S and not looked and os.environ.get(DEPTH):
                    looked = True
                    if (holder := _holder(self.path)) in _ancestors():
                        raise self._refusal("who holds it waits for us", holder)
                time.sleep(min(max(waited * POLL_SHARE, MIN_POLL_S), MAX_POLL_S))
        except BaseException:
            if self._fd >= 0:  # told to end just when the lock was ours: an undo may need it once more
                self.__exit__()
            raise
        return self

    def _refusal(self, reason: str, holder: int) -> CniError:
        return CniError(TRY_AGAIN_LATER, f"cannot lock {self.path}: {reason}", _said_of(holder))

    def _attempt(self) -> bool:
        """Try once; a signal takes effect before or after, so that it is known whether the lock is ours."""
        with Deferred():
            try:
                fd = self._open()
                if fd < 0:
                    return False
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as e:
                    os.close(fd)
                    if e.errno in (errno.EWOULDBLOCK, errno.EINTR):
                        return False
                    raise
            except OSError as e:
                raise io_failure("lock", self.path, e) from e
            if not self._is_current(fd):
                os.close(fd)
                return False
            self._fd = fd
            return True

    def _open(self) -> int:
        """Return the file, open, or -1 when it came and went just now. Raises OSError, EINVAL for no regular file."""
        try:
            return files.open_regular(self.path, os.O_RDWR)
        except FileNotFoundError:
            if self._mode is None:
                raise
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, self._mode)
        except FileExistsError:
            return -1

    def _is_current(self, fd: int) -> bool:
        return True

    def __exit__(self, *_: object) -> None:
        with Deferred():
            self._release()
            os.close(self._fd)
            self._fd = -1

    def _release(self) -> None:
        """Do what is to be done under the lock as the last thing."""


class EphemeralLock(FileLock):
    """A lock whose file is gone when nobody holds it, for keys that come and go, such as devices.

    The holder removes the file before it lets go. Whoever waited on that file then holds a lock on a name that is no
    longer there, sees it by the inode, and starts anew.
    """

    def _is_current(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _release(self) -> None:
        try:
            if self._is_current(self._fd):  # somebody who tidied the folder may have made way for another holder
                os.unlink(self.path)
        except OSError:
            pass  # what was done under the lock stands; the file serves the next holder, or is swept


def _holder(path: str) -> int:
    """Return the process that holds a flock(2) on the file, as the kernel tells it (proc_locks(5)), 0 for unknown."""
    try:
        status = os.lstat(path)
        place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        with open("/proc/locks", "rb") as locks:
            for line in locks:
                words = line.decode("ascii", "replace").split()
                if "FLOCK" in words and "->" not in words and place in words:
                    return max(0, int(words[words.index(place) - 1]))
    except (OSError, ValueError):
        pass
    return 0


def _said_of(process: int) -> str:
    if not process:
        return ""
    try:
        with open(f"/proc/{process}/comm", "rb") as comm:
            return f"process {process} ({comm.read(64).decode('utf-8', 'replace').strip()}) holds it"
    except OSError:
        return f"process {process} holds it, which is not to be seen from here"


def _ancestors() -> set[int]:
    """Return the processes that this one descends from, as far as they are to be seen."""
    found: set[int] = set()
    process = os.getppid()
    while process > 0 and process not in found:
        found.add(process)
        try:
            with open(f"/proc/{process}/stat", "rb") as status:
                process = int(status.read().rpartition(b")")[2].split()[1])  # proc_pid_stat(5): state, then parent
        except (OSError, ValueError, IndexError):
            break
    return found


def sweep(folder: str) -> None:
    """Remove the files of ephemeral locks whose holders were killed; those that are held are left.

    Raises CniError (code 5).
    """
    for name in names(folder):
        remove(os.path.join(folder, name))


def remove(path: str) -> None:
    """Remove the file of an ephemeral lock unless somebody holds it. Raises CniError (code 5)."""
    try:
        with EphemeralLock(path, 0):
            pass
    except CniError as e:
        if e.code != TRY_AGAIN_LATER:
            raise
