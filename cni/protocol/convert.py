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

from cni.protocol.errors import GENERIC, CniError, invalid_config
from cni.protocol.limits import ADDRESSES, DNS_ENTRIES, INTERFACES, ROUTES
from cni.protocol.result import DNS, Interface, IPConfig, Result, Route
from cni.protocol.section import Section, refused
from cni.protocol.version import OLDEST, SUPPORTED, at_least

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
    return _read(Section(_converted(raw, SUPPORTED[SUPPORTED.index(own) :], where), where))


def render_result(result: Result, version: str) -> dict[str, object]:
    """Return the result as a JSON object of the given version, one of SUPPORTED.

    What the version cannot express is left out. Raises CniError (code 999) for a version before 0.3.0 when there is no
    address, as the reference does: such a result would be empty.
    """
    return {"cniVersion": version, **_converted(_written(result), SUPPORTED[SUPPORTED.index(version) :][::-1])}


def _converted(document: Document, versions: tuple[str, ...], where: str = "") -> Document:
    """Take the document down or up the stairs. versions: that of the document first, the wanted one last."""
    for step in pairwise(versions):
        if step in _STEPS:
            document = _STEPS[step](Section(document, where))
    return document


def refuse_several(families: list[int], version: str, details: str) -> None:
    """Refuse several addresses of an IP version, one of `families` each, for a result before 0.3.0, which has room for
    one of each. Raises CniError (code 7).
    """
    if len(set(families)) < len(families) and not at_least(version, "0.3.0"):
        raise invalid_config(f"CNI version {version} does not support more than 1 address per family", details)


def read_dns(section: Section) -> DNS:
    """Return the `dns` map of a result or a configuration. Raises CniError (code 7) that names the field."""
    return DNS(section.strings("nameservers", DNS_ENTRIES), section.string("domain"),
               section.strings("search", DNS_ENTRIES), section.strings("options", DNS_ENTRIES))  # fmt: skip


def _read(section: Section) -> Result:
    return Result(
        [_read_interface(interface) for interface in section.sections("interfaces", INTERFACES)],
        [_read_ip(ip) for ip in section.sections("ips", ADDRESSES)],
        read_routes(section),
        read_dns(section.section("dns")),
    )


def _read_interface(section: Section) -> Interface:
    mac, mtu, sandbox = section.string("mac"), section.integer("mtu"), section.string("sandbox")
    return Interface(section.string("name"), mac, mtu, sandbox, section.string("socketPath"), section.string("pciID"))


def _read_ip(section: Section) -> IPConfig:
    address = section.interface("address")
    if address is None:
        raise section.lacks("address")
    return IPConfig(address, section.address("gateway"), section.optional_integer("interface"))


def read_routes(section: Section) -> list[Route]:
    """Return the `routes` of a result or a configuration. Raises CniError (code 7) that names the field."""
    return [read_route(route) for route in section.sections("routes", ROUTES)]


def read_route(section: Section) -> Route:
    """Return one entry of `routes`. Raises CniError (code 7) that names the field."""
    destination = section.network("dst")
    if destination is None:
        raise section.lacks("dst")
    mtu, advmss, priority, table = (
        section.optional_integer(key, 0, _U32) for key in ("mtu", "advmss", "priority", "table")
    )
    scope = section.optional_integer("scope", 0, 255)
    return Route(destination, section.address("gw"), mtu, advmss, priority, table, scope)


_U32 = 0xFFFFFFFF  # the width of these route attributes in the kernel (linux/rtnetlink.h); the scope has 8 bits


def _written(result: Result) -> Document:
    document = _present(
        interfaces=[_written_interface(interface) for interface in result.interfaces],
        ips=[_written_ip(ip) for ip in result.ips],
        routes=[_written_route(route) for route in result.routes],
    )
    dns = result.dns
    document["dns"] = _present(nameservers=dns.nameservers, domain=dns.domain, search=dns.search, options=dns.options)
    return document


def _written_interface(one: Interface) -> Document:
    more = _present(mac=one.mac, mtu=one.mtu, sandbox=one.sandbox, socketPath=one.socket_path, pciID=one.pci_id)
    return {"name": one.name, **more}


def _written_ip(ip: IPConfig) -> Document:
    interface = {} if ip.interface is None else {"interface": ip.interface}
    return {**interface, "address": str(ip.address), **_present(gateway=ip.gateway and str(ip.gateway))}


def _written_route(route: Route) -> Document:
    more = _present(gw=route.gw and str(route.gw), mtu=route.mtu, advmss=route.advmss, priority=route.priority)
    # 0 is a table and a scope of its own (RT_TABLE_UNSPEC, RT_SCOPE_UNIVERSE), not the absence of one.
    numbers = {"table": route.table, "scope": route.scope}
    return {"dst": str(route.dst), **more, **{key: value for key, value in numbers.items() if value is not None}}


def _present(**members: object) -> Document:
    """Return the members that are not empty."""
    return {name: value for name, value in members.items() if value}


def _up_from_020(top: Section) -> Document:
    ips: list[Document] = []
    routes: list[object] = []
    for key in ("ip4", "ip6"):
        if not top.has(key):
            continue
        family = top.section(key)
        if family.interface("ip") is None:
            raise family.lacks("ip")
        family.address("gateway")  # so that an error carries the name that the member has in this version
        ips.append({"version": key[2], "address": family.get("ip"), "gateway": family.get("gateway")})
        for route in family.sections("routes", ROUTES):
            read_route(route)
            routes.append(route.raw)
    return {"ips": ips, "routes": routes, "dns": top.get("dns")}


def _up_from_040(top: Section) -> Document:
    return {**top.raw, "ips": [_without(ip, "version") for ip in top.sections("ips")]}


def _down_from_110(top: Section) -> Document:
    new = {"interfaces": ("mtu", "socketPath", "pciID"), "routes": ("mtu", "advmss", "priority", "table", "scope")}
    older = {key: [_without(item, *names) for item in top.sections(key)] for key, names in new.items() if top.has(key)}
    return {**top.raw, **older}


def _down_from_100(top: Section) -> Document:
    ips = [{"version": str(ip_interface(ip.string("address")).version), **ip.raw} for ip in top.sections("ips")]
    return {**top.raw, **_present(ips=ips)}


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
