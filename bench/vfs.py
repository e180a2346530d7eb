"""In the lab only: sriov with a VF, beside the reference's host-device with the same VF, which only moves it; and sriov
as the PF's table of VFs grows, which netdevsim plays. Without KVM the machine is 10 to 20 times slower than a real one.
"""

from __future__ import annotations

import json
import os
import statistics
from typing import Any

import click

from bench import markdown
from bench.process import Command
from bench.rig import HOST_LOCAL, OURS, THEIRS, interleaved
from bench.scale import Points, shown
from tests.support import net, vfs
from tests.support.plugin import DIST, REFERENCE, binary, environment
from tests.support.simulator import in_place_of_pf
from tests.support.vfs import PF, VF

TABLE = (1, 16, 64, 256)
SETTINGS = {"vlan": 100, "spoofchk": "off", "trust": "on"}


def measure(rounds: int) -> str:
    """Return both as Markdown."""
    pf = PF(vfs.PFS[0])
    pf.make_vfs()
    vf = pf.vfs[0]
    vf.reset()
    os.makedirs("/var/lib/cni", exist_ok=True)
    pod = net.new_space()
    beside = _beside(vf, pod.path, rounds)
    points: Points = {}
    for size in TABLE:
        with in_place_of_pf(vf, vfs=size, index=size - 1):
            took = [_both(OURS, vf, pod.path, SETTINGS) for _ in range(rounds)]
            for number, command in enumerate(("ADD", "DEL")):
                points[OURS, command, size] = statistics.median(one[number] for one in took)
    return f"{beside}\n\n{shown('VFs of the PF', TABLE, points, names=(OURS,))}"


def _beside(vf: VF, netns: str, rounds: int) -> str:
    took: dict[str, list[tuple[float, float]]] = {}
    interleaved(rounds, lambda name: took.setdefault(name, []).append(_both(name, vf, netns, {})))
    rows = []
    for number, command in enumerate(("ADD", "DEL")):
        ours, theirs = (statistics.median(one[number] for one in took[name]) for name in (OURS, THEIRS))
        rows.append([f"{command}, ms", f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"])
    return markdown.table(["", "sriov", "reference host-device", "ratio"], rows)


def _both(implementation: str, vf: VF, netns: str, settings: dict[str, Any]) -> tuple[float, float]:
    """Return how many ms ADD and DEL take."""
    conf: dict[str, Any] = {"cniVersion": "1.0.0", "name": f"bench-{implementation}", "ipam": HOST_LOCAL}
    if implementation == OURS:
        executable = binary("sriov", DIST)
        conf |= {"type": "sriov", "deviceID": vf.address, **settings}
    else:
        executable = binary("host-device", REFERENCE)
        conf |= {"type": "host-device", "pciBusID": vf.address}
    path = DIST if implementation == OURS else REFERENCE
    wall = []
    for command in ("ADD", "DEL"):
        variables = environment(command, "bench", netns, "net1", path=path)
        wall.append(Command(executable, variables, json.dumps(conf).encode()).run().wall_ms)
    return wall[0], wall[1]


@click.command("vfs", help=__doc__)
@click.option("--rounds", default=10, show_default=True, help="How often each is run.")
def vfs_command(rounds: int) -> None:
    """Measure and print the table and the chart."""
    if not vfs.in_lab():
        raise click.UsageError("this is for the lab: make lab RUN='.venv/bin/python -m bench vfs'")
    click.echo(measure(rounds))
