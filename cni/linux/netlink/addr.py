"""IP addresses of a link: add and list (rtnetlink(7), linux/if_addr.h)."""

from __future__ import annotations

import _socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

from cni.linux.netlink import codec
from cni.linux.netlink.socket import NLM_F_CREATE, NLM_F_EXCL, NetlinkSocket
from cni.protocol.ip import IPAddress, IPInterface, interface

T = TypeVar("T")

RTM_NEWADDR = 20
RTM_GETADDR = 22
IFA_ADDRESS = 1
IFA_LOCAL = 2
IFA_BROADCAST = 4
IFA_FLAGS = 8
IFA_F_DADFAILED = 0x08
IFA_F_TENTATIVE = 0x40

_IFADDRMSG = struct.Struct("=BBBBI")


@dataclass(slots=True)
class Address:
    """An address on a link: the address with its prefix, and its IFA_F_* flags."""

    interface: IPInterface
    flags: int


def family_of(version: int) -> int:
    """Return AF_INET or AF_INET6 for IP version 4 or 6."""
    return _socket.AF_INET if version == 4 else _socket.AF_INET6


def add(socket: NetlinkSocket, index: int, interface: IPInterface) -> None:
    """Add the address to the link. An IPv4 one gets the broadcast address of its network, as the peers give it.

    Raises NetlinkError: EEXIST when the link has it.
    """
    prefix = interface.network.prefixlen
    packed = interface.ip.packed
    body = _IFADDRMSG.pack(family_of(interface.version), prefix, 0, 0, index)
    body += codec.attribute(IFA_LOCAL, packed) + codec.attribute(IFA_ADDRESS, packed)
    if interface.version == 4 and prefix < 31:
        body += codec.attribute(IFA_BROADCAST, interface.network.broadcast_address.packed)
    socket.change(RTM_NEWADDR, body, NLM_F_CREATE | NLM_F_EXCL)


def flags(socket: NetlinkSocket, index: int, address: IPAddress) -> int:
    """Return the IFA_F_* flags of one IPv6 address of the link. Of an IPv4 one the kernel tells only with all others.

    Raises NetlinkError: EADDRNOTAVAIL when the link does not have it.
    """
    request = _IFADDRMSG.pack(family_of(6), 0, 0, 0, index) + codec.attribute(IFA_ADDRESS, address.packed)
    body = socket.get(RTM_GETADDR, request, f"look up {address} of link with index {index}")
    told = dict(codec.attributes(body, _IFADDRMSG.size)).get(IFA_FLAGS)
    found: int = codec.number(told) if told else _IFADDRMSG.unpack_from(body)[2]
    return found


def dump(socket: NetlinkSocket, index: int, family: int = 0) -> list[Address]:
    """Return the addresses of the link, of one family or (0) of all. Raises NetlinkError."""
    return collect(socket, index, family, list)


def collect(socket: NetlinkSocket, index: int, family: int, read: Callable[[Iterator[Address]], T]) -> T:
    """Return what `read` makes of the addresses of the link, as `NetlinkSocket.collect`. Raises NetlinkError."""
    request = _IFADDRMSG.pack(family, 0, 0, 0, index)
    question = f"list the addresses of link with index {index}"
    return socket.collect(RTM_GETADDR, request, question, lambda bodies: read(_parsed(bodies, index)))


def _parsed(bodies: Iterator[bytes], index: int) -> Iterator[Address]:
    for body in bodies:
        _, prefix, flags, _, link = _IFADDRMSG.unpack_from(body)
        if link != index:  # kernels without strict checking (before 4.20) send every link's
            continue
        found = dict(codec.attributes(body, _IFADDRMSG.size))
        # On a point-to-point link IFA_ADDRESS is the peer's; IFA_LOCAL, where there is one, is always ours.
        packed = found.get(IFA_LOCAL) or found[IFA_ADDRESS]
        told = found.get(IFA_FLAGS)
        yield Address(interface(ip_address(packed), prefix), codec.number(told) if told else flags)
