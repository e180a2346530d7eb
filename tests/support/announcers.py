"""The processes that wait for the carrier of a link to announce its addresses, and what becomes of them."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cni.attach.announcer import FOLDER
from cni.protocol.limits import ANNOUNCERS
from tests.support.net import Space
from tests.support.plugin import DIST
from tests.support.vfs import wait_for

PR_SET_CHILD_SUBREAPER = 36


@contextmanager
def adopted() -> Iterator[None]:
    """Inside, processes whose parent has ended become ours, as they otherwise become init's: we see how they end.

    Those that are left at the end are killed.
    """
    _be_reaper(True)
    try:
        yield
    finally:
        for process in _adopted():
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        _be_reaper(False)


def _be_reaper(whether: bool) -> None:
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(whether), 0, 0, 0) == 0


def of(pod: Space) -> list[int]:
    """Return the IDs of the adopted processes that wait in a pod."""
    namespace = os.stat(pod.path)
    found = []
    for process in _adopted():
        with suppress(FileNotFoundError):  # it has ended
            if os.path.samestat(os.stat(f"/proc/{process}/ns/net"), namespace):
                found.append(process)
    return found


def the_one(pod: Space) -> int:
    """Return the ID of the only one in a pod. That it is in the pod is the first that it does, after ADD has ended."""
    wait_for(lambda: of(pod), f"process in {pod.name}")
    (process,) = of(pod)
    return process


def end_of(process: int) -> int:
    """Wait for the end of an adopted process; return its exit status, or the signal that ended it, negated.

    It ends by itself with 0, and when its time is up, by SIGALRM.
    """
    ends: list[int] = []

    def has_ended() -> bool:
        ended, status = os.waitpid(process, os.WNOHANG)
        ends.extend([status] if ended else [])
        return bool(ended)

    wait_for(has_ended, f"end of process {process}")
    return os.waitstatus_to_exitcode(ends[0])


def _adopted() -> list[int]:
    """Return the IDs of our children that are plugins, and began as children of others."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{entry}/stat") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
            if int(rest.split()[1]) == os.getpid() and name in os.listdir(DIST):
                found.append(int(entry))
    return found


@contextmanager
def slots_taken(free: int = 0) -> Iterator[None]:
    """Take all slots of the node but for some, as processes that wait do."""
    os.makedirs(FOLDER, mode=0o700, exist_ok=True)
    files = [os.open(os.path.join(FOLDER, str(number)), os.O_RDWR | os.O_CREAT, 0o600) for number in range(ANNOUNCERS)]
    try:
        for fd in files[free:]:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        for fd in files:
            os.close(fd)
