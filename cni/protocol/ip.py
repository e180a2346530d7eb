"""IP addresses, addresses with a prefix length, and subnets, as values.

In place of `ipaddress`, which with `functools` and `collections` would be 0.7 MB of every binary. It reads and writes
the same (tests/unit/cni/test_ip.py), but refuses zones (`fe80::1%eth0`) and netmasks, wants the prefix length where
there is one, and clears the bits right of it.
"""

from __future__ import annotations

import _socket

BITS = {4: 32, 6: 128}
"""How long the addresses of a version are."""


class IPAddress:
    """An address: its version, 4 or 6, and the number that it is."""

    __slots__ = ("number", "version")

    def __init__(self, version: int, number: int) -> None:
        """Raises OverflowError when the number is none of an address."""
        if number < 0 or number >> BITS[version]:
            raise OverflowError(f"{number} is not an IPv{version} address")
        self.version = version
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IPAddress) and (self.version, self.number) == (other.version, other.number)

    def __hash__(self) -> int:
        return hash((self.version, self.number))

    def __int__(self) -> int:
        return self.number

    def __add__(self, offset: int) -> IPAddress:
        return IPAddress(self.version, self.number + offset)

    def __sub__(self, offset: int) -> IPAddress:
        return IPAddress(self.version, self.number - offset)

    def __repr__(self) -> str:
        return f"IPAddress({str(self)!r})"

    def __str__(self) -> str:
        """Return the usual notation, for IPv6 that of RFC 5952."""
        if self.version == 4:
            return _socket.inet_ntop(_socket.AF_INET, self.packed)
        text = _socket.inet_ntop(_socket.AF_INET6, self.packed)
        if "." not in text:
            return text
        # The C library ends some as an IPv4 address.
        low = self.number & 0xFFFFFFFF
        return f"{text[: text.rindex(':')]}:{low >> 16:x}:{low & 0xFFFF:x}"

    @property
    def packed(self) -> bytes:
        """The address in network byte order, 4 or 16 bytes."""
        return self.number.to_bytes(BITS[self.version] // 8, "big")

    @property
    def is_unspecified(self) -> bool:
        """Whether this is 0.0.0.0 or ::."""
        return self.number == 0

    @property
    def ipv4_mapped(self) -> IPAddress | None:
        """The IPv4 address that this is in IPv6 notation (RFC 4291, section 2.5.5.2), None when it is not one."""
        if self.version == 6 and self.number >> 32 == 0xFFFF:
            return IPAddress(4, self.number & 0xFFFFFFFF)
        return None


class IPNetwork:
    """A subnet: its first address and how many bits of it all have in common."""

    __slots__ = ("network_address", "prefixlen")

    def __init__(self, address: IPAddress, prefixlen: int) -> None:
        """Bits right of the prefix are cleared. The length must suit the version."""
        host_bits = BITS[address.version] - prefixlen
        self.network_address = IPAddress(address.version, address.number >> host_bits << host_bits)
        self.prefixlen = prefixlen

    def __contains__(self, address: IPAddress) -> bool:
        return address.version == self.version and IPNetwork(address, self.prefixlen) == self

    def __eq__(self, other: object) -> bool:
        mine = (self.network_address, self.prefixlen)
        return isinstance(other, IPNetwork) and mine == (other.network_address, other.prefixlen)

    def __hash__(self) -> int:
        return hash((self.network_address, self.prefixlen))

    def __repr__(self) -> str:
        return f"IPNetwork({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.network_address}/{self.prefixlen}"

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.network_address.version

    @property
    def max_prefixlen(self) -> int:
        """The length of an address of this version, in bits."""
        return BITS[self.version]

    @property
    def broadcast_address(self) -> IPAddress:
        """The last address."""
        return self.network_address + ((1 << self.max_prefixlen - self.prefixlen) - 1)


class IPInterface:
    """An address of a link: the address, and the length of its subnet's prefix."""

    __slots__ = ("ip", "prefixlen")

    def __init__(self, ip: IPAddress, prefixlen: int) -> None:
        self.ip = ip
        self.prefixlen = prefixlen

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IPInterface) and (self.ip, self.prefixlen) == (other.ip, other.prefixlen)

    def __hash__(self) -> int:
        return hash((self.ip, self.prefixlen))

    def __repr__(self) -> str:
        return f"IPInterface({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.ip}/{self.prefixlen}"

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.ip.version

    @property
    def network(self) -> IPNetwork:
        """The subnet."""
        return IPNetwork(self.ip, self.prefixlen)


def ip_address(value: str | bytes) -> IPAddress:
    """Return the address that is written so, or the one in network byte order. Raises ValueError."""
    if isinstance(value, str):
        family = _socket.AF_INET6 if ":" in value else _socket.AF_INET
        try:
            packed = _socket.inet_pton(family, value)
        except OSError:
            raise ValueError(f"{value!a} is not an IP address") from None
    else:
        packed = value
    if len(packed) not in (4, 16):
        raise ValueError(f"{len(packed)} bytes are not an IP address")
    return IPAddress(4 if len(packed) == 4 else 6, int.from_bytes(packed, "big"))


def ip_interface(text: str) -> IPInterface:
    """Return the address with prefix length that is written so, such as `10.1.2.3/24`. Raises ValueError."""
    address, _, length = text.partition("/")
    ip = ip_address(address)
    if not (length.isascii() and length.isdecimal() and int(length) <= BITS[ip.version]):
        raise ValueError(f"{text!a} is not an IP address with its prefix length")
    return IPInterface(ip, int(length))


def ip_network(text: str) -> IPNetwork:
    """Return the subnet that is written so; bits right of the prefix are cleared. Raises ValueError."""
    return ip_interface(text).network
