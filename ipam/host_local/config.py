"""The host-local part of a network configuration: ranges, requested addresses, routes, and where the store is."""

from __future__ import annotations

from dataclasses import dataclass

from cni.protocol import ip
from cni.protocol.config import NetConf
from cni.protocol.convert import read_routes, refuse_several
from cni.protocol.errors import CniError, invalid_config
from cni.protocol.ip import IPAddress, IPNetwork
from cni.protocol.limits import ADDRESSES, RANGE_SETS, RANGES
from cni.protocol.request import Request, bad_args, parse_args
from cni.protocol.result import Route
from cni.protocol.section import NETWORK, Section, refused, too_many
from ipam.host_local.ranges import SHOWN_RANGES, Range, RangeSet, find_overlap


@dataclass(frozen=True, slots=True)
class HostLocalConfig:
    """range_sets: at least one. requested: addresses that the runtime asks for, each once. routes: for the result.

    resolv_conf: path of the file whose settings go into the result, empty for none.
    """

    range_sets: list[RangeSet]
    requested: list[IPAddress]
    routes: list[Route]
    resolv_conf: str


def parse(request: Request, conf: NetConf) -> HostLocalConfig:
    """Read and check everything that can be checked without the store.

    Raises CniError: code 7 naming field and value, code 4 for CNI_ARGS.
    """
    ipam = conf.ipam
    if ipam is None:
        raise invalid_config("IPAM config missing 'ipam' key", 'the configuration has no "ipam" with a "type"')
    ipam.string("dataDir")  # its type is checked here, with all the rest
    ranges, requested = _range_sets(conf, ipam), _requested(request, conf)
    return HostLocalConfig(ranges, requested, read_routes(ipam), ipam.string("resolvConf"))


def _range_sets(conf: NetConf, ipam: Section) -> list[RangeSet]:
    """Return the runtime's range sets, then the one in the old single form, then those of `ranges`."""
    groups = conf.runtime_config.section_lists("ipRanges", RANGE_SETS, RANGES)
    if ipam.has("subnet"):
        groups.append([ipam])
    groups += ipam.section_lists("ranges", RANGE_SETS, RANGES)
    if len(groups) > RANGE_SETS:
        raise too_many("ipam.ranges with ipam.subnet and runtimeConfig.ipRanges", len(groups), RANGE_SETS)
    if not groups:
        raise invalid_config("no IP ranges specified", 'the configuration has neither "ipam.ranges" nor "ipam.subnet"')
    sets = [_range_set(index, group) for index, group in enumerate(groups)]
    details = f"there are {len(sets)} range sets: {'; '.join(map(str, sets))}"
    refuse_several([one.version for one in sets], conf.cni_version, details)
    found = find_overlap([(index, range_) for index, one in enumerate(sets) for range_ in one.ranges])
    if found is not None:
        (one, _), (other, _) = found
        raise invalid_config(f"range set {one} overlaps with {other}", f"the sets are {sets[one]} and {sets[other]}")
    return sets


def _range_set(index: int, group: list[Section]) -> RangeSet:
    try:
        ranges = [_range(section) for section in group]
        if not ranges:
            raise invalid_config("empty range set", "a range set needs at least one range")
        if len({one.subnet.version for one in ranges}) > 1:
            subnets = ", ".join(str(one.subnet) for one in ranges[:SHOWN_RANGES])
            raise invalid_config("mixed address families", f"the set begins with {subnets}")
        found = find_overlap(list(enumerate(ranges)))
        if found is not None:
            (_, one), (_, other) = found
            raise invalid_config(f"subnets {one} and {other} overlap")
    except CniError as e:
        raise invalid_config(f"invalid range set {index}: {e.msg}", e.details) from None
    return RangeSet(ranges)


def _range(section: Section) -> Range:
    subnet = _subnet(section)
    gateway = section.address("gateway")
    # A gateway outside of the subnet is allowed: it may be on-link.
    if gateway is not None and gateway.version != subnet.version:
        wanted = f"an IPv{subnet.version} address, as subnet {subnet} is"
        raise refused(section.name_of("gateway"), str(gateway), wanted)
    start = _bound(section, "rangeStart", "RangeStart", subnet)
    end = _bound(section, "rangeEnd", "RangeEnd", subnet)
    found = Range(subnet, start, end, gateway)
    if int(found.start) > int(found.end):
        raise refused(section.name_of("rangeStart"), str(found.start), f"an address up to the range's end {found.end}")
    return found


def _subnet(section: Section) -> IPNetwork:
    """Return the subnet. Bits right of the prefix are a mistake, not decoration: the reference refuses them too."""
    interface = section.parsed("subnet", ip.parse_interface, NETWORK)
    if interface is None:
        raise section.lacks("subnet")
    subnet = interface.network
    if interface.ip != subnet.network_address:
        wanted = f"{subnet}; the network has host bits set"
        raise refused(section.name_of("subnet"), section.string("subnet"), wanted)
    return subnet


def _bound(section: Section, key: str, label: str, subnet: IPNetwork) -> IPAddress | None:
    address = section.address(key)
    if address is not None and address not in subnet:
        wanted = f"an address of the subnet; {label} {address} not in network {subnet}"
        raise refused(section.name_of(key), str(address), wanted)
    return address


def _requested(request: Request, conf: NetConf) -> list[IPAddress]:
    """Return what CNI_ARGS, `args.cni.ips` and `runtimeConfig.ips` ask for, in this order."""
    text = parse_args(request.args, frozenset(("IP",))).get("IP", "")
    try:
        addresses = [_with_or_without_length(text)] if text else []
    except ValueError:
        raise bad_args(f"IP: {text!a} is not allowed; it must be an IP address such as 10.1.2.3") from None
    wanted = "an IP address, with or without prefix length"
    for section in (conf.args, conf.runtime_config):
        addresses += section.parsed_items("ips", _with_or_without_length, wanted, ADDRESSES)
    return list(dict.fromkeys(addresses))


def _with_or_without_length(text: str) -> IPAddress:
    """The length is that of the range, so one that is given is checked for sense and then dropped."""
    return ip.parse_interface(text).ip if "/" in text else ip.parse_address(text)


def is_left_to_runtime(conf: NetConf) -> bool:
    """Return whether all ranges are to come from the runtime, which sends them with ADD and not with STATUS."""
    ipam = conf.ipam or Section({})
    declared = conf.section.section("capabilities").boolean("ipRanges")
    return declared and not (ipam.has("subnet") or ipam.has("ranges") or conf.runtime_config.has("ipRanges"))
