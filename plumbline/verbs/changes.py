"""What a verb has changed: of two looks at the same things, what differs, a line each."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.node.model import LinkState, Vf
from plumbline.verbs import vfs
from plumbline.verbs.saying import say

ABSENT = "none"

Thing = dict[str, str]
"""What there is to say of a thing, by the name of what it is; empty texts for what it has not."""

Seen = dict[str, Thing]
"""Things by what they are called. One that is not there has no entry."""


def of_vf(vf: Vf) -> Thing:
    """Return what there is to say of a VF."""
    representor = vf.representor
    return {
        "state": vf.state.value,
        "owner": str(vf.owner or ""),
        "driver": vf.driver,
        "link": vfs.where(vf),
        "mac": vfs.mac(vf),
        "mtu": str(vf.link.mtu) if vf.link is not None else "",
        "vlan": vfs.vlan(vf),
        "flags": vfs.flags(vf),
        "bridge": representor.master if representor is not None else "",
    }


def of_link(link: LinkState, addresses: list[str] | None = None) -> Thing:
    """Return what there is to say of a link. addresses: with their prefix lengths."""
    state = "down" if not link.up else "up" if link.carrier else "up (no carrier)"
    return {
        "mac": link.mac,
        "mtu": str(link.mtu),
        "state": state,
        "master": link.master,
        "addresses": " ".join(sorted(addresses or [])),
    }


def lines(before: Seen, after: Seen) -> Iterator[str]:
    """Give a line for each thing that has come or gone, and for each member of one that differs."""
    for name in {**before, **after}:
        if name not in after:
            yield f"{name}: gone"
        elif name not in before:
            yield f"{name}: new, " + ", ".join(f"{key} {text}" for key, text in after[name].items() if text)
        else:
            for key, text in after[name].items():
                if text != before[name].get(key, ""):
                    yield f"{name} {key}: {before[name].get(key) or ABSENT} -> {text or ABSENT}"


def show(before: Seen, after: Seen) -> None:
    """Print what differs, or that nothing does."""
    found = list(lines(before, after))
    say("changed:" if found else "nothing has changed", "dim")
    for line in found:
        say(f"  {line}")
