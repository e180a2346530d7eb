"""Log lines: levels, context, escapes, and that no fault of the log is anybody else's."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from cni.log import Logger

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


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    stream = io.BytesIO()
    log = Logger("info", stream, str(path))
    assert not path.exists(), "nothing was said yet"
    log.info("one")
    Logger("info", stream, str(path)).info("two")
    assert [line.split(" ")[2] for line in path.read_text().splitlines()] == ["one", "two"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stream.getvalue() == b""


def _folder(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _symlink(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


def _full(path: Path) -> None:
    path.symlink_to("/dev/full")


@pytest.mark.parametrize("make", [_folder, _fifo, _symlink, _full])
def test_unusable_file_falls_back_to_the_stream(tmp_path: Path, make: object) -> None:
    path = tmp_path / "log"
    assert callable(make)
    make(path)
    stream = io.BytesIO()
    log = Logger("info", stream, str(path))
    log.info("one")
    log.info("two")
    assert [line.split(b" ")[2] for line in stream.getvalue().splitlines()] == [b"one", b"two"]
    assert not (tmp_path / "elsewhere").exists()


def test_missing_folder(tmp_path: Path) -> None:
    Logger("info", None, str(tmp_path / "none" / "log")).error("unheard")


def test_closed_stream() -> None:
    stream = io.BytesIO()
    stream.close()
    Logger("info", stream).error("unheard")
