"""What a verb that changes something does when it is told to end: Ctrl-C, SIGTERM, a terminal that goes away.

Every one of these raises `Terminated` where the verb is `terminable`, so that it takes back what it has begun, or says
what is done; then it ends with status 130.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cni.linux.signals import Terminated

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""What ends a process by itself: Ctrl-C, kill(1), a terminal or an SSH session that has gone, Ctrl-\\."""


class InterruptedVerbError(Exception):
    """A verb was told to end. by: what told it. state: what state things are in, may be several lines."""

    def __init__(self, by: Terminated, state: str) -> None:
        super().__init__(f"told to end ({by}); {state}")
        self.by = by
        self.state = state


@contextmanager
def terminable() -> Iterator[None]:
    """Let the first of SIGNALS raise Terminated in the main thread meanwhile, and ignore those after it. A SIGHUP that
    is ignored, as nohup(1) has it, stays so.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    end = _End()
    for number, handler in before.items():
        if number != signal.SIGHUP or handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            # A second Ctrl-C does not end what an outer one surrounds: the first is being told there.
            if not (end.has_come and isinstance(handler, _End)):
                signal.signal(number, handler)


class _End:
    """What a signal does meanwhile. has_come: whether one has.

    What the plugins' engine does must not stop half-way where it has SIGTERM and SIGINT blocked (`Deferred`), but it
    knows of no others, and blocks them in one thread only, beside which that of a progress bar may get them. All are
    kept back as one of its own then.
    """

    def __init__(self) -> None:
        self.has_come = False
        self._first = ""

    def __call__(self, number: int, _: object) -> None:
        self._first = self._first or signal.Signals(number).name
        if signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
            signal.raise_signal(signal.SIGTERM)  # comes when it is not blocked any more
            return
        self.has_come = True
        ignore()
        raise Terminated(self._first)


@dataclass(slots=True)
class Standing:
    """text: what state things are in by now, may be several lines."""

    text: str


@contextmanager
def telling(text: str) -> Iterator[Standing]:
    """Be `terminable`, and raise InterruptedVerbError with the state that things are in then. text: that at first."""
    standing = Standing(text)
    with terminable():
        try:
            yield standing
        except Terminated as e:
            raise InterruptedVerbError(e, standing.text) from e


def ignore() -> None:
    """From now on, until `terminable` ends, ignore SIGNALS: what has failed is being taken back."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def deferred() -> Iterator[None]:
    """Let SIGNALS that come inside take effect when it ends: for what must not stop half-way.

    They are not blocked: a thread beside this one, such as that of a progress bar, would get them.
    """
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])
        if came:
            signal.raise_signal(came[0])
