"""What the engine logs, kept for the person who asked: in words, without time and level."""

from __future__ import annotations

from cni.linux.log import Logger
from cni.protocol.errors import told
from cni.protocol.limits import LOG_LINE_CHARACTERS


class Notes(Logger):
    """A log that writes nothing and keeps what is not as it should be. warnings: in words, in their order."""

    __slots__ = ("warnings",)

    def __init__(self) -> None:
        super().__init__("warning")
        self.warnings: list[str] = []

    def warning(self, msg: str) -> None:
        """See `Logger`."""
        self.warnings.append(told(msg, LOG_LINE_CHARACTERS))

    def error(self, msg: str) -> None:
        """See `Logger`."""
        self.warnings.append(told(msg, LOG_LINE_CHARACTERS))
