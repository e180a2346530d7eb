"""Ranges of addresses and sets of them: pure arithmetic, no files.

A range lies in one subnet. A set is a list of ranges of one family; an attachment gets one address from each set.
"""

from __future__ import annotations

from cni.ip import IPAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from cni.ip import IPNetwork

HOST_BITS = 2
"""How many bits a subnet must leave for hosts: with fewer there is no room beside network, gateway and broadcast."""


class Range:
    """The addresses from `start` to `end`, both included, of a subnet.

    Three of them are never given to a pod: the gateway; the subnet's first address, which names the network (IPv4,
    RFC 1122, section 3.2.1.3) or stands for any router in it (IPv6, RFC 4291, section 2.6.1); and the broadcast
    address of an IPv4 subnet.
    """

    __slots__ = ("_reserved", "end", "gateway", "start", "subnet")

    def __init__(
        self,
        subnet: IPNetwork,
        start: IPAddress | None = None,
        end: IPAddress | None = None,
        gateway: IPAddress | None = None,
    ) -> None:
        """What is None gets its default: the gateway and `start` the first address after the network's own, `end` the
        last one, without the broadcast address. `subnet` must leave HOST_BITS, and the others must suit it.
        """
        self.subnet = subnet
        first = subnet.network_address + 1
        last = subnet.broadcast_address if subnet.version == 6 else subnet.broadcast_address - 1
        self.gateway: IPAddress = first if gateway is None else gateway
        self.start: IPAddress = first if start is None else start
        self.end: IPAddress = last if end is None else end
        self._reserved = {int(self.gateway), int(subnet.network_address)}
        if subnet.version == 4:
            self._reserved.add(int(subnet.broadcast_address))

    def __contains__(self, address: IPAddress) -> bool:
        return address.version == self.subnet.version and int(self.start) <= int(address) <= int(self.end)

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"

    def is_reserved(self, address: IPAddress) -> bool:
        """Return whether the address, which is in the range, is one that no pod gets."""
        return int(address) in self._reserved

    def overlaps(self, other: Range) -> bool:
        """Return whether an address is in both."""
        return other.start in self or self.start in other

    def free(self, first: int, last: int, taken: Container[str]) -> IPAddress | None:
        """Return the lowest address from `first` to `last` (both in the range) that a pod can get and nobody has."""
        for number in range(first, last + 1):
            if number not in self._reserved:
                address = IPAddress(self.subnet.version, number)
                if str(address) not in taken:
                    return address
        return None


class RangeSet:
    """One or more ranges of one family that do not overlap."""

    __slots__ = ("ranges",)

    def __init__(self, ranges: list[Range]) -> None:
        self.ranges = ranges

    def __contains__(self, address: IPAddress) -> bool:
        return any(address in one for one in self.ranges)

    def __str__(self) -> str:
        return ",".join(str(one) for one in self.ranges)

    @property
    def version(self) -> int:
        """The family: 4 or 6."""
        return self.ranges[0].subnet.version

    def range_of(self, address: IPAddress) -> Range:
        """Return the range that holds an address of the set."""
        return next(one for one in self.ranges if address in one)

    def overlaps(self, other: RangeSet) -> bool:
        """Return whether an address is in both."""
        return any(mine.overlaps(theirs) for mine in self.ranges for theirs in other.ranges)

    def next_free(self, last: IPAddress | None, taken: Container[str]) -> IPAddress | None:
        """Return the first free address after `last`, going round through all ranges, or None when there is none.

        last: given out last, None for nobody knows; it comes last itself. taken: addresses as text.
        Going round keeps a pod that crashes in a loop from getting the same address each time.
        """
        for one, first, end in self._stretches(last):
            address = one.free(first, end, taken)
            if address is not None:
                return address
        return None

    def _stretches(self, last: IPAddress | None) -> Iterator[tuple[Range, int, int]]:
        """Give each range with the part of it that comes next in turn; the range that holds `last` comes twice."""
        index = next((i for i, one in enumerate(self.ranges) if last is not None and last in one), None)
        if last is None or index is None:
            yield from ((one, int(one.start), int(one.end)) for one in self.ranges)
            return
        current = self.ranges[index]
        yield current, int(last) + 1, int(current.end)
        for one in self.ranges[index + 1 :] + self.ranges[:index]:
            yield one, int(one.start), int(one.end)
        yield current, int(current.start), int(last)
