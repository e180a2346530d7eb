"""A logger that keeps its lines."""

from __future__ import annotations

from cni.linux.log import Logger


class Lines(Logger):
    """Keeps every line instead of writing it. lines: (level, message) in order."""

    def __init__(self) -> None:
        super().__init__("debug")
        self.lines: list[tuple[str, str]] = []

    def _log(self, label: str, msg: str) -> None:
        self.lines.append((label, msg))

    def text(self, level: str = "") -> str:
        """Return all messages, or those of one level, as one text."""
        return "\n".join(message for of, message in self.lines if level in ("", of))
