"""What steps do to the kernel: a PF's number of VFs, its mode and its link, and VFs' drivers and vDPA devices.

Each method does one thing and says in its error what was attempted, on what, and what the kernel answered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from pyroute2 import IPRoute, NetlinkError

from cni.linux import eswitch, pci
from cni.linux import vdpa as vdpa_device
from plumbline.errors import Status, VerbError
from plumbline.node import functions, switch_mode
from plumbline.node.model import Pf
from plumbline.node.roots import Roots
from plumbline.node.wish import DEFAULT, VDPA_DRIVERS
from plumbline.prepare import binding, numvfs, vdpa, waiting
from plumbline.prepare.set_mode import set_mode

VFS_S = 30.0
"""How long to wait, in seconds, until all VFs of a new number are there: some drivers make them in the background."""

LINK_S = 5.0
"""How long to wait, in seconds, for the link of a VF that has been bound."""


@dataclass(frozen=True, slots=True)
class Target:
    """A PF, as steps name it. name: of its link, else its address; address: on its bus, `pci` or `netdevsim`."""

    name: str
    address: str
    bus: str = functions.PCI

    @property
    def path(self) -> str:
        """Its folder, as one writes it in a shell."""
        return f"/sys/bus/{self.bus}/devices/{self.address}"


class Kernel:
    """roots: where sysfs is mounted. link_s: how long to wait for a VF's link, in seconds."""

    def __init__(self, roots: Roots, link_s: float = LINK_S) -> None:
        self._roots = roots
        self._root = roots.sysfs
        self._link_s = link_s

    def number(self, target: Target) -> int:
        """Return how many VFs a PF has. Raises VerbError."""
        found = functions.number(self._folder(target), "sriov_numvfs")
        if found is None:
            raise VerbError(Status.FAILURE, f"{target.name} does not tell how many VFs it has: is it still there?")
        return found

    def set_number(self, target: Target, number: int) -> None:
        """Make VFs where there are none, or remove all. Raises VerbError, which explains what the kernel said."""
        numvfs.set_number(target.name, self._folder(target), number, self._roots)

    def await_vfs(self, target: Target, number: int, tick: Callable[[], None]) -> None:
        """Wait until there are as many VFs as asked for. Raises VerbError where there are others."""
        made = self.number(target)
        if made != number:
            raise VerbError(
                Status.FAILURE,
                f"{target.name}: {number} VFs were asked for, the kernel said yes, and there are {made}",
                "the NIC's firmware may be limited to these: dmesg tells",
            )
        deadline = time.monotonic() + VFS_S
        for index in range(number):
            if target.bus == functions.PCI and not _comes(self._virtfn(target, index), deadline - time.monotonic()):
                raise VerbError(Status.FAILURE, f"{target.name}: VF {index} of {number} has not come in {VFS_S:g} s")
            tick()

    def vf(self, target: Target, index: int) -> str:
        """Return the PCI address of a VF. Raises VerbError (10)."""
        folder = functions.target(self._virtfn(target, index))
        if not folder:
            raise VerbError(Status.NO_DEVICE, f"{target.name} has no VF {index} any more")
        return os.path.basename(folder)

    def mode(self, target: Target) -> str:
        """Return the mode of the embedded switch. Raises VerbError."""
        try:
            found, said = switch_mode.modes([Pf(target.name, target.address, target.bus)])
        except OSError as e:
            raise VerbError(Status.FAILURE, f"cannot tell the switch mode of {target.name}: {e.strerror}") from e
        if said:
            raise VerbError(Status.FAILURE, f"cannot tell {said[0]}")
        return found[target.address]

    def set_mode(self, target: Target, mode: str) -> None:
        """Change it. Raises VerbError."""
        set_mode(target.bus, target.address, mode)

    def set_up(self, target: Target, up: bool) -> None:
        """Bring the PF's link up, or take it down. Raises VerbError."""
        name = eswitch.uplink(self._folder(target)) or target.name
        try:
            with IPRoute() as ip:
                index = ip.link_lookup(ifname=name)
                if not index:
                    raise VerbError(Status.NO_DEVICE, f"cannot bring {name} up: there is no such link on the host")
                ip.link("set", index=index[0], state="up" if up else "down")
        except NetlinkError as e:
            direction = "bring up" if up else "take down"
            raise VerbError(Status.FAILURE, f"cannot {direction} {name}: {os.strerror(e.code)}") from e

    def driver(self, address: str) -> str:
        """Return the driver of a PCI device, empty for none."""
        return pci.driver(pci.folder(address, self._root))

    def unbind(self, address: str) -> None:
        """Take its driver from a PCI device, if it has one. Raises VerbError."""
        binding.unbind(functions.PCI, address, self._root)

    def bind(self, address: str, driver: str) -> None:
        """Bind a PCI device to a driver, or to the one that the kernel chooses (DEFAULT). Raises VerbError."""
        if driver == DEFAULT:
            binding.bind_to_default(address, self._root)
        else:
            binding.bind(functions.PCI, address, driver, self._root)

    def require_driver(self, address: str, driver: str) -> None:
        """Raise VerbError where a PCI device does not have the driver that it was bound to."""
        found = self.driver(address)
        if found == driver or (driver == DEFAULT and found):
            return
        if driver != DEFAULT:
            raise VerbError(
                Status.FAILURE,
                f"cannot bind {address} to {driver}: the driver did not take it, it has {found or 'none'} now",
                "dmesg says why; vfio-pci needs an IOMMU: intel_iommu=on or amd_iommu=on on the kernel's command line",
            )
        raise VerbError(
            Status.FAILURE,
            f"cannot bind {address} to the kernel's driver for it: none took it",
            "is its module there, and sriov_drivers_autoprobe of its PF 1? `--driver NAME` names one",
        )

    def await_link(self, address: str) -> None:
        """Wait for the link of a VF that has a NIC's driver; bind it once more if there is none. Raises VerbError."""
        for attempt in range(2):
            if not self.driver(address) or self._has_link(address):
                return
            if attempt == 0:
                driver = self.driver(address)
                self.unbind(address)
                self.bind(address, driver)
        raise VerbError(
            Status.FAILURE,
            f"{address} has no link: its driver {self.driver(address)} made none, also when it was bound once more",
            "dmesg has what the driver says",
        )

    def make_vdpa(self, address: str, use: str) -> None:
        """Have a vDPA device on a VF, bound to the driver for its use: `vhost`, `virtio`, or none. Raises VerbError."""
        if use:
            binding.load(binding.VDPA, VDPA_DRIVERS[use], self._root)  # and with it vDPA itself
        name = self._vdpa(address)
        if not name:
            name = vdpa.name_of(address)
            vdpa.add(vdpa.Parent(functions.PCI, address), name, self.driver(address))
        if use:
            binding.bind(binding.VDPA, name, VDPA_DRIVERS[use], self._root)
        else:
            binding.unbind(binding.VDPA, name, self._root)

    def remove_vdpa(self, address: str) -> None:
        """Remove the vDPA device of a VF, if it has one. Raises VerbError."""
        name = self._vdpa(address)
        if name:
            vdpa.remove(name)

    def has_vdpa(self, address: str) -> bool:
        """Return whether a VF has a vDPA device."""
        return bool(self._vdpa(address))

    def _vdpa(self, address: str) -> str:
        found = vdpa_device.find(os.path.realpath(pci.folder(address, self._root)), self._root)
        return found.name if found is not None else ""

    def _has_link(self, address: str) -> bool:
        """Return whether a VF has a link, in whatever namespace, or gets one in a moment."""
        return waiting.until(lambda: pci.has_netdev(pci.folder(address, self._root)), self._link_s)

    def _folder(self, target: Target) -> str:
        return functions.on_bus(target.bus, target.address, self._root)

    def _virtfn(self, target: Target, index: int) -> str:
        return os.path.join(self._folder(target), f"virtfn{index}")


def _comes(path: str, timeout_s: float) -> bool:
    return waiting.until(lambda: os.path.exists(path), timeout_s)
