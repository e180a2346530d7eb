"""Levelled log lines for the operator: `time level [container interface namespace/pod] message`, one line each."""

from __future__ import annotations

import errno
import os
import stat
import time
from io import BufferedIOBase

from cni.linux.files import closing
from cni.protocol.errors import told
from cni.protocol.limits import LOG_LINE_CHARACTERS

_LEVELS = {"debug": 0, "info": 1, "warning": 2, "error": 3, "warn": 2, "fatal": 3, "panic": 3}
"""By what a configuration may say. The last three are words of the Go plugins; for the last two we have no use."""

FOLDER = "/var/log"
"""Where log files may be: whoever may write a network configuration must not thereby write to any file of the host."""

_MARK, _MARKED = "user.plumbline", b"log"
"""An extended attribute of a log file that we made, where the file system has such: it stays when logrotate(8) empties
the file.
"""

_BEGINNING_BYTES = 64
_CREATION_S = 0.1  # how long another plugin may take from making a log file to its first line


class Logger:
    """Writes lines of at least one level to a stream or, when `path` is given, to the end of that file.

    level: debug, info, warning or error; anything else counts as info. context: what every line carries in brackets.
    folder: below which the file has to be. It is opened, or created with mode 0600, when the first line comes. Nothing
    here ever raises: a log that cannot be written must not cost a pod its network.
    """

    __slots__ = ("_fd", "_folder", "_level", "_path", "context", "stream")

    def __init__(
        self,
        level: str = "info",
        stream: BufferedIOBase | None = None,
        path: str = "",
        context: str = "",
        folder: str = FOLDER,
    ) -> None:
        self._level = _LEVELS.get(level.lower(), _LEVELS["info"])
        self.stream, self.context = stream, context
        self._path, self._folder, self._fd = path, folder, -1
        if path and not _parts_below(folder, path):
            self._go_without_file()

    def debug(self, msg: str) -> None:
        """Say what only matters to somebody who looks for a fault."""
        self._log("debug", msg)

    def info(self, msg: str) -> None:
        """Say what an operator may want to know of the normal course."""
        self._log("info", msg)

    def warning(self, msg: str) -> None:
        """Say what is not as it should be, though the command goes on."""
        self._log("warning", msg)

    def error(self, msg: str) -> None:
        """Say what failed."""
        self._log("error", msg)

    def is_debug(self) -> bool:
        """Return whether debug lines are written, for what is costly to put in words."""
        return self._level == _LEVELS["debug"]

    def _log(self, label: str, msg: str) -> None:
        if _LEVELS[label] >= self._level:
            self._write(self._line(label, msg))

    def _line(self, label: str, msg: str) -> bytes:
        context = f" [{self.context}]" if self.context else ""
        line = told(f"{_timestamp()} {label}{context} {msg}", LOG_LINE_CHARACTERS)
        return (line + "\n").encode("utf-8", "backslashreplace")

    def _write(self, line: bytes) -> None:
        try:
            if self._path and self._fd < 0:
                self._fd = _open(self._folder, self._path)
            if self._fd >= 0:
                os.write(self._fd, line)
            elif self.stream is not None:
                self.stream.write(line)
                self.stream.flush()
        except (OSError, ValueError):  # a full disk, a folder that is missing, a closed stream
            if self._path:
                self._go_without_file()
                self._write(line)

    def _go_without_file(self) -> None:
        """Write to the stream from now on, and say so. Why, is not told: whoever may write a configuration must not
        learn from it which files there are.
        """
        path, self._path = self._path, ""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        what = f"below {self._folder}/ as a log of plugins or a new file, without symbolic links on the way"
        self._write(self._line("warning", f"logFile {path} is not {what}: logging to standard error"))


def _timestamp() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"


def _parts_below(folder: str, path: str) -> list[str]:
    """Return the names that lead from the folder to a path below it, none when it does not lie there."""
    names = [name for name in path.removeprefix(folder + "/").split("/") if name not in ("", ".")]
    return names if path.startswith(folder + "/") and ".." not in names else []


def _open(folder: str, path: str) -> int:
    """Return a descriptor to append to the log at a path. Raises OSError, ValueError.

    Nothing is opened for more than a look (O_PATH, open(2)) before it is known to be a log of ours: to open a FIFO, a
    device or a file of another daemon for writing can do harm enough. No symbolic link below the folder is followed.
    """
    *folders, name = _parts_below(folder, path)
    at = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for one in folders:
            below = os.open(one, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        try:
            return _existing(name, at)
        except FileNotFoundError:
            pass
        try:
            fd = os.open(name, _APPENDING | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=at)
        except FileExistsError:  # another plugin was faster, and has written nothing yet, perhaps
            return _existing(name, at, _CREATION_S)
    finally:
        os.close(at)
    try:
        os.setxattr(fd, _MARK, _MARKED)
    except OSError:  # the file system has no such attributes: the first line will tell
        pass
    return fd


_APPENDING = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def _existing(name: str, folder: int, patience_s: float = 0.0) -> int:
    """Return a descriptor to append to a file that is there, and is a log of a plugin. Raises OSError.

    It is one if we marked it, or if it begins with a line of ours or of the plugins in Go, and if nobody but root can
    have written that. An empty file without the mark may be anything, such as the login records of another program.
    patience_s: how long to wait for a first line, in seconds.
    """
    with closing(os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)) as look:
        found = os.fstat(look)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != 0 or found.st_mode & 0o022:
            raise OSError(errno.EPERM, "not ours")
        # The very file that was looked at, whatever has its name by now; O_NOFOLLOW would refuse the way to it.
        fd = os.open(f"/proc/self/fd/{look}", _APPENDING & ~os.O_NOFOLLOW)
    deadline = time.monotonic() + patience_s
    while not (_is_marked(fd) or _begins_a_log(os.pread(fd, _BEGINNING_BYTES, 0))):
        if time.monotonic() >= deadline:
            os.close(fd)
            raise OSError(errno.EPERM, "not ours")
        time.sleep(0.001)
    return fd


def _is_marked(fd: int) -> bool:
    try:
        return os.getxattr(fd, _MARK) == _MARKED
    except OSError:
        return False


_SECONDS = "0000-00-00T00:00:00"
_ZONES = ("Z", "+00:00", "-00:00")
_BEGINNINGS = (
    *(f"{_SECONDS}.000Z {label} " for label in ("debug", "info", "warning", "error")),
    *(f"{_SECONDS}{zone} [{x}]" for zone in _ZONES for x in ("panic", "error", "warning", "info", "debug", "verbose")),
    *(f'time="{_SECONDS}{zone}" level="' for zone in _ZONES),
)
"""How a log begins, with 0 for any digit: ours, that of cni-log, which the plugins in Go use, and its structured form:

2026-01-31T12:00:00.000Z info ...
2026-01-31T12:00:00Z [info] ...
time="2026-01-31T12:00:00Z" level="info" ...
"""


def _begins_a_log(beginning: bytes) -> bool:
    text = beginning.decode("latin-1")
    return "".join("0" if c.isdecimal() and c.isascii() else c for c in text).startswith(_BEGINNINGS)
