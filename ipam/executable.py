"""Other plugins' executables: found in CNI_PATH, run, listened to (CNI specification 1.1.0, section 4)."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from select import POLLIN, POLLOUT, poll
from signal import SIG_DFL, SIGCHLD, SIGINT, SIGKILL, SIGPIPE, SIGTERM, SIGXFSZ, signal

from cni.linux.files import EXHAUSTED
from cni.linux.signals import Deferred
from cni.protocol.errors import GENERIC, TRY_AGAIN_LATER, CniError

MAX_OUTPUT_BYTES = 1 << 20
"""How much of each output stream is kept; the rest is read and dropped, so that the plugin never blocks."""

PATIENCE_S = 2.0
"""How long a plugin may take to end after SIGTERM, in seconds."""

FIRST_LOOK_MS, LAST_LOOK_MS = 1, 50
"""How long to wait, in milliseconds, until a look whether a plugin has ended whose streams are open: twice as long each
time nothing is heard."""

BUSY_RETRIES, BUSY_INTERVAL_S = 25, 0.2
"""An executable that is just being replaced cannot be run (ETXTBSY, execve(2)): 5 s in all."""

IGNORED = (SIGPIPE, SIGXFSZ, SIGINT, SIGTERM)
"""What the interpreter ignores, and we at times. That is inherited, so the plugin gets the defaults back."""

_CHUNK = 1 << 16
_STREAMS = ("stdin", "stdout", "stderr")


@dataclass(frozen=True, slots=True)
class Completed:
    """How a run ended. status: exit status, or the negative number of the signal that killed it.

    stdout, stderr: what it wrote, up to MAX_OUTPUT_BYTES each; cut: whether there was more on stdout.
    """

    status: int
    stdout: bytes
    stderr: bytes
    cut: bool


def find(name: str, folders: list[str]) -> str:
    """Return the path of the first regular, executable file of this name.

    Raises CniError (code 999) that names the folders, in the words of the reference.
    """
    unusable = ""
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            unusable = f"{path} is not executable"
    raise CniError(GENERIC, f'ipam.type: failed to find plugin "{name}" in path [{" ".join(folders)}]', unusable)


def run(path: str, environ: Mapping[str, str], stdin: bytes) -> Completed:
    """Run the executable to its end. Processes that it leaves behind are not waited for, though they hold its pipes.

    The specification sets no time limit, so neither do we: the runtime has one and ends us with a signal. Any exception
    here, that of the signal too, ends the executable first.
    Raises CniError when it cannot be run: code 11 where the node has no room for a process now, else 999.
    """
    _keep_zombies()
    ends: dict[str, int] = {}
    try:
        _make_pipes(ends)
        pid = 0
        try:
            with Deferred():  # nobody would end a process of which we do not know
                pid = _spawn(path, environ, ends)
            return _converse(pid, ends, stdin)
        except BaseException:  # told to end: the child must not go on taking addresses that nobody will hear of
            if pid:
                _end(pid)
            raise
    finally:
        _close(ends, *ends)


def _keep_zombies() -> None:
    """Have the kernel keep how a process ended until we ask: whoever starts us may ignore SIGCHLD, which is inherited,
    and then it does not (wait(2), notes).
    """
    try:
        signal(SIGCHLD, SIG_DFL)
    except ValueError:  # not in the main thread; then this is no plugin's process
        pass


def _make_pipes(ends: dict[str, int]) -> None:
    """Make three pipes. ends: takes their descriptors, ours by the name of the stream."""
    for stream in _STREAMS:
        try:
            reading, writing = os.pipe2(os.O_CLOEXEC)
        except OSError as e:
            raise _refused("make a pipe to an IPAM plugin", e) from e
        ours, theirs = (writing, reading) if stream == "stdin" else (reading, writing)
        ends |= {stream: ours, f"their {stream}": theirs}
        os.set_blocking(ours, False)


def _close(ends: dict[str, int], *names: str) -> None:
    for name in names:
        os.close(ends.pop(name))


def _spawn(path: str, environ: Mapping[str, str], ends: dict[str, int]) -> int:
    theirs = [f"their {stream}" for stream in _STREAMS]
    actions = [(os.POSIX_SPAWN_DUP2, ends[end], fd) for fd, end in enumerate(theirs)]
    retries = BUSY_RETRIES
    while True:
        try:
            pid = os.posix_spawn(path, [path], environ, file_actions=actions, setsigmask=(), setsigdef=IGNORED)
            _close(ends, *theirs)
            return pid
        except OSError as e:
            if e.errno != errno.ETXTBSY or not retries:
                raise _refused(f"run {path}", e) from e
        retries -= 1
        time.sleep(BUSY_INTERVAL_S)


def _refused(attempt: str, error: OSError) -> CniError:
    is_for_now = error.errno in (errno.EAGAIN, *EXHAUSTED)
    code = TRY_AGAIN_LATER if is_for_now else GENERIC
    return CniError(code, f"cannot {attempt}: {error.strerror}", f"errno {error.errno}")


def _converse(pid: int, ends: dict[str, int], stdin: bytes) -> Completed:
    """Feed the process and listen to it until it has ended.

    Its end closes its streams, which is heard at once. Only where a process that it left behind holds them, it is
    looked for from time to time; pidfd_open(2), which would tell, is not in kernels before 5.3.
    """
    kept = {"stdout": bytearray(), "stderr": bytearray()}
    unsent = memoryview(stdin)
    waiting = poll()
    streams = {ends[name]: name for name in _STREAMS}
    for fd, name in streams.items():
        waiting.register(fd, POLLOUT if name == "stdin" else POLLIN)
    pause_ms, alive = FIRST_LOOK_MS, True
    while alive:
        ready = {fd for fd, _ in waiting.poll(pause_ms)} if streams else set()
        pause_ms = FIRST_LOOK_MS if ready else min(2 * pause_ms, LAST_LOOK_MS)
        # The process' end comes last in turn, so that everything it wrote before is read.
        alive = not _has_ended(pid, wait=not streams)
        for fd, name in list(streams.items()):
            if fd not in ready and alive:
                continue
            if name == "stdin":
                unsent = _send(fd, unsent) if alive else unsent[:0]
                more = bool(unsent)
            else:
                more = _receive(fd, kept[name], until_empty=not alive)
            if not more:
                waiting.unregister(fd)
                del streams[fd]
                _close(ends, name)
    _, status = os.waitpid(pid, 0)
    stdout, stderr = (bytes(kept[name][:MAX_OUTPUT_BYTES]) for name in ("stdout", "stderr"))
    return Completed(os.waitstatus_to_exitcode(status), stdout, stderr, len(kept["stdout"]) > MAX_OUTPUT_BYTES)


def _has_ended(pid: int, wait: bool) -> bool:
    """Return whether the process has ended, or wait for that. It stays a zombie: its number is not given anew."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG)) is not None
    except ChildProcessError as e:
        raise CniError(GENERIC, f"cannot learn how process {pid} ended: somebody else has waited for it") from e


def _send(fd: int, unsent: memoryview) -> memoryview:
    try:
        return unsent[os.write(fd, unsent[:_CHUNK]) :] if unsent else unsent
    except BlockingIOError:
        return unsent
    except BrokenPipeError:  # the plugin has heard enough
        return unsent[:0]


def _receive(fd: int, kept: bytearray, until_empty: bool) -> bool:
    """Read once, or all there is; return whether more may come. What is kept has one byte more than may be, where there
    was more.

    All there is has a limit: a process that the plugin left behind may go on writing for ever.
    """
    for _ in range(MAX_OUTPUT_BYTES // _CHUNK if until_empty else 1):
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        kept += chunk[: MAX_OUTPUT_BYTES + 1 - len(kept)]
    return True


def _end(pid: int) -> None:
    """Terminate the process, with force if it does not listen, and leave no zombie."""
    deadline = time.monotonic() + PATIENCE_S
    try:
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return
        os.kill(pid, SIGTERM)
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(pid, SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.01)
    except (ChildProcessError, ProcessLookupError):  # it was waited for already
        return
