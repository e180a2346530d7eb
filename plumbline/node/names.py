"""Devices by the names that an operator gives them: a PCI address, the name of a link, or PF:INDEX."""

from __future__ import annotations

from cni.protocol.errors import escaped
from plumbline.errors import Status, VerbError
from plumbline.node.model import LinkState, Node, Pf, Vf


def find_pf(node: Node, text: str) -> Pf | None:
    """Return a PF by its link's name or its address, None where there is no such PF."""
    return next((x for x in node.pfs if text in (x.name, x.address) or _has_name(x.link, text)), None)


def pf(node: Node, text: str) -> Pf:
    """Return the same. Raises VerbError (10), which says what else is called so."""
    found = find_pf(node, text)
    if found is None:
        known = f"PFs: {', '.join(x.name for x in node.pfs) or 'none'}"
        vf = find_on_host(node, text)
        if vf is not None:
            raise VerbError(Status.NO_DEVICE, f'"{text}" is a VF of {vf.pf}, and no PF', known)
        if any(_has_name(link, text) for link in node.links):
            told = f'"{text}" is a link of this node, and no PF: its device can have no VFs, as it is set now'
            raise VerbError(Status.NO_DEVICE, told, f"`plumbline doctor {text}` looks for the reason\n{known}")
        raise VerbError(Status.NO_DEVICE, f'there is no PF "{text}" on this node', known)
    return found


def vf(node: Node, text: str) -> Vf:
    """Return a VF that is to be changed, by its PCI address, its link's name on the host, or PF:INDEX.

    Raises VerbError: 10 where there is none, 2 where links in pods alone have the name: these are called as the pods
    like, and several have a net1.
    """
    found = find_on_host(node, text)
    if found is None:
        refuse_names_in_pods(node, text)
        raise VerbError(Status.NO_DEVICE, f'there is no VF "{text}" on this node', "`plumbline vfs` lists them")
    return found


def find_on_host(node: Node, text: str) -> Vf | None:
    """Return the same, None where there is no such VF."""
    name, colon, index = text.rpartition(":")
    named = (x for x in node.vfs if _has_name(x.link, text) and not _is_away(x))
    by_index = (
        x for pf in node.pfs if colon and name in (pf.name, pf.address) for x in pf.vfs if str(x.index) == index
    )
    addressed = (x for x in node.vfs if x.address == text)
    return next(addressed, None) or next(by_index, None) or next(named, None)


def find_vf(node: Node, text: str) -> Vf | None:
    """Return a VF that is to be looked at: also by its link's name in a pod, where none on the host has that."""
    return find_on_host(node, text) or next(iter(_in_pods(node, text)), None)


def refuse_names_in_pods(node: Node, text: str) -> None:
    """Raise VerbError (2) that lists the VFs whose links in pods have a name, if there are any."""
    found = _in_pods(node, text)
    if found:
        told = [f"{x.pf}:{x.index} {x.name}, in {x.link.netns}" + _whose(x) for x in found if x.link is not None]
        raise several(text, told, "is no VF's link on the host, but the name that links have elsewhere")


def several(text: str, which: list[str], why: str = "may be any of several devices") -> VerbError:
    """Return the error for a name that does not say which device is meant. which: those that it may be."""
    hint = "\n".join([*map(escaped, which), "name it by its PCI address, or PF:INDEX"])
    return VerbError(Status.USAGE, f'"{text}" {why}; nothing was changed', hint)


def _in_pods(node: Node, text: str) -> list[Vf]:
    return [x for x in node.vfs if _has_name(x.link, text) and _is_away(x)]


def _is_away(vf: Vf) -> bool:
    return vf.link is not None and bool(vf.link.netns)


def _whose(vf: Vf) -> str:
    return f", of {vf.owner}" if vf.owner is not None and str(vf.owner) else ""


def _has_name(link: LinkState | None, text: str) -> bool:
    return link is not None and text in (link.name, *link.altnames)
