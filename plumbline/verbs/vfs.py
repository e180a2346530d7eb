"""`plumbline vfs`: every VF, a line each: what it is, how it is set, where its link is, and whose it is."""

from __future__ import annotations

import click
from rich.console import Console

from plumbline import documents, output
from plumbline.node import names
from plumbline.node.look import look
from plumbline.node.model import NO_MAC, Node, State, Vf
from plumbline.output import Column
from plumbline.verbs.devices import complete_pf
from plumbline.verbs.options import json_option, watch_option
from plumbline.verbs.watch import View, present

STYLES = {
    State.FREE: "dim",
    State.POD: "green",
    State.DEAD: "red",
    State.BUSY: "cyan",
    State.FOREIGN: "magenta",
    State.STRAY: "yellow",
    State.UNBOUND: "dim",
}


@click.command()
@click.argument("pf", required=False, shell_complete=complete_pf)
@json_option
@watch_option
def vfs(pf: str | None, as_json: bool, watch: bool) -> None:
    """Show the VFs of this node, or of one PF: where each one's link is, how it is set, and which pod has it."""
    present(View(lambda: _of(look(), pf), documents.node, _draw), as_json, watch)


def _of(node: Node, pf: str | None) -> Node:
    """Return the node, of its PFs only one if that is asked for. Raises VerbError (10)."""
    if pf is not None:
        node.pfs = [names.pf(node, pf)]
    return node


def _draw(console: Console, node: Node) -> None:
    if not node.vfs:
        console.print("there are no VFs; `plumbline setup` makes some", style="bold")
    else:
        shown, left_out = output.table(node.vfs, COLUMNS, console.width)
        console.print(shown)
        if left_out:
            console.print(f"a wider terminal shows {', '.join(left_out)} as well", style="dim")
    output.print_unknown(console, node.unknown)


def flags(vf: Vf) -> str:
    """Return what is set of a VF besides address and VLAN, as far as it is not what it is by itself."""
    found = vf.settings
    if found is None:
        return ""
    told = []
    if found.trust:
        told.append("trust")
    if found.spoofchk is False:
        told.append("nospoofchk")
    if found.link_state not in (None, "auto"):
        told.append(f"link={found.link_state}")
    if found.min_tx_rate:
        told.append(f"min={found.min_tx_rate}")
    if found.max_tx_rate:
        told.append(f"max={found.max_tx_rate}")
    return ",".join(told)


def vlan(vf: Vf) -> str:
    """Return a VF's VLAN with its priority and its protocol where these are not the usual ones."""
    found = vf.settings
    if found is None or not (found.vlan or found.qos):
        return ""
    qos = f"/{found.qos}" if found.qos else ""
    return f"{found.vlan}{qos}" + (f" {found.protocol}" if found.protocol != "802.1Q" else "")


def mac(vf: Vf) -> str:
    """Return the address that a VF uses: its link's, or what the PF has set."""
    set_by_pf = vf.settings.mac if vf.settings is not None and vf.settings.mac != NO_MAC else ""
    return vf.link.mac if vf.link is not None else set_by_pf


def where(vf: Vf) -> str:
    """Return where a VF's link is."""
    if vf.link is None:
        return ""
    return f"{vf.link.name}@{vf.link.netns.rpartition('/')[2]}" if vf.link.netns else vf.link.name


def _representor(vf: Vf) -> str:
    found = vf.representor
    return "" if found is None else f"{found.name} ({found.master})" if found.master else found.name


def _interface(vf: Vf) -> str:
    return vf.owner.interface if vf.owner is not None else ""


COLUMNS: list[Column[Vf]] = [
    Column("VF", lambda vf: f"{vf.pf}:{vf.index}", 9, lambda _: "bold"),
    Column("ADDRESS", lambda vf: vf.address or "", 7),
    Column("STATE", lambda vf: vf.state.value, 10, lambda vf: STYLES[vf.state]),
    Column("OWNER", lambda vf: str(vf.owner or ""), 8),
    Column("IF", _interface, 5),
    Column("NETWORK", lambda vf: vf.owner.network if vf.owner is not None else "", 4),
    Column("LINK", where, 3),
    Column("MAC", mac, 2),
    Column("VLAN", vlan, 6),
    Column("FLAGS", flags, 2),
    Column("REPRESENTOR", _representor, 3),
    Column("DRIVER", lambda vf: vf.driver, 1),
]
