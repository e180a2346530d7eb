"""What is said of a configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a file.

    line: in it, from 1, 0 where it is about the whole. member: the full name, such as `plugins[0].ipam.ranges`, empty
    for none. message: what is wrong, and what is allowed. is_error: whether a plugin refuses it; else it has no effect,
    or most likely not the one that was meant.
    """

    path: str
    line: int
    member: str
    message: str
    is_error: bool = True

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {'' if self.is_error else 'warning: '}{self.message}"
