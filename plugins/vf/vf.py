"""The VF that a configuration names, and its PF, as sysfs shows them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cni.attach import links
from cni.linux import eswitch, pci, vdpa
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.linux.vdpa import Vdpa
from cni.protocol.errors import GENERIC, CniError, invalid_config


@dataclass(slots=True)
class Vf:
    """address: the VF's PCI address; path: its real folder in sysfs. is_userspace: whether it is bound to a driver for
    userspace programs, so that it has no link. vdpa: its vDPA device, None when it has none.

    pf_path: the PF's folder, empty where no PF is to be seen. pf: the name of its link. index: of the VF at the PF, -1
    without one.
    """

    address: str
    path: str
    is_userspace: bool
    vdpa: Vdpa | None
    pf_path: str = ""
    pf: str = ""
    index: int = -1

    @property
    def folders(self) -> list[str]:
        """The folders of the devices that may have its link: its own, and its vDPA device's."""
        return [self.path, *([self.vdpa.folder] if self.vdpa is not None else [])]


def find(address: str, root: str = pci.ROOT, needs_pf: bool = True) -> Vf:
    """Return the VF with this PCI address. Raises CniError (code 7) naming `deviceID` when there is none.

    needs_pf: whether a PF without a link is an error; if not, `pf` may be empty.
    """
    folder = pci.folder(address, root)
    path = os.path.realpath(folder)
    if not os.path.isdir(path):
        raise invalid_config(f'deviceID: "{address}" is not allowed; there is no such PCI device', f"no {folder}")
    pf_path = pci.physical_function(path)
    if not pf_path and pci.is_physical_function(path):
        raise invalid_config(
            f'deviceID: "{address}" is not allowed; it is a physical function, and a virtual one is needed',
            f"its virtual functions are the virtfn links in {folder}",
        )
    found = Vf(address, path, pci.is_for_userspace(path), vdpa.find(path, root), pf_path)
    if not pf_path:
        return found
    found.index, found.pf = pci.vf_index(pf_path, address), eswitch.uplink(pf_path)
    if found.index < 0 or (needs_pf and not found.pf):
        missing = "has no link on the host" if found.index >= 0 else "does not list it among its virtual functions"
        raise invalid_config(
            f'deviceID: "{address}" is not allowed; its physical function {os.path.basename(pf_path)} {missing}',
            f"the physical function's driver is {pci.driver(pf_path) or 'none'}",
        )
    return found


def on_host(vf: Vf, host: NetNS, parent: str = "") -> Link | None:
    """Return the VF's link if it is on the host; its first port where it has several, never a representor.

    parent: the name of the device behind the link that is looked for. Empty for what ADD takes as things are: where a
    vDPA device is bound to virtio_vdpa, that one's link and not the VF's own.
    """
    folders = vf.folders if parent else [_folder(vf)]
    return links.first_port(found for found in links.of_device(host, *folders) if parent in ("", found.parent))


def is_away(vf: Vf, host: NetNS) -> bool:
    """Return whether the VF has a link, and that is in another namespace than the host's."""
    return pci.has_netdev(_folder(vf)) and on_host(vf, host) is None


def is_somewhere(vf: Vf, parent: str) -> bool:
    """Return whether the VF has a link of the device that is called so, empty for any of its own, in any namespace.

    There is none any more when the VF was bound to another driver, or its driver makes none by now, or the vDPA device
    whose link it was has gone.
    """
    if not parent:
        return any(pci.has_netdev(folder) for folder in vf.folders)
    if parent == vf.address:
        return pci.has_own_netdev(vf.path)
    return any(pci.has_own_netdev(os.path.join(folder, parent)) for folder in vf.folders)


def _folder(vf: Vf) -> str:
    """Return the folder of the device whose link goes into pods."""
    return vf.vdpa.folder if vf.vdpa is not None and vf.vdpa.driver == "virtio" else vf.path


def parents(address: str, root: str = pci.ROOT) -> tuple[str, ...]:
    """Return what the kernel may name as the device behind the VF's link: the VF, or a virtio device on it or on its
    vDPA device.
    """
    folder = os.path.realpath(pci.folder(address, root))
    on_it = vdpa.find(folder, root)
    return (address, *pci.virtio_devices(folder), *(pci.virtio_devices(on_it.folder) if on_it is not None else ()))


def pf_link(vf: Vf, host: NetNS) -> Link:
    """Return the link of the VF's PF. Raises CniError when it is not on the host."""
    found = link.get(host.netlink, name=vf.pf)
    if found is None:
        raise CniError(GENERIC, f"the link {vf.pf} of the PF of {vf.address} is not on the host", "nothing was changed")
    return found
