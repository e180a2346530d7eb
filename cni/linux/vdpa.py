"""vDPA devices: a NIC's queues behind the interface of virtio (Documentation of the kernel, vdpa)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cni.linux import pci

_DRIVERS = {
    "vhost_vdpa": ("vhost", "vhost-vdpa-", "/dev"),
    "virtio_vdpa": ("virtio", "virtio", f"{pci.ROOT}/bus/virtio/devices"),
}
"""What `Vdpa.driver` calls a driver, how the names of what it makes begin, and where these are."""


@dataclass(frozen=True, slots=True)
class Vdpa:
    """name: as below /sys/bus/vdpa/devices; folder: its real folder. driver: `vhost`, when vhost_vdpa gives it to a
    program as a character device; `virtio`, when virtio_vdpa makes a virtio device of the host of it; else empty. path:
    of the character device in /dev, or of the virtio device in sysfs.
    """

    name: str
    folder: str
    driver: str
    path: str


def find(device: str, root: str = pci.ROOT) -> Vdpa | None:
    """Return the vDPA device below a real device folder, the first by name, None when there is none. Those of a PF's
    sub-functions, which lie below the PF, are not the PF's.
    """
    devices = os.path.join(root, "bus/vdpa/devices")
    for name in sorted(pci.entries(devices)):
        folder = os.path.realpath(os.path.join(devices, name))
        if not folder.startswith(device + "/") or ".sf." in folder.removeprefix(device):
            continue
        bound = pci.driver(folder)
        if bound not in _DRIVERS:
            return Vdpa(name, folder, "", "")
        driver, prefix, place = _DRIVERS[bound]
        made = min((entry for entry in pci.entries(folder) if entry.startswith(prefix)), default="")
        return Vdpa(name, folder, driver, f"{place}/{made}" if made else "")
    return None
