"""Routes: add and list (rtnetlink(7), linux/rtnetlink.h)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import TypeVar

from cni.linux.netlink import codec
from cni.linux.netlink.addr import family_of
from cni.linux.netlink.socket import NLM_F_CREATE, NetlinkSocket
from cni.protocol.ip import IPAddress, interface
from cni.protocol.result import Route

T = TypeVar("T")

RTM_NEWROUTE = 24
RTM_GETROUTE = 26
RTA_DST = 1
RTA_OIF = 4
RTA_GATEWAY = 5
RTA_PRIORITY = 6
RTA_METRICS = 8
RTA_MULTIPATH = 9
RTA_TABLE = 15
RTAX_MTU = 2
RTAX_ADVMSS = 8
RTPROT_BOOT = 3
RTN_UNICAST = 1
RT_SCOPE_UNIVERSE = 0
RT_TABLE_UNSPEC = 0
RT_TABLE_MAIN = 254

_RTMSG = struct.Struct("=BBBBBBBBI")
_RTNEXTHOP = struct.Struct("=HBBi")


def add(socket: NetlinkSocket, index: int, route: Route, gateway: IPAddress | None) -> None:
    """Add the route through the link: by way of the gateway, or on-link when it is None. Raises NetlinkError.

    Without NLM_F_EXCL a second route to the same destination is added beside the first; a route without a scope gets
    the universe's, on-link or not. The peers do both.
    """
    table = route.table or RT_TABLE_MAIN
    short_table = table if table < 256 else RT_TABLE_UNSPEC  # rtmsg has one byte for it
    family, scope = family_of(route.dst.version), route.scope or RT_SCOPE_UNIVERSE
    body = _RTMSG.pack(family, route.dst.prefixlen, 0, 0, short_table, RTPROT_BOOT, scope, RTN_UNICAST, 0)
    if route.dst.prefixlen:
        body += codec.attribute(RTA_DST, route.dst.network_address.packed)
    body += codec.u32(RTA_OIF, index)
    if gateway is not None:
        body += codec.attribute(RTA_GATEWAY, gateway.packed)
    if route.priority:
        body += codec.u32(RTA_PRIORITY, route.priority)
    if table != short_table:
        body += codec.u32(RTA_TABLE, table)
    metrics = [codec.u32(kind, value) for kind, value in ((RTAX_MTU, route.mtu), (RTAX_ADVMSS, route.advmss)) if value]
    if metrics:
        body += codec.attribute(RTA_METRICS, b"".join(metrics))
    socket.change(RTM_NEWROUTE, body, NLM_F_CREATE)


def collect(socket: NetlinkSocket, index: int, version: int, read: Callable[[Iterator[Route]], T]) -> T:
    """Return what `read` makes of the routes through the link, as `NetlinkSocket.collect`: those of IP version 4 or 6,
    from all tables; gw is None for on-link ones.

    A multipath route counts when one of its next hops is on the link. Raises NetlinkError.
    """
    request = _RTMSG.pack(family_of(version), 0, 0, 0, 0, 0, 0, 0, 0)
    question = f"list the routes of IPv{version}"
    return socket.collect(RTM_GETROUTE, request, question, lambda bodies: read(_parsed(bodies, index, version)))


def _parsed(bodies: Iterator[bytes], index: int, version: int) -> Iterator[Route]:
    for body in bodies:
        _, prefix, _, _, table, _, scope, kind, _ = _RTMSG.unpack_from(body)
        if kind != RTN_UNICAST:
            continue
        found = dict(codec.attributes(body, _RTMSG.size))
        hops = _next_hops(found[RTA_MULTIPATH]) if RTA_MULTIPATH in found else []
        hops.append((_number(found, RTA_OIF), found.get(RTA_GATEWAY)))
        metrics = dict(codec.attributes(found.get(RTA_METRICS, b"")))
        table = _number(found, RTA_TABLE) or table
        numbers = _number(metrics, RTAX_MTU), _number(metrics, RTAX_ADVMSS), _number(found, RTA_PRIORITY)
        for hop_index, gateway in hops:
            if hop_index == index:
                destination = ip_address(found.get(RTA_DST, bytes(4 if version == 4 else 16)))
                hop = ip_address(gateway) if gateway else None
                yield Route(interface(destination, prefix).network, hop, *numbers, table, scope)


def _number(attributes: dict[int, bytes], kind: int) -> int | None:
    return codec.number(attributes[kind]) if kind in attributes else None


def _next_hops(value: bytes) -> list[tuple[int | None, bytes | None]]:
    """Return (link index, gateway) for each rtnexthop of a multipath route."""
    hops: list[tuple[int | None, bytes | None]] = []
    offset = 0
    while offset + _RTNEXTHOP.size <= len(value):
        length, _, _, index = _RTNEXTHOP.unpack_from(value, offset)
        if length < _RTNEXTHOP.size:
            break
        hop = dict(codec.attributes(value[: offset + length], offset + _RTNEXTHOP.size))
        hops.append((index, hop.get(RTA_GATEWAY)))
        offset += (length + 3) & ~3
    return hops
