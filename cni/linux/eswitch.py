"""The embedded switch of a NIC: what its ports are called, and the netdevs that stand for them.

A port is called p0, as the network's end of the first uplink, or pf0vf3 and pf0sf88, as the representor of a VF or a
sub-function; on another host's controller c1pf0vf3, and c1pf0 (net/core/devlink, port flavours). `pf` is the device
folder of a PF, `root` where sysfs is mounted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from cni.linux import pci


def is_representor(port: str) -> bool:
    """Return whether a physical port's name is that of a representor: a VF's or sub-function's stand-in at the PF, or,
    on a DPU, that of a PF of the server that it is plugged into.
    """
    before, pf, rest = port.partition("pf")
    return bool(pf) and (any(kind in rest for kind in ("vf", "sf")) or (_is_numbered(before, "c") and _is_number(rest)))


def vf_of(port: str) -> tuple[str, int, int] | None:
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


def uplink(pf: str) -> str:
    """Return the name of the netdev that stands for a PF itself, empty when it has none.

    In switchdev mode the VFs' representors are netdevs of the PF, too, and some NICs have all ports under one function:
    representors are left out, then the port named p0 and the like, the lowest dev_port and the lowest name come first.
    """
    return _uplink(pf)[0]


def _uplink(pf: str) -> tuple[str, str]:
    """Return the uplink of a PF and the name of its port."""
    own = []
    for name in pci.netdevs(pf):  # by name
        port = _attribute(pf, name, "phys_port_name")
        if is_representor(port):
            continue
        dev_port = _attribute(pf, name, "dev_port")  # Linux numbers the ports of one function
        own.append((not _is_numbered(port, "p"), int(dev_port) if dev_port.isdecimal() else 0, name, port))
        # The kernel takes a lock to tell a port's name: what cannot come first any more is not asked. The uplink's name
        # is mostly the beginning of its representors' names, so it stands before them.
        if own[-1][:2] == (False, 0):
            break
    return min(own, default=(True, 0, "", ""))[2:]


def _attribute(pf: str, netdev: str, name: str) -> str:
    return pci.attribute(pf, "net", netdev, name) if netdev else ""


def switch_id(pf: str) -> str:
    """Return what the ports of a PF's embedded switch have in common, empty when it is not in switchdev mode."""
    return _attribute(pf, uplink(pf), "phys_switch_id")


def representor(pf: str, index: int, root: str = pci.ROOT) -> str:
    """Return the name of the netdev that stands for a VF at a PF in switchdev mode, empty when there is none.

    index: of the VF at the PF. A representor carries the switch ID of the uplink and a port name such as pf0vf3.
    Drivers number PFs as the uplinks' ports (p0 and pf0vf3), or as the PCI functions; mostly that is the same.
    """
    name, own = _uplink(pf)
    switch = _attribute(pf, name, "phys_switch_id")
    if not switch:
        return ""
    numbers = [int(pf.rpartition(".")[2])]
    if _is_numbered(own, "p") and int(own[1:]) not in numbers:
        numbers.insert(0, int(own[1:]))
    found = []
    for folder, names in _where_representors_are(pf, root):
        # What ends with the VF's number comes first: udev and drivers name them so.
        for candidate in sorted(names, key=lambda name: not name.endswith(str(index))):
            rank = _rank(vf_of(pci.attribute(folder, candidate, "phys_port_name")), numbers, index)
            if rank is not None and pci.attribute(folder, candidate, "phys_switch_id") == switch:
                if rank == (_OWN_HOST, 0):
                    return candidate
                found.append((rank, candidate))
        if any(controller == _OWN_HOST for (controller, _), _ in found):
            break
        numbers = numbers[-1:]  # that of the uplink's port may be another PF's elsewhere
    return min(found, default=("", ""))[1]


_OWN_HOST = -1


def _rank(port: tuple[str, int, int] | None, numbers: list[int], index: int) -> tuple[int, int] | None:
    """Return how good it is to take a port, as in `vf_of`, for that of a VF, the lowest is the best; None for not.

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
    yield os.path.join(pf, "net"), pci.netdevs(pf)
    folder = os.path.join(root, "class/net")
    names = pci.entries(folder)
    of_no_device = {name for name in names if "/devices/virtual/" in pci.target(os.path.join(folder, name))}
    others = [name for name in names if name not in of_no_device]
    yield folder, [name for name in others if not pci.is_physical_function(os.path.join(folder, name, "device"))]
    yield folder, sorted(of_no_device)
