"""SIGTERM and SIGINT as an exception, so that what was begun is undone.

`_signal` is the C module under `signal`, which looks for the member of an enumeration in each call: VERSION would take
1.07 times as long (docs/performance.md).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]

_NAMES = {_signal.SIGINT: "SIGINT", _signal.SIGTERM: "SIGTERM"}


class Terminated(BaseException):
    """The process was told to end. Not an Exception, so that code which goes on after errors does not go on."""


def raise_on_termination() -> None:
    """From now on let the first SIGTERM or SIGINT raise Terminated in the main thread, and ignore those after it."""
    for number in _NAMES:
        _signal.signal(number, _raise)


def ignore_termination() -> None:
    """From now on ignore SIGTERM and SIGINT: the outcome is settled and only has to be told."""
    for number in _NAMES:
        _signal.signal(number, _signal.SIG_IGN)


def begin_anew(seconds: int) -> None:
    """In a process that was forked off: signals do what they do by default, and none is blocked. The kernel ends the
    process after some seconds, whatever it is doing then.
    """
    for number in (*_NAMES, _signal.SIGALRM):
        _signal.signal(number, _signal.SIG_DFL)
    _signal.alarm(seconds)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def _raise(number: int, _: object) -> None:
    ignore_termination()
    raise Terminated(_NAMES[number])


class Deferred:
    """Context manager: signals that come inside take effect when it ends. For steps that must not stop half-way."""

    __slots__ = ("_mask",)

    def __enter__(self) -> None:
        self._mask: set[int] = _signal.pthread_sigmask(_signal.SIG_BLOCK, _NAMES)

    def __exit__(self, *_: object) -> None:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)
