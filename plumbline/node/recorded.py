"""The attachments that the plugins have recorded, and in sriov-cni's way allocated."""

from __future__ import annotations

import os

from cni.attach.attachment import POD_KEYS, Attachment
from cni.attach.dead import Living
from cni.attach.plugin import Plugin
from cni.attach.records import Records
from cni.linux import pci
from cni.protocol.errors import CniError
from plugins.accelerated_bridge.plugin import AcceleratedBridge
from plugins.host_device.plugin import HostDevicePlugin
from plugins.sriov.plugin import Sriov
from plugins.vf.attachment import VfAttachment
from plumbline.node import functions
from plumbline.node.model import Owner, Pod, Source
from plumbline.node.notes import Notes
from plumbline.node.roots import Roots

PLUGINS: tuple[type[Plugin], ...] = (Sriov, AcceleratedBridge, HostDevicePlugin)


def folders(roots: Roots) -> list[str]:
    """Return the folders of records."""
    return [os.path.join(roots.state, os.path.basename(plugin.state_folder)) for plugin in PLUGINS]


def attachments(sysfs_root: str) -> tuple[list[tuple[Plugin, Attachment]], list[str]]:
    """Return all recorded attachments with their plugins, and what the plugins say of damaged records.

    Raises CniError when a folder cannot be listed.
    """
    log = Notes()
    found = [
        (plugin, attachment)
        for plugin in (make(sysfs_root) for make in PLUGINS)
        for attachment in Records(plugin, log).all()
    ]
    return found, log.warnings


def owner(plugin: Plugin, attachment: Attachment, living: Living) -> Owner:
    """Return whose an attachment is. `alive` is None where nobody can tell, as with a namespace that is there and
    cannot be opened.
    """
    told = attachment.owner
    alive: bool | None
    try:
        alive = living.has(attachment)
    except (CniError, OSError):  # such as EMFILE: nothing is known of the pod
        alive = None
    return Owner(
        source=Source.RECORD,
        pod=Pod(*(told.pod.get(key, "") for key in POD_KEYS)),
        container_id=told.container_id,
        interface=told.ifname,
        network=told.network,
        plugin=plugin.name,
        netns=attachment.home,
        alive=alive,
    )


def living() -> Living:
    """Return what tells which pods live."""
    return Living(Notes())


def address_of(attachment: Attachment) -> str:
    """Return the PCI address of an attachment's device, empty where it is on no PCI bus."""
    if isinstance(attachment, VfAttachment):
        return attachment.address
    parent = attachment.original.parent if attachment.original is not None else ""
    return next((text for text in (parent, attachment.key) if pci.is_address(text)), "")


def allocations() -> dict[str, Owner]:
    """Return whose VFs are in sriov-cni's way, by PCI address: a file names the path of the pod's namespace."""
    folder = os.path.join(Sriov.state_folder, "pci")
    found = {}
    for address in functions.entries(folder):
        if pci.is_address(address):
            netns = functions.text(folder, address)
            found[address] = Owner(Source.ALLOCATION, netns=netns, alive=os.path.exists(netns))
    return found
