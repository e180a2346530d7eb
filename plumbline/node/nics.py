"""NICs on the PCI bus as hardware: what they have for VFs.

Read from /sys/bus/pci/devices (Documentation/ABI/testing/sysfs-bus-pci), also of NICs that are no PFs as yet, because
their firmware has SR-IOV off.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cni.linux import eswitch, pci, vdpa
from plumbline.node import functions, room
from plumbline.node.room import Room

NETWORK_CLASS = 0x02  # linux/pci_ids.h, PCI_BASE_CLASS_NETWORK


@dataclass(frozen=True, slots=True)
class Nic:
    """A NIC that is no VF.

    name: of its link, else its address. possible, asked: sriov_totalvfs and sriov_numvfs, None where sysfs does not
    tell. made: how many VFs there are. linkless: the indices of VFs whose driver is one for NICs, and that have no link
    in any namespace. room: for its VFs, on the bus.
    """

    name: str
    room: Room
    driver: str = ""
    vendor: str = ""
    possible: int | None = None
    asked: int | None = None
    made: int = 0
    linkless: tuple[int, ...] = ()

    @property
    def address(self) -> str:
        """Its address on the PCI bus."""
        return self.room.address


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
    vfs = functions.vf_folders(device)
    return Nic(
        name=eswitch.uplink(device) or os.path.basename(device),
        room=room.measure(device),
        driver=pci.driver(device),
        vendor=functions.text(device, "vendor").removeprefix("0x"),
        possible=functions.number(device, "sriov_totalvfs"),
        asked=functions.number(device, "sriov_numvfs"),
        made=len(vfs),
        linkless=tuple(index for index, vf in vfs.items() if _is_linkless(vf, root)),
    )


def _is_linkless(device: str, root: str) -> bool:
    if not pci.driver(device) or pci.is_for_userspace(device) or vdpa.find(device, root) is not None:
        return False
    return not pci.has_netdev(device)
