"""A node as boxes and what joins them: pod, VF, PF, representor, bridge, in the order in which a packet passes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby

from plumbline.node.model import IDLE, LinkState, Node, Owner, Pf, State, Vf


class Kind(StrEnum):
    """What a box stands for. A pod may be a namespace, or a program, where nothing else is known; a bridge may be a
    bond; a device is one that is no VF.
    """

    POD = "pod"
    VF = "vf"
    DEVICE = "device"
    PF = "pf"
    REPRESENTOR = "representor"
    BRIDGE = "bridge"


@dataclass(frozen=True, slots=True)
class Box:
    """key: what no other box is called. lines: what stands in it. state: of a VF. of: of a representor, the key of the
    VF that it stands for.
    """

    key: str
    kind: Kind
    lines: tuple[str, ...]
    state: State | None = None
    of: str = ""


@dataclass(slots=True)
class Graph:
    """boxes: by key, in order. edges: pairs of keys, from pods towards bridges."""

    title: str
    boxes: dict[str, Box] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, box: Box) -> Box:
        """Add a box, unless there is one with its key."""
        return self.boxes.setdefault(box.key, box)

    def join(self, one: Box, other: Box) -> None:
        """Join two boxes, once."""
        if (one.key, other.key) not in self.edges:
            self.edges.append((one.key, other.key))

    def of(self, *kinds: Kind) -> list[Box]:
        """Return the boxes of some kinds."""
        return [box for box in self.boxes.values() if box.kind in kinds]


def graph(node: Node, every: bool = False) -> Graph:
    """Return the picture of a node. every: whether each idle VF has a box of its own."""
    found = Graph(node.name)
    masters = {link.name: link.master for link in node.links}
    for pf in node.pfs:
        box = found.add(Box(f"pf {pf.address}", Kind.PF, (pf.name, f"{pf.driver} {pf.eswitch or ''}".strip())))
        _connect(found, box, pf.link, masters)
        for group in groups(pf, every):
            _draw(found, box, group, masters)
    for number, (device, owner) in enumerate(node.others):
        box = found.add(Box(f"device {number} {device}", Kind.DEVICE, (device, owner.plugin)))
        found.join(_pod(found, owner), box)
    return found


def groups(pf: Pf, every: bool = False) -> Iterator[list[Vf]]:
    """Give a PF's VFs in order: those that are idle in the same way, and follow each other, together."""

    def alike(vf: Vf) -> tuple[State | int, str]:
        bridged = vf.representor is not None and vf.representor.master
        return (vf.index, "") if every or vf.state not in IDLE or bridged else (vf.state, vf.driver)

    for _, group in groupby(pf.vfs, key=alike):
        yield list(group)


def called(group: list[Vf]) -> str:
    """Return what a group of VFs is called, such as eth0:3, or eth0:3-7."""
    first, last = group[0], group[-1]
    return f"{first.pf}:{first.index}" if first is last else f"{first.pf}:{first.index}-{last.index}"


def _draw(found: Graph, pf: Box, group: list[Vf], masters: dict[str, str]) -> None:
    first = group[0]
    number = f"{len(group)} " if len(group) > 1 else ""
    vlan = f"vlan {first.settings.vlan}" if first.settings is not None and first.settings.vlan else ""
    attached = () if first.owner is None else (first.owner.interface, first.owner.network)
    lines = (called(group), ", ".join(filter(None, (f"{number}{first.state}", *attached, vlan))))
    box = found.add(Box(f"vf {called(group)}", Kind.VF, lines, first.state))
    found.join(box, pf)
    if first.owner is not None:
        found.join(_pod(found, first.owner), box)
    elif first.link is not None and first.link.netns:
        found.join(found.add(Box(f"pod {first.link.netns}", Kind.POD, (first.link.netns,))), box)
    if len(group) == 1 and first.representor is not None:
        name = first.representor.name
        stand_in = found.add(Box(f"representor {name}", Kind.REPRESENTOR, (name, f"of {called(group)}"), of=box.key))
        found.join(pf, stand_in)
        _connect(found, stand_in, first.representor, masters)


def _connect(found: Graph, box: Box, link: LinkState | None, masters: dict[str, str]) -> None:
    """Join a link with what it is a port of, and that with what it is a port of."""
    master = link.master if link is not None else ""
    while master:
        above = found.add(Box(f"bridge {master}", Kind.BRIDGE, (master,)))
        found.join(box, above)
        box, master = above, masters.get(master, "")


def _pod(found: Graph, owner: Owner) -> Box:
    return found.add(Box(f"pod {owner}", Kind.POD, (str(owner),)))
