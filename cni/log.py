"""Levelled log lines for the operator: `time level [container interface] message`, one line each."""

from __future__ import annotations

import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedIOBase

DEBUG, INFO, WARNING, ERROR = range(4)
_LABELS = ("debug", "info", "warning", "error")
# The last two are levels of the Go plugins that we have no use for.
_LEVELS = {"debug": DEBUG, "info": INFO, "warning": WARNING, "warn": WARNING, "error": ERROR, "fatal": ERROR,
           "panic": ERROR}  # fmt: skip


class Logger:
    """Writes lines of at least one level to a stream or, when `path` is given, to the end of that file.

    level: debug, info, warning or error; anything else counts as info. context: what every line carries in brackets.
    The file is opened, or created with mode 0600, when the first line comes. Nothing here ever raises: a log that
    cannot be written must not cost a pod its network.
    """

    __slots__ = ("_fd", "_level", "_path", "context", "stream")

    def __init__(
        self, level: str = "info", stream: BufferedIOBase | None = None, path: str = "", context: str = ""
    ) -> None:
        self._level = _LEVELS.get(level.lower(), INFO)
        self.stream = stream
        self._path = path
        self._fd = -1
        self.context = context

    def debug(self, msg: str) -> None:
        """Say what only matters to somebody who looks for a fault."""
        self._log(DEBUG, msg)

    def info(self, msg: str) -> None:
        """Say what an operator may want to know of the normal course."""
        self._log(INFO, msg)

    def warning(self, msg: str) -> None:
        """Say what is not as it should be, though the command goes on."""
        self._log(WARNING, msg)

    def error(self, msg: str) -> None:
        """Say what failed."""
        self._log(ERROR, msg)

    def is_debug(self) -> bool:
        """Return whether debug lines are written, for what is costly to put in words."""
        return self._level == DEBUG

    def _log(self, level: int, msg: str) -> None:
        if level < self._level:
            return
        context = f" [{self.context}]" if self.context else ""
        line = f"{_timestamp()} {_LABELS[level]}{context} {msg}"
        self._write((escaped(line) + "\n").encode("utf-8", "backslashreplace"))

    def _write(self, line: bytes) -> None:
        try:
            if self._path and self._fd < 0:
                self._fd = _open(self._path)
            if self._fd >= 0:
                os.write(self._fd, line)
            elif self.stream is not None:
                self.stream.write(line)
                self.stream.flush()
        except (OSError, ValueError):  # a full disk, a folder that is missing, a closed stream
            if self._path:
                self._path = ""  # say the rest, and this line, on the stream
                self._write(line)


def escaped(text: str) -> str:
    """Return the text with control characters, line ends among them, written as escapes: no input forges a line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _timestamp() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"


def _open(path: str) -> int:
    """O_NONBLOCK and the check keep a FIFO or a terminal from blocking the plugin for ever."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise ValueError
    return fd
