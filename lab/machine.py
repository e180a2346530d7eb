"""The virtual machine: what it is made of, and one run of it.

virtme-run boots the kernel on the host's own root file system, which the guest gets read-only over 9p; folders that the
guest may write to are overlays in its memory. It passes standard input, output and exit status of one command through.
Here its output goes through pipes: given a file, QEMU would truncate it.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from lab.errors import BrokeDownError, LabError, NeverReadyError
from lab.kernel import Prepared
from lab.places import CACHE, REPOSITORY, SOURCES

BOOT_SECONDS = 240
"""How long the guest may take until its links are made. 20 s is usual, without KVM and with 2 CPUs."""

BOOTS = 3
"""How often a machine is started that ends before it is ready."""

WRITABLE = ("/etc", "/home", "/opt", "/root", "/srv", "/tmp", "/usr", "/var")
"""Folders of the host that the guest may change in its own memory."""

NICS = (
    *("-machine", "q35,kernel-irqchip=split"),
    *("-device", "intel-iommu,caching-mode=on"),
    *("-netdev", "hubport,id=n1,hubid=1"),
    *("-netdev", "hubport,id=n2,hubid=1"),
    *("-device", "pcie-root-port,id=rp1,slot=1"),
    *("-device", "igb,bus=rp1,netdev=n1,mac=52:54:00:00:01:00"),
    *("-device", "pcie-root-port,id=rp2,slot=2"),
    *("-device", "igb,bus=rp2,netdev=n2,mac=52:54:00:00:02:00"),
)

KERNEL_OPTIONS = (
    "intel_iommu=on",
    # The kernel's test of its timer counts real milliseconds: on a busy host it panics for want of some.
    "no_timer_check",
    # Emulated one-shot timers can be lost on a busy host, and a CPU then sleeps for ever; periodic ones go on.
    "nohz=off",
    "highres=off",
    # A stall is the host's, and the NMI that is to show where can bring the emulated machine down.
    "rcupdate.rcu_cpu_stall_suppress=1",
)

_FEW_DESCRIPTORS = (
    # QEMU's main loop polls a descriptor for each queue of each device, up to 2,000 times a second. Each serial device
    # that virtme-run makes has 64 queues unless told otherwise, and the loop is then as busy as an emulated CPU.
    # Two ports are one and the console's, which has its place whether there is one or not.
    *("-global", "virtio-serial-device.max_ports=2"),
    # The CPU that notifies a device sees to it itself. With eventfds it would be the main loop's work.
    *("-global", "virtio-serial-pci.ioeventfd=off"),
    *("-global", "virtio-9p-pci.ioeventfd=off"),
)


class Machine:
    """One run of the machine with a kernel. kvm: whether to use hardware virtualisation. cpus: how many it has; None
    stands for as many as this process may use, and two at least.
    """

    def __init__(self, kernel: Prepared, kvm: bool, cpus: int | None = None) -> None:
        self.kernel = kernel
        self.kvm = kvm
        self.cpus = cpus or max(2, len(os.sched_getaffinity(0)))

    def run(
        self,
        command: str,
        stdin: int | None = None,
        boot_seconds: float = BOOT_SECONDS,
        command_seconds: float | None = None,
        boots: int = BOOTS,
    ) -> int:
        """Run a shell command in the guest and return its exit status.

        stdin: a file descriptor or subprocess.DEVNULL; None stands for this process's standard input. A terminal is not
        passed on, the guest sees the end of input instead. What the command writes goes to this process's standard
        output and error. SIGINT and SIGTERM end the machine, and raise KeyboardInterrupt and SystemExit. A machine that
        ends before it is ready is started anew, `boots` times in all: QEMU without KVM may die of an assertion of its
        own at that stage.
        Raises LabError if the guest is not ready after boot_seconds or has not ended command_seconds later,
        BrokeDownError if it ends without a status.
        """
        while True:
            try:
                return self._run(command, stdin, boot_seconds, command_seconds)
            except NeverReadyError as error:
                boots -= 1
                if boots == 0:
                    raise
                print(f"lab: {error}\nlab: starting it anew", file=sys.stderr)

    def _run(self, command: str, stdin: int | None, boot_seconds: float, command_seconds: float | None) -> int:
        """Run a shell command as `run`, in one machine."""
        with _run_folder() as folder:
            (folder / "command").write_text(command)
            # What is cached for this user is the guest's to read as well, who is root there.
            cached = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
            script = f"export XDG_CACHE_HOME={shlex.quote(cached)}; exec {SOURCES}/guest {folder}/command"
            process = subprocess.Popen(
                [
                    *self._arguments(folder),
                    *("--script-sh", script),
                    # virtme-run would throw away what the kernel says on the console.
                    *("--kopt", "loglevel=5", "--qemu-opt=-set", f"--qemu-opt=chardev.console.path={folder}/console"),
                ],
                stdin=subprocess.DEVNULL if stdin is None and sys.stdin.isatty() else stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "TMPDIR": str(folder)},
                start_new_session=True,
            )
            output = _Stream(process.stdout, sys.stdout.buffer, folder)
            errors = _Stream(process.stderr, sys.stderr.buffer, folder)
            previous = signal.signal(signal.SIGTERM, _leave)
            try:
                ready = _wait_until_ready(process, folder, boot_seconds)
                try:
                    status = process.wait(command_seconds)
                except subprocess.TimeoutExpired:
                    raise LabError(f"the machine did not end within {command_seconds:g} s" + _console(folder)) from None
                output.finish()
                errors.finish()
                if not ready:
                    raise NeverReadyError("the machine ended before it was ready" + _console(folder) + errors.held())
                if "ended" not in (folder / "ready").read_text():
                    raise BrokeDownError("the machine broke down while the command ran" + _console(folder))
                return status
            finally:
                output.close()
                errors.close()
                _end(process)
                signal.signal(signal.SIGTERM, previous)

    def shell(self) -> None:
        """Give the user a shell in the guest, on this process's terminal. Raises LabError as `run` does."""
        with _run_folder() as folder:
            with open(folder / "errors", "wb") as errors:
                process = subprocess.Popen(
                    [*self._arguments(folder), "--user", "root", "--shell", f"{SOURCES}/guest"],
                    stderr=errors,  # QEMU's warnings; the guest is on the terminal
                    env={**os.environ, "TMPDIR": str(folder)},
                )
            try:
                if not _wait_until_ready(process, folder, BOOT_SECONDS):
                    said = (folder / "errors").read_text(errors="replace")
                    raise LabError(f"the machine ended before it was ready: {said}(`make lab RUN=true` shows more)")
                process.wait()
            finally:
                _end(process)

    def _arguments(self, folder: Path) -> list[str]:
        """Return the command that starts the machine, which keeps its console in a folder."""
        arguments = [
            *("setpriv", "--pdeathsig", "TERM"),  # it ends with this process, however that ends
            str(Path(sys.executable).parent / "virtme-run"),
            *("--qemu-bin", f"{SOURCES}/qemu"),
            *("--kimg", str(self.kernel.image), "--mods", "auto"),
            *("--force-9p", "--disable-microvm"),
            *("--name", "lab", "--memory", "2G", "--cpus", str(self.cpus)),
            *("--cwd", str(REPOSITORY)),
        ]
        for option in KERNEL_OPTIONS:
            arguments += ["--kopt", option]
        if not self.kvm:
            arguments.append("--disable-kvm")
        overlays = [folder for folder in WRITABLE if os.path.isdir(folder)]
        if not any(REPOSITORY.is_relative_to(overlay) for overlay in overlays):
            overlays.append(str(REPOSITORY))
        for overlay in overlays:
            arguments += ["--overlay-rwdir", overlay]
        for option in (
            *NICS,
            *_FEW_DESCRIPTORS,
            *("-device", "virtio-serial-pci,id=lab"),
            *("-chardev", f"file,id=ready,path={folder}/ready"),
            *("-device", "virtserialport,bus=lab.0,name=lab.ready,chardev=ready"),
        ):
            arguments.append(f"--qemu-opt={option}")
        return arguments


