"""Find on the host the device that a configuration names."""

from __future__ import annotations

import os

from cni.attach.identity import LOOPBACK
from cni.linux import sysfs
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.errors import CniError, invalid_config
from plugins.host_device.config import DeviceConfig


def folder(config: DeviceConfig, root: str = sysfs.ROOT) -> str:
    """Return the sysfs folder of a device that is named by bus address or path, empty when it is named otherwise."""
    if config.device or config.hwaddr:
        return ""
    if config.kernelpath:
        return os.path.join(root, os.path.relpath(config.kernelpath, sysfs.ROOT))
    if config.pci_address:
        return sysfs.pci_device(config.pci_address, root)
    return sysfs.auxiliary_device(config.auxiliary_device, root)


def is_userspace(config: DeviceConfig, root: str = sysfs.ROOT) -> bool:
    """Return whether a PCI device is bound to a driver for userspace programs, so that it has no link to move."""
    return bool(config.pci_address) and sysfs.is_for_userspace(sysfs.pci_device(config.pci_address, root))


def find(config: DeviceConfig, host: NetNS, root: str = sysfs.ROOT) -> Link:
    """Return the link on the host that the configuration names.

    Raises CniError (code 7) when there is none: the configuration asks for something that the host does not have, or
    that is in a pod at the moment.
    """
    if config.device:
        found = link.get(host.netlink, name=config.device)
    elif config.hwaddr:
        found = _find_by_address(config, host)
    else:
        found = _find_in_folder(config, host, folder(config, root))
    if found is None:
        raise missing(config, "it is not in the host's network namespace; it may be in a pod")
    return found


def _find_by_address(config: DeviceConfig, host: NetNS) -> Link | None:
    """Return the link with a MAC address. Several may have it: a bridge and its first port, a bond and its ports, a
    VLAN or a macvlan in passthru mode and what it is upon. Meant is the port, and what is upon another.

    Raises CniError (code 7) when there still is more than one.
    """
    links = link.dump(host.netlink)
    found = [x for x in links if x.mac == config.hwaddr and x.movable is not False and x.index != LOOPBACK]
    masters = {x.master for x in found}
    beneath = {x.peer for x in found if x.peer_nsid == -1 and x.kind != "veth"}
    meant = [x for x in found if x.index not in masters and x.index not in beneath] or found
    if len(meant) > 1:
        meant = [x for x in meant if x.permanent_mac == config.hwaddr] or meant
    if len(meant) > 1:
        names = ", ".join(sorted(x.name for x in meant))
        raise invalid_config(
            f"{config.describe()} is that of {len(meant)} links: {names}",
            '"device" or "pciBusID" names one; nothing was changed',
        )
    return meant[0] if meant else None


def _find_in_folder(config: DeviceConfig, host: NetNS, path: str) -> Link | None:
    if not os.path.isdir(path):
        raise missing(config, f"{path} does not exist")
    found = [link.get(host.netlink, name=name) for name in sysfs.netdevs(path)]
    links = [entry for entry in found if entry is not None and not sysfs.is_representor_port(entry.port)]
    # Several links of one device are its ports: the first one is the one with the lowest port.
    return min(links, key=lambda entry: (entry.port, entry.name), default=None)


def missing(config: DeviceConfig, reason: str) -> CniError:
    """Return the error for a device that is not there."""
    return invalid_config(f"failed to find host device: {config.describe()}", reason)
