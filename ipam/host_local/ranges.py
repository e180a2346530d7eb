"""Ranges of addresses and sets of them: pure arithmetic, no files.

A range lies in one subnet. A set is a list of ranges of one family; an attachment gets one address from each set.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterator

from cni.protocol.ip import IPAddress, IPNetwork

SHOWN_RANGES = 8
"""How many ranges of a set a message names."""


class Range:
    """The addresses from `start` to `end`, both included, of a subnet.

    Three of them are never given to a pod: the gateway; the subnet's first address, which names the network (IPv4,
    RFC 1122, section 3.2.1.3) or stands for any router in it (IPv6, RFC 4291, section 2.6.1); and the broadcast
    address of an IPv4 subnet. A subnet of two addresses is a link between two routers, and has neither of the latter
    (RFC 3021, RFC 6164); nor has one of a single address. These have a gateway only if one is given.
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
        last one, without the broadcast address; in a subnet of one or two addresses no gateway, and all of it. What is
        given must suit the subnet.
        """
        self.subnet = subnet
        first, last = subnet.network_address, subnet.broadcast_address
        self._reserved = set()
        if subnet.prefixlen < subnet.max_prefixlen - 1:
            self._reserved.add(int(first))
            first += 1
            gateway = gateway or first
            if subnet.version == 4:
                self._reserved.add(int(last))
                last -= 1
        if gateway is not None:
            self._reserved.add(int(gateway))
        self.gateway = gateway
        self.start: IPAddress = first if start is None else start
        self.end: IPAddress = last if end is None else end

    def __contains__(self, address: IPAddress) -> bool:
        return address.version == self.subnet.version and int(self.start) <= int(address) <= int(self.end)

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"

    def is_reserved(self, address: IPAddress) -> bool:
        """Return whether the address, which is in the range, is one that no pod gets."""
        return int(address) in self._reserved

    def free(self, first: int, last: int, taken: Container[str]) -> IPAddress | None:
        """Return the lowest address from `first` to `last` (both in the range) that a pod can get and nobody has."""
        address_type = type(self.start)
        for number in range(first, last + 1):
            if number not in self._reserved:
                address = address_type(number)
                if str(address) not in taken:
                    return address
        return None


class RangeSet:
    """One or more ranges of one family that do not overlap."""

    __slots__ = ("_sorted", "_starts", "ranges")

    def __init__(self, ranges: list[Range]) -> None:
        self.ranges = ranges
        self._sorted = sorted(ranges, key=_start)
        self._starts = [_start(one) for one in self._sorted]

    def __contains__(self, address: IPAddress) -> bool:
        return address in self.range_of(address)

    def __str__(self) -> str:
        shown = ",".join(str(one) for one in self.ranges[:SHOWN_RANGES])
        return shown if len(self.ranges) <= SHOWN_RANGES else f"{shown} and {len(self.ranges) - SHOWN_RANGES} more"

    def range_of(self, address: IPAddress) -> Range:
        """Return the range that holds an address of the set; for any other, the last one that begins before it, or the
        first one.
        """
        return self._sorted[max(0, bisect_right(self._starts, int(address)) - 1)]

    @property
    def version(self) -> int:
        """The family: 4 or 6."""
        return self.ranges[0].subnet.version

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


def find_overlap(numbered: list[tuple[int, Range]]) -> tuple[tuple[int, Range], tuple[int, Range]] | None:
    """Return two of the numbered ranges that have an address in common, the lower number first, or None.

    Sorted by their first addresses, ranges that overlap follow one another but for what the first of them holds whole.
    """
    furthest: dict[int, tuple[int, Range]] = {}
    for one in sorted(numbered, key=lambda item: (_start(item[1]), item[0])):
        version = one[1].subnet.version
        before = furthest.get(version)
        if before is not None and int(one[1].start) <= int(before[1].end):
            return (before, one) if before[0] <= one[0] else (one, before)
        furthest[version] = one
    return None


def _start(one: Range) -> int:
    return int(one.start)
