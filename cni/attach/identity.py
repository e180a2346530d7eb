"""Whether a link is the one that was seen on the host before, told by what nobody in a pod can give a link.

A pod renames links, sets their addresses and aliases, and makes links with any name and index. It cannot make one that
has a certain device of the host behind it, nor a veth whose other end is in a namespace that it does not have, nor
give a link a permanent address. So these decide. The index is as good as long as the link stays where it is: to give it
to another, the pod has to move the link away first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cni.linux.files import names
from cni.linux.netlink import link, nsid
from cni.linux.netlink.link import Link
from cni.linux.netlink.socket import NetlinkError
from cni.linux.netns import NetNS

NAMED = "/run/netns"
"""Where namespaces have names (ip-netns(8)): pods' and the administrator's, which no pod can write to."""

LOOPBACK = 1
"""The index of lo in every namespace (net/core/dev.c, LOOPBACK_IFINDEX)."""

NOWHERE = -3
"""In place of a namespace's number: the other end is in none that the reader has a number for."""

SHOWN_LINKS = 5
"""How many links of a pod a message tells of that were not the one."""


@dataclass(slots=True, eq=False)
class Sought:
    """A link to be found again.

    original: as it was on the host. parents: what the device behind it may be called, empty for a virtual link. name:
    in the pod. index: that which the move gave it, 0 where that is not known.
    """

    original: Link
    parents: tuple[str, ...] = ()
    name: str = ""
    index: int = 0

    def __post_init__(self) -> None:
        self.parents = self.parents or ((self.original.parent,) if self.original.parent else ())

    @property
    def is_anchored(self) -> bool:
        """Whether what it is tied to proves a link to be it, whatever the link's index is."""
        return bool(self.parents) or (self.original.kind == "veth" and self.original.peer > 0)

    def contradiction(self, found: Link, peer_nsid: int) -> str:
        """Return what says that a link is another one, empty for nothing.

        peer_nsid: the number by which the namespace of `found` knows the one where the original's other end was;
        `nsid.UNKNOWN` if that cannot be told. What was not known of the original is not compared.
        """
        original = self.original
        if found.movable is False or found.index == LOOPBACK:
            return "it cannot be moved"
        if original.port and found.port != original.port:
            return f"its port is {found.port or 'none'} and not {original.port}"
        if found.parent or self.parents:
            if found.parent in self.parents:
                return ""
            if found.parent or original.parent:
                return f"the device behind it is {found.parent or 'none'} and not {' or '.join(self.parents) or 'none'}"
            # Before Linux 5.14 the kernel does not tell the device.
            if found.kind:
                return f"it is a {found.kind}"
        elif found.kind != original.kind:
            return f"it is a {found.kind or 'physical link'} and not a {original.kind or 'physical link'}"
        if original.permanent_mac and found.permanent_mac != original.permanent_mac:
            return f"its permanent address is {found.permanent_mac or 'none'} and not {original.permanent_mac}"
        if original.peer and found.peer != original.peer:
            return f"it is tied to another link than {original.name} was"
        if original.peer and nsid.UNKNOWN not in (peer_nsid, found.peer_nsid) and found.peer_nsid != peer_nsid:
            return f"what it is tied to is in another namespace than with {original.name}"
        return ""

    def on_host(self, found: Link) -> str:
        """Return what says that a link of the host is another one, empty for nothing."""
        return self.contradiction(found, self.original.peer_nsid)


def in_pod(
    sought: Sought, host: NetNS, pod: NetNS, knows_index: bool, links: list[Link] | None = None
) -> tuple[Link | None, str]:
    """Return the link in the pod, None when it is not there; and then, for a message, what is there instead.

    knows_index: whether this namespace is known to be the one that gave the link its index. links: of the pod, if the
    caller has listed them. Raises RequestError.
    """
    links = link.dump(pod.netlink) if links is None else links
    peer_nsid = _peer_nsid(sought.original, host, pod) if sought.original.peer else nsid.UNKNOWN
    reasons = [(entry, sought.contradiction(entry, peer_nsid)) for entry in links]
    fitting = [entry for entry, reason in reasons if not reason]
    is_proven = any(entry.parent for entry in fitting) or (sought.is_anchored and not sought.parents)
    counts = knows_index and sought.index > 0
    if counts and not is_proven:
        reasons = [(entry, reason or "its index is another") for entry, reason in reasons]
        fitting = [entry for entry in fitting if entry.index == sought.index]
    elif not is_proven:
        fitting = [entry for entry in fitting if _is_like(entry, sought)]
    if counts and not fitting:
        fitting = [entry for entry in links if _is_tied_anew(entry, sought, host, pod)]
    original = sought.original
    best = min(
        fitting,
        key=lambda x: (
            x.index != sought.index,
            x.name != sought.name,
            x.alias != original.name,
            x.mac != original.mac,
            x.name,
        ),
        default=None,
    )
    return best, "" if best is not None else _described(reasons)


