"""Links: look up, list, change, move between namespaces (rtnetlink(7), linux/if_link.h)."""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cni.linux.netlink import codec
from cni.linux.netlink.socket import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NetlinkError, NetlinkSocket

RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_SETLINK = 19
RTM_NEWLINKPROP = 108
RTM_DELLINKPROP = 109

IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_LINK = 5
IFLA_MASTER = 10
IFLA_LINKINFO = 18
IFLA_IFALIAS = 20
IFLA_NET_NS_FD = 28
IFLA_EXT_MASK = 29
IFLA_CARRIER = 33
IFLA_LINK_NETNSID = 37
IFLA_PHYS_PORT_NAME = 38
IFLA_XDP = 43
IFLA_NEW_IFINDEX = 49
IFLA_PROP_LIST = 52
IFLA_ALT_IFNAME = 53
IFLA_PERM_ADDRESS = 54
IFLA_PARENT_DEV_NAME = 56
IFLA_NETNS_IMMUTABLE = 67
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2  # in IFLA_LINKINFO
IFLA_XDP_FD, IFLA_XDP_ATTACHED, IFLA_XDP_FLAGS, IFLA_XDP_PROG_ID = 1, 2, 3, 4  # in IFLA_XDP
IFLA_TARGET_NETNSID = 46
RTEXT_FILTER_SKIP_STATS = 8

IFF_UP = 0x1
IFF_RUNNING = 0x40
IFF_NOARP = 0x80
IFF_MULTICAST = 0x1000
SETTABLE = IFF_NOARP | IFF_MULTICAST | 0x4 | 0x20 | 0x100 | 0x200 | 0x2000 | 0x4000 | 0x8000
"""The flags besides IFF_UP that a user can set (net/core/dev.c, __dev_change_flags); a move leaves them alone. Those
without a name here are debug, notrailers, promisc, allmulti, portsel, automedia and dynamic (linux/if.h)."""

IFNAMSIZ = 16

IFINFOMSG = struct.Struct("=BxHiII")

FLAGS = "flags"
KIND_DATA = "kindData"
FEATURES = "features"
PROPERTIES: dict[str, tuple[int, int]] = {
    "group": (27, 4),  # IFLA_GROUP
    "txQueueLength": (13, 4),  # IFLA_TXQLEN
    "linkMode": (17, 1),  # IFLA_LINKMODE
    "broadcast": (2, 0),  # IFLA_BROADCAST
    "gsoMaxSegs": (40, 4),  # IFLA_GSO_MAX_SEGS
    "gsoMaxSize": (41, 4),  # IFLA_GSO_MAX_SIZE
    "groMaxSize": (58, 4),  # IFLA_GRO_MAX_SIZE
    "gsoIPv4MaxSize": (63, 4),  # IFLA_GSO_IPV4_MAX_SIZE
    "groIPv4MaxSize": (64, 4),  # IFLA_GRO_IPV4_MAX_SIZE
    "protoDown": (39, 1),  # IFLA_PROTO_DOWN
}
"""What else of a link a user can set and a move between namespaces leaves as it is: the attribute, and its width in
bytes, 0 for a hardware address. That nothing is missing, tests/binary/test_field_restored.py finds out. With them in
`Link.properties` are FLAGS, those that are SETTABLE, KIND_DATA, and FEATURES, which rtnetlink does not tell and
`cni.linux.features` does."""

_MACVLAN, _IPVLAN, _VLAN = frozenset((1, 2, 7, 9)), frozenset((1, 2)), frozenset((2, 3, 4))
KIND_ATTRIBUTES = {"macvlan": _MACVLAN, "macvtap": _MACVLAN, "ipvlan": _IPVLAN, "ipvtap": _IPVLAN, "vlan": _VLAN}
"""Virtual links whose own settings a pod can change, such as the mode of a macvlan, and which of those, in
IFLA_INFO_DATA: mode, flags, length and cutoff of the broadcast queue; mode, flags; flags and priorities (if_link.h).
What is left out the kernel only tells, or it changes by itself, as the timers of a bridge do."""

XDP_FLAGS = {1: (4,), 2: (2,), 3: (8,), 4: (4, 2, 8)}
"""How an XDP program is attached, XDP_ATTACHED_*, and the XDP_FLAGS_*_MODE with which it is detached."""


@dataclass(slots=True)
class Link:
    """What the kernel says of one link.

    mac and permanent_mac are lower-case hexadecimal with colons, mtu is in bytes, master an index. kind is the type of
    a virtual link, such as veth; parent the name of the device behind a physical one on its bus, such as a PCI address;
    port tells the links of one device apart. peer is the index of the link that a virtual one is tied to, the other end
    of a veth or what a macvlan is upon; peer_nsid is the number by which this namespace knows the one where that is, -1
    where it is this one. movable: whether it can go to another namespace, None before Linux 6.15, which does not say.
    running: whether the kernel has taken note of the carrier, and lets packets through; a link that has just got its
    carrier drops them. xdp: how an XDP program is attached, 0 for none; xdp_program: its ID. properties: PROPERTIES.
    What the kernel does not say otherwise is empty or 0.
    """

    index: int
    name: str
    mac: str = ""
    mtu: int = 0
    up: bool = False
    carrier: bool = False
    running: bool = False
    master: int = 0
    alias: str = ""
    movable: bool | None = None
    kind: str = ""
    parent: str = ""
    peer: int = 0
    peer_nsid: int = -1
    permanent_mac: str = ""
    port: str = ""
    altnames: list[str] = field(default_factory=list)
    xdp: int = 0
    xdp_program: int = 0
    properties: dict[str, int | str] = field(default_factory=dict)


