"""What sysfs knows of devices: PCI, auxiliary and vDPA devices, their drivers and their netdevs.

`root` is where sysfs is mounted. A netdev is visible in the sysfs mount of its own network namespace only (net/core/
net-sysfs.c), so look-ups from device to netdev find what is on the host, never what is in a pod.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from cni.linux import files

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
    names = _entries(os.path.join(device, "net"))
    if not names:
        names = [name for entry in virtio_devices(device) for name in _entries(os.path.join(device, entry, "net"))]
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
    return sorted(name for name in _entries(device) if name.startswith("virtio"))


@dataclass(frozen=True, slots=True)
class Vdpa:
    """A vDPA device: a NIC's queues behind the interface of virtio (Documentation of the kernel, vdpa).

    name: as below /sys/bus/vdpa/devices; folder: its real folder. driver: `vhost`, when vhost_vdpa gives it to a
    program as a character device; `virtio`, when virtio_vdpa makes a virtio device of the host of it; else empty. path:
    of the character device in /dev, or of the virtio device in sysfs.
    """

    name: str
    folder: str
    driver: str
    path: str


def vdpa(device: str, root: str = ROOT) -> Vdpa | None:
    """Return the vDPA device below a real device folder, the first by name, None when there is none. Those of a PF's
    sub-functions, which lie below the PF, are not the PF's.
    """
    devices = os.path.join(root, "bus/vdpa/devices")
    for name in sorted(_entries(devices)):
        folder = os.path.realpath(os.path.join(devices, name))
        if not folder.startswith(device + "/") or ".sf." in folder.removeprefix(device):
            continue
        bound = driver(folder)
        if bound == "vhost_vdpa":
            made = min((entry for entry in _entries(folder) if entry.startswith("vhost-vdpa-")), default="")
            return Vdpa(name, folder, "vhost", f"/dev/{made}" if made else "")
        if bound == "virtio_vdpa":
            made = min(virtio_devices(folder), default="")
            return Vdpa(name, folder, "virtio", f"{ROOT}/bus/virtio/devices/{made}" if made else "")
        return Vdpa(name, folder, "", "")
    return None


def is_representor_port(port: str) -> bool:
    """Return whether a physical port's name is that of a representor: a VF's or sub-function's stand-in at the PF, or,
    on a DPU, that of a PF of the server that it is plugged into.

    Such names are pf0vf3 and pf0sf88; c1pf0vf3 and c1pf0 on another host's controller (net/core/devlink, port
    flavours).
    """
    before, pf, rest = port.partition("pf")
    return bool(pf) and (any(kind in rest for kind in ("vf", "sf")) or (_is_numbered(before, "c") and _is_number(rest)))


def vf_of_port(port: str) -> tuple[str, int, int] | None:
    """Return what a physical port's name says of the VF that it stands for: what is before the PF, the number of the PF
    and that of the VF at it; None when it is no VF's.

    Before the PF is nothing, a controller (c1pf0vf3), or the physical port (p0pf0vf3, drivers/net/ethernet/sfc).
    """
    before, pf, rest = port.rpartition("pf")
    number, vf, index = rest.partition("vf")
    if not (pf and vf and _is_number(number) and _is_number(index)):
        return None
    return (before, int(number), int(index)) if not before or _is_numbered(before, "cp") else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and text == str(int(text))


def _is_numbered(text: str, letters: str) -> bool:
    """Return whether the text is one of the letters and a number."""
    return text[:1] in letters and bool(text) and _is_number(text[1:])


def physical_function(device: str) -> str:
    """Return the sysfs folder of the PF that a VF belongs to, empty when there is none to be seen: the device is no VF,
    or this is a virtual machine that was given the VF alone.
    """
    path = os.path.join(device, "physfn")
    return os.path.realpath(path) if os.path.exists(path) else ""


def is_physical_function(device: str) -> bool:
    """Return whether a PCI device can have VFs."""
    return os.path.exists(os.path.join(device, "sriov_totalvfs"))


def vf_index(pf: str, address: str) -> int:
    """Return the index that a VF has at its PF (drivers/pci/iov.c, virtfnN), -1 when it is not among its VFs.

    pf: the PF's device folder. address: the VF's PCI address.
    """
    for entry in _entries(pf):
        if entry.startswith("virtfn") and os.path.basename(_target(os.path.join(pf, entry))) == address:
            return int(entry.removeprefix("virtfn"))
    return -1


def uplink(pf: str) -> str:
    """Return the name of the netdev that stands for a PF itself, empty when it has none.

    pf: its device folder. In switchdev mode the VFs' representors are netdevs of the PF, too, and some NICs have all
    ports under one function: representors are left out, then the port named p0 and the like, the lowest dev_port and
    the lowest name come first.
    """
    return _uplink(pf)[0]


def _uplink(pf: str) -> tuple[str, str]:
    """Return the uplink of a PF and the name of its port."""
    own = []
    for name in netdevs(pf):  # by name
        port = _read(pf, "net", name, "phys_port_name")
        if is_representor_port(port):
            continue
        own.append((not _is_numbered(port, "p"), _dev_port(pf, name), name, port))
        # The kernel takes a lock to tell a port's name: what cannot come first any more is not asked. The uplink's name
        # is mostly the beginning of its representors' names, so it stands before them.
        if own[-1][:2] == (False, 0):
            break
    return min(own, default=(True, 0, "", ""))[2:]


def _dev_port(pf: str, name: str) -> int:
    """Linux numbers the ports of one function; 0 where it does not."""
    text = _read(pf, "net", name, "dev_port")
    return int(text) if text.isdecimal() else 0


def representor(pf: str, index: int, root: str = ROOT) -> str:
    """Return the name of the netdev that stands for a VF at a PF in switchdev mode, empty when there is none.

    pf: the PF's device folder. index: of the VF at it. A representor carries the switch ID of the uplink and a port
    name such as pf0vf3 (net/core/devlink, port flavours). Drivers number PFs as the uplinks' ports (p0 and pf0vf3), or
    as the PCI functions; mostly that is the same.
    """
    name, own = _uplink(pf)
    switch = _read(pf, "net", name, "phys_switch_id") if name else ""
    if not switch:
        return ""
    numbers = [int(pf.rpartition(".")[2])]
    if _is_numbered(own, "p") and int(own[1:]) not in numbers:
        numbers.insert(0, int(own[1:]))
    found = []
    for folder, names in _where_representors_are(pf, root):
        # What ends with the VF's number comes first: udev and drivers name them so.
        for candidate in sorted(names, key=lambda name: not name.endswith(str(index))):
            rank = _rank(vf_of_port(_read(folder, candidate, "phys_port_name")), numbers, index)
            if rank is not None and _read(folder, candidate, "phys_switch_id") == switch:
                if rank == (_OWN_HOST, 0):
                    return candidate
                found.append((rank, candidate))
        if any(controller == _OWN_HOST for (controller, _), _ in found):
            break
        numbers = numbers[-1:]  # that of the uplink's port may be another PF's elsewhere
    return min(found, default=("", ""))[1]


_OWN_HOST = -1


def _rank(port: tuple[str, int, int] | None, numbers: list[int], index: int) -> tuple[int, int] | None:
    """Return how good it is to take a port, as in `vf_of_port`, for that of a VF, the lowest is the best; None for not.

    numbers: what the VF's PF may be called by, the best first. With a controller in front, c1pf0vf3 may stand for a VF
    of another host, which a DPU sees, too.
    """
    if port is None or port[1] not in numbers or port[2] != index:
        return None
    controller = int(port[0][1:]) if port[0][:1] == "c" else _OWN_HOST
    return controller, numbers.index(port[1])


def _where_representors_are(pf: str, root: str) -> Iterator[tuple[str, list[str]]]:
    """Give folders and the names of netdevs in them, the most likely first: to tell a port takes a lock of the kernel.

    Mostly they are netdevs of the PF; else of another device, or, least likely, of none, as the veths of all pods are.
    What is another PF's stands for that one's VFs: several PFs may share a switch.
    """
    yield os.path.join(pf, "net"), netdevs(pf)
    folder = os.path.join(root, "class/net")
    names = _entries(folder)
    of_no_device = {name for name in names if "/devices/virtual/" in _target(os.path.join(folder, name))}
    others = [name for name in names if name not in of_no_device]
    yield folder, [name for name in others if not is_physical_function(os.path.join(folder, name, "device"))]
    yield folder, sorted(of_no_device)


def switch_id(pf: str) -> str:
    """Return what the ports of a PF's embedded switch have in common, empty when it is not in switchdev mode.

    pf: the PF's device folder.
    """
    name = uplink(pf)
    return _read(pf, "net", name, "phys_switch_id") if name else ""


def bridge_setting(name: str, setting: str, root: str = ROOT) -> str:
    """Return a setting of a bridge, such as `vlan_filtering`, as the kernel writes it; empty when it has none."""
    return _read(root, "class/net", name, "bridge", setting)


def rdma_device(device: str) -> str:
    """Return the name of the RDMA device of a device folder, empty when it has none."""
    return min(_entries(os.path.join(device, "infiniband")), default="")


def pci_address_of(device: str) -> str:
    """Return the PCI address that a real device folder lies under, the innermost, empty when it is on no PCI bus."""
    return next((part for part in reversed(device.split("/")) if is_pci_address(part)), "")


def _read(*path: str) -> str:
    """Return an attribute's text, empty when it is not there or its driver does not support it (EOPNOTSUPP). Raises
    CniError as `_entries`.
    """
    try:
        with open(os.path.join(*path), encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError as e:
        if e.errno in files.EXHAUSTED:
            raise files.io_failure("read", os.path.join(*path), e) from e
        return ""


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _entries(folder: str) -> list[str]:
    """Return the names in a folder, none when there is no such folder. Raises CniError (code 5) where nothing more can
    be opened at the moment: a device would be taken for gone.
    """
    try:
        return os.listdir(folder)
    except OSError as e:
        if e.errno in files.EXHAUSTED:
            raise files.io_failure("list folder", folder, e) from e
        return []
