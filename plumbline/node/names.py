"""Devices by the names that an operator gives them: a PCI address, the name of a link, or PF:INDEX."""

from __future__ import annotations

from plumbline.errors import Status, VerbError
from plumbline.node.model import LinkState, Node, Pf, Vf


def find_pf(node: Node, text: str) -> Pf | None:
    """Return a PF by its link's name or its address, None where there is no such PF."""
    return next((x for x in node.pfs if text in (x.name, x.address) or _has_name(x.link, text)), None)


def pf(node: Node, text: str) -> Pf:
    """Return the same. Raises VerbError (10)."""
    found = find_pf(node, text)
    if found is None:
        known = ", ".join(x.name for x in node.pfs) or "none"
        raise VerbError(Status.NO_DEVICE, f'there is no PF "{text}" on this node', f"PFs: {known}")
    return found


def vf(node: Node, text: str) -> Vf:
    """Return a VF by its PCI address, its link's name, wherever that is, or PF:INDEX. Raises VerbError (10)."""
    found = find_vf(node, text)
    if found is None:
        raise VerbError(Status.NO_DEVICE, f'there is no VF "{text}" on this node', "`plumbline vfs` lists them")
    return found


def find_vf(node: Node, text: str) -> Vf | None:
    """Return the same, None where there is no such VF. A link on the host comes before one in a pod: several pods have
    a net1.
    """
    name, colon, index = text.rpartition(":")
    named = [x for x in node.vfs if _has_name(x.link, text)]
    named.sort(key=lambda x: bool(x.link and x.link.netns))
    by_index = (
        x for pf in node.pfs if colon and name in (pf.name, pf.address) for x in pf.vfs if str(x.index) == index
    )
    addressed = (x for x in node.vfs if x.address == text)
    return next(addressed, None) or next(by_index, None) or next(iter(named), None)


def _has_name(link: LinkState | None, text: str) -> bool:
    return link is not None and text in (link.name, *link.altnames)
