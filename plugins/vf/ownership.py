"""Whose a VF is, as the Go plugins tell it: its lock, its allocation, and which of several records is the valid one.

Below the folder of the records, as sriov-cni has them: `pci/<PCI address>` holds the namespace path of the owner, and
is stale once that namespace cannot be opened; `pci/vf_lock/<PCI address>.lock` is the lock. A VF belongs to the
attachment whose record was written last: ADD puts right and removes the records of dead pods first. A plugin whose
original notes no owners does without the allocations; a record is what has a VF then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.identity import in_pod
from cni.attach.plugin import Plugin
from cni.attach.pod import recorded_pod
from cni.attach.state import LOCK_TIMEOUT_S
from cni.attach.waiting import PATIENCE_S
from cni.linux import files, netns, pci
from cni.linux.lock import FileLock
from cni.linux.netns import NetNS
from cni.protocol.errors import TRY_AGAIN_LATER, CniError
from plugins.vf import returning
from plugins.vf.attachment import VfAttachment, recorded


class Ownership(Plugin):
    """A plugin whose devices have their PCI addresses as keys. allocates: whether owners are noted beside the records,
    as sriov-cni does.
    """

    __slots__ = ()

    allocates = True

    @property
    def _pci(self) -> str:
        return os.path.join(self.state_folder, "pci")

    def lock(self, key: str, timeout_s: float = LOCK_TIMEOUT_S) -> FileLock:
        folder = os.path.join(self._pci, "vf_lock")
        for needed in (self.state_folder, self._pci, folder):
            files.ensure_folder(needed)
        return FileLock(os.path.join(folder, f"{key}.lock"), timeout_s)

    def note_owner(self, attachment: Attachment) -> None:
        if self.allocates:
            path = os.path.join(self._pci, attachment.key)
            files.write_atomic(path, attachment.owner.netns.encode("utf-8", "surrogateescape"))

    def forget_owner(self, key: str) -> None:
        path = os.path.join(self._pci, key)
        files.remove(files.temporary_path(path))
        files.remove(path)

    def noted_netns(self, key: str) -> str:
        return (files.read(os.path.join(self._pci, key)) or b"").decode("utf-8", "surrogateescape").strip()

    def left_behind(self, address: str, call: Call) -> Iterator[VfAttachment]:
        """Give the attachments of dead pods that still have a VF. The caller holds its lock.

        Raises CniError (code 11) when another attachment has the VF.
        """
        attachments = recorded(call, address)
        path = self.noted_netns(address)
        pod = netns.if_there(path, call.log)
        if pod is not None:
            with pod:
                cookie = pod.cookie
            # A path may have been given to another pod since; then a record of ours knows the namespace as another one.
            known = {x.owner.netns_cookie for x in attachments if x.owner.netns == path} - {0}
            if cookie == 0 or known <= {cookie}:
                names = [x.owner.describe() for x in attachments if x.home == path]
                whose = ", ".join(["the pod in " + path, *names])
                raise taken(address, f"it belongs to {whose}; nothing was changed")
        for attachment in attachments:
            if attachment.is_of_this_boot:
                self._refuse_if_in_use(attachment, call)
            yield attachment

    def _refuse_if_in_use(self, attachment: VfAttachment, call: Call) -> None:
        who = f"{attachment.owner.describe()} has it as {attachment.owner.ifname}"
        with recorded_pod(attachment.owner, call.log) as home:
            if home is not None and self._is_in(attachment, call.host, home):
                raise taken(attachment.address, f"{who} in {home.path}")
        # Where the pod lives, or nobody knows where it is, only a link on the host tells that it lost the VF.
        is_dead = attachment.owner.netns and home is None
        if not is_dead and not returning.is_back(attachment, call.host, PATIENCE_S, self.sysfs_root):
            raise taken(attachment.address, f"{who}; nothing was changed")

    def _is_in(self, attachment: VfAttachment, host: NetNS, home: NetNS) -> bool:
        """Return whether the VF of a record is in the pod that the record names, which lives."""
        if attachment.original is None:  # nothing of it is to be seen there
            return not self.allocates
        sought = returning.sought(attachment, self.sysfs_root)
        return in_pod(sought, host, home, attachment.knows(home))[0] is not None

    def is_lost(self, attachment: Attachment, netns_path: str, call: Call) -> bool:
        written = call.records.written_ns(attachment)
        if any(call.records.written_ns(other) > written for other in others(attachment, call, attachment.key)):
            return True
        path = self.noted_netns(attachment.key)
        if path in ("", attachment.owner.netns, netns_path) or not (attachment.owner.netns or netns_path):
            return False
        pod = netns.if_there(path, call.log)
        if pod is None:
            return False
        with pod:
            return pod.cookie == 0 or pod.cookie != attachment.owner.netns_cookie

    def sweep(self, call: Call) -> None:
        """Remove allocations whose owners are gone and that no record tells of."""
        recorded = {attachment.key for attachment in call.records.all()}
        for address in files.names(self._pci):
            if not pci.is_address(address) or address in recorded:
                continue
            with self.lock(address):
                pod = netns.if_there(self.noted_netns(address), call.log)
                if pod is None:
                    self.forget_owner(address)
                else:
                    pod.__exit__()


def taken(address: str, details: str) -> CniError:
    """Return the error for a VF that another attachment has, in sriov-cni's words."""
    return CniError(TRY_AGAIN_LATER, f"pci address {address} is already allocated", details)


def others(attachment: Attachment, call: Call, address: str = "") -> list[VfAttachment]:
    """Return all other recorded attachments, or those of the VF with this address only. Raises CniError (code 5)."""
    return [x for x in recorded(call, address) if x.owner.identity != attachment.owner.identity]
