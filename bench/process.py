"""One run of a plugin, measured: wall clock, CPU time, peak memory."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time

import click

LONGEST_TICK_S = 0.01
"""Of all kernels: theirs is 1 to 10 ms, and 4 ms in Debian's."""


def pause() -> None:
    """Wait for a random time, shorter than a tick of the kernel's clock.

    What waits for that clock ends with a tick. A run that begins at once begins always equally long after it, and is
    rounded up or down with all others of its kind.
    """
    time.sleep(random.uniform(0, LONGEST_TICK_S))


class Command:
    """A plugin to be started. stdin: the network configuration."""

    def __init__(self, executable: str, variables: dict[str, str], stdin: bytes) -> None:
        self.executable = executable
        self.variables = variables
        self.stdin = stdin

    def run(self) -> Sample:
        """Start it and wait for its end."""
        return Process(self).wait()

    def peak_memory_mib(self) -> float:
        """Run it and return its peak memory in MiB.

        The kernel counts into a process's peak what its parent had when it was forked, so that this needs a small one.
        """
        timed = ["/usr/bin/time", "-f", "%M", self.executable]
        done = subprocess.run(timed, env=self.variables, input=self.stdin, capture_output=True, check=True)
        return int(done.stderr.split()[-1]) / 1024


class Sample:
    """What one process took: wall clock and CPU in milliseconds."""

    def __init__(self, wall_ms: float, cpu_ms: float) -> None:
        self.wall_ms = wall_ms
        self.cpu_ms = cpu_ms


class Process:
    """A started plugin, with its input and output in files, so that measuring does not mean piping."""

    def __init__(self, command: Command) -> None:
        self._input = tempfile.TemporaryFile()  # noqa: SIM115  (closed in wait)
        self._input.write(command.stdin)
        self._input.seek(0)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._started = time.perf_counter()
        self._pid = os.posix_spawn(
            command.executable,
            [command.executable],
            command.variables,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, self._input.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, self._output.fileno(), 1),
            ],
        )

    def wait(self) -> Sample:
        """Wait for the end; a failed plugin ends the measurement, since its figures would mean nothing."""
        _, status, usage = os.wait4(self._pid, 0)
        wall = time.perf_counter() - self._started
        self._output.seek(0)
        answer = self._output.read().decode()
        self._input.close()
        self._output.close()
        if status != 0:
            raise click.ClickException(f"a plugin failed: {answer}")
        return Sample(wall * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3)


def at_once(commands: list[Command]) -> float:
    """Start all at once; return the wall clock in milliseconds until the last has ended."""
    started = time.perf_counter()
    for process in [Process(command) for command in commands]:
        process.wait()
    return (time.perf_counter() - started) * 1e3