def is_name(text: str) -> bool:
    """Return whether the text can be a link's name (net/core/dev.c, dev_valid_name)."""
    size = len(codec.os_bytes(text))
    return 0 < size < IFNAMSIZ and text not in (".", "..") and not any(c in "/:%" or c.isspace() for c in text)


def _kind_data(value: bytes) -> tuple[str, str]:
    info = dict(codec.attributes(value))
    kind = codec.os_text(info.get(IFLA_INFO_KIND, b""))
    settable = KIND_ATTRIBUTES.get(kind)
    if settable is None:
        return kind, ""
    data = codec.attributes(info.get(IFLA_INFO_DATA, b""))
    return kind, b"".join(codec.attribute(attribute, value) for attribute, value in data if attribute in settable).hex()


_READ: dict[int, tuple[str, Callable[[bytes], Any]]] = {
    IFLA_IFNAME: ("name", codec.os_text),
    IFLA_ADDRESS: ("mac", lambda value: value.hex(":")),
    IFLA_MTU: ("mtu", codec.number),
    IFLA_CARRIER: ("carrier", lambda value: value != b"\0"),
    IFLA_MASTER: ("master", codec.number),
    IFLA_IFALIAS: ("alias", codec.os_text),
    IFLA_NETNS_IMMUTABLE: ("movable", lambda value: value == b"\0"),
    IFLA_PERM_ADDRESS: ("permanent_mac", lambda value: value.hex(":")),
    IFLA_PARENT_DEV_NAME: ("parent", codec.os_text),
    IFLA_PHYS_PORT_NAME: ("port", codec.os_text),
    IFLA_LINK: ("peer", codec.number),
    IFLA_LINK_NETNSID: ("peer_nsid", codec.signed),
    IFLA_PROP_LIST: (
        "altnames",
        lambda value: [codec.os_text(name) for prop, name in codec.attributes(value) if prop == IFLA_ALT_IFNAME],
    ),
}
_NAMED = {attribute: (name, width) for name, (attribute, width) in PROPERTIES.items()}


def parse(body: bytes) -> Link:
    """Return the link that the body of an RTM_NEWLINK message describes."""
    _, _, index, flags, _ = IFINFOMSG.unpack_from(body)
    link = Link(index, "")
    link.up = bool(flags & IFF_UP)
    link.running = bool(flags & IFF_RUNNING)
    properties = link.properties
    properties[FLAGS] = flags & SETTABLE
    for kind, value in codec.attributes(body, IFINFOMSG.size):
        if kind in _READ:
            attribute, read = _READ[kind]
            setattr(link, attribute, read(value))
        elif kind in _NAMED:
            name, width = _NAMED[kind]
            properties[name] = codec.number(value) if width else value.hex(":")
        elif kind == IFLA_XDP:
            xdp = dict(codec.attributes(value))
            link.xdp = codec.number(xdp.get(IFLA_XDP_ATTACHED, b""))
            link.xdp_program = codec.number(xdp.get(IFLA_XDP_PROG_ID, b""))
        elif kind == IFLA_LINKINFO:
            link.kind, data = _kind_data(value)
            if data:
                properties[KIND_DATA] = data
    return link


def header(index: int = 0, flags: int = 0, change: int = 0, family: int = 0) -> bytes:
    """Return the beginning of a message about a link. flags: IFF_*, of those in `change`."""
    return IFINFOMSG.pack(family, 0, index, flags, change)


def get(socket: NetlinkSocket, name: str = "", index: int = 0, known_as: str = "") -> Link | None:
    """Return the link with this name, alternative name or index, or None when there is none. Raises NetlinkError.

    known_as: what one that is looked up by its index is called in the error.
    Under strict checking the header may hold nothing but the index (net/core/rtnetlink.c, rtnl_valid_getlink_req).
    """
    body = header(index) + codec.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    if name:
        # Either attribute finds proper and alternative names; IFLA_IFNAME has room for proper ones only.
        body += codec.text(IFLA_ALT_IFNAME if len(codec.os_bytes(name)) >= IFNAMSIZ else IFLA_IFNAME, name)
    try:
        return parse(socket.get(RTM_GETLINK, body, f"look up link {name or known_as or f'with index {index}'}"))
    except NetlinkError as e:
        # EINVAL: Linux 5.4 knows no alternative names, so that no link has one.
        if e.errno == errno.ENODEV or (e.errno == errno.EINVAL and len(codec.os_bytes(name)) >= IFNAMSIZ):
            return None
        raise


