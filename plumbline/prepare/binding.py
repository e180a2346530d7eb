"""Devices and their drivers: bound by name, through `driver_override` (Documentation/ABI/testing/sysfs-bus-pci and
sysfs-bus-vdpa).
"""

from __future__ import annotations

import errno
import os
import subprocess

from cni.linux import pci
from plumbline.errors import Status, VerbError
from plumbline.node.functions import PCI, on_bus
from plumbline.node.wish import is_linkless
from plumbline.prepare import attribute, waiting

VDPA = "vdpa"
"""The bus of vDPA devices."""

PATIENCE_S = 10.0
"""How long to wait, in seconds, for a driver that the kernel loads or probes in the background."""


def bind(bus: str, device: str, driver: str, root: str) -> None:
    """Bind a device to a driver by its name; its module is loaded if need be. Raises VerbError.

    Of a driver that would take the device by itself the name is not kept: who unbinds the device later is not tied to
    it. A driver that did not take the device leaves it without one, which raises nothing here.
    """
    load(bus, driver, root)
    if pci.driver(on_bus(bus, device, root)) != driver:
        attempt = f"bind {device} to {driver}"
        _write(attempt, os.path.join(on_bus(bus, device, root), "driver_override"), driver)
        unbind(bus, device, root)
        _probe(attempt, bus, device, root)
    if bus == PCI and not is_linkless(driver):
        _write(f"clear the override of {device}", os.path.join(on_bus(bus, device, root), "driver_override"), "\n")
    if bus == VDPA and pci.driver(on_bus(bus, device, root)) != driver:
        raise VerbError(Status.FAILURE, f"cannot bind the vDPA device {device} to {driver}: the driver did not take it")


def bind_to_default(address: str, root: str) -> None:
    """Let the kernel choose the driver of a PCI device. Raises VerbError."""
    attempt = f"bind {address} to the kernel's driver for it"
    _write(attempt, os.path.join(on_bus(PCI, address, root), "driver_override"), "\n")
    unbind(PCI, address, root)
    _probe(attempt, PCI, address, root)


def unbind(bus: str, device: str, root: str) -> None:
    """Take its driver from a device, if it has one. Raises VerbError."""
    bound = pci.driver(on_bus(bus, device, root))
    if bound:
        _write(f"unbind {device} from {bound}", os.path.join(root, "bus", bus, "drivers", bound, "unbind"), device)


def load(bus: str, driver: str, root: str) -> None:
    """Have a driver: load its module, which is called like it. Raises VerbError."""
    folder = os.path.join(root, "bus", bus, "drivers", driver)
    if os.path.isdir(folder):
        return
    attempt = f"there is no driver {driver} on the {bus} bus of this kernel"
    try:
        done = subprocess.run(["modprobe", "--", driver], capture_output=True, text=True, check=False)
    except OSError as e:
        raise VerbError(Status.FAILURE, f"{attempt}, and modprobe cannot be run: {e.strerror}") from e
    if done.returncode != 0:
        said = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        raise VerbError(Status.FAILURE, f"{attempt}, and its module cannot be loaded: {said}")
    if not waiting.until(lambda: os.path.isdir(folder), PATIENCE_S):
        raise VerbError(Status.FAILURE, f"{attempt}, also with the module of that name", f"there is no {folder}")


def _probe(attempt: str, bus: str, device: str, root: str) -> None:
    try:
        _write(attempt, os.path.join(root, "bus", bus, "drivers_probe"), device)
    except VerbError as e:
        # The driver said no: that no driver took the device is for the caller to judge. ENODEV: a VF in the way of
        # sriov_drivers_autoprobe (drivers/pci/pci-driver.c, pci_device_probe).
        if e.__cause__ is None or getattr(e.__cause__, "errno", 0) not in (errno.ENODEV, errno.EINVAL, errno.ENXIO):
            raise


def _write(attempt: str, path: str, text: str) -> None:
    try:
        attribute.write(path, text)
    except OSError as e:
        raise VerbError(Status.FAILURE, f"cannot {attempt}: {e.strerror}", f"the kernel said so at {path}") from e
