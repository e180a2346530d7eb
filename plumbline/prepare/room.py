"""Whether the node has room for VFs: the addresses that their BARs take, and the bus numbers that they are on.

Both are given out by the firmware, or by Linux at boot, for all VFs that the NIC can have; too little of either is
ENOMEM when VFs are made (drivers/pci/iov.c, sriov_enable). It is measured in:

- the SR-IOV capability (PCI Express Base Specification, Single Root I/O Virtualization; linux/pci_regs.h), in `config`,
  of which only root sees this part;
- lines 7 to 12 of `resource`: start, end and flags of the VFs' BARs (linux/pci.h, PCI_IOV_RESOURCES);
- `subordinate_bus_number` of the bridge above the PF: the last bus that there is behind it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from plumbline.node import functions

FIRST_IOV_LINE, IOV_LINES = 7, 6
EXTENDED = 0x100
"""Where the list of extended capabilities begins."""

SRIOV, ARI = 0x10, 0x0E
"""PCI_EXT_CAP_ID_SRIOV and PCI_EXT_CAP_ID_ARI."""

CONTROL_ARI = 0x10
"""PCI_SRIOV_CTRL_ARI: VFs may have any number on the PF's bus."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The room for one BAR of all VFs. number: 0 to 5; size in bytes. assigned: whether it has addresses."""

    number: int
    size: int
    assigned: bool


@dataclass(frozen=True, slots=True)
class Capability:
    """A PF's SR-IOV capability. initial, total: how many VFs. offset, stride: of the VFs' routing IDs. ari: whether VFs
    may have any number on a bus.
    """

    initial: int
    total: int
    offset: int
    stride: int
    ari: bool

    def last_bus(self, routing_id: int, vfs: int) -> int:
        """Return the bus that the last of some VFs is on. routing_id: the PF's."""
        return (routing_id + self.offset + self.stride * (vfs - 1)) >> 8 & 0xFF


@dataclass(frozen=True, slots=True)
class Room:
    """What a PF has room for. capability: None where it could not be read. last_bus: of the bridge above, None for
    unknown. routing_id: bus, device and function of the PF.
    """

    bars: tuple[Bar, ...]
    capability: Capability | None
    last_bus: int | None
    routing_id: int

    @property
    def lacking(self) -> list[Bar]:
        """The BARs that have no addresses."""
        return [bar for bar in self.bars if not bar.assigned]

    def lacks_bus(self, vfs: int) -> int:
        """Return the bus that the last of some VFs would be on if the bridge does not lead to it, else 0."""
        if self.capability is None or self.last_bus is None or vfs < 1:
            return 0
        needed = self.capability.last_bus(self.routing_id, vfs)
        return needed if needed > self.last_bus else 0


def measure(device: str) -> Room:
    """Return what room there is. device: the real folder of a PF on the PCI bus."""
    bridge = os.path.dirname(device)
    return Room(
        bars=tuple(_bars(functions.text(device, "resource"))),
        capability=capability(_config(device)),
        last_bus=functions.number(bridge, "subordinate_bus_number"),
        routing_id=routing_id(os.path.basename(device)),
    )


def routing_id(address: str) -> int:
    """Return bus, device and function of a PCI address as one number, 0 where it is none."""
    try:
        bus, rest = address.split(":")[-2:]
        device, function = rest.split(".")
        return int(bus, 16) << 8 | int(device, 16) << 3 | int(function)
    except ValueError:
        return 0


def vf_addresses(device: str, vfs: int) -> list[str]:
    """Return the addresses that some VFs of a PF have or will have; none where the PF does not tell.

    device: its folder. Offset and stride may change with the number of VFs; those of the NICs that are known do not.
    """
    offset, stride = functions.number(device, "sriov_offset"), functions.number(device, "sriov_stride")
    domain = os.path.basename(os.path.realpath(device)).rpartition(":")[0].rpartition(":")[0]
    first = routing_id(os.path.basename(os.path.realpath(device)))
    if not offset or not domain:
        return []
    ids = (first + offset + (stride or 0) * index for index in range(vfs))
    return [f"{domain}:{x >> 8:02x}:{x >> 3 & 0x1F:02x}.{x & 7}" for x in ids]


def capability(config: bytes) -> Capability | None:
    """Return the SR-IOV capability of a configuration space, None where there is none, or it ends before."""
    at = EXTENDED
    seen: set[int] = set()
    while at >= EXTENDED and at not in seen and at + 4 <= len(config):
        seen.add(at)
        header = int.from_bytes(config[at : at + 4], "little")
        if header & 0xFFFF == SRIOV and at + 0x18 <= len(config):
            control, initial, total, offset, stride = (
                int.from_bytes(config[at + x : at + x + 2], "little") for x in (0x08, 0x0C, 0x0E, 0x14, 0x16)
            )
            return Capability(initial, total, offset, stride, bool(control & CONTROL_ARI))
        at = header >> 20
    return None


def _bars(resource: str) -> list[Bar]:
    lines = resource.splitlines()[FIRST_IOV_LINE : FIRST_IOV_LINE + IOV_LINES]
    found = []
    for number, line in enumerate(lines):
        try:
            start, end, flags = (int(word, 16) for word in line.split())
        except ValueError:
            continue
        if flags:  # one that is not implemented has none, nor has the upper half of one with 64 bits
            found.append(Bar(number, end - start + 1, start != 0))
    return found


def _config(device: str) -> bytes:
    try:
        with open(os.path.join(device, "config"), "rb") as file:
            return file.read()
    except OSError:
        return b""
