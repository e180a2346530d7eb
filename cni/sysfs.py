"""What sysfs knows of devices: PCI and auxiliary devices, their drivers and their netdevs.

`root` is where sysfs is mounted. A netdev is visible in the sysfs mount of its own network namespace only (net/core/
net-sysfs.c), so look-ups from device to netdev find what is on the host, never what is in a pod.
"""

from __future__ import annotations

import os

ROOT = "/sys"
USERSPACE_DRIVERS = frozenset(("vfio-pci", "uio_pci_generic", "igb_uio"))
"""Drivers that hand a PCI device to a userspace program (DPDK): such a device has no netdev."""

_HEX = frozenset("0123456789abcdefABCDEF")


def is_pci_address(text: str) -> bool:
    """Return whether the text is a PCI address such as 0000:03:02.6 (domain:bus:device.function; lspci(8), -D)."""
    domain, _, rest = text.partition(":")
    bus, _, rest = rest.partition(":")
    device, _, function = rest.partition(".")
    # Domains of more than four digits are real: Intel VMD counts from 10000.
    return (
        4 <= len(domain) <= 8
        and (len(bus), len(device), len(function)) == (2, 2, 1)
        and _HEX.issuperset(domain + bus + device)
        and int(device, 16) < 32
        and function in "01234567"
    )


def is_auxiliary_device(text: str) -> bool:
    """Return whether the text is the name of an auxiliary device such as mlx5_core.sf.4 (MODULE.NAME.ID)."""
    parts = text.split(".")
    return len(parts) == 3 and all(p.replace("-", "_").isidentifier() for p in parts[:2]) and parts[2].isdecimal()


def pci_device(address: str, root: str = ROOT) -> str:
    """Return the sysfs folder of a PCI device, which need not exist."""
    return os.path.join(root, "bus/pci/devices", address)


def auxiliary_device(name: str, root: str = ROOT) -> str:
    """Return the sysfs folder of an auxiliary device, which need not exist."""
    return os.path.join(root, "bus/auxiliary/devices", name)


def netdev_device(name: str, root: str = ROOT) -> str:
    """Return the real sysfs folder of the device behind a netdev, empty for a virtual one such as a veth."""
    path = os.path.join(root, "class/net", name, "device")
    return os.path.realpath(path) if os.path.exists(path) else ""


def driver(device: str) -> str:
    """Return the name of the driver that a device folder is bound to, empty when it is bound to none."""
    try:
        return os.path.basename(os.readlink(os.path.join(device, "driver")))
    except OSError:
        return ""


def netdevs(device: str) -> list[str]:
    """Return the names of the netdevs of a device folder, sorted.

    The netdev of a virtio device hangs below the virtio bus: 0000:00:03.0/virtio0/net.
    """
    names = _entries(os.path.join(device, "net"))
    if not names:
        for entry in _entries(device):
            if entry.startswith("virtio"):
                names += _entries(os.path.join(device, entry, "net"))
    return sorted(names)


def is_representor_port(port: str) -> bool:
    """Return whether a physical port's name is that of a representor: a VF's or sub-function's stand-in at the PF.

    Such names are pf0vf3 and pf0sf88, c1pf0vf3 on another host's controller (net/core/devlink, port flavours).
    """
    _, pf, rest = port.partition("pf")
    return bool(pf) and any(kind in rest for kind in ("vf", "sf"))


def children(device: str) -> list[str]:
    """Return the names of what is below a device folder, such as virtio0; none when the folder is gone."""
    return _entries(device)


def pci_address_of(device: str) -> str:
    """Return the PCI address that a real device folder lies under, the innermost, empty when it is on no PCI bus."""
    return next((part for part in reversed(device.split("/")) if is_pci_address(part)), "")


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
