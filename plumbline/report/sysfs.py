"""What sysfs says of PFs, VFs and their links: attributes by name, since others may do something when they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator

from cni.linux import pci
from plumbline.node import capability, functions
from plumbline.node.model import Node

OF_DEVICE = (
    "vendor", "device", "class", "revision", "subsystem_vendor", "subsystem_device", "numa_node", "enable", "irq",
    "resource", "current_link_speed", "current_link_width", "max_link_speed", "max_link_width", "modalias",
    "driver_override", "power_state", "reset_method", "subordinate_bus_number", "secondary_bus_number",
    "sriov_totalvfs", "sriov_numvfs", "sriov_offset", "sriov_stride", "sriov_vf_device", "sriov_drivers_autoprobe",
)  # fmt: skip
OF_LINK = (
    "address", "addr_assign_type", "mtu", "operstate", "carrier", "speed", "duplex", "dev_port", "phys_port_name",
    "phys_switch_id", "flags", "ifindex", "type",
)  # fmt: skip
LINKS = ("driver", "iommu_group", "physfn")


def attributes(node: Node, root: str) -> dict[str, dict[str, str]]:
    """Return the attributes of all PFs and VFs, and of the bridges above the PFs, by address. root: of sysfs."""
    found: dict[str, dict[str, str]] = {}
    for pf in node.pfs:
        device = functions.folder(pf, root)
        above = os.path.dirname(device)
        found[pf.address] = dict(_of(device))
        found.setdefault(os.path.basename(above), dict(_of(above)))
        for vf in pf.vfs:
            if vf.address:
                found[vf.address] = dict(_of(os.path.realpath(pci.folder(vf.address, root))))
    return found


def _of(device: str) -> Iterator[tuple[str, str]]:
    for name in OF_DEVICE:
        text = functions.text(device, name)
        if text:
            yield name, text
    for name in LINKS:
        target = functions.target(device, name)
        if target:
            yield name, os.path.basename(target)
    for link in sorted(functions.entries(os.path.join(device, "net"))):
        for name in OF_LINK:
            text = functions.text(device, "net", link, name)
            if text:
                yield f"net/{link}/{name}", text
    config = capability.space(device).rstrip(b"\0").hex()
    if config:
        yield "config", config  # capabilities are read out of it later
