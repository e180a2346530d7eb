"""Whose a device is: the lock of a device, the records of attachments, and the taking back of what dead pods left."""

from __future__ import annotations

import os

from cni import files, lock, netns, sysfs
from cni.errors import BAD_ENVIRONMENT, CniError
from cni.lock import EphemeralLock
from cni.netlink.link import Link
from cni.netns import NetNS
from cni.state import Store
from plugins.host_device import attachment, device, transfer
from plugins.host_device.attachment import Attachment
from plugins.host_device.config import DeviceConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.log import Logger

STATE_FOLDER = "/var/lib/cni/host-device"


class Claims:
    """The records of one node. state_folder: where they are kept. sysfs_root: where sysfs is mounted."""

    __slots__ = ("_log", "store", "sysfs_root")

    def __init__(self, log: Logger, state_folder: str = STATE_FOLDER, sysfs_root: str = sysfs.ROOT) -> None:
        self._log = log
        self.store = Store(state_folder, log)
        self.sysfs_root = sysfs_root

    def key(self, wanted: DeviceConfig, host: NetNS) -> str:
        """Return the name of the lock of the device that the configuration names.

        A device that an earlier pod left behind under another name is known by that pod's record only.
        Raises CniError (code 7) when neither the host nor a record knows the device.
        """
        try:
            return self._key_of(wanted, device.find(wanted, host, self.sysfs_root))
        except CniError:
            for record in self.load_all():
                original = record.original
                if original.name == wanted.device or (original.mac == wanted.hwaddr and not wanted.device):
                    return record.key
            raise

    def _key_of(self, wanted: DeviceConfig, found: Link) -> str:
        return attachment.key_of(found, self.path(wanted, found))

    def path(self, wanted: DeviceConfig, found: Link) -> str:
        """Return the real sysfs folder of the device behind the link that was found, empty for a virtual one."""
        return attachment.device_path(found, device.folder(wanted, self.sysfs_root), self.sysfs_root)

    def lock(self, key: str) -> EphemeralLock:
        """Return the lock of a device; entering it raises CniError (code 11) when others hold it for a minute."""
        files.ensure_folder(self.store.folder)
        files.ensure_folder(self._lock_folder)
        return EphemeralLock(os.path.join(self._lock_folder, key))

    @property
    def _lock_folder(self) -> str:
        return os.path.join(self.store.folder, "lock")

    def load(self, container_id: str, ifname: str) -> Attachment | None:
        """Return the record of an attachment, None when there is none that can be believed."""
        return attachment.load(self.store, container_id, ifname, self._log)

    def load_all(self) -> list[Attachment]:
        """Return the records of all attachments."""
        return attachment.load_all(self.store, self._log)

    def forget(self, container_id: str, ifname: str) -> None:
        """Remove the attachment's record, whatever state the file is in."""
        self.store.remove(container_id, ifname)

    def make(self, claim: Attachment) -> None:
        """Write the record, durably."""
        self.store.save(claim.container_id, claim.ifname, claim.to_record())

    def reclaim(self, key: str, host: NetNS) -> None:
        """Put a device that lies on the host as a dead pod left it back to what it was, and forget that pod's claim.

        The caller holds the device's lock, so no other command is at work on it.
        """
        for record in self.load_all():
            if record.key == key and transfer.find_on_host(record, host) is not None:
                self._log.warning(f"{record.original.name} was left behind by {record.container_id}: taking it over")
                self.give_back(record, host, None)

    def detach(self, claim: Attachment, host: NetNS, pod: NetNS | None) -> None:
        """Give the device of a recorded attachment back, under the device's lock. pod: None when it is gone."""
        with self.lock(claim.key):
            # Another DEL, or an ADD that took the device over, may have been faster.
            current = self.load(claim.container_id, claim.ifname)
            if current is not None:
                self.give_back(current, host, pod)

    def give_back(self, record: Attachment, host: NetNS, pod: NetNS | None) -> None:
        """Give the device back and forget the attachment; the caller holds the device's lock."""
        transfer.give_back(record, host, pod, self._log)
        self.forget(record.container_id, record.ifname)

    def forget_remains(self, container_id: str, ifname: str) -> None:
        """Remove what a damaged record, or a killed ADD or DEL, left of an attachment that has no record."""
        self.store.remove(container_id, ifname)
        self.sweep()

    def sweep(self) -> None:
        """Remove the lock files of killed commands."""
        lock.sweep(self._lock_folder)


class OptionalPod:
    """The pod's namespace for commands that go on without one: gone, replaced by a plain file, or not given at all."""

    __slots__ = ("_log", "_path", "_pod")

    def __init__(self, path: str, log: Logger) -> None:
        self._path = path
        self._log = log
        self._pod: NetNS | None = None

    def __enter__(self) -> NetNS | None:
        if self._path:
            try:
                self._pod = netns.of_pod(self._path)
            except CniError as e:
                if e.code != BAD_ENVIRONMENT:  # it is there: to take it for gone would leave the device in it for good
                    raise
                self._log.info(f"the pod is gone: {e.msg}")
        return self._pod

    def __exit__(self, *_: object) -> None:
        if self._pod is not None:
            self._pod.__exit__()
