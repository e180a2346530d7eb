"""The record of an attachment: what the device was like before it went into the pod.

{"containerID": "c0ffee", "ifName": "net1",           whose it is (cni.state)
 "network": "blue", "netns": "/run/netns/pod1",       which network, where the device went
 "bootID": "5b3c...",                                  the boot in which it went there
 "key": "0000:03:02.6",                                what its lock is called
 "devicePath": "/sys/devices/pci0000:00/...",         the device behind the link, empty for a virtual one
 "original": {"name": "ens5", "mac": "...", "mtu": 1500, "up": false, "alias": "", "altNames": [], "index": 4}}
"""

from __future__ import annotations

import os

from cni import sysfs
from cni.errors import GENERIC, CniError
from cni.netlink.link import Link
from cni.section import Section
from cni.state import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.log import Logger

BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Attachment:
    """One attachment and the link's original state. original: the link as it was on the host, index included."""

    __slots__ = ("boot_id", "container_id", "device_path", "ifname", "key", "netns", "network", "original")

    def __init__(
        self,
        container_id: str,
        ifname: str,
        network: str,
        netns: str,
        boot_id: str,
        key: str,
        device_path: str,
        original: Link,
    ) -> None:
        self.container_id = container_id
        self.ifname = ifname
        self.network = network
        self.netns = netns
        self.boot_id = boot_id
        self.key = key
        self.device_path = device_path
        self.original = original

    def to_record(self) -> dict[str, object]:
        """Return what `cni.state.Store.save` is to keep."""
        original = self.original
        return {
            "network": self.network,
            "netns": self.netns,
            "bootID": self.boot_id,
            "key": self.key,
            "devicePath": self.device_path,
            "original": {
                "name": original.name,
                "mac": original.mac,
                "mtu": original.mtu,
                "up": original.up,
                "alias": original.alias,
                "altNames": original.altnames,
                "index": original.index,
            },
        }

    @property
    def survives(self) -> bool:
        """Whether the link it describes can still be there: links do not outlive a boot."""
        return self.boot_id == boot_id()


def from_record(record: dict[str, object]) -> Attachment:
    """Return the attachment of a record. Raises CniError (code 7) naming a field that is wrong."""
    section = Section(record, "record")
    link = section.section("original")
    original = Link(link.integer("index"), link.string("name"))
    original.mac = link.string("mac")
    original.mtu = link.integer("mtu")
    original.up = link.boolean("up")
    original.alias = link.string("alias")
    original.altnames = link.strings("altNames")
    return Attachment(
        section.string("containerID"),
        section.string("ifName"),
        section.string("network"),
        section.string("netns"),
        section.string("bootID"),
        section.string("key"),
        section.string("devicePath"),
        original,
    )


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
    return os.path.basename(path) if path else link.name


def boot_id(path: str = BOOT_ID) -> str:
    """Return the identity of this boot of the machine (random(4))."""
    with open(path, encoding="ascii") as file:
        return file.read().strip()
