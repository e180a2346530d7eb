"""Devices as sysfs shows them, on the PCI and the auxiliary bus: folders, drivers, netdevs, PFs and VFs.

`root` is where sysfs is mounted. A netdev is visible in the sysfs mount of its own network namespace only (net/core/
net-sysfs.c), so look-ups from device to netdev find what is on the host, never what is in a pod.
"""

from __future__ import annotations

import os

from cni.linux import files

ROOT = "/sys"
USERSPACE_DRIVERS = frozenset(("vfio-pci", "uio_pci_generic", "igb_uio"))
"""Drivers that hand a PCI device to a userspace program (DPDK): such a device has no netdev."""

_HEX = frozenset("0123456789abcdefABCDEF")


def is_address(text: str) -> bool:
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


def address_of(device: str) -> str:
    """Return the PCI address that a real device folder lies under, the innermost, empty when it is on no PCI bus."""
    return next((part for part in reversed(device.split("/")) if is_address(part)), "")


def is_auxiliary_device(text: str) -> bool:
    """Return whether the text is the name of an auxiliary device such as mlx5_core.sf.4 (MODULE.NAME.ID)."""
    parts = text.split(".")
    return len(parts) == 3 and all(p.replace("-", "_").isidentifier() for p in parts[:2]) and parts[2].isdecimal()


def folder(address: str, root: str = ROOT) -> str:
    """Return the sysfs folder of a PCI device, which need not exist."""
    return os.path.join(root, "bus/pci/devices", address)


def auxiliary_folder(name: str, root: str = ROOT) -> str:
    """Return the sysfs folder of an auxiliary device, which need not exist."""
    return os.path.join(root, "bus/auxiliary/devices", name)


def folder_of_netdev(name: str, root: str = ROOT) -> str:
    """Return the real sysfs folder of the device behind a netdev, empty for a virtual one such as a veth."""
    return _real(os.path.join(root, "class/net", name, "device"))


def driver(device: str) -> str:
    """Return the name of the driver that a device folder is bound to, empty when it is bound to none."""
    return os.path.basename(target(os.path.join(device, "driver")))


def is_for_userspace(device: str) -> bool:
    """Return whether a device folder is bound to a driver that hands the device to a userspace program, one of those
    that are known by name or one that makes a vfio or uio device (mlx5_vfio_pci, uio_hv_generic and more).
    """
    made = ("vfio-dev", "uio")
    return driver(device) in USERSPACE_DRIVERS or any(os.path.isdir(os.path.join(device, name)) for name in made)


def netdevs(device: str) -> list[str]:
    """Return the names of the netdevs of a device folder, sorted.

    The netdev of a virtio device hangs below the virtio bus: 0000:00:03.0/virtio0/net.
    """
    names = entries(os.path.join(device, "net"))
    if not names:
        names = [name for entry in virtio_devices(device) for name in entries(os.path.join(device, entry, "net"))]
    return sorted(names)


def has_own_netdev(device: str) -> bool:
    """Return whether a device folder has a netdev in whatever namespace: the folder `net` goes with the last one, and
    is empty where all are in other namespaces (drivers/base/core.c, cleanup_glue_dir).
    """
    return os.path.isdir(os.path.join(device, "net"))


def has_netdev(device: str) -> bool:
    """Return the same of a device folder and the virtio devices that hang below it."""
    return any(has_own_netdev(os.path.join(device, entry)) for entry in ("", *virtio_devices(device)))


def virtio_devices(device: str) -> list[str]:
    """Return the names of the virtio devices that hang below a device folder; none when the folder is gone."""
    return sorted(name for name in entries(device) if name.startswith("virtio"))


def rdma_device(device: str) -> str:
    """Return the name of the RDMA device of a device folder, empty when it has none."""
    return min(entries(os.path.join(device, "infiniband")), default="")


def physical_function(device: str) -> str:
    """Return the sysfs folder of the PF that a VF belongs to, empty when there is none to be seen: the device is no VF,
    or this is a virtual machine that was given the VF alone.
    """
    return _real(os.path.join(device, "physfn"))


def is_physical_function(device: str) -> bool:
    """Return whether a PCI device can have VFs."""
    return os.path.exists(os.path.join(device, "sriov_totalvfs"))


def vf_index(pf: str, address: str) -> int:
    """Return the index that a VF has at its PF (drivers/pci/iov.c, virtfnN), -1 when it is not among its VFs.

    pf: the PF's device folder. address: the VF's PCI address.
    """
    for entry in entries(pf):
        if entry.startswith("virtfn") and os.path.basename(target(os.path.join(pf, entry))) == address:
            return int(entry.removeprefix("virtfn"))
    return -1


def attribute(*path: str) -> str:
    """Return an attribute's text, empty when it is not there or its driver does not support it (EOPNOTSUPP). Raises
    CniError as `entries`.
    """
    try:
        with open(os.path.join(*path), encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError as e:
        if e.errno in files.EXHAUSTED:
            raise files.io_failure("read", os.path.join(*path), e) from e
        return ""


def entries(folder: str) -> list[str]:
    """Return the names in a folder, none when there is no such folder. Raises CniError (code 5) where nothing more can
    be opened at the moment: a device would be taken for gone.
    """
    try:
        return os.listdir(folder)
    except OSError as e:
        if e.errno in files.EXHAUSTED:
            raise files.io_failure("list folder", folder, e) from e
        return []


def target(path: str) -> str:
    """Return what a symbolic link says, empty when there is none."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _real(path: str) -> str:
    return os.path.realpath(path) if os.path.exists(path) else ""
