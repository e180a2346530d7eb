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
    table = route.table if route.table else RT_TABLE_MAIN
    body = _RTMSG.pack(
        family_of(route.dst.version),
        route.dst.prefixlen,
        0,
        0,
        table if table < 256 else RT_TABLE_UNSPEC,
        RTPROT_BOOT,
        RT_SCOPE_UNIVERSE if route.scope is None else route.scope,
        RTN_UNICAST,
        0,
    )
    if route.dst.prefixlen:
        body += codec.attribute(RTA_DST, route.dst.network_address.packed)
    body += codec.u32(RTA_OIF, index)
    if gateway is not None:
        body += codec.attribute(RTA_GATEWAY, gateway.packed)
    if route.priority:
        body += codec.u32(RTA_PRIORITY, route.priority)
    if table >= 256:  # rtmsg has one byte for it
        body += codec.u32(RTA_TABLE, table)
    metrics = b""
    if route.mtu:
        metrics += codec.u32(RTAX_MTU, route.mtu)
    if route.advmss:
        metrics += codec.u32(RTAX_ADVMSS, route.advmss)
    if metrics:
        body += codec.attribute(RTA_METRICS, metrics)
    socket.change(RTM_NEWROUTE, body, NLM_F_CREATE)


def dump(socket: NetlinkSocket, index: int, version: int) -> list[Route]:
    """Return the routes through the link, of IP version 4 or 6, from all tables; gw is None for on-link ones.

    A multipath route counts when one of its next hops is on the link. Raises NetlinkError.
    """
    return collect(socket, index, version, list)


def collect(socket: NetlinkSocket, index: int, version: int, read: Callable[[Iterator[Route]], T]) -> T:
    """Return what `read` makes of the same routes, as `NetlinkSocket.collect`. Raises NetlinkError."""
    request = _RTMSG.pack(family_of(version), 0, 0, 0, 0, 0, 0, 0, 0)
    question = f"list the routes of IPv{version}"
    return socket.collect(RTM_GETROUTE, request, question, lambda bodies: read(_parsed(bodies, index, version)))


def _parsed(bodies: Iterator[bytes], index: int, version: int) -> Iterator[Route]:
    for body in bodies:
        _, prefix, _, _, table, _, scope, kind, _ = _RTMSG.unpack_from(body)
        if kind != RTN_UNICAST:
            continue
        destination = bytes(4 if version == 4 else 16)
        gateways: list[IPAddress | None] = []
        gateway: IPAddress | None = None
        route_index = 0
        priority = mtu = advmss = None
        for attribute, value in codec.attributes(body, _RTMSG.size):
            if attribute == RTA_DST:
                destination = value
            elif attribute == RTA_OIF:
                route_index = codec.number(value)
            elif attribute == RTA_GATEWAY:
                gateway = ip_address(value)
            elif attribute == RTA_PRIORITY:
                priority = codec.number(value)
            elif attribute == RTA_TABLE:
                table = codec.number(value)
            elif attribute == RTA_METRICS:
                metrics = {metric: codec.number(setting) for metric, setting in codec.attributes(value)}
                mtu, advmss = metrics.get(RTAX_MTU), metrics.get(RTAX_ADVMSS)
            elif attribute == RTA_MULTIPATH:
                gateways = [hop for hop_index, hop in _next_hops(value) if hop_index == index]
        if route_index == index:
            gateways.append(gateway)
        for hop in gateways:
            yield Route(interface(ip_address(destination), prefix).network, hop, mtu, advmss, priority, table, scope)


def _next_hops(value: bytes) -> list[tuple[int, IPAddress | None]]:
    """Return (link index, gateway) for each rtnexthop of a multipath route."""
    hops = []
    offset = 0
    while offset + _RTNEXTHOP.size <= len(value):
        length, _, _, index = _RTNEXTHOP.unpack_from(value, offset)
        if length < _RTNEXTHOP.size:
            break
        attributes = dict(codec.attributes(value[: offset + length], offset + _RTNEXTHOP.size))
        gateway = attributes.get(RTA_GATEWAY)
        hops.append((index, ip_address(gateway) if gateway else None))
        offset += (length + 3) & ~3
    return hops
