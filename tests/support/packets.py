"""See what arrives at a link of the host."""

from __future__ import annotations

import socket

ETH_P_ALL = 3
ETHERTYPE_ARP = b"\x08\x06"
ETHERTYPE_IPV6 = b"\x86\xdd"
NEIGHBOUR_ADVERTISEMENT = 136
SOLICITED = 0x40
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")


class Ear:
    """A packet socket on a link of the host; what arrived since it was opened waits in it."""

    def __init__(self, link: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((link, ETH_P_ALL))
        self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # is told, once, that a link is down

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def announced(self) -> dict[str, str]:
        """Return the addresses whose announcements have arrived, each with the MAC address in it."""
        found: dict[str, str] = {}
        while True:
            try:
                frame = self._socket.recv(65535, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            found.update(_gratuitous_arp(frame) or _unsolicited_advertisement(frame))


def _gratuitous_arp(frame: bytes) -> dict[str, str]:
    """A gratuitous ARP packet says that the sender has the address, and asks for it (RFC 5227, section 3)."""
    if frame[:6] != b"\xff" * 6 or frame[12:14] != ETHERTYPE_ARP or frame[28:32] != frame[38:42]:
        return {}
    return {socket.inet_ntop(socket.AF_INET, frame[28:32]): frame[22:28].hex(":")}


def _unsolicited_advertisement(frame: bytes) -> dict[str, str]:
    """An unsolicited neighbour advertisement goes to all nodes (RFC 4861, section 7.2.6), solicited flag off."""
    is_advertisement = frame[12:14] == ETHERTYPE_IPV6 and frame[20] == 58 and frame[54] == NEIGHBOUR_ADVERTISEMENT
    # Hop limit 255; option 2 (target link-layer address) of one unit of eight bytes.
    is_valid = is_advertisement and frame[21] == 255 and frame[78:80] == b"\x02\x01"
    if not is_valid or frame[38:54] != ALL_NODES or frame[58] & SOLICITED:
        return {}
    return {socket.inet_ntop(socket.AF_INET6, frame[62:78]): frame[80:86].hex(":")}
