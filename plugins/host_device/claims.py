"""Whose a device is: the lock of a device, the records of attachments, and the taking back of what dead pods left."""

from __future__ import annotations

import os

from cni.attach import dead
from cni.attach.dead import Living
from cni.attach.pod import RecordedPod
from cni.attach.state import Store
from cni.linux import files, lock, sysfs
from cni.linux.lock import EphemeralLock
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, TRY_AGAIN_LATER, CniError
from ipam import delegate
from plugins.host_device import attachment, device, transfer
from plugins.host_device.attachment import Attachment
from plugins.host_device.config import DeviceConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.linux.log import Logger

STATE_FOLDER = "/var/lib/cni/host-device"
LOCK_TIMEOUT_S = 60.0


class Claims:
    """The records of one node. state_folder: where they are kept. sysfs_root: where sysfs is mounted."""

    __slots__ = ("_log", "store", "sysfs_root")

    def __init__(self, log: Logger, state_folder: str = STATE_FOLDER, sysfs_root: str = sysfs.ROOT) -> None:
        self._log = log
        self.store = Store(state_folder, log)
        self.sysfs_root = sysfs_root

    def key(self, wanted: DeviceConfig, host: NetNS) -> str:
        """Return the name of the lock of the device that the configuration names.

        A device that is in a pod, or that an earlier pod left behind under another name, is known by its record only.
        Raises CniError (code 7) when neither the host nor a record knows the device.
        """
        try:
            found = device.find(wanted, host, self.sysfs_root)
        except CniError:
            claim = self.of_device(wanted)
            if claim is None:
                raise
            return claim.key
        return attachment.key_of(found, self.path(wanted, found))

    def find(self, wanted: DeviceConfig, host: NetNS) -> Link:
        """Return the link on the host that the configuration names.

        Raises CniError (code 7) that says who has the device, if a record says so.
        """
        try:
            return device.find(wanted, host, self.sysfs_root)
        except CniError:
            claim = self.of_device(wanted)
            if claim is None:
                raise
            owner = f"container {claim.owner.describe()}, which has it as {claim.ifname} in {claim.netns}"
            raise device.missing(wanted, f"it is attached to {owner}") from None

    def of_device(self, wanted: DeviceConfig) -> Attachment | None:
        """Return the record of the attachment that has the device which the configuration names."""
        folder = device.folder(wanted, self.sysfs_root)
        for claim in self.load_all():
            original = claim.original
            if folder:
                has_it = claim.device_path == os.path.realpath(folder)
            elif wanted.device:
                has_it = wanted.device in (original.name, *original.altnames)
            else:
                has_it = wanted.hwaddr in (original.mac, original.permanent_mac)
            if has_it and self._stands(claim):
                return claim
        return None

    def _stands(self, claim: Attachment) -> bool:
        """Return whether a claim can still be on anything: a virtual link dies with its pod, and all do with a boot."""
        return claim.is_of_this_boot and (self.lives(claim) or os.path.isdir(claim.device_path))

    def lives(self, claim: Attachment) -> bool:
        """Return whether the pod of an attachment is there, by what its record says."""
        with RecordedPod(claim.owner, (), self._log) as pod:
            return pod is not None

    def path(self, wanted: DeviceConfig, found: Link) -> str:
        """Return the real sysfs folder of the device behind the link that was found, empty for a virtual one."""
        return attachment.device_path(found, device.folder(wanted, self.sysfs_root), self.sysfs_root)

    def lock(self, key: str, timeout_s: float = LOCK_TIMEOUT_S) -> EphemeralLock:
        """Return the lock of a device; entering it raises CniError (code 11) when others hold it for that long."""
        files.ensure_folder(self.store.folder)
        files.ensure_folder(self._lock_folder)
        return EphemeralLock(os.path.join(self._lock_folder, key), timeout_s)

    @property
    def _lock_folder(self) -> str:
        return os.path.join(self.store.folder, "lock")

    def load(self, container_id: str, ifname: str) -> Attachment | None:
        """Return the record of an attachment, None when there is none that can be believed."""
        return attachment.load(self.store, container_id, ifname, self._log)

    def load_all(self) -> list[Attachment]:
        """Return the records of all attachments."""
        found = (attachment.believed(raw, self._log) for raw in self.store.all())
        return [claim for claim in found if claim is not None]

    def forget(self, container_id: str, ifname: str) -> None:
        """Remove the attachment's record, whatever state the file is in."""
        self.store.remove(container_id, ifname)

    def make(self, claim: Attachment) -> None:
        """Write the record, durably, in place of an older one."""
        self.store.save(claim.container_id, claim.ifname, claim.to_record())

    def reclaim(self, key: str, host: NetNS) -> None:
        """Put a device that lies on the host as a dead pod left it back to what it was, and forget that pod's claim.

        The caller holds the device's lock, so no other command is at work on it.
        """
        plain = key.isascii() and key.isprintable() and '"' not in key and "\\" not in key
        found = (attachment.believed(raw, self._log) for raw in self.store.all(mentioning=key if plain else ""))
        for claim in found:
            if claim is None or claim.key != key or transfer.find_on_host(claim, host) is None:
                continue
            with RecordedPod(claim.owner, (), self._log) as pod:
                if pod is not None and transfer.find_in_pod(claim, host, pod) is not None:
                    continue  # what lies on the host is another link of the same device
                self._log.warning(f"{claim.original.name} was left behind by {claim.container_id}: taking it over")
                self.give_back(claim, host, pod)

    def detach(
        self,
        claim: Attachment,
        host: NetNS,
        netns_path: str = "",
        patience_s: float = 0.0,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        keep: bool = False,
    ) -> int:
        """Give the device of a recorded attachment back, under the device's lock; return what came of it, as
        `transfer.give_back`.

        netns_path: where the runtime says that the pod's namespace is, if not where the record says. patience_s: as in
        `transfer.give_back`. lock_timeout_s: how long to wait for the lock. keep: whether the record is to stay
        nevertheless.
        """
        with (
            self.lock(claim.key, lock_timeout_s),
            RecordedPod(claim.owner, (netns_path,), self._log) as pod,
        ):
            # Another DEL, or an ADD that took the device over, may have been faster.
            current = self.load(claim.container_id, claim.ifname)
            if current is None:
                return transfer.DONE
            if (current.key, current.netns, current.netns_cookie) != (claim.key, claim.netns, claim.netns_cookie):
                raise CniError(TRY_AGAIN_LATER, f"{claim.ifname} of {claim.container_id} has just been attached anew")
            return self.give_back(current, host, pod, patience_s, keep=keep)

    def give_back(
        self,
        claim: Attachment,
        host: NetNS,
        pod: NetNS | None,
        patience_s: float = 0.0,
        was_touched: bool = False,
        keep: bool = False,
    ) -> int:
        """Give the device back and, when nothing is left to do, forget the attachment; return what came of it.

        The arguments are those of `transfer.give_back`, and `keep` as in `detach`. The caller holds the device's lock.
        """
        done = transfer.give_back(claim, host, pod, patience_s, self._log, was_touched)
        if done and not keep:
            self.forget(claim.container_id, claim.ifname)
        return done

    def give_back_dead(self, host: NetNS, besides: tuple[str, str] | None = None) -> None:
        """Give back what pods that are gone have left, addresses too; never fails (`cni.attach.dead`).

        besides: container ID and interface name of the request's own attachment, which sees to itself.
        """
        found = (attachment.believed(raw, self._log) for raw in self.store.all(passing=dead.may_be))
        dead.give_back(
            (x for x in found if x is not None and (x.container_id, x.ifname) != besides),
            Living(self._log),
            lambda x: self.store.adding(x.container_id, x.ifname, 0.0),
            lambda x: self.detach(x, host, lock_timeout_s=0.0),
            lambda x: delegate.release_recorded(
                x.owner.ipam, x.network, x.container_id, x.ifname, self._log, timeout_s=dead.STORE_TIMEOUT_S
            ),
            self._log,
        )

    def undo(self, claim: Attachment, host: NetNS, pod: NetNS) -> None:
        """Give the device back, as the undo of an ADD that failed. Raises CniError when it has no link to be found."""
        if not self.give_back(claim, host, pod, was_touched=True):
            raise CniError(GENERIC, f"{claim.original.name} has no link on the host; its record stays")

    def check_usable(self) -> None:
        """Find out whether records can be written. Raises CniError (code 50)."""
        self.store.check_usable()

    def forget_remains(self, container_id: str, ifname: str) -> None:
        """Remove what a damaged record, or a killed ADD or DEL, left of an attachment that has no record."""
        self.store.remove_remains(container_id, ifname)
        self.sweep()

    def sweep(self) -> None:
        """Remove the lock files of killed commands."""
        lock.sweep(self._lock_folder)
        self.store.sweep()
