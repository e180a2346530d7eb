"""VLANs of bridge ports: read those of all ports, add and remove those of one (linux/if_bridge.h; bridge(8), vlan).

The kernel takes them in RTM_SETLINK and RTM_DELLINK of the family AF_BRIDGE, and tells them in a dump of that family
(net/bridge/br_netlink.c, net/core/rtnetlink.c, rtnl_bridge_getlink). Before Linux 5.6, which has RTM_GETVLAN, there is
no asking for a single port.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from cni.linux.netlink import codec, link
from cni.linux.netlink.link import IFINFOMSG, IFLA_MASTER, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK
from cni.linux.netlink.socket import DUMP_ATTEMPTS, NetlinkSocket

AF_BRIDGE = 7
RTEXT_FILTER_BRVLAN_COMPRESSED = 4

IFLA_AF_SPEC = 26
IFLA_BRIDGE_FLAGS = 0
IFLA_BRIDGE_VLAN_INFO = 2
BRIDGE_FLAGS_SELF = 2

PVID = 2
"""What comes untagged into the port is in this VLAN."""

UNTAGGED = 4
"""What is in this VLAN leaves the port untagged."""

_RANGE_BEGIN = 8
_RANGE_END = 16
_VLAN_INFO = struct.Struct("=HH")


@dataclass(slots=True)
class Port:
    """One port of a bridge, or a bridge itself, which is its own master. vlans: {VLAN ID: PVID and UNTAGGED, or 0}."""

    index: int
    master: int = 0
    vlans: dict[int, int] = field(default_factory=dict)


def ports(socket: NetlinkSocket) -> dict[int, Port]:
    """Return all ports of all bridges, and the bridges themselves, by the index of the link. Raises NetlinkError.

    A list that comes in several parts lacks ports when a link leaves its bridge between two of them, and the kernel
    does not mark such a list (rtnl_bridge_getlink counts links). That of links is marked, and tells what is lacking.
    """
    mask = codec.u32(link.IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED | link.RTEXT_FILTER_SKIP_STATS)
    body = link.header(family=AF_BRIDGE) + mask
    found: dict[int, Port] = {}
    for _ in range(DUMP_ATTEMPTS):
        listed = [parse(answer) for answer in socket.dump(RTM_GETLINK, body, "list the ports of bridges")]
        is_whole = socket.parts < 2
        found |= {port.index: port for port in listed if port is not None}
        if is_whole:
            break
        links = link.dump(socket)
        bridges = {entry.index for entry in links if entry.kind == "bridge"}
        there = bridges | {entry.index for entry in links if entry.master in bridges}
        if there <= found.keys():
            return {index: found[index] for index in there}
    return found


def parse(body: bytes) -> Port | None:
    """Return the port that the body of one answer describes. NICs with a switch of their own answer for that, too, and
    are no ports thereby: None.
    """
    port = Port(IFINFOMSG.unpack_from(body)[2])
    begin = 0
    for kind, value in codec.attributes(body, IFINFOMSG.size):
        if kind == IFLA_MASTER:
            port.master = codec.number(value)
        elif kind == IFLA_AF_SPEC:
            for inner, info in codec.attributes(value):
                if inner == IFLA_BRIDGE_FLAGS and codec.number(info) & BRIDGE_FLAGS_SELF:
                    return None
                if inner != IFLA_BRIDGE_VLAN_INFO or len(info) < _VLAN_INFO.size:
                    continue
                flags, vlan = _VLAN_INFO.unpack_from(info)
                if flags & _RANGE_BEGIN:
                    begin = vlan
                    continue
                first = begin if flags & _RANGE_END else vlan
                port.vlans |= dict.fromkeys(range(first, vlan + 1), flags & (PVID | UNTAGGED))
    return port


def add_vlans(socket: NetlinkSocket, index: int, vlans: dict[int, int]) -> None:
    """Have a port take part in VLANs, in one message. vlans: as in `Port`; one that is there gets these flags.

    Raises NetlinkError; the kernel takes nothing back that it did before the one that it refused.
    """
    socket.change(RTM_SETLINK, _message(index, vlans))


def delete_vlans(socket: NetlinkSocket, index: int, vlans: list[int]) -> None:
    """Have a port take part in VLANs no more, in one message; one that it is not in is no error.

    Raises NetlinkError.
    """
    socket.change(RTM_DELLINK, _message(index, dict.fromkeys(vlans, 0)))


def _message(index: int, vlans: dict[int, int]) -> bytes:
    infos = [codec.attribute(IFLA_BRIDGE_VLAN_INFO, _VLAN_INFO.pack(flags, vlan)) for vlan, flags in _compressed(vlans)]
    return link.header(index, family=AF_BRIDGE) + codec.nested(IFLA_AF_SPEC, *infos)


def _compressed(vlans: dict[int, int]) -> list[tuple[int, int]]:
    """Return (VLAN ID, flags) with the ends of ranges in place of what is between them. A PVID is in no range."""
    runs: list[tuple[int, int, int]] = []
    for vlan, flags in sorted(vlans.items()):
        if runs and runs[-1][1:] == (vlan - 1, flags) and not flags & PVID:
            runs[-1] = (runs[-1][0], vlan, flags)
        else:
            runs.append((vlan, vlan, flags))
    found = []
    for first, last, flags in runs:
        found += [(first, flags)] if first == last else [(first, flags | _RANGE_BEGIN), (last, flags | _RANGE_END)]
    return found
