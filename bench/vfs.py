"""In the lab only: sriov with a VF, beside the reference's host-device with the same VF, which only moves it; and sriov
and accelerated-bridge as the PF's table of VFs grows, and with it the representors, which netdevsim plays.

Without KVM the machine is 10 to 20 times slower than a real one.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator
from typing import Any

import click

from bench import markdown
from bench.process import Command
from bench.rig import HOST_LOCAL, IMPLEMENTATIONS, OURS, THEIRS, folder_of, interleaved
from bench.scale import Points, shown
from tests.support import net, vfs
from tests.support.net import HOST
from tests.support.plugin import binary, environment
from tests.support.simulator import in_place_of_pf
from tests.support.vfs import PF, VF

TABLE = (1, 16, 64, 256)
BRIDGE = "br-bench"
OF_SRIOV = {"vlan": 100, "spoofchk": "off", "trust": "on"}
OF_BRIDGE = {"bridge": BRIDGE, "vlan": 100}


def measure(rounds: int) -> str:
    """Return all of it as Markdown."""
    vf, netns = _prepared()
    return "\n\n".join(
        [
            _beside(vf, netns, rounds),
            _growing("VFs of the PF", "sriov", OF_SRIOV, vf, netns, rounds),
            _growing("representors of the PF", "accelerated-bridge", OF_BRIDGE, vf, netns, rounds),
        ]
    )


def usual() -> Iterator[tuple[str, Command]]:
    """Give the usual requests to plugins for VFs, with the plugin's name, each when it can be served."""
    vf, netns = _prepared()
    for command in ("VERSION", "ADD", "DEL"):
        yield "sriov", _request(OURS, "sriov", command, vf, netns, OF_SRIOV)
    with in_place_of_pf(vf, switchdev=True):
        for command in ("VERSION", "ADD", "DEL"):
            yield "accelerated-bridge", _request(OURS, "accelerated-bridge", command, vf, netns, OF_BRIDGE)


def _prepared() -> tuple[VF, str]:
    """Return a VF and the path of a pod's namespace; there is a bridge, too."""
    if not vfs.in_lab():
        raise click.UsageError("this is for the lab: make lab RUN='.venv/bin/python -m bench vfs'")
    pf = PF(vfs.PFS[0])
    pf.make_vfs()
    vf = pf.vfs[0]
    vf.reset()
    os.makedirs("/var/lib/cni", exist_ok=True)
    HOST.batch(f"link add {BRIDGE} type bridge vlan_filtering 1", f"link set {BRIDGE} up")
    return vf, net.new_space().path


def _growing(title: str, plugin: str, settings: dict[str, Any], vf: VF, netns: str, rounds: int) -> str:
    points: Points = {}
    for size in TABLE:
        with in_place_of_pf(vf, vfs=size, index=size - 1, switchdev=plugin == "accelerated-bridge"):
            took = [_both(OURS, plugin, vf, netns, settings) for _ in range(rounds)]
            for number, command in enumerate(("ADD", "DEL")):
                points[OURS, command, size] = statistics.median(one[number] for one in took)
    return shown(title, TABLE, points, names=(OURS,))


def _beside(vf: VF, netns: str, rounds: int) -> str:
    took: dict[str, list[tuple[float, float]]] = {}
    plugins = {name: "sriov" if name == OURS else "host-device" for name in IMPLEMENTATIONS}
    interleaved(rounds, lambda name: took.setdefault(name, []).append(_both(name, plugins[name], vf, netns, {})))
    rows = []
    for number, command in enumerate(("ADD", "DEL")):
        ours, *theirs = (statistics.median(one[number] for one in took[name]) for name in IMPLEMENTATIONS)
        ratios = [f"{ours / each:.2f}" for each in theirs]
        rows.append([f"{command}, ms", *(f"{each:.0f}" for each in (ours, *theirs)), *ratios])
    header = ["", "sriov", *(f"host-device of {name}" for name in THEIRS), *("ratio" for _ in THEIRS)]
    return markdown.table(header, rows)


def _both(implementation: str, plugin: str, vf: VF, netns: str, settings: dict[str, Any]) -> tuple[float, float]:
    """Return how many ms ADD and DEL take."""
    add, delete = (_request(implementation, plugin, command, vf, netns, settings) for command in ("ADD", "DEL"))
    return add.run().wall_ms, delete.run().wall_ms


def _request(implementation: str, plugin: str, command: str, vf: VF, netns: str, settings: dict[str, Any]) -> Command:
    folder = folder_of(implementation)
    device = {"pciBusID": vf.address} if plugin == "host-device" else {"deviceID": vf.address}
    conf = {"cniVersion": "1.0.0", "name": "bench", "type": plugin, "ipam": HOST_LOCAL, **device, **settings}
    variables = environment(command, "bench", netns, "net1", path=folder)
    return Command(binary(plugin, folder), variables, json.dumps(conf).encode())


@click.command("vfs", help=__doc__)
@click.option("--rounds", default=10, show_default=True, help="How often each is run.")
def vfs_command(rounds: int) -> None:
    """Measure and print the table and the chart."""
    click.echo(measure(rounds))
