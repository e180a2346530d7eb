"""Drivers and udev do in the background what they were told to: who needs it waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.05


def until(condition: Callable[[], bool], timeout_s: float, poll_s: float = POLL_S) -> bool:
    """Wait for a condition; return whether it holds. timeout_s: for how long, in seconds, at the most; poll_s: how long
    from one look to the next.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(poll_s)
    return True
