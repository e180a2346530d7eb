"""Log lines: levels, context, escapes, and that no fault of the log is anybody else's."""

from __future__ import annotations

import io
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cni.linux.log import Logger
from cni.protocol.limits import LOG_LINE_CHARACTERS

LINE = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "


def _emit(log: Logger) -> None:
    for level in (log.debug, log.info, log.warning, log.error):
        level(f"to {level.__name__}")


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("Warning", ["warning", "error"]),
        ("warn", ["warning", "error"]),
        ("error", ["error"]),
        ("panic", ["error"]),
        ("verbose", ["info", "warning", "error"]),
    ],
)
def test_levels(level: str, written: list[str]) -> None:
    stream = io.BytesIO()
    _emit(Logger(level, stream))
    lines = stream.getvalue().decode().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [f"{name} to {name}" for name in written]


def test_line() -> None:
    stream = io.BytesIO()
    Logger("info", stream, context="c1 net1").info("said\n\x1b[2J \x9b é \u202e")
    (line,) = stream.getvalue().decode().splitlines()
    timestamp, rest = line.split(" ", 1)
    assert len(timestamp) == len("2026-01-01T00:00:00.000Z")
    assert rest == r"info [c1 net1] said\n\x1b[2J \x9b é \u202e"


def logger(path: Path, folder: Path, stream: io.BytesIO | None = None) -> Logger:
    """Return a logger to a file that has to be below a folder."""
    return Logger("info", stream, str(path), folder=str(folder))


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    stream = io.BytesIO()
    log = logger(path, tmp_path, stream)
    assert not path.exists(), "nothing was said yet"
    log.info("one")
    logger(path, tmp_path, stream).info("two")
    assert [line.split(" ")[2] for line in path.read_text().splitlines()] == ["one", "two"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stream.getvalue() == b""


LINE_OF_OURS = b"2026-01-31T12:00:00.000Z info [c1 net1] said\n"
LOGS = {
    "ours": LINE_OF_OURS,
    "cni-log's": b"2026-01-31T12:00:00Z [info] said\n",
    "cni-log's with an offset": b"2026-01-31T12:00:00+01:00 [debug] said\n",
    "cni-log's structured": b'time="2026-01-31T12:00:00Z" level="info" msg="said"\n',
}


@pytest.mark.parametrize("content", LOGS.values(), ids=LOGS)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_logs_of_plugins(tmp_path: Path, content: bytes, mode: int) -> None:
    """What a plugin has begun, in Go or ours, goes on, also where an administrator lets others read it."""
    (tmp_path / "below").mkdir()
    path = tmp_path / "below" / "log"
    path.write_bytes(content)
    path.chmod(mode)
    stream = io.BytesIO()
    logger(path, tmp_path, stream).info("more")
    assert path.read_bytes().startswith(content)
    assert path.read_bytes().endswith(b" info more\n")
    assert stream.getvalue() == b""


def test_a_log_that_was_emptied(tmp_path: Path) -> None:
    """logrotate(8) empties files in place; the mark stays, where the file system keeps such."""
    path = tmp_path / "log"
    logger(path, tmp_path).info("one")
    try:
        os.getxattr(path, "user.plumbline")
    except OSError:
        marked = False
    else:
        marked = True
    path.write_bytes(b"")
    logger(path, tmp_path).info("two")
    assert (b"two" in path.read_bytes()) is marked


OTHERS = {
    "empty": b"",
    "syslog": b"Jan 31 12:00:00 node kernel: said\n",
    "syslog in RFC 3339": b"2026-01-31T12:00:00.000000+00:00 node kernel: said\n",
    "another daemon": b"2026-01-31T12:00:00.000Z\tinfo\tsaid\n",
    "logrus": b'time="2026-01-31T12:00:00Z" level=info msg="said"\n',
    "ours behind another line": b"x\n" + LINE_OF_OURS,
    "half a line of ours": LINE_OF_OURS[:20],
    "zeros": bytes(400),
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_logs_of_others(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    path.chmod(0o600)
    _refused(path, tmp_path)
    assert path.read_bytes() == content


def _refused(path: Path, folder: Path) -> None:
    """Assert that lines go to the stream, the first of them one and the same message for every reason."""
    stream = io.BytesIO()
    log = logger(path, folder, stream)
    log.info("one")
    log.info("two")
    said, *lines = stream.getvalue().decode().splitlines()
    assert [line.split(" ")[2] for line in lines] == ["one", "two"]
    assert said.split(" ", 1)[1] == (
        f"warning logFile {path} is not below {folder}/ as a log of plugins or a new file, without symbolic links on"
        " the way: logging to standard error"
    )


def _folder(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _symlink(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


def _symlink_to_a_log(path: Path) -> None:
    (path.parent / "elsewhere.log").write_bytes(LINE_OF_OURS)
    path.symlink_to(path.parent / "elsewhere.log")


def _full(path: Path) -> None:
    path.symlink_to("/dev/full")


def _device(path: Path) -> None:
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 7))


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def _second_name(path: Path) -> None:
    (path.parent / "elsewhere.log").write_bytes(LINE_OF_OURS)
    os.link(path.parent / "elsewhere.log", path)


def _for_all_to_write(path: Path) -> None:
    path.write_bytes(LINE_OF_OURS)
    path.chmod(0o666)


def _of_another_user(path: Path) -> None:
    path.write_bytes(LINE_OF_OURS)
    os.chown(path, 1, 1)


@pytest.mark.parametrize(
    "make",
    [_folder, _fifo, _symlink, _symlink_to_a_log, _full, _device, _socket, _second_name, _for_all_to_write,
     _of_another_user],
)  # fmt: skip
def test_unusable_file_falls_back_to_the_stream(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "log"
    make(path)
    _refused(path, tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    if (tmp_path / "elsewhere.log").exists():
        assert (tmp_path / "elsewhere.log").read_bytes() == LINE_OF_OURS


@pytest.mark.parametrize("name", ["none/log", "through/log", "through/../log", "../log", "below/../../log", ""])
def test_ways_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """A folder behind a symbolic link is not below, nor is one that is missing made."""
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    for one in (folder, folder / "below", outside):
        one.mkdir()
    (folder / "through").symlink_to(outside)
    path = os.path.join(str(folder), name)
    stream = io.BytesIO()
    Logger("info", stream, path, folder=str(folder)).info("one")
    assert f"logFile {path} is not below {folder}/" in stream.getvalue().decode()
    assert sorted(os.listdir(tmp_path)) == ["folder", "outside"]
    assert os.listdir(outside) == []
    assert sorted(os.listdir(folder)) == ["below", "through"]


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    """Where a node's /var/log is elsewhere is the administrator's affair."""
    (tmp_path / "data").mkdir()
    (tmp_path / "log").symlink_to("data")
    logger(tmp_path / "log" / "x", tmp_path / "log").info("one")
    assert b"one" in (tmp_path / "data" / "x").read_bytes()


def test_long_lines_are_cut() -> None:
    stream = io.BytesIO()
    Logger("info", stream).info("begin" + "\x1b" * 1_000_000 + "end")
    (line,) = stream.getvalue().decode().splitlines()
    assert len(line) <= LOG_LINE_CHARACTERS
    assert "info begin\\x1b" in line
    assert f"is left out, {LOG_LINE_CHARACTERS} is the limit" in line
    assert line.endswith("end")


def test_missing_folder(tmp_path: Path) -> None:
    logger(tmp_path / "none" / "log", tmp_path).error("unheard")


def test_closed_stream() -> None:
    stream = io.BytesIO()
    stream.close()
    Logger("info", stream).error("unheard")
