"""Executing a plugin: found where, fed and listened to without blocking, ended when we are told to end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cni.protocol.errors import GENERIC, CniError
from ipam import executable

Script = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A function that makes an executable of a shell script and returns its path."""

    def make(body: str) -> str:
        path = tmp_path / "plugin"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return make


ENVIRON = {"PATH": os.environ["PATH"]}


def test_find_the_first_executable_file(tmp_path: Path) -> None:
    folders = [str(tmp_path / name) for name in "abcde"]
    for folder in folders[1:]:
        os.mkdir(folder)
    os.mkdir(f"{folders[1]}/x")
    Path(f"{folders[2]}/x").write_text("not executable")
    for folder in folders[3:]:
        os.symlink("/bin/true", f"{folder}/x")
    assert executable.find("x", folders) == f"{folders[3]}/x"
    with pytest.raises(CniError) as caught:
        executable.find("x", folders[:3])
    assert caught.value.code == GENERIC
    assert f'failed to find plugin "x" in path [{" ".join(folders[:3])}]' in caught.value.msg
    assert "is not executable" in caught.value.details


def test_environment_and_input_come_as_they_are(script: Script) -> None:
    done = executable.run(script('echo "$A"; cat; echo oops >&2; exit 3'), {**ENVIRON, "A": "x y"}, b"\x00\xff\n")
    assert (done.status, done.stdout, done.stderr) == (3, b"x y\n\x00\xff\n", b"oops\n")


def test_killed_by_a_signal(script: Script) -> None:
    assert executable.run(script("kill -9 $$"), ENVIRON, b"").status == -9


def test_much_in_and_out_at_once_does_not_block(script: Script) -> None:
    """2 MB each way, the output before the input is read."""
    body = "head -c 2000000 /dev/zero; head -c 2000000 /dev/zero >&2; cat >/dev/null"
    done = executable.run(script(body), ENVIRON, bytes(2_000_000))
    assert (done.status, done.cut) == (0, True)
    assert (len(done.stdout), len(done.stderr)) == (executable.MAX_OUTPUT_BYTES, executable.MAX_OUTPUT_BYTES)


def test_a_plugin_that_reads_nothing(script: Script) -> None:
    done = executable.run(script("exec <&-; sleep 0.05; echo done"), ENVIRON, bytes(2_000_000))
    assert (done.status, done.stdout) == (0, b"done\n")


def test_what_the_plugin_leaves_behind_is_not_waited_for(script: Script) -> None:
    done = executable.run(script("sleep 20 & echo $!"), ENVIRON, b"")
    os.kill(int(done.stdout), signal.SIGKILL)  # it is still there


def test_signals_are_as_a_fresh_process_has_them(script: Script) -> None:
    """The interpreter ignores SIGPIPE, and a rollback blocks SIGTERM: neither is the plugin's."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        done = executable.run(script("grep -E 'Sig(Blk|Ign)' /proc/self/status"), ENVIRON, b"")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    ours = {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT}
    masks = [int(line.split()[1], 16) for line in done.stdout.splitlines()]
    assert len(masks) == 2
    assert [number for mask in masks for number in ours if mask & 1 << number - 1] == []


@pytest.mark.parametrize("body", ["exec sleep 60", "trap '' TERM; while :; do sleep 0.05; done"])
def test_an_exception_ends_the_plugin(script: Script, tmp_path: Path, body: str) -> None:
    """As when SIGTERM comes to us: the plugin ends too, with force if need be, and no zombie is left."""

    class Stop(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Stop

    def signal_when_started() -> None:
        while not (tmp_path / "pid").exists():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    thread = threading.Thread(target=signal_when_started)
    thread.start()
    try:
        with pytest.raises(Stop):
            executable.run(script(f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; {body}"), ENVIRON, b"")
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)
    assert not os.path.exists(f"/proc/{int((tmp_path / 'pid').read_text())}")


def test_a_signal_while_the_plugin_is_started(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes when there is a process of which nobody here knows yet: that ends, too."""
    started: list[int] = []
    spawn = os.posix_spawn

    def spawn_and_signal(*arguments: object, **options: object) -> int:
        started.append(spawn(*arguments, **options))  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGTERM)
        return started[0]

    def stop(*_: object) -> None:
        raise InterruptedError

    monkeypatch.setattr(os, "posix_spawn", spawn_and_signal)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(InterruptedError):
            executable.run(script("exec sleep 60"), ENVIRON, b"")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not os.path.exists(f"/proc/{started[0]}")


def test_no_descriptor_is_left_open(script: Script) -> None:
    before = os.listdir("/proc/self/fd")
    executable.run(script("cat"), ENVIRON, b"x")
    with pytest.raises(CniError):
        executable.run("/nonexistent", ENVIRON, b"x")
    assert os.listdir("/proc/self/fd") == before


def test_what_cannot_be_run(tmp_path: Path) -> None:
    path = tmp_path / "plugin"
    path.write_bytes(b"\x7fELF")
    path.chmod(0o755)
    with pytest.raises(CniError, match=f"cannot run {path}: Exec format error"):
        executable.run(str(path), ENVIRON, b"")


def test_an_executable_that_is_being_replaced(script: Script) -> None:
    path = script("echo done")
    busy = open(path, "ab")  # noqa: SIM115  (closed by the timer)
    timer = threading.Timer(0.3, busy.close)
    timer.start()
    assert executable.run(path, ENVIRON, b"").stdout == b"done\n"
    timer.join()


def test_somebody_ignores_our_children(script: Script) -> None:
    """With SIGCHLD ignored, which is inherited, the kernel forgets how a process ended."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert executable.run(script("exit 7"), ENVIRON, b"").status == 7
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_plugin_that_closes_its_streams_and_goes_on(script: Script) -> None:
    done = executable.run(script("echo said; exec <&- >&- 2>&-; sleep 0.2; exit 5"), ENVIRON, bytes(2_000_000))
    assert (done.status, done.stdout) == (5, b"said\n")
