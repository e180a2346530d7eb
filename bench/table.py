"""The table: each of our binaries beside the reference's, newest and distribution's, in one run, medians and ratios.

Machines are noisy, so a figure means something only beside the other columns of the same row.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Callable

import click

from bench import markdown
from bench.process import Command, Sample, at_once, pause
from bench.rig import IMPLEMENTATIONS, OURS, THEIRS, Rig, folder_of, interleaved, private_machine
from tests.support.plugin import binary, environment

AT_ONCE = 50
FIRST_RUNS = 8
BOTH_HAVE = ("host-device", "host-local", "static")
ONLY_OURS = ("sriov", "accelerated-bridge")
"""The plugins that these replace are not among the peers: they are started beside the reference host-device."""


class Table:
    """The rows so far."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, list[float]]] = []

    def add(self, title: str, figure: Callable[[str], float]) -> None:
        """Add a row. figure: gives that of an implementation."""
        self.rows.append((title, [figure(name) for name in IMPLEMENTATIONS]))

    def text(self) -> str:
        """Return the table in Markdown."""
        header = ["", *IMPLEMENTATIONS, *(f"ratio to {name.partition('-')[2]}" for name in THEIRS)]
        return markdown.table(header, (self._row(title, *figures) for title, figures in self.rows))

    def _row(self, title: str, ours: float, *theirs: float) -> list[str]:
        return [title, *(f"{each:.1f}" for each in (ours, *theirs)), *(f"{ours / each:.2f}" for each in theirs)]


def measure(rounds: int, crowds: int) -> str:
    """Measure everything. rounds: of single commands. crowds: of commands at once. Return the table in Markdown."""
    table = Table()
    with private_machine():
        rig = Rig(AT_ONCE)
        for plugin in (*BOTH_HAVE, *ONLY_OURS):
            _add_starts(table, plugin, rounds)
        for plugin in BOTH_HAVE:
            _add_attachments(table, rig, plugin, rounds)
            if plugin != "static":  # it has no state, and moves nothing
                _add_crowds(table, rig, plugin, crowds)
    kernel = os.uname().release.partition("-")[0]
    return (
        f"Medians of {rounds} interleaved rounds, {FIRST_RUNS} for first runs, {crowds} for {AT_ONCE} at once; "
        f"{os.cpu_count()} CPUs, Linux {kernel}.\n\n{table.text()}\n"
    )


def _version(executable: str) -> Command:
    return Command(executable, environment("VERSION"), b"{}")


def _executable(implementation: str, plugin: str) -> str:
    """Return the binary; for one that the reference does not have, its host-device."""
    name = "host-device" if implementation != OURS and plugin in ONLY_OURS else plugin
    return binary(name, folder_of(implementation))


def _add_starts(table: Table, plugin: str, rounds: int) -> None:
    samples: dict[str, list[Sample]] = {name: [] for name in IMPLEMENTATIONS}
    first: dict[str, list[Sample]] = {name: [] for name in IMPLEMENTATIONS}

    def later_run(name: str) -> None:
        samples[name].append(_version(_executable(name, plugin)).run())

    def first_run(name: str) -> None:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            copy = shutil.copy(_executable(name, plugin), folder)
            first[name].append(_version(copy).run())

    interleaved(FIRST_RUNS, first_run)
    interleaved(rounds, later_run)
    table.add(f"{plugin}: VERSION, ms", lambda name: statistics.median(x.wall_ms for x in samples[name]))
    table.add(f"{plugin}: VERSION, first run, ms", lambda name: statistics.median(x.wall_ms for x in first[name]))
    table.add(f"{plugin}: size, MB", lambda name: os.path.getsize(_executable(name, plugin)) / 1e6)


def _add_attachments(table: Table, rig: Rig, plugin: str, rounds: int) -> None:
    in_a_row: dict[tuple[str, str], list[Sample]] = {}
    at_any_time: dict[tuple[str, str], list[Sample]] = {}

    def attach_and_detach(name: str) -> None:
        for command in ("ADD", "DEL"):
            in_a_row.setdefault((name, command), []).append(rig.command(name, plugin, command).run())

    def now_and_then(name: str) -> None:
        for command in ("ADD", "DEL"):
            pause()
            at_any_time.setdefault((name, command), []).append(rig.command(name, plugin, command).run())

    interleaved(rounds, attach_and_detach)
    interleaved(rounds, now_and_then)
    for command in ("ADD", "DEL"):
        table.add(f"{plugin}: {command}, one after the other, ms", _median(in_a_row, command, "wall_ms"))
        table.add(f"{plugin}: {command}, at random times, ms", _median(at_any_time, command, "wall_ms"))
        table.add(
            f"{plugin}: {command}, CPU time, ms",
            _median(in_a_row, command, "cpu_ms"),
        )
    memory = {
        name: [rig.command(name, plugin, command).peak_memory_mib() for command in ("ADD", "DEL")]
        for name in IMPLEMENTATIONS
    }
    table.add(f"{plugin}: ADD, peak memory, MiB", lambda name: memory[name][0])


def _median(samples: dict[tuple[str, str], list[Sample]], command: str, what: str) -> Callable[[str], float]:
    return lambda name: statistics.median(getattr(x, what) for x in samples[name, command])


def _add_crowds(table: Table, rig: Rig, plugin: str, crowds: int) -> None:
    took: dict[tuple[str, str], list[float]] = {}

    def many(name: str) -> None:
        for command in ("ADD", "DEL"):
            commands = [rig.command(name, plugin, command, number) for number in range(AT_ONCE)]
            took.setdefault((name, command), []).append(at_once(commands))

    interleaved(crowds, many)
    for command in ("ADD", "DEL"):
        medians = {name: statistics.median(took[name, command]) for name in IMPLEMENTATIONS}
        table.add(f"{plugin}: {AT_ONCE} {command} at once, ms", medians.__getitem__)


@click.command(help=__doc__)
@click.option("--rounds", default=40, show_default=True, help="Rounds of single commands.")
@click.option("--crowds", default=5, show_default=True, help=f"Rounds of {AT_ONCE} commands at once.")
def table(rounds: int, crowds: int) -> None:
    """Measure and print the table."""
    click.echo(measure(rounds, crowds))
