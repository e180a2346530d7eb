"""IP addresses and subnets as users write them (CIDR notation, RFC 4632), in configurations and in CNI_ARGS.

Stricter than `ipaddress`, and one address has one form: it could be given away twice otherwise.
"""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface, ip_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.result import IPAddress, IPInterface, IPNetwork

MAPPED_BITS = 96
"""How many bits stand before the IPv4 address in one that is written as IPv6 (RFC 4291, section 2.5.5.2)."""


def parse_address(text: str) -> IPAddress:
    """Return an address without prefix length; one that is IPv4 in IPv6 notation comes back as IPv4.

    Raises ValueError, also for a zone (`fe80::1%eth0`), which means nothing in another namespace.
    """
    if "%" in text:
        raise ValueError(text)
    address = ip_address(text)
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


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
    _, slash, length = text.partition("/")
    if not slash or not length.isdecimal() or "%" in text:
        raise ValueError(text)
    interface = ip_interface(text)
    if isinstance(interface, IPv6Interface) and (mapped := interface.ip.ipv4_mapped) is not None:
        if interface.network.prefixlen < MAPPED_BITS:
            raise ValueError(text)
        return IPv4Interface(f"{mapped}/{interface.network.prefixlen - MAPPED_BITS}")
    return interface


def parse_network(text: str) -> IPNetwork:
    """Return a subnet; bits right of the prefix are cleared. Raises ValueError as `parse_interface`."""
    return ip_network(str(parse_interface(text)), strict=False)
