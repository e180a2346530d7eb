"""The engine's log, kept for the person who asked."""

from __future__ import annotations

from cni.linux.log import Logger


class Notes(Logger):
    """A log that writes nothing and keeps what is not as it should be. warnings: in words, in their order."""

    __slots__ = ("warnings",)

    def __init__(self) -> None:
        super().__init__("warning")
        self.warnings: list[str] = []

    def warning(self, msg: str) -> None:
        """See `Logger`."""
        self.warnings.append(msg)

    def error(self, msg: str) -> None:
        """See `Logger`."""
        self.warnings.append(msg)
