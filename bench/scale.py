"""How ADD and DEL grow with the node: its links, the addresses in the store, the attachments at once.

Medians of our binary and the reference's, interleaved. For the VFs of a PF see `vfs`.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence

import click

from bench import markdown
from bench.process import at_once, pause
from bench.rig import IMPLEMENTATIONS, Rig, interleaved, private_machine
from tests.support.net import HOST

LINKS = (10, 100, 300, 1000)
ADDRESSES = (10, 100, 1000, 10_000)
ATTACHMENTS = (1, 3, 10, 30, 100)
STORE = "/var/lib/cni/networks"

Points = dict[tuple[str, str, int], float]


def measure(rounds: int) -> str:
    """Return all series as tables and charts in Markdown."""
    with private_machine():
        one = Rig(1)
        parts = [
            shown("links of the host", LINKS, _links(one, rounds)),
            shown("addresses in the store", ADDRESSES, _addresses(one, rounds)),
            shown("attachments at once", ATTACHMENTS, _attachments(Rig(max(ATTACHMENTS)), rounds)),
        ]
    return "\n\n".join(parts)


def _single(rig: Rig, rounds: int, size: int) -> Points:
    """Return the medians of one ADD and one DEL."""
    took: dict[tuple[str, str], list[float]] = {}

    def both(name: str) -> None:
        for command in ("ADD", "DEL"):
            pause()
            took.setdefault((name, command), []).append(rig.command(name, "host-device", command).run().wall_ms)

    interleaved(rounds, both)
    return {(*key, size): statistics.median(x) for key, x in took.items()}


def _links(rig: Rig, rounds: int) -> Points:
    points: Points = {}
    first = made = len(HOST.links())  # those of the rig
    for size in LINKS:
        HOST.batch(*(f"link add scale{n} type veth peer name peer{n}" for n in range(made, size, 2)))
        made = size
        points |= _single(rig, rounds, size)
    HOST.batch(*(f"link del scale{n}" for n in range(first, made, 2)))
    return points


def _addresses(rig: Rig, rounds: int) -> Points:
    points: Points = {}
    for size in ADDRESSES:
        for name in IMPLEMENTATIONS:
            folder = os.path.join(STORE, f"bench-{name}")
            for number in range(size):
                with open(os.path.join(folder, f"10.90.{100 + number // 250}.{1 + number % 250}"), "w") as file:
                    file.write(f"pod{number}\r\nnet1")
        points |= _single(rig, rounds, size)
    for name in IMPLEMENTATIONS:
        for number in range(max(ADDRESSES)):
            os.unlink(os.path.join(STORE, f"bench-{name}", f"10.90.{100 + number // 250}.{1 + number % 250}"))
    return points


def _attachments(rig: Rig, rounds: int) -> Points:
    points: Points = {}
    for size in ATTACHMENTS:
        took: dict[tuple[str, str], list[float]] = {}

        def many(name: str, size: int = size, took: dict[tuple[str, str], list[float]] = took) -> None:
            for command in ("ADD", "DEL"):
                crowd = [rig.command(name, "host-device", command, number) for number in range(size)]
                took.setdefault((name, command), []).append(at_once(crowd))

        interleaved(max(3, rounds // size), many)
        points |= {(*key, size): statistics.median(x) for key, x in took.items()}
    return points


def shown(title: str, sizes: Sequence[int], points: Points, names: Sequence[str] = IMPLEMENTATIONS) -> str:
    """Return a table and a chart, of the implementations with these names."""
    series = [(command, name) for command in ("ADD", "DEL") for name in names]
    rows = [[str(size), *(f"{points[name, command, size]:.1f}" for command, name in series)] for size in sizes]
    lines = {f"{command} {name}": [points[name, command, size] for size in sizes] for command, name in series}
    header = [title, *(f"{command}, {name}" for command, name in series)]
    return f"{markdown.table(header, rows)}\n\n{markdown.chart(f'ms by {title}', sizes, lines)}"


@click.command(help=__doc__)
@click.option("--rounds", default=15, show_default=True, help="Rounds of single commands.")
def scale(rounds: int) -> None:
    """Measure and print tables and charts."""
    click.echo(measure(rounds))
