"""`plumbline status`: the node's PFs, a line each."""

from __future__ import annotations

from collections import Counter

import click
from rich.console import Console

from plumbline import documents, output
from plumbline.node.look import look
from plumbline.node.model import Node, Pf, State
from plumbline.output import Column
from plumbline.verbs.findings import print_troubles
from plumbline.verbs.options import json_option, watch_option
from plumbline.verbs.watch import follow


@click.command()
@json_option
@watch_option
def status(as_json: bool, watch: bool) -> None:
    """Show the PFs of this node: driver, link, switch mode, and how many VFs are used, made and possible."""
    follow(watch, lambda: _print(look(), as_json))


def _print(node: Node, as_json: bool) -> None:
    if as_json:
        output.print_json(documents.node(node))
        return
    console = output.console()
    if not node.pfs:
        console.print(f"{node.name} has no PF: no device here can have VFs", style="bold")
    else:
        shown, _ = output.table(node.pfs, COLUMNS, console.width)
        console.print(shown)
    _print_states(console, node)
    for text in node.unknown:
        console.print(f"not known: {text}", style="yellow")
    print_troubles(console, node)


def _print_states(console: Console, node: Node) -> None:
    """Say how many VFs are in which state, and of whom there are devices besides."""
    counts = Counter(vf.state for vf in node.vfs)
    if counts:
        console.print(", ".join(f"{counts[state]} {state.value}" for state in State if counts[state]), style="dim")
    if node.others:
        console.print(f"{len(node.others)} other devices are in pods: `plumbline show` DEVICE", style="dim")


def vfs_told(pf: Pf) -> str:
    """Return how many VFs of a PF are used, made and possible."""
    used = sum(vf.state is not State.FREE and vf.state is not State.UNBOUND for vf in pf.vfs)
    return f"{used}/{len(pf.vfs)}/{pf.possible if pf.possible is not None else '?'}"


def _link(pf: Pf) -> str:
    if pf.link is None:
        return ""
    state = "down" if not pf.link.up else "up" if pf.link.carrier else "no carrier"
    return f"{state} {_speed(pf.speed)}".strip()


def _speed(mbps: int | None) -> str:
    if mbps is None:
        return ""
    return f"{mbps // 1000}G" if mbps % 1000 == 0 else f"{mbps}M"


COLUMNS: list[Column[Pf]] = [
    Column("PF", lambda pf: pf.name, 9, lambda _: "bold"),
    Column("ADDRESS", lambda pf: pf.address, 8),
    Column("DRIVER", lambda pf: pf.driver, 5),
    Column("LINK", _link, 6, lambda pf: "green" if pf.link and pf.link.up and pf.link.carrier else "red"),
    Column("MTU", lambda pf: str(pf.link.mtu) if pf.link else "", 3),
    Column("MODE", lambda pf: pf.eswitch or "", 4),
    Column("VFS", vfs_told, 7),
    Column("NUMA", lambda pf: "" if pf.numa is None else str(pf.numa), 2),
    Column("MODEL", lambda pf: " ".join((pf.vendor, pf.model)).strip(), 1),
]
"""VFS: used, made, possible."""
