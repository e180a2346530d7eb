"""Tell the neighbours that an address has moved here: gratuitous ARP (RFC 5227, section 3) and unsolicited neighbour
advertisements (RFC 4861, section 7.2.6).

Without it switches and neighbours go on sending to the device that held the address before, until their caches expire.
"""

from __future__ import annotations

import _socket
import struct
import time
from collections.abc import Iterable
from ipaddress import ip_address

from cni.protocol.ip import IPAddress
from cni.protocol.limits import ANNOUNCEMENT_S

BROADCAST = b"\xff" * 6
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
ARP_REQUEST = 1
IPPROTO_ICMPV6 = 58
ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136
OVERRIDE = 0x20000000
OPTION_TARGET_LINK_LAYER_ADDRESS = 2
ALL_NODES = ip_address("ff02::1")
ALL_NODES_MAC = bytes.fromhex("333300000001")


def can_be_announced(mac: str) -> bool:
    """Return whether announcements are for a link with this address: for 48 bits, not for InfiniBand's 160."""
    return len(mac) == len("00:00:00:00:00:00")


def announce(ifname: str, mac: str, addresses: Iterable[IPAddress]) -> None:
    """Send one announcement for each address. The calling thread must be in the pod's namespace, the link up.

    mac: the link's address; see `can_be_announced` for which nothing is sent.
    Raises OSError when the kernel cannot send, TimeoutError when it does not within `ANNOUNCEMENT_S`.
    """
    hardware = bytes.fromhex(mac.replace(":", ""))
    frames = [frame(hardware, address) for address in addresses] if can_be_announced(mac) else []
    if not frames:
        return
    deadline = time.monotonic() + ANNOUNCEMENT_S
    socket = _socket.socket(_socket.AF_PACKET, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC)
    try:
        socket.bind((ifname, 0))
        for data in frames:
            socket.settimeout(max(deadline - time.monotonic(), 0))
            socket.send(data)
    finally:
        socket.close()


def frame(mac: bytes, address: IPAddress) -> bytes:
    """Return the Ethernet frame that announces `address` at the 48-bit `mac`."""
    if address.version == 6:
        return ALL_NODES_MAC + mac + struct.pack("!H", ETHERTYPE_IPV6) + _neighbour_advertisement(mac, address)
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, ARP_REQUEST) + mac + address.packed + bytes(6) + address.packed
    return BROADCAST + mac + struct.pack("!H", ETHERTYPE_ARP) + arp


def _neighbour_advertisement(mac: bytes, address: IPAddress) -> bytes:
    """Return an IPv6 packet with an unsolicited advertisement that overrides what the neighbours remember."""
    option = struct.pack("!BB", OPTION_TARGET_LINK_LAYER_ADDRESS, 1) + mac
    body = struct.pack("!I", OVERRIDE) + address.packed + option
    head = struct.pack("!BB", ICMPV6_NEIGHBOUR_ADVERTISEMENT, 0)
    length = len(head) + 2 + len(body)
    pseudo_header = address.packed + ALL_NODES.packed + struct.pack("!II", length, IPPROTO_ICMPV6)
    checksum = internet_checksum(pseudo_header + head + b"\0\0" + body)
    # Hop limit 255: receivers drop a neighbour discovery packet that a router may have passed on.
    ipv6 = struct.pack("!IHBB", 6 << 28, length, IPPROTO_ICMPV6, 255) + address.packed + ALL_NODES.packed
    return ipv6 + head + struct.pack("!H", checksum) + body


def internet_checksum(data: bytes) -> int:
    """Return the ones' complement checksum of RFC 1071 over an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
