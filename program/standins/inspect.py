"""What `dataclasses` wants from `inspect`, which with what it imports would take more memory than all else together."""

from __future__ import annotations

from typing import Any


def signature(*_: object, **__: object) -> str:
    """Return the parameters of a class for its documentation, which no binary has: none."""
    return "()"


def unwrap(function: Any) -> Any:
    """Return the function behind its decorators (`functools.wraps`)."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function
