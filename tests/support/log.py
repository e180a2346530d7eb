"""A logger that keeps its lines."""

from __future__ import annotations


class Lines:
    """Stands where functions expect a cni.log.Logger. lines: (level, message) in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def debug(self, message: str) -> None:
        """Keep a line for whoever looks into the plugin."""
        self.lines.append(("debug", message))

    def info(self, message: str) -> None:
        """Keep a line about the normal course."""
        self.lines.append(("info", message))

    def warning(self, message: str) -> None:
        """Keep a line about something odd."""
        self.lines.append(("warning", message))

    def error(self, message: str) -> None:
        """Keep a line about a failure."""
        self.lines.append(("error", message))

    def text(self, level: str = "") -> str:
        """Return all messages, or those of one level, as one text."""
        return "\n".join(message for of, message in self.lines if level in ("", of))
