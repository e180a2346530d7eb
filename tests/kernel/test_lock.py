"""Locks between processes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cni.linux import lock
from cni.linux.lock import DEPTH, EphemeralLock, FileLock
from cni.protocol.errors import IO_FAILURE, TRY_AGAIN_LATER, CniError
from tests.support.plugin import REPOSITORY

KINDS = pytest.mark.parametrize("kind", [FileLock, EphemeralLock])

HOLD = """
import sys
from cni.linux import lock
with getattr(lock, sys.argv[1])(sys.argv[2], 20):
    print("held", flush=True)
    sys.stdin.read()
"""

COUNT = """
import sys
from cni.linux import lock
for _ in range(int(sys.argv[3])):
    with getattr(lock, sys.argv[1])(sys.argv[2] + ".lock", 60):
        with open(sys.argv[2]) as file:
            number = int(file.read())
        with open(sys.argv[2], "w") as file:
            file.write(str(number + 1))
"""


def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a Python program that can import our modules."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.fixture
def holder() -> Iterator[Callable[[type[FileLock], str], subprocess.Popen[bytes]]]:
    """A function that starts a process which holds a lock until its standard input ends."""
    processes: list[subprocess.Popen[bytes]] = []

    def hold(kind: type[FileLock], path: str) -> subprocess.Popen[bytes]:
        process = start(HOLD, kind.__name__, path)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.wait()


@KINDS
def test_a_held_lock_times_out(
    tmp_path: Path, kind: type[FileLock], holder: Callable[[type[FileLock], str], subprocess.Popen[bytes]]
) -> None:
    """Code 11, naming the file, the time and who holds it; the file of the holder is left."""
    path = str(tmp_path / "lock")
    process = holder(kind, path)
    with pytest.raises(CniError, match=f"cannot lock {path}: another process has held it for 0.05 s") as caught:
        kind(path, 0.05).__enter__()
    assert caught.value.code == TRY_AGAIN_LATER
    assert caught.value.details == f"process {process.pid} ({os.path.basename(sys.executable)}) holds it"
    assert os.path.exists(path)


@KINDS
def test_a_lock_that_an_ancestor_holds(tmp_path: Path, kind: type[FileLock]) -> None:
    """Who executed us as an IPAM plugin waits for our end, at whatever distance: nobody would get on."""
    path = str(tmp_path / "lock")
    program = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {HOLD!r}, *sys.argv[1:]]))"
    with kind(path):
        done = subprocess.run(
            [sys.executable, "-c", program, kind.__name__, path],
            cwd=REPOSITORY,
            env={**os.environ, DEPTH: "1"},
            capture_output=True,
            text=True,
        )
    assert f"cannot lock {path}: who holds it waits for us; process {os.getpid()} " in done.stderr
    assert done.stdout == ""


def test_a_lock_that_is_not_to_be_created(tmp_path: Path) -> None:
    with pytest.raises(CniError, match="No such file or directory") as caught:
        FileLock(str(tmp_path / "lock"), 0, None).__enter__()
    assert caught.value.code == IO_FAILURE
    assert os.listdir(tmp_path) == []


@KINDS
def test_the_lock_of_a_killed_process_is_free(
    tmp_path: Path, kind: type[FileLock], holder: Callable[[type[FileLock], str], subprocess.Popen[bytes]]
) -> None:
    """The kernel lets go for a holder that was killed; what it left of files is no obstacle."""
    path = str(tmp_path / "lock")
    process = holder(kind, path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert os.path.exists(path)
    with kind(path, 0):
        pass
    assert os.path.exists(path) is (kind is FileLock)


@KINDS
def test_a_lock_is_passed_on(
    tmp_path: Path, kind: type[FileLock], holder: Callable[[type[FileLock], str], subprocess.Popen[bytes]]
) -> None:
    """Whoever waits gets it when the holder lets go."""
    path = str(tmp_path / "lock")
    process = holder(kind, path)
    waiter = start(HOLD, kind.__name__, path)
    try:
        process.communicate()
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == b"held\n"
    finally:
        waiter.communicate()
    assert os.path.exists(path) is (kind is FileLock)


@KINDS
def test_mutual_exclusion(tmp_path: Path, kind: type[FileLock]) -> None:
    """Four processes that each add one a hundred times lose no addition, though the ephemeral file comes and goes."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    processes = [start(COUNT, kind.__name__, str(counter), "100") for _ in range(4)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert counter.read_text() == "400"
    assert os.path.exists(f"{counter}.lock") is (kind is FileLock)


def test_an_ephemeral_file_that_vanishes(tmp_path: Path) -> None:
    """A lock on a removed name is no lock: the next one makes a new file, and the first ends without a complaint."""
    path = str(tmp_path / "lock")
    with EphemeralLock(path, 0):
        os.unlink(path)
        with EphemeralLock(path, 0):
            pass
    assert os.listdir(tmp_path) == []


def test_the_file_of_another_holder_is_left(tmp_path: Path) -> None:
    """A holder whose file was replaced does not remove the file of the one that holds the name now."""
    path = str(tmp_path / "lock")
    with EphemeralLock(path, 0) as first:
        os.unlink(path)
        with EphemeralLock(path, 0):
            first.__exit__()
            assert os.path.exists(path)
            first._fd = os.open(os.devnull, os.O_RDONLY)  # for the second exit


@KINDS
def test_released_after_an_exception(tmp_path: Path, kind: type[FileLock]) -> None:
    """The lock is free again when the block ends by an exception, and no descriptor stays open."""
    path = str(tmp_path / "lock")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(RuntimeError), kind(path, 0):
        raise RuntimeError
    with kind(path, 0):
        pass
    assert os.listdir("/proc/self/fd") == before


@KINDS
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing/lock", "No such file or directory"),
        ("folder", "not a regular file"),
        ("link", "not a regular file"),
        ("fifo", "not a regular file"),
        ("device", "not a regular file"),
    ],
)
def test_unusable_files(tmp_path: Path, kind: type[FileLock], path: str, reason: str) -> None:
    """Code 5 with path and reason; a symbolic link is not followed."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "fifo")
    os.mknod(tmp_path / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    with pytest.raises(CniError, match=reason) as caught:
        kind(str(tmp_path / path), 0).__enter__()
    assert caught.value.code == IO_FAILURE
    assert not (tmp_path / "target").exists()


def test_sweep(tmp_path: Path, holder: Callable[[type[FileLock], str], subprocess.Popen[bytes]]) -> None:
    """What killed holders left goes; the file of a lock that is held stays; a missing folder has nothing to sweep."""
    (tmp_path / "left").touch()
    holder(EphemeralLock, str(tmp_path / "held"))
    lock.sweep(str(tmp_path))
    assert os.listdir(tmp_path) == ["held"]
    lock.sweep(str(tmp_path / "missing"))
