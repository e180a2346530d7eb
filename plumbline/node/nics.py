"""NICs on the PCI bus as hardware: what they and the bridges above them have for VFs.

Read from /sys/bus/pci/devices (Documentation/ABI/testing/sysfs-bus-pci), also of NICs that are no PFs as yet, because
their firmware has SR-IOV off.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cni.linux import eswitch, pci, vdpa
from plumbline.node import capability, functions
from plumbline.node.capability import BARS, Capability

NETWORK_CLASS = 0x02  # linux/pci_ids.h, PCI_BASE_CLASS_NETWORK
FIRST_VF_BAR = 7  # linux/pci.h, PCI_IOV_RESOURCES: six BARs and the ROM come before
LAST_BUS = 255
UNSET = 0x2000_0000  # linux/ioport.h, IORESOURCE_UNSET


@dataclass(frozen=True, slots=True)
class Nic:
    """A NIC that is no VF.

    name: of its link, else its address. capability: None where it has none, or may not be asked. possible, asked:
    sriov_totalvfs and sriov_numvfs; offset, stride: from the PF's routing ID to its first VF's, and to the next one's;
    None where sysfs does not tell. made: how many VFs there are. vf_bars: the sizes in bytes of what is set aside for
    all VFs together, by BAR, 0 for nothing. bridge, last_bus: the bridge above it, and the last bus number that this
    passes on. linkless: the indices of VFs whose driver is one for NICs, and that have no link in any namespace.
    """

    name: str
    address: str
    driver: str = ""
    vendor: str = ""
    capability: Capability | None = None
    possible: int | None = None
    asked: int | None = None
    made: int = 0
    offset: int | None = None
    stride: int | None = None
    vf_bars: tuple[int, ...] = (0,) * BARS
    bridge: str = ""
    last_bus: int = LAST_BUS
    linkless: tuple[int, ...] = ()

    @property
    def bus(self) -> str:
        """The bus that it is on, with its domain, such as 0000:03."""
        return self.address.rpartition(":")[0]

    def bus_of(self, index: int) -> int:
        """Return the number of the bus that a VF is on, or would be (drivers/pci/iov.c, pci_iov_virtfn_bus)."""
        device, _, function = self.address.rpartition(":")[2].partition(".")
        routing_id = (int(device, 16) << 3 | int(function)) + (self.offset or 0) + (self.stride or 0) * index
        return int(self.bus.rpartition(":")[2], 16) + (routing_id >> 8)

    @property
    def fitting(self) -> int:
        """How many VFs have a bus number that the bridge passes on."""
        return sum(self.bus_of(index) <= self.last_bus for index in range(self.possible or 0))


def all_of(root: str) -> list[Nic]:
    """Return all NICs, by address. root: where sysfs is mounted."""
    devices = os.path.join(root, "bus/pci/devices")
    found = (os.path.realpath(os.path.join(devices, address)) for address in sorted(functions.entries(devices)))
    return [_nic(device, root) for device in found if _is_nic(device)]


def _is_nic(device: str) -> bool:
    number = functions.number(device, "class")
    is_network = number is not None and number >> 16 == NETWORK_CLASS
    return (is_network or pci.is_physical_function(device)) and not pci.physical_function(device)


def _nic(device: str, root: str) -> Nic:
    address, above = os.path.basename(device), os.path.dirname(device)
    last_bus = functions.number(above, "subordinate_bus_number")
    vfs = {int(x.removeprefix("virtfn")): x for x in functions.entries(device) if x.startswith("virtfn")}
    return Nic(
        name=eswitch.uplink(device) or address,
        address=address,
        driver=pci.driver(device),
        vendor=functions.text(device, "vendor").removeprefix("0x"),
        capability=capability.of(device),
        possible=functions.number(device, "sriov_totalvfs"),
        asked=functions.number(device, "sriov_numvfs"),
        made=len(vfs),
        offset=functions.number(device, "sriov_offset"),
        stride=functions.number(device, "sriov_stride"),
        vf_bars=vf_bars(functions.text(device, "resource")),
        bridge=os.path.basename(above) if last_bus is not None else "",
        last_bus=LAST_BUS if last_bus is None else last_bus,
        linkless=tuple(sorted(x for x, name in vfs.items() if _is_linkless(os.path.join(device, name), root))),
    )


def _is_linkless(vf: str, root: str) -> bool:
    device = os.path.realpath(vf)
    if not pci.driver(device) or pci.is_for_userspace(device) or vdpa.find(device, root) is not None:
        return False
    return not pci.has_netdev(device)


def vf_bars(resource: str) -> tuple[int, ...]:
    """Return the sizes of what is set aside for all VFs, by BAR, 0 for nothing. resource: that attribute's text, of
    which each line is the beginning, the end and the flags of one (drivers/pci/pci-pci.c, resource_show).

    What found no room is all zero, or flagged as unset.
    """
    lines = resource.splitlines()[FIRST_VF_BAR : FIRST_VF_BAR + BARS]
    sizes = [_size(line) for line in lines]
    return (*sizes, *(0,) * (BARS - len(sizes)))


def _size(line: str) -> int:
    try:
        start, end, flags = (int(part, 16) for part in line.split())
    except ValueError:
        return 0
    return 0 if start == 0 or flags & UNSET else end - start + 1
