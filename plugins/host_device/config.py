"""The host-device part of a network configuration: which device, named in one of five ways."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cni.attach.allotted import refuse_two
from cni.linux import pci
from cni.protocol.config import NetConf
from cni.protocol.errors import invalid_config
from cni.protocol.section import refused

KERNEL_DEVICES = "/sys/devices/"
PCI_ADDRESS = "a PCI address such as 0000:03:02.6"


@dataclass(slots=True, frozen=True)
class DeviceConfig:
    """How the configuration names the device. Exactly one of the five is used: the first that is not empty.

    device: name on the host. hwaddr: MAC address, lower case. kernelpath: folder under /sys/devices.
    pci_address, auxiliary_device: on their buses; one of these two at most is set.
    """

    device: str
    hwaddr: str
    kernelpath: str
    pci_address: str
    auxiliary_device: str

    @property
    def is_empty(self) -> bool:
        """Whether no device is named at all."""
        return not (self.device or self.hwaddr or self.kernelpath or self.pci_address or self.auxiliary_device)

    def folder(self, root: str = pci.ROOT) -> str:
        """Return the sysfs folder of a device that is named by bus address or path, empty for one named otherwise."""
        if self.device or self.hwaddr:
            return ""
        if self.kernelpath:
            return os.path.join(root, os.path.relpath(self.kernelpath, pci.ROOT))
        if self.pci_address:
            return pci.folder(self.pci_address, root)
        return pci.auxiliary_folder(self.auxiliary_device, root)

    def is_userspace(self, root: str = pci.ROOT) -> bool:
        """Return whether a PCI device is bound to a driver for userspace programs, so that it has no link to move."""
        return bool(self.pci_address) and pci.is_for_userspace(pci.folder(self.pci_address, root))

    def describe(self) -> str:
        """Return the selector that is used with its value, for messages."""
        for field, value in (
            ("device", self.device),
            ("hwaddr", self.hwaddr),
            ("kernelpath", self.kernelpath),
            ("pciBusID", self.pci_address),
            ("runtimeConfig.deviceID", self.auxiliary_device),
        ):
            if value:
                return f'{field} "{value}"'
        return "no device"


def parse(conf: NetConf, required: bool = True) -> DeviceConfig:
    """Read and check the device selectors; nothing on the host is looked at.

    required: whether naming no device is an error. It is none for STATUS, where runtimes leave `runtimeConfig` out.
    `runtimeConfig.deviceID`, which a device plugin's allocation fills, is what `pciBusID` is, if both are there. Raises
    CniError (code 7) naming field and value.
    """
    section = conf.section
    names = ("device", "hwaddr", "kernelpath", "pciBusID")
    device, hwaddr, kernelpath, pci_address = (section.string(name) for name in names)
    auxiliary_device = ""
    if pci_address and not pci.is_address(pci_address):
        raise refused("pciBusID", pci_address, PCI_ADDRESS)
    device_id = conf.runtime_config.string("deviceID")
    refuse_two("pciBusID", pci_address, device_id)
    if pci.is_address(device_id):
        pci_address = device_id
    elif pci.is_auxiliary_device(device_id):
        pci_address, auxiliary_device = "", device_id
    elif device_id:
        allowed = f"{PCI_ADDRESS} or an auxiliary device such as mlx5_core.sf.4"
        raise refused("runtimeConfig.deviceID", device_id, allowed)
    if device and ("/" in device or device in (".", "..") or len(os.fsencode(device)) > 127):
        raise refused("device", device, "the name of a network device")
    if kernelpath and (not kernelpath.startswith(KERNEL_DEVICES) or os.path.normpath(kernelpath) != kernelpath):
        raise refused("kernelpath", kernelpath, f"an absolute path below {KERNEL_DEVICES} without . or .. in it")
    wanted = DeviceConfig(device, hwaddr and _mac(hwaddr), kernelpath, pci_address.lower(), auxiliary_device)
    if required and wanted.is_empty:
        raise invalid_config(
            'specify either "device", "hwaddr", "kernelpath" or "pciBusID"',
            f"or runtimeConfig.deviceID; the configuration has: {', '.join(sorted(conf.raw))}",
        )
    return wanted


def _mac(text: str) -> str:
    """Return a hardware address of 6, 8 or 20 bytes (Ethernet, EUI-64, InfiniBand) in the kernel's notation."""
    digits = text.replace("-", ":").replace(".", ":").split(":")
    try:
        packed = bytes.fromhex("".join(digits))
    except ValueError:
        packed = b""
    if len(packed) not in (6, 8, 20) or len({len(part) for part in digits}) != 1 or len(digits[0]) not in (2, 4):
        raise refused("hwaddr", text, "a MAC address such as 02:00:5e:10:00:01")
    return packed.hex(":")
