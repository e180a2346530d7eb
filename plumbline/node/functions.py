"""PFs and their VFs as sysfs has them: PCI devices with the SR-IOV capability, and the kernel's simulated NICs.

Read are /sys/bus/pci/devices (Documentation/ABI/testing/sysfs-bus-pci) and /sys/bus/netdevsim/devices.
"""

from __future__ import annotations

import os

from cni.linux import eswitch, pci, vdpa
from plumbline.node.model import Pf, Vdpa, Vf

PCI, NETDEVSIM = "pci", "netdevsim"


def pfs(root: str) -> list[Pf]:
    """Return all PFs with their VFs, by address; links, settings and representors are not looked up.

    root: where sysfs is mounted. Raises CniError where nothing more can be opened.
    """
    return [*_pci(root), *_simulated(root)]


def folder(pf: Pf, root: str) -> str:
    """Return a PF's real folder."""
    return os.path.realpath(on_bus(pf.bus, pf.address, root))


def on_bus(bus: str, device: str, root: str) -> str:
    """Return the folder of a device, which need not exist, by the name that it has on its bus."""
    return os.path.join(root, "bus", bus, "devices", device)


def vf_folders(device: str) -> dict[int, str]:
    """Return the real folders of a PF's VFs, by their indices and in that order. device: the PF's folder."""
    indices = sorted(int(x.removeprefix("virtfn")) for x in entries(device) if x.startswith("virtfn"))
    return {index: os.path.realpath(os.path.join(device, f"virtfn{index}")) for index in indices}


def representors(pf: Pf, root: str) -> dict[int, str]:
    """Return the names of the links that stand for a PF's VFs in switchdev mode, by the VFs' indices."""
    device = folder(pf, root)
    if pf.bus == PCI:
        if not eswitch.switch_id(device):
            return {}
        found = {vf.index: eswitch.representor(device, vf.index, root) for vf in pf.vfs}
        return {index: name for index, name in found.items() if name}
    ports = ((eswitch.vf_of(text(device, "net", name, "phys_port_name")), name) for name in pci.netdevs(device))
    return {port[2]: name for port, name in ports if port is not None}


def _pci(root: str) -> list[Pf]:
    devices = os.path.join(root, "bus/pci/devices")
    addresses = sorted(x for x in entries(devices) if pci.is_physical_function(os.path.join(devices, x)))
    return [_pf(os.path.realpath(os.path.join(devices, address)), address, root) for address in addresses]


def _pf(device: str, address: str, root: str) -> Pf:
    autoprobe = text(device, "sriov_drivers_autoprobe")
    found = Pf(
        name=eswitch.uplink(device) or address,
        address=address,
        bus=PCI,
        driver=pci.driver(device),
        vendor=text(device, "vendor").removeprefix("0x"),
        model=text(device, "device").removeprefix("0x"),
        possible=number(device, "sriov_totalvfs"),
        numa=_numa(device),
        autoprobe=autoprobe == "1" if autoprobe else None,
    )
    found.vfs = [_vf(found, index, vf, root) for index, vf in vf_folders(device).items()]
    return found


def _vf(pf: Pf, index: int, device: str, root: str) -> Vf:
    found = vdpa.find(device, root)
    group = os.path.basename(target(device, "iommu_group"))
    return Vf(
        pf=pf.name,
        index=index,
        address=os.path.basename(device),
        driver=pci.driver(device),
        vdpa=Vdpa(found.name, found.driver, found.path) if found is not None else None,
        rdma=pci.rdma_device(device),
        iommu_group=int(group) if group.isdecimal() else None,
    )


def _simulated(root: str) -> list[Pf]:
    """Return netdevsim's PFs. Their VFs are entries of the PF's table and no devices."""
    devices = os.path.join(root, "bus/netdevsim/devices")
    found = []
    for address in sorted(entries(devices)):
        device = os.path.realpath(os.path.join(devices, address))
        name = eswitch.uplink(device) or address
        pf = Pf(name=name, address=address, bus=NETDEVSIM, driver=NETDEVSIM)
        count = number(device, "sriov_numvfs") or 0
        pf.vfs = [Vf(pf=name, index=index, address=None, driver=NETDEVSIM) for index in range(count)]
        found.append(pf)
    return found


def _numa(device: str) -> int | None:
    node = number(device, "numa_node")
    return node if node is not None and node >= 0 else None  # -1: the firmware does not tell


def text(*path: str) -> str:
    """Return an attribute's text, empty where there is none or its driver does not support it."""
    try:
        with open(os.path.join(*path), encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def number(*path: str) -> int | None:
    """Return an attribute's number, None where there is none."""
    try:
        return int(text(*path), 0)
    except ValueError:
        return None


def target(*path: str) -> str:
    """Return what a link of sysfs points to, empty where there is none."""
    try:
        return os.readlink(os.path.join(*path))
    except OSError:
        return ""


def entries(folder: str) -> list[str]:
    """Return the names in a folder, none where there is no such folder."""
    try:
        return os.listdir(folder)
    except OSError:
        return []
