"""See what arrives at a link of the host."""

from __future__ import annotations

import socket
import time

ETH_P_ALL = 3
ETHERTYPE_ARP = b"\x08\x06"
ETHERTYPE_IPV6 = b"\x86\xdd"
NEIGHBOUR_ADVERTISEMENT = 136


class Ear:
    """A packet socket on a link of the host; what arrived since it was opened waits in it."""

    def __init__(self, link: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((link, ETH_P_ALL))

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def announced(self, address: str, timeout_s: float = 5.0) -> str:
        """Return the MAC address that an announcement of the IP address carried, empty when none came in time."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame = self._socket.recv(65535)
            except TimeoutError:
                break
            mac = _announced_v6(frame, address) if ":" in address else _announced_v4(frame, address)
            if mac:
                return mac
        return ""


def _announced_v4(frame: bytes, address: str) -> str:
    """A gratuitous ARP packet says that the sender has the address, and asks for it (RFC 5227, section 3)."""
    packed = socket.inet_pton(socket.AF_INET, address)
    is_arp = frame[12:14] == ETHERTYPE_ARP and frame[:6] == b"\xff" * 6
    return frame[22:28].hex(":") if is_arp and frame[28:32] == packed == frame[38:42] else ""


def _announced_v6(frame: bytes, address: str) -> str:
    """An unsolicited neighbour advertisement goes to all nodes (RFC 4861, section 7.2.6), solicited flag off."""
    packed = socket.inet_pton(socket.AF_INET6, address)
    is_advertisement = frame[12:14] == ETHERTYPE_IPV6 and frame[20] == 58 and frame[54] == NEIGHBOUR_ADVERTISEMENT
    to_all_nodes = frame[38:54] == socket.inet_pton(socket.AF_INET6, "ff02::1")
    if not (is_advertisement and to_all_nodes and frame[21] == 255 and not frame[58] & 0x40 and frame[62:78] == packed):
        return ""
    # Option 2 (target link-layer address), one unit of eight bytes.
    return frame[80:86].hex(":") if frame[78:80] == b"\x02\x01" else ""
