"""What a verb that changes something does when it is told to end: Ctrl-C, SIGTERM, a terminal that goes away.

Every one of these raises `Terminated` where the verb is `terminable`, so that it takes back what it has begun, or says
what is done; then it ends with status 130.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from cni.linux.signals import Terminated

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""What ends a process by itself: Ctrl-C, kill(1), a terminal or an SSH session that has gone, Ctrl-\\."""


class InterruptedVerbError(Exception):
    """A verb was told to end. told: what state things are in."""

    def __init__(self, by: Terminated, state: str) -> None:
        self.told = f"told to end ({by}); {state}"
        super().__init__(self.told)


@contextmanager
def terminable() -> Iterator[None]:
    """Let the first of SIGNALS raise Terminated in the main thread meanwhile, and ignore those after it. A SIGHUP that
    is ignored, as nohup(1) has it, stays so.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def end(number: int, _: object) -> None:
        ignore()
        raise Terminated(signal.Signals(number).name)

    for number, handler in before.items():
        if number != signal.SIGHUP or handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore() -> None:
    """From now on, until `terminable` ends, ignore SIGNALS: what has failed is being taken back."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def deferred() -> Iterator[None]:
    """Let SIGNALS that come inside take effect when it ends: for what must not stop half-way."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
