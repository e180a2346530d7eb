"""The numbers by which network namespaces know each other (RTM_GETNSID, net/core/net_namespace.c, rtnl_net_getid).

The kernel tells by such a number in which namespace the other end of a link is. A namespace gives it out when it first
has to, and it stays as long as both are there.
"""

from __future__ import annotations

import struct

from cni.linux.netlink import codec
from cni.linux.netlink.socket import NetlinkError, NetlinkSocket

RTM_GETNSID = 90
NETNSA_NSID = 1
NETNSA_FD = 3
NETNSA_TARGET_NSID = 4

_RTGENMSG = struct.Struct("=Bxxx")

UNKNOWN = -2
"""In place of a number, where the kernel does not tell it."""


def of(socket: NetlinkSocket, fd: int) -> int:
    """Return the number by which the socket's namespace knows another; -1 when it has none. fd: of the other.

    Raises RequestError.
    """
    return _asked(socket, codec.u32(NETNSA_FD, fd))


def translated(socket: NetlinkSocket, nsid: int, reader: int) -> int:
    """Return the number by which another namespace knows a third; -1 when it has none, UNKNOWN before Linux 4.20.

    nsid, reader: the numbers of the third and of the other in the socket's namespace. Raises RequestError.
    """
    try:
        return _asked(socket, codec.s32(NETNSA_NSID, nsid) + codec.u32(NETNSA_TARGET_NSID, reader))
    except NetlinkError:
        return UNKNOWN


def known(socket: NetlinkSocket) -> list[int]:
    """Return the numbers of all namespaces that the socket's knows. Raises RequestError."""
    answers = socket.dump(RTM_GETNSID, _RTGENMSG.pack(0), "list the numbers of network namespaces")
    return [nsid for nsid in map(_told, answers) if nsid != UNKNOWN]


def _asked(socket: NetlinkSocket, attributes: bytes) -> int:
    question = "look up the number of a network namespace"
    return _told(socket.get(RTM_GETNSID, _RTGENMSG.pack(0) + attributes, question))


def _told(body: bytes) -> int:
    value = dict(codec.attributes(body, _RTGENMSG.size)).get(NETNSA_NSID)
    return codec.signed(value) if value else UNKNOWN
