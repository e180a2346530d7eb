"""IP addresses and subnets as users write them (CIDR notation, RFC 4632), in configurations and in CNI_ARGS.

One address has one form: it could be given away twice otherwise.
"""

from __future__ import annotations

from cni.protocol.ip import IPAddress, IPInterface, IPNetwork, ip_address, ip_interface

MAPPED_BITS = 96
"""How many bits stand before the IPv4 address in one that is written as IPv6 (RFC 4291, section 2.5.5.2)."""


def parse_address(text: str) -> IPAddress:
    """Return an address without prefix length; one that is IPv4 in IPv6 notation comes back as IPv4.

    Raises ValueError, also for a zone (`fe80::1%eth0`), which means nothing in another namespace.
    """
    address = ip_address(text)
    return address.ipv4_mapped or address


def address_or_none(text: str) -> IPAddress | None:
    """Return the address that the text is in its usual notation, None when it is not one."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def parse_interface(text: str) -> IPInterface:
    """Return an address with its prefix length, which must be there; IPv4 in IPv6 notation comes back as IPv4.

    Raises ValueError, also for a netmask in place of the length, and for a zone.
    """
    interface = ip_interface(text)
    mapped = interface.ip.ipv4_mapped
    if mapped is None:
        return interface
    if interface.prefixlen < MAPPED_BITS:
        raise ValueError(text)
    return IPInterface(mapped, interface.prefixlen - MAPPED_BITS)


def parse_network(text: str) -> IPNetwork:
    """Return a subnet; bits right of the prefix are cleared. Raises ValueError as `parse_interface`."""
    return parse_interface(text).network
