"""Announcement frames, taken apart field by field as RFC 826, RFC 5227 and RFC 4861 draw them."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest

from cni.attach import announce

MAC = bytes.fromhex("02005e100001")


def test_gratuitous_arp() -> None:
    """An ARP request whose sender and target are the announced address, to everybody, from the device."""
    frame = announce.frame(MAC, ip_address("10.1.2.3"))
    assert (frame[:6], frame[6:12], frame[12:14]) == (b"\xff" * 6, MAC, b"\x08\x06")
    hardware, protocol, hardware_length, protocol_length, operation = struct.unpack_from("!HHBBH", frame, 14)
    assert (hardware, protocol, hardware_length, protocol_length, operation) == (1, 0x0800, 6, 4, 1)
    assert (frame[22:28], frame[28:32]) == (MAC, bytes([10, 1, 2, 3]))
    assert (frame[32:38], frame[38:42]) == (bytes(6), bytes([10, 1, 2, 3]))
    assert len(frame) == 42


def test_unsolicited_neighbour_advertisement() -> None:
    """To all nodes, hop limit 255, override set, solicited not, with the target's link-layer address."""
    address = ip_address("fd00::abcd")
    frame = announce.frame(MAC, address)
    assert (frame[:6], frame[6:12], frame[12:14]) == (bytes.fromhex("333300000001"), MAC, b"\x86\xdd")
    version, length, protocol, hop_limit = struct.unpack_from("!IHBB", frame, 14)
    assert (version, length, protocol, hop_limit) == (0x60000000, 32, 58, 255)
    assert (frame[22:38], frame[38:54]) == (address.packed, ip_address("ff02::1").packed)
    kind, code, _, flags = struct.unpack_from("!BBHI", frame, 54)
    assert (kind, code, flags) == (136, 0, 0x20000000)
    assert frame[62:78] == address.packed
    assert frame[78:] == b"\x02\x01" + MAC


@pytest.mark.parametrize("address", ["fd00::abcd", "fe80::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "::1"])
def test_checksum(address: str) -> None:
    """Summed with its checksum, the message and its pseudo-header give all ones (RFC 1071)."""
    frame = announce.frame(MAC, ip_address(address))
    pseudo_header = frame[22:54] + struct.pack("!II", 32, 58)
    total = sum(struct.unpack("!36H", pseudo_header + frame[54:86]))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF


def test_checksum_of_the_rfc() -> None:
    """The example of RFC 1071, section 3: the sum is ddf2, the checksum its complement."""
    assert announce.internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_infiniband_is_left_alone() -> None:
    """An address of 20 bytes fits no Ethernet frame: nothing is sent, not even a socket made for a missing link."""
    announce.announce("no-such-link", bytes(20).hex(":"), [ip_address("10.0.0.1")])
