"""What makers and models of PCI devices are called, by udev's hardware database."""

from __future__ import annotations

import os

import pyudev


def names(device: str) -> tuple[str, str]:
    """Return the maker's and the model's name of a device's real folder in sysfs, empty texts where there is no udev,
    or it does not know the device.
    """
    if not os.path.exists("/run/udev/control") and not os.path.exists("/run/udev/data"):
        return "", ""
    try:
        properties = pyudev.Devices.from_path(pyudev.Context(), device).properties
    except (ImportError, OSError, pyudev.DeviceNotFoundError):
        return "", ""
    return properties.get("ID_VENDOR_FROM_DATABASE", ""), properties.get("ID_MODEL_FROM_DATABASE", "")
