"""`plumbline tree`: who has what, as a picture of the node."""

from __future__ import annotations

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from cni.protocol.errors import escaped
from plumbline import documents, output
from plumbline.drawing.dot import dot
from plumbline.drawing.graph import called, graph, groups
from plumbline.drawing.svg import svg
from plumbline.node.look import look
from plumbline.node.model import LinkState, Node, Owner, Pf, State, Vf
from plumbline.verbs import status
from plumbline.verbs.options import json_option, watch_option
from plumbline.verbs.vfs import STYLES, vlan
from plumbline.verbs.watch import View, present


@click.command()
@click.option("--all", "every", is_flag=True, help="Show each free VF, not how many there are.")
@click.option("--dot", "as_dot", is_flag=True, help="Print it for Graphviz.")
@click.option("--svg", "as_svg", is_flag=True, help="Print it as an SVG picture.")
@json_option
@watch_option
def tree(every: bool, as_dot: bool, as_svg: bool, as_json: bool, watch: bool) -> None:
    """Show who has what: PFs, their VFs, representors and bridges, and the pods."""
    if as_dot + as_svg + as_json > 1:
        raise click.UsageError("--dot, --svg and --json are different forms: choose one")
    if watch and (as_dot or as_svg):
        raise click.UsageError("--watch is for the terminal and for --json")
    if as_dot or as_svg:
        picture = graph(look(), every)
        click.echo(dot(picture) if as_dot else svg(picture))
        return
    present(View(look, documents.node, lambda console, node: draw(console, node, every)), as_json, watch)


def draw(console: Console, node: Node, every: bool = False) -> None:
    """Print a node. every: whether each idle VF has a line of its own."""
    root = Tree(_line((node.name, "bold"), (node.kernel, "dim")), guide_style="dim")
    masters = {link.name: link.master for link in node.links}
    for pf in node.pfs:
        branch = root.add(_pf(pf, masters))
        for group in groups(pf, every):
            _add(branch, group, masters)
    if node.others:
        branch = root.add(_line(("other devices", "bold")))
        for device, owner in node.others:
            branch.add(_line((device, "bold"), (owner.plugin, "dim"))).add(_owner(owner))
    console.print(root, no_wrap=True, overflow="ellipsis", crop=True)
    output.print_unknown(console, node.unknown)


def _pf(pf: Pf, masters: dict[str, str]) -> Text:
    return _line(
        (pf.name, "bold"),
        (pf.driver, ""),
        (status.link(pf), ""),
        (pf.eswitch or "", ""),
        (f"{status.vfs_told(pf)} VFs", "dim"),
        (_ports(pf.link, masters), "blue"),
    )


def _add(branch: Tree, group: list[Vf], masters: dict[str, str]) -> None:
    """Add VFs: one, or several that are idle in the same way."""
    first = group[0]
    if len(group) > 1:
        branch.add(_line((called(group), STYLES[first.state]), (f"{len(group)} {first.state}", STYLES[first.state])))
        return
    vlan_told = f"vlan {vlan(first)}" if vlan(first) else ""
    name = _line((called(group), "bold"), (first.state, STYLES[first.state]), (first.driver, "dim"), (vlan_told, ""))
    below = branch.add(name)
    if first.representor is not None:
        below.add(
            _line(("representor", "dim"), (first.representor.name, ""), (_ports(first.representor, masters), "blue"))
        )
    if first.owner is not None:
        below.add(_owner(first.owner))
    if first.state is State.FOREIGN:
        known_as = f"as {first.link.name}" if first.link is not None else ""
        below.add(_line(("in", "dim"), (first.elsewhere, "magenta"), (known_as, "")))


def _owner(owner: Owner) -> Text:
    network = f"network {owner.network}" if owner.network else ""
    gone = "gone" if owner.alive is False else ""
    kind = "program" if owner.program else "pod"
    return _line((kind, "dim"), (str(owner), "green"), (gone, "red"), (owner.interface, ""), (network, ""))


def _ports(link: LinkState | None, masters: dict[str, str]) -> str:
    """Return what a link is a port of, and what that is a port of."""
    told, master = "", link.master if link is not None else ""
    while master:
        told += f" in {master}"
        master = masters.get(master, "")
    return told.strip()


def _line(*parts: tuple[str, str]) -> Text:
    """Return texts beside each other, each with its style; empty ones are left out."""
    texts = [Text(escaped(text), style) for text, style in parts if text]
    return Text("  ").join(texts)
