"""The values that a look at a node gives. What could not be learnt is None."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """What a VF is doing. Where several hold, the first one counts."""

    POD = "pod"
    """An attachment is recorded, and its pod's namespace is there."""
    DEAD = "dead"
    """An attachment is recorded, and its pod's namespace is gone."""
    BUSY = "busy"
    """A program has it open, through vfio or as a vDPA device."""
    FOREIGN = "foreign"
    """Its link is in a namespace that no record names, or that cannot be seen from here."""
    STRAY = "stray"
    """It is allocated to somebody, by the kubelet or in sriov-cni's way, and there is no record."""
    UNBOUND = "unbound"
    """It has no driver."""
    FREE = "free"


IDLE = (State.FREE, State.UNBOUND)
"""The states of a VF that nobody has."""


class Source(StrEnum):
    """Who said whose a VF is, the best first."""

    RECORD = "record"
    CACHE = "cache"
    KUBELET = "kubelet"
    ALLOCATION = "allocation"
    VFIO = "vfio"

    @property
    def told(self) -> str:
        """What it is, in a sentence."""
        return SOURCES[self]


SOURCES = {
    Source.RECORD: "the plugin's record",
    Source.CACHE: "the runtime's cache of results",
    Source.KUBELET: "the kubelet's checkpoint",
    Source.ALLOCATION: "sriov-cni's note of who has it",
    Source.VFIO: "the program's open files",
}


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as Kubernetes names it; empty texts for what is not known."""

    namespace: str = ""
    name: str = ""
    uid: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.namespace, self.name) if part) or self.uid


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a device is.

    plugin: whose record it is. netns: the path of the pod's namespace. alive: whether that namespace is there, None
    where nobody can tell. program: what has the device open, as `PID COMMAND`. Empty texts for what is not known.
    """

    source: Source
    pod: Pod = Pod()
    container_id: str = ""
    interface: str = ""
    network: str = ""
    plugin: str = ""
    netns: str = ""
    alive: bool | None = None
    program: str = ""

    def __str__(self) -> str:
        return str(self.pod) or self.container_id or self.program or self.netns


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link.

    netns: the path of the namespace that it is in, empty for the host's. mtu in bytes. master: the name of the bridge
    or bond that it is a port of. parent: the address of its device on a bus. kind: of a virtual one, such as veth.
    index, mtu: 0 for what is not known.
    """

    name: str
    index: int
    mac: str
    mtu: int
    up: bool | None
    carrier: bool | None
    netns: str = ""
    master: str = ""
    alias: str = ""
    altnames: tuple[str, ...] = ()
    parent: str = ""
    kind: str = ""


NO_MAC = "00:00:00:00:00:00"
"""What an entry at a PF has where nobody has given the VF an address."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A VF's entry at its PF. Rates in Mbit/s, 0 for no limit; vlan 0 for none; None for what is not known."""

    mac: str
    vlan: int | None
    qos: int | None
    protocol: str | None
    spoofchk: bool | None
    trust: bool | None
    link_state: str | None
    min_tx_rate: int | None
    max_tx_rate: int | None


@dataclass(frozen=True, slots=True)
class Vdpa:
    """A VF's vDPA device: its name, the driver, `vhost` or `virtio`, and the device that this has made."""

    name: str
    driver: str
    path: str


@dataclass(slots=True)
class Vf:
    """A virtual function.

    pf, index: which one of which PF. address: its PCI address; a simulated one has none. link: None without a link, or
    where it could not be found. representor: its stand-in at the PF in switchdev mode.
    """

    pf: str
    index: int
    address: str | None
    driver: str = ""
    link: LinkState | None = None
    settings: Settings | None = None
    representor: LinkState | None = None
    vdpa: Vdpa | None = None
    rdma: str = ""
    iommu_group: int | None = None
    owner: Owner | None = None
    state: State = State.FREE

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.address or f"{self.pf}:{self.index}"

    @property
    def elsewhere(self) -> str:
        """Which namespace its link is in, where that is foreign, for a message."""
        return self.link.netns if self.link is not None else "a namespace that cannot be seen from here"


@dataclass(slots=True)
class Pf:
    """A physical function.

    name: of its link, else its address. address: on its bus, `pci` or `netdevsim`. vendor, model: their names, else
    their numbers. eswitch: `legacy` or `switchdev`, None where the kernel does not tell. possible: how many VFs it can
    have, None where that is not told. speed in Mbit/s. persistent: whether it is in the file that is applied after a
    boot.
    """

    name: str
    address: str
    bus: str
    driver: str = ""
    vendor: str = ""
    model: str = ""
    link: LinkState | None = None
    speed: int | None = None
    eswitch: str | None = None
    possible: int | None = None
    numa: int | None = None
    autoprobe: bool | None = None
    persistent: bool = False
    vfs: list[Vf] = field(default_factory=list)

    @property
    def used(self) -> int:
        """How many of its VFs somebody has."""
        return sum(vf.state not in IDLE for vf in self.vfs)


@dataclass(slots=True)
class Node:
    """A node. pfs: by address. others: attachments of devices that are no VFs of these. links: those of the host.
    unknown: what could not be read, and why. damaged: what of that is records, of which nobody knows the devices.
    """

    name: str
    kernel: str
    pfs: list[Pf] = field(default_factory=list)
    others: list[tuple[str, Owner]] = field(default_factory=list)
    links: list[LinkState] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def vfs(self) -> list[Vf]:
        """All VFs."""
        return [vf for pf in self.pfs for vf in pf.vfs]