@contextmanager
def _run_folder() -> Iterator[Path]:
    """Make a folder for one run, locked while the run lasts; remove it afterwards, and those that killed runs left."""
    for path in CACHE.glob("run.*"):
        _remove_if_left(path)
    folder = Path(tempfile.mkdtemp(prefix="run.", dir=CACHE))
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_if_left(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if time.time() - os.fstat(descriptor).st_mtime > 60:  # else it may be about to be locked
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)


class _Stream:
    """Passes on what the guest's command writes, at once; what is written before it starts (by QEMU, by the guest's
    set-up) and after it was ended is held back.
    """

    def __init__(self, source: IO[bytes] | None, target: IO[bytes], folder: Path) -> None:
        assert source is not None
        self._source = source
        self._target = target
        self._folder = folder
        self._closed = False
        self._held = b""
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Pass on nothing more."""
        self._closed = True

    def finish(self) -> None:
        """Wait until the other end has closed and all is passed on."""
        self._thread.join()

    def held(self) -> str:
        """Return what was held back, as the end of a message."""
        return "".join(f"\n  {line}" for line in self._held.decode(errors="replace").splitlines())

    def _pump(self) -> None:
        while data := os.read(self._source.fileno(), 65536):
            # The guest says that it is ready before it starts the command, so this is looked at after reading.
            if not self._closed and _is_ready(self._folder):
                self._target.write(data)
                self._target.flush()
            else:
                self._held += data


def _is_ready(folder: Path) -> bool:
    ready = folder / "ready"
    return ready.exists() and ready.stat().st_size > 0


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path, seconds: float) -> bool:
    """Wait until the guest says that it is ready; return whether it did before it ended. Raises LabError."""
    deadline = time.monotonic() + seconds
    while True:
        ended = process.poll() is not None
        if _is_ready(folder):
            return True
        if ended:
            return False
        if time.monotonic() > deadline:
            raise LabError(f"the machine was not ready {seconds:g} s after its start" + _console(folder))
        time.sleep(0.1)


def _console(folder: Path) -> str:
    """Return the end of the guest's console, as the end of a message."""
    console = folder / "console"
    lines = console.read_text(errors="replace").splitlines() if console.exists() else []
    return "; the last of its console:" + "".join(f"\n  {line}" for line in lines[-40:] or ["(nothing)"])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End virtme-run if it still runs, and with it QEMU."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
