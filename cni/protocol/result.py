"""The result of an attachment in its one current form, that of CNI specification 1.1.0.

Other versions exist only on the wire: `cni.protocol.convert` reads and writes them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.protocol.ip import IPAddress, IPInterface, IPNetwork


class Interface:
    """One entry of `interfaces`. sandbox is the namespace path, empty for an interface on the host; mtu in bytes."""

    __slots__ = ("mac", "mtu", "name", "pci_id", "sandbox", "socket_path")

    def __init__(
        self,
        name: str,
        mac: str = "",
        mtu: int = 0,
        sandbox: str = "",
        socket_path: str = "",
        pci_id: str = "",
    ) -> None:
        self.name = name
        self.mac = mac
        self.mtu = mtu
        self.sandbox = sandbox
        self.socket_path = socket_path
        self.pci_id = pci_id


class IPConfig:
    """One entry of `ips`: an address with its prefix length, and the index of its interface in the result, if any."""

    __slots__ = ("address", "gateway", "interface")

    def __init__(self, address: IPInterface, gateway: IPAddress | None = None, interface: int | None = None) -> None:
        self.address = address
        self.gateway = gateway
        self.interface = interface


class Route:
    """One entry of `routes`. gw None: the gateway of the address family. mtu and advmss in bytes; None where unset."""

    __slots__ = ("advmss", "dst", "gw", "mtu", "priority", "scope", "table")

    def __init__(
        self,
        dst: IPNetwork,
        gw: IPAddress | None = None,
        mtu: int | None = None,
        advmss: int | None = None,
        priority: int | None = None,
        table: int | None = None,
        scope: int | None = None,
    ) -> None:
        self.dst = dst
        self.gw = gw
        self.mtu = mtu
        self.advmss = advmss
        self.priority = priority
        self.table = table
        self.scope = scope


class DNS:
    """The `dns` map: resolver settings that the runtime may hand to the pod."""

    __slots__ = ("domain", "nameservers", "options", "search")

    def __init__(
        self,
        nameservers: list[str] | None = None,
        domain: str = "",
        search: list[str] | None = None,
        options: list[str] | None = None,
    ) -> None:
        self.nameservers = nameservers or []
        self.domain = domain
        self.search = search or []
        self.options = options or []

    def __bool__(self) -> bool:
        return bool(self.nameservers or self.domain or self.search or self.options)


class Result:
    """What ADD gives back: interfaces, addresses, routes and DNS."""

    __slots__ = ("dns", "interfaces", "ips", "routes")

    def __init__(
        self,
        interfaces: list[Interface] | None = None,
        ips: list[IPConfig] | None = None,
        routes: list[Route] | None = None,
        dns: DNS | None = None,
    ) -> None:
        self.interfaces = interfaces or []
        self.ips = ips or []
        self.routes = routes or []
        self.dns = dns or DNS()
