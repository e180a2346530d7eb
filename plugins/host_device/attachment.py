"""The record of an attachment: what the device was like before it went into the pod.

{"containerID": "c0ffee", "ifName": "net1",           whose it is (cni.state)
 "network": "blue",
 "netns": "/run/netns/pod1", "netnsCookie": 4711,      where the device went; the path may be another pod's by now
 "bootID": "5b3c...",                                  the boot in which it went there
 "key": "0000:03:02.6",                                what its lock is called
 "devicePath": "/sys/devices/pci0000:00/...",          the device behind the link, empty for a virtual one
 "sole": true,                                         whether it was that device's only link on the host
 "original": {"name": "ens5", "mac": "...", "mtu": 1500, "up": false, "alias": "", "altNames": [], "master": "",
              "index": 4, "kind": "", "parent": "0000:03:02.6", "permanentMAC": "...", "port": ""}}

Names may hold any byte but are few; JSON holds text. Each byte is written as the character of that number.
"""

from __future__ import annotations

import os

from cni import sysfs
from cni.errors import GENERIC, CniError
from cni.netlink.link import Link
from cni.section import Section
from cni.state import Store
from plugins.common import boot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.log import Logger


class Attachment:
    """One attachment and the link's original state. original: the link as it was on the host; master: its name."""

    __slots__ = (
        "boot_id",
        "container_id",
        "device_path",
        "ifname",
        "key",
        "master",
        "netns",
        "netns_cookie",
        "network",
        "original",
        "sole",
    )

    def __init__(
        self,
        container_id: str,
        ifname: str,
        network: str,
        netns: str,
        netns_cookie: int,
        boot_id: str,
        key: str,
        device_path: str,
        sole: bool,
        original: Link,
        master: str,
    ) -> None:
        self.container_id = container_id
        self.ifname = ifname
        self.network = network
        self.netns = netns
        self.netns_cookie = netns_cookie
        self.boot_id = boot_id
        self.key = key
        self.device_path = device_path
        self.sole = sole
        self.original = original
        self.master = master

    def to_record(self) -> dict[str, object]:
        """Return what `cni.state.Store.save` is to keep."""
        original = self.original
        return {
            "network": self.network,
            "netns": self.netns,
            "netnsCookie": self.netns_cookie,
            "bootID": self.boot_id,
            "key": _stored(self.key),
            "devicePath": _stored(self.device_path),
            "sole": self.sole,
            "original": {
                "name": _stored(original.name),
                "mac": original.mac,
                "mtu": original.mtu,
                "up": original.up,
                "alias": _stored(original.alias),
                "altNames": [_stored(altname) for altname in original.altnames],
                "master": _stored(self.master),
                "index": original.index,
                "kind": original.kind,
                "parent": original.parent,
                "permanentMAC": original.permanent_mac,
                "port": original.port,
            },
        }

    @property
    def survives(self) -> bool:
        """Whether the link it describes can still be there: links do not outlive a boot."""
        return self.boot_id == boot.current()

    def could_be(self, link: Link) -> bool:
        """Return whether nothing that cannot change speaks against the link's being the attachment's.

        Older kernels do not say all of it, and of a virtual link there is only the kind.
        """
        original = self.original
        told = (
            (original.parent, link.parent),
            (original.permanent_mac, link.permanent_mac),
            (original.port, link.port),
        )
        return original.kind == link.kind and all(not was or not now or was == now for was, now in told)


def from_record(record: dict[str, object]) -> Attachment:
    """Return the attachment of a record. Raises CniError (code 7) naming a field that is wrong."""
    section = Section(record, "record")
    link = section.section("original")
    original = Link(link.integer("index"), _restored(link.string("name")))
    original.mac = link.string("mac")
    original.mtu = link.integer("mtu")
    original.up = link.boolean("up")
    original.alias = _restored(link.string("alias"))
    original.altnames = [_restored(altname) for altname in link.strings("altNames")]
    original.kind = link.string("kind")
    original.parent = link.string("parent")
    original.permanent_mac = link.string("permanentMAC")
    original.port = link.string("port")
    return Attachment(
        section.string("containerID"),
        section.string("ifName"),
        section.string("network"),
        section.string("netns"),
        section.integer("netnsCookie"),
        section.string("bootID"),
        _restored(section.string("key")),
        _restored(section.string("devicePath")),
        section.boolean("sole"),
        original,
        _restored(link.string("master")),
    )


def _stored(text: str) -> str:
    return os.fsencode(text).decode("latin-1")


def _restored(text: str) -> str:
    return os.fsdecode(text.encode("latin-1", "replace"))


def load(store: Store, container_id: str, ifname: str, log: Logger) -> Attachment | None:
    """Return the recorded attachment, None when there is no record that can be believed. Raises CniError."""
    record = store.load(container_id, ifname)
    return None if record is None else _believed(record, log)


def load_all(store: Store, log: Logger) -> list[Attachment]:
    """Return all recorded attachments whose records can be believed. Raises CniError (code 5)."""
    found = (_believed(record, log) for record in store.all())
    return [entry for entry in found if entry is not None]


def _believed(record: dict[str, object], log: Logger) -> Attachment | None:
    """Return the record's attachment, None when it is incomplete: one bad file must not stop everybody's commands."""
    try:
        found = from_record(record)
        if not found.original.name or not found.key:
            raise CniError(GENERIC, "it does not say which device it is about")
    except CniError as e:
        log.warning(f"the record of {record['ifName']} of {record['containerID']} is damaged and not used: {e}")
        return None
    return found


def device_path(link: Link, folder: str, root: str = sysfs.ROOT) -> str:
    """Return the real sysfs folder of the device behind a link on the host, empty for a virtual link.

    folder: the sysfs folder that the configuration names, if it names one.
    """
    return os.path.realpath(folder) if folder else sysfs.netdev_device(link.name, root)


def key_of(link: Link, path: str) -> str:
    """Return the name of the lock for a device: its address on its bus, or the name of a virtual link.

    Two devices may share one; then they wait for each other, and no more.
    """
    folder, name = os.path.split(path)
    if name.startswith("virtio"):  # found by its PCI address, the same device is the folder above
        name = os.path.basename(folder)
    return name or link.name
