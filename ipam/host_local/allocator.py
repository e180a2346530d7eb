"""Which addresses an attachment gets: policy alone, on what is known of the store. The messages are the reference's.

One address from each range set: the one that the runtime asks for, else the next free one in turn, else one that is
certain to be nobody's any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from cni.protocol.errors import GENERIC, CniError, invalid_config
from cni.protocol.ip import IPAddress, address_or_none
from ipam.host_local.ranges import Range, RangeSet


@dataclass(frozen=True, slots=True)
class Allocation:
    """One address of the attachment. range: where it lies. abandoned: its file is there, of somebody long gone."""

    address: IPAddress
    range: Range
    abandoned: bool = False


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of the store while it is locked.

    taken: the addresses that have files, as text. held: those of this attachment. last: gives the address that came
    last from the range set of an index. abandoned: says which of some taken addresses nobody can have any more, oldest
    first; asked only where nothing else is left.
    """

    taken: Collection[str]
    held: Collection[str]
    last: Callable[[int], IPAddress | None]
    abandoned: Callable[[list[str]], list[str]]


def assign(range_sets: list[RangeSet], requested: list[IPAddress]) -> list[IPAddress | None]:
    """Return for each range set the first requested address that lies in it.

    Raises CniError (code 7) when one is left over or may not be given to a pod.
    """
    left = list(requested)
    assigned: list[IPAddress | None] = []
    for index, one in enumerate(range_sets):
        wanted = next((address for address in left if address in one), None)
        if wanted is not None:
            left.remove(wanted)
            _check_usable(index, wanted, one.range_of(wanted))
        assigned.append(wanted)
    if left:
        listed = "; ".join(str(one) for one in range_sets)
        raise invalid_config(
            f"failed to allocate all requested IPs: {' '.join(str(address) for address in left)}",
            f"each range set gives one address, if it is in a range; the sets are {listed}",
        )
    return assigned


def _check_usable(index: int, wanted: IPAddress, range_: Range) -> None:
    if wanted == range_.gateway:
        raise invalid_config(f"failed to allocate for range {index}: requested ip {wanted} is subnet's gateway")
    if range_.is_reserved(wanted):
        kind = "the network" if wanted == range_.subnet.network_address else "the broadcast"
        what = f"requested ip {wanted} is {kind} address of {range_.subnet}"
        raise invalid_config(f"failed to allocate for range {index}: {what}")


def choose(
    range_sets: list[RangeSet], assigned: list[IPAddress | None], container_id: str, known: Knowledge
) -> list[Allocation]:
    """Return one allocation for each range set; nothing is written.

    assigned: as `assign` returns it. Raises CniError (code 999): an address that is taken or held already, a set that
    is full.
    """
    allocations = []
    for index, (one, wanted) in enumerate(zip(range_sets, assigned, strict=True)):
        try:
            if wanted is not None:
                allocations.append(_choose_wanted(one, wanted, container_id, known))
                continue
            _refuse_duplicate(one, container_id, known)
            allocations.append(find_next(one, known.last(index), known.taken, known.abandoned))
        except CniError as e:
            raise CniError(e.code, f"failed to allocate for range {index}: {e.msg}", e.details) from None
    return allocations


def _choose_wanted(one: RangeSet, wanted: IPAddress, container_id: str, known: Knowledge) -> Allocation:
    name = str(wanted)
    abandoned = name in known.taken and bool(known.abandoned([name]))
    if name in known.taken and not abandoned:
        holder = f"it is {container_id}'s own" if name in known.held else "another attachment has it"
        raise CniError(GENERIC, f"requested IP address {wanted} is not available in range set {one}", holder)
    _refuse_duplicate(one, container_id, known)
    return Allocation(wanted, one.range_of(wanted), abandoned)


def find_next(
    one: RangeSet, last: IPAddress | None, taken: Collection[str], abandoned: Callable[[list[str]], list[str]]
) -> Allocation:
    """Return what an attachment would get from the set; the rest as in Knowledge. Raises CniError when it is full."""
    address = one.next_free(last, taken)
    if address is not None:
        return Allocation(address, one.range_of(address))
    for name in abandoned([name for name in taken if _is_usable(name, one)]):
        address = address_or_none(name)
        if address is not None:
            return Allocation(address, one.range_of(address), abandoned=True)
    raise CniError(GENERIC, f"no IP addresses available in range set: {one}")


def _refuse_duplicate(one: RangeSet, container_id: str, known: Knowledge) -> None:
    """One attachment, one address from a set (specification 1.1.0: no second ADD without DEL)."""
    for name in known.held:
        address = address_or_none(name)
        if address is not None and address in one:
            raise CniError(
                GENERIC, f"{address} has been allocated to {container_id}, duplicate allocation is not allowed"
            )


def _is_usable(name: str, one: RangeSet) -> bool:
    address = address_or_none(name)
    return address is not None and address in one and not one.range_of(address).is_reserved(address)
