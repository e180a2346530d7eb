"""One table: our binaries beside the reference plugins, interleaved in one run, medians and ratios.

Machines are noisy, so a figure means something only beside the other column of the same row.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable

import click

from tests.support import isolation, net
from tests.support.plugin import DIST, REFERENCE, binary, environment

IMPLEMENTATIONS = {"plumbline": DIST, "reference": REFERENCE}
AT_ONCE = 50


class Sample:
    """What one process took: wall clock and CPU in milliseconds."""

    def __init__(self, wall_ms: float, cpu_ms: float) -> None:
        self.wall_ms = wall_ms
        self.cpu_ms = cpu_ms


class Process:
    """A started plugin, with its input and output in files, so that measuring does not mean piping."""

    def __init__(self, executable: str, variables: dict[str, str], stdin: bytes) -> None:
        self._input = tempfile.TemporaryFile()  # noqa: SIM115  (closed in wait)
        self._input.write(stdin)
        self._input.seek(0)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._started = time.perf_counter()
        self._pid = os.posix_spawn(
            executable,
            [executable],
            variables,
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


class Bench:
    """Devices, pods and the commands for them. The neighbours' ends are up, so that links have carrier at once."""

    def __init__(self) -> None:
        self.pods = [net.new_space() for _ in range(AT_ONCE)]
        self.devices = [net.new_device()[0] for _ in range(AT_ONCE)]

    def request(self, implementation: str, command: str, number: int) -> tuple[str, dict[str, str], bytes]:
        """Return executable, environment and input of one command for the attachment with this number."""
        folder = IMPLEMENTATIONS[implementation]
        conf = {
            "cniVersion": "1.0.0",
            "name": f"bench-{implementation}",
            "type": "host-device",
            "device": self.devices[number],
            "ipam": {"type": "host-local", "subnet": "10.90.0.0/16", "routes": [{"dst": "0.0.0.0/0"}]},
        }
        variables = environment(command, f"bench{number}", self.pods[number].path, "net1", path=folder)
        return binary("host-device", folder), variables, json.dumps(conf).encode()

    def start(self, implementation: str, command: str, number: int = 0) -> Process:
        """Start one command."""
        return Process(*self.request(implementation, command, number))

    def peak_memory_mib(self, implementation: str, command: str) -> float:
        """Run one command and return its peak memory in MiB.

        The kernel counts into a process's peak what its parent had when it was forked, so that this needs a small one.
        """
        executable, variables, stdin = self.request(implementation, command, 0)
        timed = ["/usr/bin/time", "-f", "%M", executable]
        done = subprocess.run(timed, env=variables, input=stdin, capture_output=True, check=True)
        return int(done.stderr.split()[-1]) / 1024

    def at_once(self, implementation: str, command: str) -> float:
        """Give one command to all pods at once; return the wall clock in milliseconds until the last has ended."""
        started = time.perf_counter()
        for process in [self.start(implementation, command, number) for number in range(AT_ONCE)]:
            process.wait()
        return (time.perf_counter() - started) * 1e3


def interleaved(rounds: int, run: Callable[[str], None]) -> None:
    """Call `run` for every implementation in turn, alternating who goes first."""
    names = list(IMPLEMENTATIONS)
    for number in range(rounds):
        for name in names if number % 2 else reversed(names):
            run(name)


@click.command(help=__doc__)
@click.option("--rounds", default=30, show_default=True, help="Rounds of single commands.")
@click.option("--crowds", default=5, show_default=True, help=f"Rounds of {AT_ONCE} commands at once.")
def main(rounds: int, crowds: int) -> None:
    """Measure and print the table."""
    isolation.enter()
    # The session's own /var/lib/cni is a tmpfs, where a sync costs nothing. A node has a disk there.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        net.run("mount", "--bind", folder, "/var/lib/cni")
        try:
            measure(rounds, crowds)
        finally:
            net.run("umount", "/var/lib/cni")


def measure(rounds: int, crowds: int) -> None:
    """Measure and print the table."""
    bench = Bench()
    samples: dict[tuple[str, str], list[Sample]] = {}
    crowd: dict[tuple[str, str], list[float]] = {}

    def version(name: str) -> None:
        process = Process(binary("host-device", IMPLEMENTATIONS[name]), environment("VERSION"), b"{}")
        samples.setdefault((name, "VERSION"), []).append(process.wait())

    def attach_and_detach(name: str) -> None:
        for command in ("ADD", "DEL"):
            samples.setdefault((name, command), []).append(bench.start(name, command).wait())

    def many(name: str) -> None:
        for command in ("ADD", "DEL"):
            crowd.setdefault((name, command), []).append(bench.at_once(name, command))

    for name in IMPLEMENTATIONS:  # the first run of a binary unpacks it
        version(name)
    samples.clear()
    interleaved(rounds, version)
    interleaved(rounds, attach_and_detach)
    interleaved(crowds, many)

    rows: list[tuple[str, list[float]]] = []
    for command in ("VERSION", "ADD", "DEL"):
        for title, pick in (("wall, ms", "wall_ms"), ("CPU, ms", "cpu_ms")):
            figures = [statistics.median(getattr(x, pick) for x in samples[name, command]) for name in IMPLEMENTATIONS]
            rows.append((f"{command}: {title}", figures))
    for command in ("ADD", "DEL"):
        figures = [statistics.median(crowd[name, command]) for name in IMPLEMENTATIONS]
        rows.append((f"{AT_ONCE} {command} at once: wall, ms", figures))
    memory = [[bench.peak_memory_mib(name, command) for command in ("ADD", "DEL")] for name in IMPLEMENTATIONS]
    rows.append(("peak memory of ADD, MiB", [add for add, _ in memory]))
    rows.append(("peak memory of DEL, MiB", [delete for _, delete in memory]))
    sizes = [os.path.getsize(binary("host-device", folder)) / 1e6 for folder in IMPLEMENTATIONS.values()]
    rows.append(("size of the binary, MB", sizes))

    click.echo(f"medians of {rounds} interleaved runs ({crowds} of {AT_ONCE} at once), {os.cpu_count()} CPUs\n")
    click.echo(f"{'host-device with host-local':<34}{'plumbline':>11}{'reference':>11}{'ratio':>8}")
    for title, (ours, theirs) in rows:
        click.echo(f"{title:<34}{ours:>11.1f}{theirs:>11.1f}{ours / theirs:>8.2f}")


main()
