"""How long the operator's command takes on a large node: 256 VFs and 1,000 links.

In the lab the VFs are those of a simulated NIC, in legacy and in switchdev mode, where all have representors; without
KVM that machine is 10 to 20 times slower than a real one. Elsewhere sysfs is made up, of a NIC on the PCI bus whose VFs
have links; what is lacking then are the settings, which the kernel has. All links are real. `look` is what the command
does, without the start of the interpreter and of the libraries, which is `--help`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from bench import markdown
from bench.rig import private_machine
from plumbline.node.look import look
from tests.support import net, sysfstree, vfs
from tests.support.net import HOST
from tests.support.plugin import binary
from tests.support.simulator import BUS
from tests.support.sysfstree import Tree, folder, netdev
from tests.support.vfs import wait_for

VFS, LINKS = 256, 1000
SIMULATED = 7
PF = "0000:03:00.0"
DEVICES = "/sys/bus/pci/devices"
VERBS = (("--help",), ("status",), ("vfs",), ("vfs", "--json"), ("tree", "--all"))


def measure(rounds: int) -> str:
    """Return all figures as Markdown."""
    columns: dict[str, list[float]] = {}
    with _simulated() if vfs.in_lab() else _made_up() as nodes:
        for title in nodes:
            wall, cpu = zip(*(_medians(run, rounds) for run in _runs()), strict=True)
            columns |= {title: list(wall), f"CPU time, {title}": list(cpu)}
    names = [*(" ".join(verb) for verb in VERBS), "look"]
    rows = [[name, *(f"{column[at]:.0f}" for column in columns.values())] for at, name in enumerate(names)]
    return markdown.table([f"ms with {VFS} VFs, {LINKS} links", *columns], rows)


@contextmanager
def _made_up() -> Iterator[Iterator[str]]:
    """Be on a node with a made-up NIC: what there is to be measured, each when it is ready."""
    vf_names = {f"0000:03:{2 + index // 8:02x}.{index % 8}": f"vf{index}" for index in range(VFS)}
    tree: Tree = sysfstree.pf(PF, dict(enumerate(vf_names))) | netdev(folder(PF), "pf0")
    for address, name in vf_names.items():
        tree |= netdev(folder(address), name)

    def nodes() -> Iterator[str]:
        yield "sysfs made up"

    with private_machine(), tempfile.TemporaryDirectory() as root:
        sysfstree.build(Path(root), tree)
        links = ["pf0", *vf_names.values()]
        HOST.batch(*(f"link add {name} type veth peer name peer-{name}" for name in links))
        _add_links()
        net.run("mount", "--bind", os.path.join(root, "bus/pci/devices"), DEVICES)
        yield nodes()


@contextmanager
def _simulated() -> Iterator[Iterator[str]]:
    """Be on a node with a simulated NIC: what there is to be measured, each when it is ready."""
    device = f"{BUS}/devices/netdevsim{SIMULATED}"

    def nodes() -> Iterator[str]:
        yield "netdevsim, legacy"
        net.run("devlink", "dev", "eswitch", "set", f"netdevsim/netdevsim{SIMULATED}", "mode", "switchdev")
        wait_for(lambda: len(os.listdir(f"{device}/net")) > VFS, "representors", 300)
        yield "netdevsim, switchdev"

    net.run("udevadm", "control", "--stop-exec-queue")  # it would be busy for minutes with so many links
    _write(f"{BUS}/new_device", f"{SIMULATED} 1")
    wait_for(lambda: os.path.isdir(f"{device}/net"), "netdevsim's link")
    _write(f"/sys/kernel/debug/netdevsim/netdevsim{SIMULATED}/max_vfs", str(VFS))
    _write(f"{device}/sriov_numvfs", str(VFS))
    _add_links()
    yield nodes()


def _add_links() -> None:
    """Make links, in pairs, until there are enough."""
    missing = LINKS - len(HOST.links())
    HOST.batch(*(f"link add bench{n} type veth peer name peer{n}" for n in range((missing + 1) // 2)))


def _runs() -> list[Callable[[], object]]:
    plumbline = binary("plumbline")
    verbs = [partial(subprocess.run, [plumbline, *verb], check=True, capture_output=True) for verb in VERBS]
    return [*verbs, _look]


def _look() -> None:
    node = look()
    if len(node.vfs) < VFS or len(node.links) < LINKS:
        raise click.ClickException(f"found are {len(node.vfs)} VFs and {len(node.links)} links: {node.unknown}")


def _medians(run: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the time and the CPU time, ours and that of programs, in ms."""
    run()  # what is read for the first time comes from the disk
    wall, cpu = [], []
    for _ in range(rounds):
        started, used = time.perf_counter(), sum(os.times()[:4])
        run()
        wall.append((time.perf_counter() - started) * 1e3)
        cpu.append((sum(os.times()[:4]) - used) * 1e3)
    return statistics.median(wall), statistics.median(cpu)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


@click.command("operator", help=__doc__)
@click.option("--rounds", default=5, show_default=True, help="How often each is run.")
def operator(rounds: int) -> None:
    """Measure and print a table."""
    click.echo(measure(rounds))
