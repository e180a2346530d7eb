"""Links: look up, list, change, move between namespaces (rtnetlink(7), linux/if_link.h)."""

from __future__ import annotations

import errno
import struct

from cni.netlink import codec
from cni.netlink.socket import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NetlinkError, NetlinkSocket

RTM_GETLINK = 18
RTM_SETLINK = 19
RTM_NEWLINKPROP = 108
RTM_DELLINKPROP = 109

IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_MASTER = 10
IFLA_LINKINFO = 18
IFLA_IFALIAS = 20
IFLA_NET_NS_FD = 28
IFLA_EXT_MASK = 29
IFLA_CARRIER = 33
IFLA_PHYS_PORT_NAME = 38
IFLA_PROP_LIST = 52
IFLA_ALT_IFNAME = 53
IFLA_PERM_ADDRESS = 54
IFLA_PARENT_DEV_NAME = 56
IFLA_NETNS_IMMUTABLE = 67
IFLA_INFO_KIND = 1
NLA_F_NESTED = 0x8000
RTEXT_FILTER_SKIP_STATS = 8

IFF_UP = 0x1
IFF_RUNNING = 0x40
IFNAMSIZ = 16

IFINFOMSG = struct.Struct("=BxHiII")


class Link:
    """What the kernel says of one link.

    mac and permanent_mac are lower-case hexadecimal with colons, mtu is in bytes, master an index. kind is the type of
    a virtual link, such as veth; parent the name of the device behind a physical one on its bus, such as a PCI address;
    port tells the links of one device apart. movable: whether it can go to another namespace, None before Linux 6.15,
    which does not say. running: whether the kernel has taken note of the carrier, and lets packets through; a link that
    has just got its carrier drops them. What the kernel does not say otherwise is empty or 0.
    """

    __slots__ = (
        "alias",
        "altnames",
        "carrier",
        "index",
        "kind",
        "mac",
        "master",
        "movable",
        "mtu",
        "name",
        "parent",
        "permanent_mac",
        "port",
        "running",
        "up",
    )

    def __init__(self, index: int, name: str) -> None:
        self.index = index
        self.name = name
        self.mac = ""
        self.mtu = 0
        self.up = False
        self.carrier = False
        self.running = False
        self.master = 0
        self.alias = ""
        self.movable: bool | None = None
        self.kind = ""
        self.parent = ""
        self.permanent_mac = ""
        self.port = ""
        self.altnames: list[str] = []


def is_name(text: str) -> bool:
    """Return whether the text can be a link's name (net/core/dev.c, dev_valid_name)."""
    size = len(codec.os_bytes(text))
    return 0 < size < IFNAMSIZ and text not in (".", "..") and not any(c in "/:%" or c.isspace() for c in text)


def parse(body: bytes) -> Link:
    """Return the link that the body of an RTM_NEWLINK message describes."""
    _, _, index, flags, _ = IFINFOMSG.unpack_from(body)
    link = Link(index, "")
    link.up = bool(flags & IFF_UP)
    link.running = bool(flags & IFF_RUNNING)
    for kind, value in codec.attributes(body, IFINFOMSG.size):
        if kind == IFLA_IFNAME:
            link.name = codec.os_text(value)
        elif kind == IFLA_ADDRESS:
            link.mac = value.hex(":")
        elif kind == IFLA_MTU:
            link.mtu = codec.number(value)
        elif kind == IFLA_CARRIER:
            link.carrier = value != b"\0"
        elif kind == IFLA_MASTER:
            link.master = codec.number(value)
        elif kind == IFLA_IFALIAS:
            link.alias = codec.os_text(value)
        elif kind == IFLA_NETNS_IMMUTABLE:
            link.movable = value == b"\0"
        elif kind == IFLA_PERM_ADDRESS:
            link.permanent_mac = value.hex(":")
        elif kind == IFLA_PARENT_DEV_NAME:
            link.parent = codec.os_text(value)
        elif kind == IFLA_PHYS_PORT_NAME:
            link.port = codec.os_text(value)
        elif kind == IFLA_LINKINFO:
            link.kind = codec.os_text(dict(codec.attributes(value)).get(IFLA_INFO_KIND, b""))
        elif kind == IFLA_PROP_LIST:
            link.altnames = [codec.os_text(name) for prop, name in codec.attributes(value) if prop == IFLA_ALT_IFNAME]
    return link


def _header(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return IFINFOMSG.pack(0, 0, index, flags, change)


def get(socket: NetlinkSocket, name: str = "", index: int = 0, known_as: str = "") -> Link | None:
    """Return the link with this name, alternative name or index, or None when there is none. Raises NetlinkError.

    known_as: what one that is looked up by its index is called in the error.
    Under strict checking the header may hold nothing but the index (net/core/rtnetlink.c, rtnl_valid_getlink_req).
    """
    body = _header(index) + codec.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
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


def dump(socket: NetlinkSocket) -> list[Link]:
    """Return all links of the socket's namespace. Raises NetlinkError."""
    body = _header() + codec.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    return [parse(answer) for answer in socket.dump(RTM_GETLINK, body, "list the links")]


def change(
    socket: NetlinkSocket,
    index: int,
    *,
    name: str | None = None,
    netns_fd: int | None = None,
    mac: str | None = None,
    mtu: int | None = None,
    alias: str | None = None,
    up: bool | None = None,
    master: int | None = None,
) -> None:
    """Change whatever is given, in one message. An empty alias removes it; master is an index. Raises NetlinkError.

    The kernel goes through the attributes in its own order (net/core/rtnetlink.c, do_setlink): namespace, address, MTU,
    name, then the flags, and it stops at the first that it refuses without taking back those before it. So a move that
    is given a name can fail with the link moved and not renamed: the caller has to look.
    """
    attributes = b""
    if netns_fd is not None:
        attributes += codec.u32(IFLA_NET_NS_FD, netns_fd)
    if mac is not None:
        attributes += codec.attribute(IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))
    if mtu is not None:
        attributes += codec.u32(IFLA_MTU, mtu)
    if name is not None:
        attributes += codec.text(IFLA_IFNAME, name)
    if alias is not None:
        # An alias of no length removes it; one that is only the terminating zero would set an empty string.
        attributes += codec.attribute(IFLA_IFALIAS, codec.os_bytes(alias))
    if master is not None:
        attributes += codec.u32(IFLA_MASTER, master)
    flags, mask = (IFF_UP if up else 0, IFF_UP) if up is not None else (0, 0)
    socket.change(RTM_SETLINK, _header(index, flags, mask) + attributes)


def add_altname(socket: NetlinkSocket, index: int, altname: str) -> None:
    """Give the link an alternative name (Linux 5.5). Raises NetlinkError."""
    flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND
    socket.change(RTM_NEWLINKPROP, _header(index) + _altnames([altname]), flags)


def delete_altnames(socket: NetlinkSocket, index: int, altnames: list[str]) -> None:
    """Take alternative names from the link. Raises NetlinkError."""
    socket.change(RTM_DELLINKPROP, _header(index) + _altnames(altnames))


def _altnames(names: list[str]) -> bytes:
    return codec.attribute(IFLA_PROP_LIST | NLA_F_NESTED, b"".join(codec.text(IFLA_ALT_IFNAME, name) for name in names))
