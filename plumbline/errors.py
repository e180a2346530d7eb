"""How a verb ends: the exit statuses, and the error that a verb raises to end with one of them."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Exit statuses of every verb; docs/operator.md has them."""

    GOOD = 0
    FAILURE = 1
    """Something failed, or there is a finding."""
    USAGE = 2
    TIMED_OUT = 3
    IN_USE = 4
    """Refused, since a pod, a program or the person who asks needs it; nothing was changed."""
    NO_DEVICE = 10


class VerbError(Exception):
    """Ends a verb. status: with what. message: what was attempted, on which device, and what came of it. hint: what to
    do about it, may be empty.
    """

    def __init__(self, status: Status, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
