"""Whether the node has room for VFs: the addresses that their BARs take, and the bus numbers that they are on.

Both are given out by the firmware, or by Linux at boot, for all VFs that the NIC can have; too little of either is
ENOMEM when VFs are made (drivers/pci/iov.c, sriov_enable). It is measured in:

- the SR-IOV capability (`capability`), which only root sees;
- lines 7 to 12 of `resource`: start, end and flags of the VFs' BARs (drivers/pci/pci-sysfs.c, resource_show);
- `sriov_offset` and `sriov_stride`: where the first VF is, and how far from one to the next;
- `subordinate_bus_number` of the bridge above the PF: the last bus that there is behind it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from plumbline.node import capability, functions
from plumbline.node.capability import BARS, Capability

FIRST_VF_BAR = 7  # linux/pci.h, PCI_IOV_RESOURCES: six BARs and the ROM come before
LAST_BUS = 255
UNSET = 0x2000_0000  # linux/ioport.h, IORESOURCE_UNSET

FOR_ADDRESSES = "SR-IOV and above 4G decoding on in the BIOS, or pci=realloc on the kernel's command line; then boot"
FOR_BUSES = "pci=assign-busses on the kernel's command line, or ARI and SR-IOV on in the BIOS; then boot"
"""What makes room for BARs, and for bus numbers."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The room for one BAR of all VFs. number: 0 to 5; size in bytes, 0 for unknown. assigned: whether it has
    addresses.
    """

    number: int
    size: int
    assigned: bool


@dataclass(frozen=True, slots=True)
class Room:
    """What a PF has room for.

    address: of the PF, on the PCI bus. capability: None where it has none, or may not be asked. bars: those that VFs
    have, by number. offset, stride: from the PF's routing ID to its first VF's, and to the next one's; None where
    nothing tells. bridge, last_bus: the bridge above it, empty for a root bus, and the last bus number that this
    passes on.
    """

    address: str
    capability: Capability | None = None
    bars: tuple[Bar, ...] = ()
    offset: int | None = None
    stride: int | None = None
    bridge: str = ""
    last_bus: int = LAST_BUS

    @property
    def bus(self) -> str:
        """The bus that the PF is on, with its domain, such as 0000:03."""
        return self.address.rpartition(":")[0]

    @property
    def lacking(self) -> list[Bar]:
        """The BARs that have no addresses."""
        return [bar for bar in self.bars if not bar.assigned]

    @property
    def size(self) -> int:
        """What is set aside for the BARs of all VFs, in bytes."""
        return sum(bar.size for bar in self.bars if bar.assigned)

    def bus_of(self, index: int) -> int:
        """Return the number of the bus that a VF is on, or would be (drivers/pci/iov.c, pci_iov_virtfn_bus)."""
        return self._routing_id(index) >> 8

    def fitting(self, vfs: int) -> int:
        """Return how many of some VFs have a bus number that the bridge passes on."""
        return sum(self.bus_of(index) <= self.last_bus for index in range(vfs))

    def lacks_bus(self, vfs: int) -> int:
        """Return the bus that the last of some VFs would be on if the bridge does not lead to it, else 0."""
        needed = self.bus_of(vfs - 1) if vfs > 0 and self.offset is not None else 0
        return needed if needed > self.last_bus else 0

    def addresses(self, vfs: int) -> list[str]:
        """Return the addresses that some VFs have or will have; none where the PF does not tell.

        Offset and stride may change with the number of VFs; those of the NICs that are known do not.
        """
        domain = self.bus.rpartition(":")[0]
        ids = map(self._routing_id, range(vfs if self.offset else 0))
        return [f"{domain}:{x >> 8:02x}:{x >> 3 & 0x1F:02x}.{x & 7}" for x in ids]

    def _routing_id(self, index: int) -> int:
        """Return bus, device and function of a VF as one number."""
        bus, rest = self.address.split(":")[-2:]
        device, function = rest.split(".")
        of_pf = int(bus, 16) << 8 | int(device, 16) << 3 | int(function)
        return of_pf + (self.offset or 0) + (self.stride or 0) * index


def measure(device: str) -> Room:
    """Return what room there is. device: the real folder of a PF on the PCI bus, or of a NIC that could be one."""
    above = os.path.dirname(device)
    found = capability.of(device)
    last_bus = functions.number(above, "subordinate_bus_number")
    offset, stride = functions.number(device, "sriov_offset"), functions.number(device, "sriov_stride")
    return Room(
        address=os.path.basename(device),
        capability=found,
        bars=bars(functions.text(device, "resource"), found.bars if found is not None else ()),
        offset=found.offset if offset is None and found is not None else offset,
        stride=found.stride if stride is None and found is not None else stride,
        bridge=os.path.basename(above) if last_bus is not None else "",
        last_bus=LAST_BUS if last_bus is None else last_bus,
    )


def bars(resource: str, had: tuple[int, ...] = ()) -> tuple[Bar, ...]:
    """Return the BARs of VFs. resource: that attribute's text. had: the numbers of those that the NIC says it has.

    What found no room begins at 0, or is flagged as unset, or the kernel has given it up and its line is all zero:
    then the NIC alone tells of it.
    """
    lines = resource.splitlines()[FIRST_VF_BAR : FIRST_VF_BAR + BARS]
    found = {bar.number: bar for bar in (_bar(number, line) for number, line in enumerate(lines)) if bar is not None}
    return tuple(found.get(number, Bar(number, 0, False)) for number in sorted({*found, *had}))


def _bar(number: int, line: str) -> Bar | None:
    """Return what a line says, None for nothing: so has one that is not there, and the upper half of a 64-bit one."""
    try:
        start, end, flags = (int(word, 16) for word in line.split())
    except ValueError:
        return None
    return Bar(number, end - start + 1, start != 0 and not flags & UNSET) if flags else None
