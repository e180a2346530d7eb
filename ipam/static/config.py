"""The static part of a network configuration: addresses from four places, routes and DNS.

What names addresses, the later winning: `ipam.addresses` together with CNI_ARGS `IP`; `args.cni.ips` instead of these;
`runtimeConfig.ips` instead of all. CNI_ARGS `GATEWAY` is for the addresses of CNI_ARGS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cni.protocol import ip
from cni.protocol.config import NetConf
from cni.protocol.convert import read_dns, read_routes, refuse_several
from cni.protocol.errors import invalid_config
from cni.protocol.limits import ADDRESSES
from cni.protocol.request import Request, bad_args, parse_args
from cni.protocol.result import DNS, IPConfig, Route
from cni.protocol.section import INTERFACE, Section, too_many

T = TypeVar("T")


@dataclass(slots=True)
class StaticConfig:
    """What the pod gets. addresses: may be none, which is for the calling plugin to judge."""

    addresses: list[IPConfig]
    routes: list[Route]
    dns: DNS


def parse(request: Request, conf: NetConf) -> StaticConfig:
    """Read and check everything. Raises CniError: code 7 naming field and value, code 4 for CNI_ARGS."""
    ipam = conf.ipam
    if ipam is None:
        raise invalid_config("IPAM config missing 'ipam' key", 'the configuration has no "ipam" with a "type"')
    addresses = _addresses(request, conf, ipam)
    details = f"the addresses are {', '.join(str(one.address) for one in addresses)}"
    refuse_several([one.address.version for one in addresses], conf.cni_version, details)
    return StaticConfig(addresses, read_routes(ipam), read_dns(ipam.section("dns")))


def _addresses(request: Request, conf: NetConf, ipam: Section) -> list[IPConfig]:
    # All that the runtime says is read, also what something else outdoes: a mistake in it is one.
    of_environment = _of_environment(request)
    of_args, of_runtime = _listed(conf.args), _listed(conf.runtime_config)
    # What the configuration says may be a placeholder, if something else outdoes it.
    if of_runtime or of_args:
        return of_runtime or of_args
    addresses = [_configured(one) for one in ipam.sections("addresses", ADDRESSES)] + of_environment
    if len(addresses) > ADDRESSES:
        raise too_many("ipam.addresses with those of CNI_ARGS", len(addresses), ADDRESSES)
    return addresses


def _configured(section: Section) -> IPConfig:
    address = section.interface("address")
    if address is None:
        raise section.lacks("address")
    return IPConfig(address, section.address("gateway"))


def _listed(section: Section) -> list[IPConfig]:
    """Return the addresses of `ips`. They come without gateway, also when an `addresses` entry has one."""
    return [IPConfig(address) for address in section.parsed_items("ips", ip.parse_interface, INTERFACE, ADDRESSES)]


def _of_environment(request: Request) -> list[IPConfig]:
    """Return the addresses of CNI_ARGS, each with the last of its gateways that lies in its subnet."""
    pairs = parse_args(request.args, frozenset(("IP", "GATEWAY")))
    addresses = [IPConfig(address) for address in _items("IP", pairs, ip.parse_interface, INTERFACE)]
    for gateway in _items("GATEWAY", pairs, ip.parse_address, "an IP address such as 10.1.2.1"):
        for one in addresses:
            if gateway in one.address.network:
                one.gateway = gateway
    return addresses


def _items(key: str, pairs: dict[str, str], parse: Callable[[str], T], wanted: str) -> list[T]:
    items = [item.strip() for item in pairs[key].split(",")] if pairs.get(key) else []
    if len(items) > ADDRESSES:
        raise bad_args(f"{key}: {len(items)} addresses are not allowed; the limit is {ADDRESSES}")
    parsed = []
    for item in items:
        try:
            parsed.append(parse(item))
        except ValueError:
            raise bad_args(f"{key}: {item!a} is not allowed; it must be {wanted}") from None
    return parsed
