"""The record of an attachment: what the device was like before it went into the pod.

{"containerID": "c0ffee", "ifName": "net1",           whose it is (cni.attach.state)
 "network": "blue",
 "netns": "/run/netns/pod1", "netnsCookie": 4711,      where the device went; the path may be another pod's by now
 "bootID": "5b3c...",                                  the boot in which it went there
 "key": "0000:03:02.6",                                what its lock is called
 "devicePath": "/sys/devices/pci0000:00/...",          the device behind the link, empty for a virtual one
 "sole": true,                                         whether it was that device's only link on the host
 "original": {"name": "ens5", "mac": "...", "mtu": 1500, "up": false, "alias": "", "altNames": [], "master": "",
              "index": 4, "kind": "", "parent": "0000:03:02.6", "permanentMAC": "...", "port": ""},
 "plumbline": {...}}                                   what the records of all plugins have (cni.attach.record)

Names may hold any byte but are few; JSON holds text. Each byte is written as the character of that number.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cni.attach import record
from cni.attach.attachment import Attachment
from cni.linux.netlink.link import Link
from cni.protocol.errors import GENERIC, CniError
from cni.protocol.section import Section, refused


@dataclass(slots=True, eq=False)
class HostAttachment(Attachment):
    """One attachment. original: the link as it was on the host, always there. key: what the device's lock is called.

    device_path: the real sysfs folder of the device behind the link, empty for a virtual one. sole: whether the link
    was that device's only one.
    """

    original: Link
    device_path: str
    sole: bool

    @property
    def key(self) -> str:
        return key_of(self.original, self.device_path)


def to_record(attachment: HostAttachment) -> dict[str, object]:
    """Return what `state.Store.save` is to keep."""
    original, owner = attachment.original, attachment.owner
    return {
        "network": owner.network,
        "netns": record.stored(owner.netns),
        "netnsCookie": owner.netns_cookie,
        "bootID": owner.boot_id,
        "key": _stored(attachment.key),
        "devicePath": _stored(attachment.device_path),
        "sole": attachment.sole,
        "original": {
            "name": _stored(original.name),
            "mac": original.mac,
            "mtu": original.mtu,
            "kind": original.kind,
            **record.link_state(attachment, _stored),
        },
        record.OURS: record.shared(attachment),
    }


def from_record(raw: dict[str, object]) -> HostAttachment:
    """Return the attachment of a record. Raises CniError (code 7) naming a field that is wrong."""
    section = Section(raw, "record")
    ours, state = section.section(record.OURS), section.section("original")
    owner = record.read_owner(section, "network", section, ours)
    mac, mtu = record.mac(state, "mac"), record.mtu(state, "mtu")
    original = record.read_link(state.string("name"), mac, mtu, state, _restored)
    if original is None:
        raise CniError(GENERIC, "it does not say which device it is about")
    original.kind = record.word(state, "kind")
    path = _restored(section.string("devicePath"))
    if path and (not path.startswith("/") or os.path.normpath(path) != path or len(path) > record.MAX_PATH_BYTES):
        raise refused("record.devicePath", path, "an absolute path")
    found = HostAttachment(owner, original, path, section.boolean("sole"))
    found.master = record.link_name(state, "master", _restored)
    found.pod_index = record.read_shared_link(ours, original)
    if found.key != _restored(section.string("key")):
        raise CniError(GENERIC, "its key is another device's")
    return found


def _stored(text: str) -> str:
    return os.fsencode(text).decode("latin-1")


def _restored(text: str) -> str:
    return os.fsdecode(text.encode("latin-1", "replace"))


def key_of_unrecorded(found: Link, folder: str, root: str) -> str:
    """Return the name of the lock for a device in a pod that has no record. found: its link, whose alias is its name on
    the host. folder: the sysfs folder that the configuration names, if it names one. root: where sysfs is mounted.
    """
    bus = "virtio" if found.parent.startswith("virtio") else "pci"
    path = folder or (os.path.join(root, "bus", bus, "devices", found.parent) if found.parent else "")
    return key_of(Link(0, found.alias), os.path.realpath(path) if path else "")


def key_of(link: Link, path: str) -> str:
    """Return the name of the lock for a device: its address on its bus, or the name of a virtual link.

    Two devices may share one; then they wait for each other, and no more.
    """
    folder, name = os.path.split(path)
    if name.startswith("virtio"):  # found by its PCI address, the same device is the folder above
        name = os.path.basename(folder)
    return name or link.name
