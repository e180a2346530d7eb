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
from plumbline.verbs.watch import View, present


@click.command()
@json_option
@watch_option
def status(as_json: bool, watch: bool) -> None:
    """Show the PFs of this node: driver, link, switch mode, and how many VFs are used, made and possible."""
    present(View(look, documents.node, _draw), as_json, watch)


def _draw(console: Console, node: Node) -> None:
    if not node.pfs:
        console.print(f"{node.name} has no PF: no device here can have VFs", style="bold")
    else:
        shown, _ = output.table(node.pfs, COLUMNS, console.width)
        console.print(shown)
    _print_states(console, node)
    output.print_unknown(console, node.unknown)
    print_troubles(console, node)


def _print_states(console: Console, node: Node) -> None:
    """Say how many VFs are in which state, and of whom there are devices besides."""
    counts = Counter(vf.state for vf in node.vfs)
    if counts:
        console.print(", ".join(f"{counts[state]} {state.value}" for state in State if counts[state]), style="dim")
    if node.others:
        console.print(
            f"besides, {len(node.others)} attached: {', '.join(name for name, _ in node.others)}", style="dim"
        )


def vfs_told(pf: Pf) -> str:
    """Return how many VFs of a PF are used, made and possible."""
    return f"{pf.used}/{len(pf.vfs)}/{pf.possible if pf.possible is not None else '?'}"


def link(pf: Pf) -> str:
    """Return whether a PF's link is up, and how fast; empty where it has none."""
    if pf.link is None:
        return ""
    state = "down" if not pf.link.up else "up" if pf.link.carrier else "no carrier"
    return f"{state} {speed(pf.speed)}".strip()


def speed(mbps: int | None) -> str:
    """Return a speed in Mbit/s as it is mostly written, empty where it is not known."""
    if mbps is None:
        return ""
    return f"{mbps // 1000}G" if mbps % 1000 == 0 else f"{mbps}M"


COLUMNS: list[Column[Pf]] = [
    Column("PF", lambda pf: pf.name, 9, lambda _: "bold"),
    Column("ADDRESS", lambda pf: pf.address, 8),
    Column("DRIVER", lambda pf: pf.driver, 5),
    Column("LINK", link, 6, lambda pf: "green" if pf.link and pf.link.up and pf.link.carrier else "red"),
    Column("MTU", lambda pf: str(pf.link.mtu) if pf.link else "", 3),
    Column("MODE", lambda pf: pf.eswitch or "", 4),
    Column("VFS", vfs_told, 7),
    Column("PERSISTENT", lambda pf: "yes" if pf.persistent else "", 2),
    Column("NUMA", lambda pf: "" if pf.numa is None else str(pf.numa), 2),
    Column("MODEL", lambda pf: " ".join((pf.vendor, pf.model)).strip(), 1),
]
"""VFS: used, made, possible."""