def dump(socket: NetlinkSocket, nsid: int = -1) -> list[Link]:
    """Return all links of the socket's namespace, or of the one that it knows by a number. Raises NetlinkError."""
    body = header() + codec.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) + _target(nsid)
    return [parse(answer) for answer in socket.dump(RTM_GETLINK, body, "list the links")]


def change(
    socket: NetlinkSocket,
    index: int,
    *,
    name: str | None = None,
    netns_fd: int | None = None,
    new_index: int | None = None,
    mac: str | None = None,
    mtu: int | None = None,
    alias: str | None = None,
    up: bool | None = None,
    master: int | None = None,
) -> None:
    """Change whatever is given, in one message. An empty alias removes it; master is an index. new_index: what the link
    is to have in the other namespace, which kernels before 5.13 ignore. Raises NetlinkError, with new_index EBUSY when
    that is taken; after a RequestError that is none, a link that was to move may have moved.

    The kernel goes through the attributes in its own order (net/core/rtnetlink.c, do_setlink): namespace, address, MTU,
    name, then the flags, and it stops at the first that it refuses without taking back those before it. So a move that
    is given a name can fail with the link moved and not renamed: the caller has to look.
    """
    body = header(index, IFF_UP if up else 0, 0 if up is None else IFF_UP)
    for kind, number in (
        (IFLA_NET_NS_FD, netns_fd), (IFLA_NEW_IFINDEX, new_index), (IFLA_MTU, mtu), (IFLA_MASTER, master),
    ):  # fmt: skip
        if number is not None:
            body += codec.u32(kind, number)
    if mac is not None:
        body += codec.attribute(IFLA_ADDRESS, codec.hardware_address(mac))
    if name is not None:
        body += codec.text(IFLA_IFNAME, name)
    if alias is not None:
        # An alias of no length removes it; one that is only the terminating zero would set an empty string.
        body += codec.attribute(IFLA_IFALIAS, codec.os_bytes(alias))
    # By the time of a second message, another link may have the index of one that has moved.
    (socket.change if netns_fd is None else socket.change_once)(RTM_SETLINK, body)


def _target(nsid: int) -> bytes:
    """Return what directs a request to another namespace than the socket's (Linux 4.15, IFLA_IF_NETNSID)."""
    return codec.s32(IFLA_TARGET_NETNSID, nsid) if nsid >= 0 else b""


def delete(socket: NetlinkSocket, index: int, nsid: int = -1) -> None:
    """Delete a virtual link. nsid: as in `dump`. Raises NetlinkError, EOPNOTSUPP for a physical one."""
    socket.change(RTM_DELLINK, header(index) + _target(nsid))


def change_property(socket: NetlinkSocket, index: int, changes: Mapping[str, int | str], kind: str = "") -> None:
    """Change properties, named as in `Link.properties`, in one message. kind: of the link, needed for KIND_DATA, which
    is a message of its own and goes first.

    Raises NetlinkError.
    """
    attributes = b""
    flags = mask = 0
    for name, value in changes.items():
        if name == FLAGS:
            flags, mask = int(value), SETTABLE
        elif name == KIND_DATA:
            data = codec.nested(IFLA_INFO_DATA, bytes.fromhex(str(value)))
            info = codec.nested(IFLA_LINKINFO, codec.text(IFLA_INFO_KIND, kind), data)
            socket.change(RTM_NEWLINK, header(index) + info)
        else:
            attribute, width = PROPERTIES[name]
            data = int(value).to_bytes(width, sys.byteorder) if width else codec.hardware_address(str(value))
            attributes += codec.attribute(attribute, data)
    if attributes or mask:
        socket.change(RTM_SETLINK, header(index, flags, mask) + attributes)


def detach_xdp(socket: NetlinkSocket, index: int, attached: int) -> None:
    """Detach the XDP programs of a link. attached: how they are, as `Link.xdp` has it.

    Raises NetlinkError, EBUSY for a program that was attached by a bpf_link, which only its owner can detach.
    """
    for mode in XDP_FLAGS.get(attached, ()):
        detached = codec.nested(IFLA_XDP, codec.s32(IFLA_XDP_FD, -1), codec.u32(IFLA_XDP_FLAGS, mode))
        socket.change(RTM_SETLINK, header(index) + detached)


def chooses_index() -> bool:
    """Return whether this kernel lets a move choose the link's index in the other namespace (Linux 5.13)."""
    major, minor, *_ = (*os.uname().release.split("."), "", "")
    return major.isdecimal() and minor.isdecimal() and (int(major), int(minor)) >= (5, 13)


def add_altname(socket: NetlinkSocket, index: int, altname: str) -> None:
    """Give the link an alternative name (Linux 5.5). Raises NetlinkError."""
    flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND
    socket.change(RTM_NEWLINKPROP, header(index) + _altnames([altname]), flags)


def delete_altnames(socket: NetlinkSocket, index: int, altnames: list[str]) -> None:
    """Take alternative names from the link. Raises NetlinkError."""
    socket.change(RTM_DELLINKPROP, header(index) + _altnames(altnames))


def _altnames(names: list[str]) -> bytes:
    return codec.nested(IFLA_PROP_LIST, *(codec.text(IFLA_ALT_IFNAME, name) for name in names))
