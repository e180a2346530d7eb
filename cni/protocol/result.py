"""The result of an attachment in its one current form, that of CNI specification 1.1.0.

Other versions exist only on the wire: `cni.protocol.convert` reads and writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cni.protocol.ip import IPAddress, IPInterface, IPNetwork


@dataclass(slots=True)
class Interface:
    """One entry of `interfaces`. sandbox is the namespace path, empty for an interface on the host; mtu in bytes."""

    name: str
    mac: str = ""
    mtu: int = 0
    sandbox: str = ""
    socket_path: str = ""
    pci_id: str = ""


@dataclass(slots=True)
class IPConfig:
    """One entry of `ips`: an address with its prefix length, and the index of its interface in the result, if any."""

    address: IPInterface
    gateway: IPAddress | None = None
    interface: int | None = None


@dataclass(slots=True)
class Route:
    """One entry of `routes`. gw None: the gateway of the address family. mtu and advmss in bytes; None where unset."""

    dst: IPNetwork
    gw: IPAddress | None = None
    mtu: int | None = None
    advmss: int | None = None
    priority: int | None = None
    table: int | None = None
    scope: int | None = None


@dataclass(slots=True)
class DNS:
    """The `dns` map: resolver settings that the runtime may hand to the pod."""

    nameservers: list[str] = field(default_factory=list)
    domain: str = ""
    search: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.nameservers or self.domain or self.search or self.options)


@dataclass(slots=True)
class Result:
    """What ADD gives back: interfaces, addresses, routes and DNS."""

    interfaces: list[Interface] = field(default_factory=list)
    ips: list[IPConfig] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    dns: DNS = field(default_factory=DNS)

    def in_pod(self, ifname: str) -> Interface | None:
        """Return the interface of this name that is in a sandbox, None when there is none."""
        return next((x for x in self.interfaces if x.name == ifname and x.sandbox), None)
