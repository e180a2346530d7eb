"""The MAC address that a NIC was made with: it tells a NIC from another one that has its address on the bus."""

from __future__ import annotations

import socket
import struct

from pyroute2 import IPRoute, NetlinkError

from cni.linux import libc
from plumbline.node.model import LinkState, Pf

# linux/ethtool.h
GPERMADDR = 0x20
HEADER = struct.Struct("=II")  # command, bytes of the address
ADDRESS_BYTES = 32  # linux/netdevice.h, MAX_ADDR_LEN


def mac(pf: Pf) -> str:
    """Return the permanent MAC address of a PF's link, empty where it has none or its driver does not tell."""
    if pf.link is None:
        return ""
    try:
        with IPRoute() as ip:
            (message,) = ip.link("get", index=pf.link.index)
    except NetlinkError:
        return ""
    return str(message.get_attr("IFLA_PERM_ADDRESS") or "") or of_ethtool(pf.link)  # since Linux 5.6


def of_ethtool(link: LinkState) -> str:
    """Return the same as any kernel tells it."""
    command = bytearray(HEADER.pack(GPERMADDR, ADDRESS_BYTES) + bytes(ADDRESS_BYTES))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            libc.ethtool(control.fileno(), link.name, command)
    except OSError:
        return ""
    size = HEADER.unpack_from(command)[1]
    told = command[HEADER.size : HEADER.size + size]
    return told.hex(":") if any(told) else ""
