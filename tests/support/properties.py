"""Everything about a link that outlives a move between namespaces, changed through the kernel's own interface.

`CHANGES` are those that are known by name. `everything` changes whatever else the kernel lets anybody change: it goes
through all numbers that the kernel tells of a link, and tries others. So a property that a newer kernel adds is found
by a test, not by a user.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.support import links
from tests.support.links import Link, Netns, attribute

GROUP, LINKMODE, GSO_IPV4_MAX_SIZE, GRO_IPV4_MAX_SIZE, PROTO_DOWN = 27, 17, 63, 64, 39
DEBUG, NOTRAILERS, DYNAMIC = 0x4, 0x20, 0x8000

NOT_SETTINGS = frozenset(
    (
        *(links.IFNAME, links.ALT_IFNAME, links.NEW_IFINDEX, links.XDP, links.MASTER, links.LINK, links.LINK_NETNSID),
        *(19, 28, 46, 54),  # IFLA_NET_NS_PID, IFLA_NET_NS_FD, IFLA_TARGET_NETNSID, IFLA_PERM_ADDRESS
        links.ADDRESS,  # is changed by name: one at random may be a multicast address
        links.MTU,  # likewise: what is below what another setting needs keeps that from being made
        16,  # IFLA_OPERSTATE, which follows carrier and link mode
        33,  # IFLA_CARRIER
    )
)
"""Attributes that are no settings of the link, and what has a test of its own."""


def _flags(mask: int, on: bool) -> Callable[[Netns, int], None]:
    return lambda space, index: space.change(index, flags=mask if on else 0, mask=mask)


def _set(kind: int, value: bytes | int) -> Callable[[Netns, int], None]:
    return lambda space, index: space.change(index, attribute(kind, value))


def _xdp(mode: int) -> Callable[[Netns, int], None]:
    def attach(space: Netns, index: int) -> None:
        inner = attribute(links.XDP_FD, links.load_program()) + attribute(links.XDP_FLAGS, mode)
        space.change(index, attribute(links.XDP | links.NESTED, inner))

    return attach


def _classifier(space: Netns, index: int) -> None:
    links.classify(space, links.load_program(links.PROGRAM_CLASSIFIER), index)


CHANGES: dict[str, Callable[[Netns, int], None]] = {
    "promiscuous": _flags(links.PROMISC, True),
    "all-multicast": _flags(links.ALLMULTICAST, True),
    "ARP off": _flags(links.NOARP, True),
    "multicast off": _flags(links.MULTICAST, False),
    "other flags": _flags(DEBUG | NOTRAILERS | DYNAMIC, True),
    "MTU": _set(links.MTU, 1300),
    "MAC": _set(links.ADDRESS, bytes.fromhex("02deadbeef01")),
    "group": _set(GROUP, 7),
    "queue length": _set(links.TXQLEN, 123),
    "link mode": _set(LINKMODE, b"\1"),
    "broadcast address": _set(links.BROADCAST, bytes.fromhex("02020202ffff")),
    "GSO size": _set(links.GSO_MAX_SIZE, 1400),
    "GSO segments": _set(links.GSO_MAX_SEGS, 3),
    "GRO size": _set(links.GRO_MAX_SIZE, 1400),
    "GSO size of IPv4": _set(GSO_IPV4_MAX_SIZE, 1400),
    "GRO size of IPv4": _set(GRO_IPV4_MAX_SIZE, 1400),
    "altname": lambda space, index: space.altname(index, "a-name-of-the-pods-choice"),
    "alias": _set(links.IFALIAS, b"the pod's"),
    "XDP": _xdp(links.XDP_SKB),
    "classifier": _classifier,
}
"""What a pod changes, by name. What the kernel does not know for a kind of link raises OSError."""


def everything(space: Netns, index: int) -> dict[str, int]:
    """Change every number of a link that can be changed; return which were, by name or number, and to what."""
    changed: dict[str, int] = {}
    before = link(space, index)
    for kind, value in before.all.items():
        if kind in NOT_SETTINGS or len(value) not in (1, 2, 4):
            continue
        number = int.from_bytes(value, "little")
        for other in (number + 1, number ^ 1, number // 2, 1, 0):
            if other == number or other.bit_length() > 8 * len(value):
                continue
            try:
                space.change(index, attribute(kind, other.to_bytes(len(value), "little")))
            except OSError:
                continue
            now = link(space, index).all.get(kind)
            if now is not None and now != value:
                changed[links.ATTRIBUTES.get(kind, str(kind))] = other
                break
    for bit in range(1, 16):
        try:
            was = link(space, index).flags
            if bit != 6:  # IFF_RUNNING
                space.change(index, flags=~was & 1 << bit, mask=1 << bit)
        except OSError:
            continue
        if link(space, index).flags != was:
            changed[f"flag {1 << bit:#x}"] = link(space, index).flags & 1 << bit
    return changed


def link(space: Netns, index: int) -> Link:
    """Return a link of a namespace."""
    body = struct.pack("=BxHiII", 0, 0, index, 0, 0) + attribute(links.EXT_MASK, links.SKIP_STATS)
    return Link(space.ask(links.GETLINK, links.ACK, body)[0])
