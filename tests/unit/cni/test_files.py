"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cni.linux import files
from cni.protocol.errors import IO_FAILURE, CniError
from cni.protocol.limits import FILE_BYTES


@pytest.mark.parametrize("old", [None, b"", b"old", b"x" * 100_000], ids=["new", "empty", "short", "long"])
@pytest.mark.parametrize("durable", [True, False])
def test_write_atomic(tmp_path: Path, old: bytes | None, durable: bool) -> None:
    """The new content stands alone, with its mode; nothing else is left in the folder."""
    path = tmp_path / "record"
    if old is not None:
        path.write_bytes(old)
    files.write_atomic(str(path), b"new", 0o640, durable=durable)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["record"]


def test_an_open_file_keeps_the_old_content(tmp_path: Path) -> None:
    """A reader that opened the old file reads it to its end: the new one is another file."""
    path = tmp_path / "record"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        files.write_atomic(str(path), b"newer")
        assert reader.read() == b"old"


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    """What a symbolic link in the record's place points to stays as it is."""
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / "record").symlink_to(target)
    files.write_atomic(str(tmp_path / "record"), b"new")
    assert target.read_bytes() == b"precious"
    assert not (tmp_path / "record").is_symlink()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing/record", "No such file or directory"),
        ("file/record", "Not a directory"),
        ("folder", "Is a directory"),
        ("n" * 300, "File name too long"),
    ],
    ids=["no folder", "a file for a folder", "a folder in its place", "long name"],
)
def test_write_failures(tmp_path: Path, path: str, reason: str) -> None:
    """Code 5 with path and reason; no temporary file is left."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(CniError, match=reason) as caught:
        files.write_atomic(str(tmp_path / path), b"new")
    assert caught.value.code == IO_FAILURE
    assert str(tmp_path / path) in caught.value.msg
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert os.listdir(tmp_path / "folder") == []


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
def test_read(tmp_path: Path, size: int) -> None:
    """Files of any size are read whole."""
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    assert files.read(str(tmp_path / "file")) == data


@pytest.mark.parametrize("path", ["missing", "file/below"])
def test_absent_is_none(tmp_path: Path, path: str) -> None:
    """A file that cannot be there is absent, which is no error."""
    (tmp_path / "file").touch()
    assert files.read(str(tmp_path / path)) is None
    assert files.remove(str(tmp_path / path)) is False


def test_reading_a_folder_is_an_error(tmp_path: Path) -> None:
    """Anything but absence is code 5."""
    with pytest.raises(CniError, match=f"cannot read {tmp_path}: not a regular file") as caught:
        files.read(str(tmp_path))
    assert caught.value.code == IO_FAILURE


def test_reading_stops_somewhere(tmp_path: Path) -> None:
    """A FIFO without writer, an endless device and a huge file are refused, whoever named them in a configuration."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "huge").write_bytes(bytes(FILE_BYTES + 1))
    for path in (str(tmp_path / "fifo"), "/dev/zero", str(tmp_path / "huge")):
        with pytest.raises(CniError, match=r"not a regular file|longer than") as caught:
            files.read(path)
        assert caught.value.code == IO_FAILURE


@pytest.mark.parametrize("kind", ["link", "FIFO", "device", "folder"])
def test_what_stands_in_the_place_of_the_temporary_file(tmp_path: Path, kind: str) -> None:
    """It goes, whatever it is, and is neither followed nor waited for; but for a folder, which is an error."""
    temporary, target = tmp_path / ".tmp-record", tmp_path / "target"
    target.write_bytes(b"precious")
    if kind == "link":
        temporary.symlink_to(target)
    elif kind == "FIFO":
        os.mkfifo(temporary)
    elif kind == "device":
        os.mknod(temporary, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    else:
        temporary.mkdir()
        with pytest.raises(CniError, match="cannot write"):
            files.write_atomic(str(tmp_path / "record"), b"new")
        return
    files.write_atomic(str(tmp_path / "record"), b"new")
    assert (tmp_path / "record").read_bytes() == b"new"
    assert target.read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["record", "target"]


def test_links_are_followed_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "broken").symlink_to("none")
    (tmp_path / "null").symlink_to("/dev/null")
    assert files.read(str(tmp_path / "link"), follow=True) == b"x"
    assert files.read(str(tmp_path / "broken"), follow=True) is None
    for name, follow in (("link", False), ("broken", False), ("null", True)):
        with pytest.raises(CniError, match="not a regular file"):
            files.read(str(tmp_path / name), follow)


def test_open_beneath(tmp_path: Path) -> None:
    """A file in one of the folders or below, also by links from one to another; nothing outside, by whatever way."""
    for name in ("a", "b/c", "out", "ab"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("a/file", "b/c/file", "out/file", "ab/file"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a/over").symlink_to("../b/c/file")
    (tmp_path / "a/leads").symlink_to(tmp_path / "out")
    (tmp_path / "way").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "a/fifo")
    folders = [str(tmp_path / "way"), str(tmp_path / "b")]
    for name in ("a/file", "b/c/file", "a/over", "way/file"):
        os.close(files.open_beneath(str(tmp_path / name), folders))
    before = os.listdir("/proc/self/fd")
    for name in ("out/file", "ab/file", "a/leads/file", "a/none", "a", "a/fifo", "none"):
        with pytest.raises(OSError, match=r"cross-device|not a regular file|No such file"):
            files.open_beneath(str(tmp_path / name), folders)
    assert os.listdir("/proc/self/fd") == before


def test_remove(tmp_path: Path) -> None:
    """A file is removed once; a folder in its place is an error."""
    path = tmp_path / "file"
    path.touch()
    assert files.remove(str(path)) is True
    assert files.remove(str(path)) is False
    with pytest.raises(CniError, match="cannot remove") as caught:
        files.remove(str(tmp_path))
    assert caught.value.code == IO_FAILURE


def test_ensure_folder(tmp_path: Path) -> None:
    """A missing folder is made for the owner alone; one that is there keeps its mode."""
    (tmp_path / "there").mkdir(mode=0o755)
    files.ensure_folder(str(tmp_path / "there/a/b"))
    assert stat.S_IMODE((tmp_path / "there/a/b").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o755
    (tmp_path / "file").touch()
    with pytest.raises(CniError, match="cannot create folder") as caught:
        files.ensure_folder(str(tmp_path / "file/a"))
    assert caught.value.code == IO_FAILURE


def test_names(tmp_path: Path) -> None:
    """Sorted, without unfinished files; a folder that is not there has none."""
    for name in ("b", "a", f"{files.TEMPORARY_PREFIX}a-1"):
        (tmp_path / name).touch()
    assert files.names(str(tmp_path)) == ["a", "b"]
    assert files.names(str(tmp_path / "missing")) == []


def test_write_all_writes_on_after_a_short_write() -> None:
    """A pipe takes a part at a time: everything arrives."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = os.urandom(65536)
    try:
        files.write_all(writer, data)
        received = b""
        while len(received) < len(data):
            received += os.read(reader, 1 << 20)
        assert received == data
    finally:
        os.close(reader)
        os.close(writer)
