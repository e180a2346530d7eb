"""Results on the wire, in every version of the specification, to and from the one current form.

Reading brings the JSON object up to the current version step by step and then builds a Result; writing goes down the
same stairs. A step stands between two adjacent versions; where the table has none, only the number changed:

    0.2.0 to 0.3.0   `ip4` and `ip6` with their routes become `ips`, `routes` and `interfaces`
    0.4.0 to 1.0.0   `ips[].version` goes away
    1.0.0 to 1.1.0   interfaces gain `mtu`, `socketPath`, `pciID`; routes `mtu`, `advmss`, `priority`, `table`, `scope`

Which members are left out when they are empty follows the reference plugins; `dns` never is.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_interface, ip_network
from itertools import pairwise

from cni.protocol.errors import GENERIC, CniError
from cni.protocol.limits import ADDRESSES, DNS_ENTRIES, INTERFACES, ROUTES
from cni.protocol.result import DNS, Interface, IPConfig, Result, Route
from cni.protocol.section import Section, refused
from cni.protocol.version import OLDEST, SUPPORTED

Document = dict[str, object]


def parse_result(raw: object, version: str = "", where: str = "") -> Result:
    """Return the result that a JSON value describes.

    version: what it is written in when it does not say so itself; 0.1.0 if empty. where: its place in the
    configuration, such as "prevResult", for messages.
    Raises CniError (code 7) that names the field.
    """
    if not isinstance(raw, dict):
        raise refused(where or "result", raw, "an object")
    own = Section(raw, where).string("cniVersion") or version or OLDEST
    if own not in SUPPORTED:
        raise refused(Section(raw, where).name_of("cniVersion"), own, f"one of {', '.join(SUPPORTED)}")
    document: Document = raw
    steps = SUPPORTED[SUPPORTED.index(own) :]
    for step in pairwise(steps):
        if step in _STEPS:
            document = _STEPS[step](Section(document, where))
    return _read(Section(document, where))


def render_result(result: Result, version: str) -> dict[str, object]:
    """Return the result as a JSON object of the given version, one of SUPPORTED.

    What the version cannot express is left out. Raises CniError (code 999) for a version before 0.3.0 when there is no
    address, as the reference does: such a result would be empty.
    """
    document = _written(result)
    steps = SUPPORTED[SUPPORTED.index(version) :][::-1]
    for step in pairwise(steps):
        if step in _STEPS:
            document = _STEPS[step](Section(document))
    return {"cniVersion": version, **document}


def read_dns(section: Section) -> DNS:
    """Return the `dns` map of a result or a configuration. Raises CniError (code 7) that names the field."""
    return DNS(section.strings("nameservers", DNS_ENTRIES), section.string("domain"),
               section.strings("search", DNS_ENTRIES), section.strings("options", DNS_ENTRIES))  # fmt: skip


# The current form and its JSON object -------------------------------------------------------------------------------


def _read(section: Section) -> Result:
    return Result(
        [
            Interface(
                interface.string("name"),
                interface.string("mac"),
                interface.integer("mtu"),
                interface.string("sandbox"),
                interface.string("socketPath"),
                interface.string("pciID"),
            )
            for interface in section.sections("interfaces", INTERFACES)
        ],
        [_read_ip(ip) for ip in section.sections("ips", ADDRESSES)],
        read_routes(section),
        read_dns(section.section("dns")),
    )


def _read_ip(section: Section) -> IPConfig:
    address = section.interface("address")
    if address is None:
        raise _missing(section, "address")
    return IPConfig(address, section.address("gateway"), section.optional_integer("interface"))


def read_routes(section: Section) -> list[Route]:
    """Return the `routes` of a result or a configuration. Raises CniError (code 7) that names the field."""
    return [read_route(route) for route in section.sections("routes", ROUTES)]


def read_route(section: Section) -> Route:
    """Return one entry of `routes`. Raises CniError (code 7) that names the field."""
    destination = section.network("dst")
    if destination is None:
        raise _missing(section, "dst")
    return Route(
        destination,
        section.address("gw"),
        section.optional_integer("mtu", 0, _U32),
        section.optional_integer("advmss", 0, _U32),
        section.optional_integer("priority", 0, _U32),
        section.optional_integer("table", 0, _U32),
        section.optional_integer("scope", 0, 255),
    )


_U32 = 0xFFFFFFFF  # the width of these route attributes in the kernel (linux/rtnetlink.h); the scope has 8 bits


def _missing(section: Section, key: str) -> CniError:
    return refused(section.where, section.raw, f'an object with "{key}"')


def _written(result: Result) -> Document:
    document: Document = {}
    if result.interfaces:
        document["interfaces"] = [
            {
                "name": interface.name,
                **_present(
                    mac=interface.mac,
                    mtu=interface.mtu,
                    sandbox=interface.sandbox,
                    socketPath=interface.socket_path,
                    pciID=interface.pci_id,
                ),
            }
            for interface in result.interfaces
        ]
    if result.ips:
        document["ips"] = [
            {
                **({} if ip.interface is None else {"interface": ip.interface}),
                "address": str(ip.address),
                **_present(gateway=ip.gateway and str(ip.gateway)),
            }
            for ip in result.ips
        ]
    if result.routes:
        document["routes"] = [_written_route(route) for route in result.routes]
    dns = result.dns
    document["dns"] = _present(nameservers=dns.nameservers, domain=dns.domain, search=dns.search, options=dns.options)
    return document


def _written_route(route: Route) -> Document:
    document: Document = {
        "dst": str(route.dst),
        **_present(gw=route.gw and str(route.gw), mtu=route.mtu, advmss=route.advmss, priority=route.priority),
    }
    # 0 is a table and a scope of its own (RT_TABLE_UNSPEC, RT_SCOPE_UNIVERSE), not the absence of one.
    if route.table is not None:
        document["table"] = route.table
    if route.scope is not None:
        document["scope"] = route.scope
    return document


def _present(**members: object) -> Document:
    """Return the members that are not empty."""
    return {name: value for name, value in members.items() if value}


# The steps ----------------------------------------------------------------------------------------------------------


def _up_from_020(top: Section) -> Document:
    ips: list[Document] = []
    routes: list[object] = []
    for key in ("ip4", "ip6"):
        if not top.has(key):
            continue
        family = top.section(key)
        if family.interface("ip") is None:
            raise _missing(family, "ip")
        family.address("gateway")  # so that an error carries the name that the member has in this version
        ips.append({"version": key[2], "address": family.get("ip"), "gateway": family.get("gateway")})
        for route in family.sections("routes", ROUTES):
            read_route(route)
            routes.append(route.raw)
    return {"ips": ips, "routes": routes, "dns": top.get("dns")}


def _up_from_040(top: Section) -> Document:
    return {**top.raw, "ips": [_without(ip, "version") for ip in top.sections("ips")]}


def _down_from_110(top: Section) -> Document:
    document = dict(top.raw)
    if "interfaces" in document:
        document["interfaces"] = [_without(item, "mtu", "socketPath", "pciID") for item in top.sections("interfaces")]
    if "routes" in document:
        document["routes"] = [
            _without(route, "mtu", "advmss", "priority", "table", "scope") for route in top.sections("routes")
        ]
    return document


def _down_from_100(top: Section) -> Document:
    document = dict(top.raw)
    if "ips" in document:
        document["ips"] = [
            {"version": str(ip_interface(ip.string("address")).version), **ip.raw} for ip in top.sections("ips")
        ]
    return document


def _down_from_030(top: Section) -> Document:
    """Each family keeps its first address, and the routes of its kind if it has one."""
    document: Document = {}
    for key in ("ip4", "ip6"):
        ip = next((ip for ip in top.sections("ips") if ip.string("version") == key[2]), None)
        if ip is None:
            continue
        routes = [
            route.raw for route in top.sections("routes") if ip_network(route.string("dst")).version == int(key[2])
        ]
        document[key] = {"ip": ip.string("address"), **_present(gateway=ip.string("gateway"), routes=routes)}
    if not document:
        raise CniError(GENERIC, "cannot convert: no valid IP addresses")
    return {**document, "dns": top.get("dns")}


def _without(section: Section, *keys: str) -> Document:
    return {key: value for key, value in section.raw.items() if key not in keys}


_STEPS: dict[tuple[str, str], Callable[[Section], Document]] = {
    ("0.2.0", "0.3.0"): _up_from_020,
    ("0.4.0", "1.0.0"): _up_from_040,
    ("1.1.0", "1.0.0"): _down_from_110,
    ("1.0.0", "0.4.0"): _down_from_100,
    ("0.3.0", "0.2.0"): _down_from_030,
}