def _is_tied_anew(found: Link, sought: Sought, host: NetNS, pod: NetNS) -> bool:
    """Return whether a link is the one by its index, though what it is tied to is elsewhere by now."""
    original = sought.original
    if not original.peer or (found.index, found.kind) != (sought.index, original.kind) or found.movable is False:
        return False
    return peer_has_left(original, host) and is_tied_outside(found, host, pod)


def peer_has_left(original: Link, host: NetNS) -> bool:
    """Return whether what a link of the host was tied to is not where it was: the administrator has moved it, or given
    it to a pod. A pod cannot make it leave, but together with the link. Raises RequestError.
    """
    if original.peer_nsid == -1:
        return link.get(host.netlink, index=original.peer) is None
    try:
        return all(entry.index != original.peer for entry in link.dump(host.netlink, original.peer_nsid))
    except NetlinkError:  # the namespace has gone
        return True


def _is_like(found: Link, sought: Sought) -> bool:
    """Return whether a link that nothing proves to be the one has a sign of it: for records of other plugins, or of
    older kernels, that do not tell its index.
    """
    original = sought.original
    if sought.parents:
        return bool(found.parent) or found.name == sought.name
    is_named = found.name in (sought.name, original.name)
    return found.alias == original.name or (is_named and (found.mac == original.mac or found.index == original.index))


def _peer_nsid(original: Link, host: NetNS, pod: NetNS) -> int:
    """Return the number by which the pod knows the namespace where the other end of a link of the host was."""
    if original.peer_nsid == -1:
        number = nsid.of(pod.netlink, host.fd)
        return NOWHERE if number == -1 else number
    known = nsid.of(host.netlink, pod.fd)
    if known == original.peer_nsid:
        return -1
    if known < 0:
        return nsid.UNKNOWN
    number = nsid.translated(host.netlink, original.peer_nsid, known)
    return NOWHERE if number == -1 else number


def is_tied_outside(found: Link, host: NetNS, pod: NetNS) -> bool:
    """Return whether the other end of a virtual link in a pod is on the host, or in a namespace that has a name there:
    no pod can make such a link. Raises RequestError.
    """
    if found.peer <= 0 or found.peer_nsid == -1:
        return False
    return found.peer_nsid == nsid.of(pod.netlink, host.fd) or found.peer_nsid in named(pod)


def named(pod: NetNS) -> set[int]:
    """Return the numbers by which a pod knows namespaces, other than its own, that have names on the host. Raises
    RequestError.
    """
    numbers = set()
    for name in names(NAMED):
        try:
            fd = os.open(os.path.join(NAMED, name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if not os.path.samestat(os.fstat(fd), os.fstat(pod.fd)):
                numbers.add(nsid.of(pod.netlink, fd))
        except NetlinkError:  # it is no namespace
            continue
        finally:
            os.close(fd)
    return numbers - {-1, nsid.UNKNOWN}


def _described(reasons: list[tuple[Link, str]]) -> str:
    """Return what links there are and why none is the one, for a message."""
    told = [f"{entry.name} (index {entry.index}): {reason or 'nothing shows that it is'}" for entry, reason in reasons]
    told = [text for text, (entry, _) in zip(told, reasons, strict=True) if entry.name != "lo"]
    more = f" and {len(told) - SHOWN_LINKS} more" if len(told) > SHOWN_LINKS else ""
    return ("seen there: " + ", ".join(told[:SHOWN_LINKS]) + more) if told else "there is no link but lo"
