"""Devices on a bus, for a machine without any: folders of the test's own in the place of some of sysfs's.

A tmpfs over /sys/bus and one over /sys/devices/platform, in the session's private mount namespace. As in the real
sysfs, `bus/<bus>/devices/<name>` are links to the device folders. A veth plays the netdev of a device.
"""

from __future__ import annotations

import os

from tests.support.net import run

BUS = "/sys/bus"
DEVICES = "/sys/devices/platform"


class Bus:
    """A sysfs with the devices that a test makes."""

    def __init__(self) -> None:
        for folder in (BUS, DEVICES):
            run("mount", "-t", "tmpfs", "tmpfs", folder)
        for bus in ("pci", "auxiliary"):
            os.makedirs(f"{BUS}/{bus}/devices")

    def remove(self) -> None:
        """Give the real sysfs back."""
        for folder in (BUS, DEVICES):
            run("umount", folder)

    def folder(self, path: str, netdev: str = "", driver: str = "") -> str:
        """Make a device folder with a netdev and a driver, if they are given; return its path in sysfs."""
        whole = os.path.join(DEVICES, path)
        os.makedirs(whole)
        if netdev:
            os.makedirs(os.path.join(whole, "net", netdev))
        if driver:
            os.makedirs(f"{BUS}/drivers/{driver}", exist_ok=True)
            os.symlink(f"{BUS}/drivers/{driver}", os.path.join(whole, "driver"))
        return whole

    def pci(self, address: str, netdev: str = "", driver: str = "", below: str = "") -> str:
        """Make a PCI device; `below` puts its netdev into a folder below it, as virtio does. Return its folder."""
        whole = self.folder(address, "" if below else netdev, driver)
        if below:
            self.folder(os.path.join(address, below), netdev)
        os.symlink(whole, f"{BUS}/pci/devices/{address}")
        return whole

    def auxiliary(self, name: str, netdev: str, pci_address: str) -> str:
        """Make an auxiliary device of a PCI device; return its folder."""
        whole = self.folder(os.path.join(pci_address, name), netdev)
        os.symlink(whole, f"{BUS}/auxiliary/devices/{name}")
        return whole
