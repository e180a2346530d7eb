"""IP addresses and subnets as users write them (CIDR notation, RFC 4632), as values of `ipaddress`.

One address has one form: it could be given away twice otherwise. So an IPv4 address in IPv6 notation becomes one of
IPv4, and what `ipaddress` would take besides is refused: zones (`fe80::1%eth0`), which mean nothing in another
namespace, netmasks, and addresses without the length of a prefix where there has to be one.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

IPAddress = IPv4Address | IPv6Address
IPInterface = IPv4Interface | IPv6Interface
IPNetwork = IPv4Network | IPv6Network

MAPPED_BITS = 96
"""How many bits stand before the IPv4 address in one that is written as IPv6 (RFC 4291, section 2.5.5.2)."""


def interface(address: IPAddress, prefixlen: int) -> IPInterface:
    """Return an address with the length of its subnet's prefix. Raises ValueError."""
    return (IPv4Interface if address.version == 4 else IPv6Interface)((int(address), prefixlen))


def parse_address(text: str) -> IPAddress:
    """Return an address without prefix length. Raises ValueError."""
    address = _as_written(text)
    return getattr(address, "ipv4_mapped", None) or address


def address_or_none(text: str) -> IPAddress | None:
    """Return the address that the text is in its usual notation, None when it is not one."""
    try:
        return _as_written(text)
    except ValueError:
        return None


def parse_interface(text: str) -> IPInterface:
    """Return an address with its prefix length. Raises ValueError."""
    return interface(*_parsed(text))


def parse_network(text: str) -> IPNetwork:
    """Return a subnet; bits right of the prefix are cleared. Raises ValueError."""
    address, prefixlen = _parsed(text)
    return (IPv4Network if address.version == 4 else IPv6Network)((int(address), prefixlen), strict=False)


def _parsed(text: str) -> tuple[IPAddress, int]:
    written, _, length = text.partition("/")
    if not (length.isascii() and length.isdecimal()):
        raise ValueError(f"{text!a} is not an IP address with its prefix length")
    address, prefixlen = _as_written(written), int(length)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped, prefixlen - MAPPED_BITS) if mapped else (address, prefixlen)


def _as_written(text: str) -> IPAddress:
    if ":" not in text:
        return IPv4Address(text)
    if "%" in text:
        raise ValueError(f"{text!a} has a zone")
    return IPv6Address(text)
