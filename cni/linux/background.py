"""One call in a thread of its own, so that a wait in the kernel and work of ours go on at the same time."""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable

SWITCH_INTERVAL_S = 1e-5
"""How long a thread that wants to run waits for the other one. With CPython's 5 ms the call would hardly have begun
when its caller has to wait for it anyway."""


class Background:
    """Starts `function(*arguments)` at once, or calls it where there is no thread to be had. It may not touch what the
    caller touches before `wait`.
    """

    __slots__ = ("_done", "_error")

    def __init__(self, function: Callable[..., None], *arguments: object) -> None:
        self._error: BaseException | None = None
        self._done = _thread.allocate_lock()
        self._done.acquire()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        try:
            _thread.start_new_thread(self._run, (function, arguments))
        except RuntimeError:  # none is to be had, by the limit of a cgroup for one: then one after the other
            self._run(function, arguments)

    def _run(self, function: Callable[..., None], arguments: tuple[object, ...]) -> None:
        try:
            function(*arguments)
        except BaseException as e:  # handed to whoever waits
            self._error = e
        finally:
            self._done.release()

    def join(self) -> None:
        """Wait for the end of the call, whatever came of it."""
        with self._done:
            pass

    def wait(self) -> None:
        """Wait for the end of the call; raise what it raised. May be called again."""
        self.join()
        if self._error is not None:
            raise self._error
