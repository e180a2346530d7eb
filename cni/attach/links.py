"""The links of a device of the host, by its folder in sysfs."""

from __future__ import annotations

from collections.abc import Iterable

from cni.linux import eswitch, pci
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS


def of_device(host: NetNS, *folders: str) -> list[Link]:
    """Return the links on the host of the devices with these folders."""
    found = (link.get(host.netlink, name=name) for folder in folders for name in pci.netdevs(folder))
    return [entry for entry in found if entry is not None]


def first_port(links: Iterable[Link]) -> Link | None:
    """Return which of a device's links is meant where only the device is named, None when it has none. Several are its
    ports: the first is the one with the lowest port. A representor stands for another device.
    """
    ports = (entry for entry in links if not eswitch.is_representor(entry.port))
    return min(ports, key=lambda entry: (entry.port, entry.name), default=None)
