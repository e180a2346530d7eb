"""Whose a VF is: its lock, its allocation, the records of attachments, and the taking back of what dead pods left.

Below the folder of the records, as sriov-cni has them: `pci/<PCI address>` holds the namespace path of the owner, and
is stale once that namespace cannot be opened; `pci/vf_lock/<PCI address>.lock` is the lock. A VF belongs to the
attachment whose record was written last: ADD puts right and removes the records of dead pods first. A kind of plugin
whose original notes no owners does without the allocations; a record is what has a VF then.
"""

from __future__ import annotations

import os

from cni.attach import dead
from cni.attach.dead import Living
from cni.attach.pod import RecordedPod
from cni.attach.state import Store
from cni.attach.waiting import PATIENCE_S
from cni.linux import boot, files, netns, sysfs
from cni.linux.lock import FileLock
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, TRY_AGAIN_LATER, CniError
from cni.protocol.section import Section
from ipam import delegate
from plugins.vf import device, transfer
from plugins.vf.attachment import Attachment
from plugins.vf.kind import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.request import Request

LOCK_TIMEOUT_S = 60.0


class Claims:
    """The records and allocations of one kind of plugin on one node. sysfs_root: where sysfs is mounted."""

    __slots__ = ("_log", "_pci", "kind", "store", "sysfs_root")

    def __init__(self, kind: Kind, log: Logger, sysfs_root: str = sysfs.ROOT) -> None:
        self._log = log
        self.kind = kind
        self.store = Store(kind.state_folder, log, foreign=True, by_network=kind.by_network, others=kind.other_files)
        self._pci = os.path.join(kind.state_folder, "pci")
        self.sysfs_root = sysfs_root

    def lock(self, address: str, timeout_s: float = LOCK_TIMEOUT_S) -> FileLock:
        """Return the lock of a VF; entering it raises CniError (code 11) when others hold it for that long."""
        files.ensure_folder(self.store.folder)
        files.ensure_folder(self._pci)
        folder = os.path.join(self._pci, "vf_lock")
        files.ensure_folder(folder)
        return FileLock(os.path.join(folder, f"{address}.lock"), timeout_s)

    def load(self, container_id: str, ifname: str, network: str) -> Attachment | None:
        """Return the recorded attachment, None when there is no record that can be believed. Raises CniError."""
        found = self.store.load(container_id, ifname, network)
        return None if found is None else self._believed(found)

    def of_interface(self, container_id: str, ifname: str, network: str) -> Attachment | None:
        """Return the recorded attachment of a pod's interface, preferably to this network, else to any; None when there
        is no record that can be believed. Raises CniError.
        """
        found = self.load(container_id, ifname, network)
        if found is None and self.kind.by_network:
            for other in self.store.networks(container_id, ifname):
                found = found or self.load(container_id, ifname, other)
        return found

    def of_delete(self, container_id: str, ifname: str, network: str) -> Attachment | None:
        """Return the recorded attachment that DEL is about, None when there is no record that can be believed. Where
        the configuration does not tell the network, the interface has to do. Raises CniError.
        """
        load = self.load if network else self.of_interface
        return load(container_id, ifname, network)

    def load_all(self, address: str | None = None, mentioning: str = "") -> list[Attachment]:
        """Return all recorded attachments whose records can be believed, or those of the VF with this address only.

        mentioning: as in `cni.attach.state.Store.all`, for who gives no address. Raises CniError (code 5).
        """
        found = (self._believed(entry) for entry in self.store.all(mentioning=address or mentioning))
        return [entry for entry in found if entry is not None and address in (None, entry.address)]

    def _believed(self, found: dict[str, object]) -> Attachment | None:
        try:
            claim = self.kind.from_record(found, self.sysfs_root)
        except CniError as e:
            self._log.warning(f"the record of {found['ifName']} of {found['containerID']} is not used: {e}")
            return None
        if not claim.is_ours:
            claim.allocated_to = self.owner(claim.address) if self.kind.allocates else ""
            if self._is_of_earlier_boot(claim):
                claim.owner.boot_id = boot.EARLIER
        return claim

    def _is_of_earlier_boot(self, claim: Attachment) -> bool:
        """Return whether a record that does not name its boot was written before this one, and the VF's link is on the
        host under its name, where a boot puts it: the clock may have been wrong, and a link that is away is in a pod.
        """
        if self.store.written_ns(claim.container_id, claim.ifname, claim.network) >= boot.began_ns():
            return False
        names = sysfs.netdevs(sysfs.pci_device(claim.address, self.sysfs_root))
        return claim.original is not None and claim.original.name in names

    def make(self, claim: Attachment, conf: Section) -> None:
        """Write record and allocation, durably. conf: the network configuration."""
        self.note(claim, conf)
        if self.kind.allocates:
            files.write_atomic(self._allocation(claim.address), claim.netns.encode("utf-8", "surrogateescape"))

    def note(self, claim: Attachment, conf: Section) -> None:
        """Write the record, durably, in place of an older one. conf: the network configuration."""
        self.store.save(claim.container_id, claim.ifname, self.kind.to_record(claim, conf), claim.network)

    def _forget(self, claim: Attachment) -> None:
        self.store.remove(claim.container_id, claim.ifname, claim.network)

    def _allocation(self, address: str) -> str:
        return os.path.join(self._pci, address)

    def _release(self, address: str) -> None:
        """Remove a VF's allocation, and what a killed ADD left of it. The caller holds the VF's lock."""
        path = self._allocation(address)
        files.remove(files.temporary_path(path))
        files.remove(path)

    def owner(self, address: str) -> str:
        """Return the namespace path of a VF's owner as it was allocated, empty when it was not."""
        return (files.read(self._allocation(address)) or b"").decode("utf-8", "surrogateescape").strip()

    def make_free(self, address: str, host: NetNS) -> None:
        """Make sure that a VF belongs to nobody who lives, and put one that a dead pod left back to what it was.

        The caller holds the VF's lock. Raises CniError: code 11 when another attachment has the VF, and when a dead
        pod's has not come back yet.
        """
        taken = CniError(TRY_AGAIN_LATER, f"pci address {address} is already allocated")
        claims = self.load_all(address)
        path = self.owner(address)
        pod = netns.if_there(path, self._log)
        if pod is not None:
            with pod:
                cookie = pod.cookie
            # A path may have been given to another pod since; then a record of ours knows the namespace as another one.
            recycled = any(cookie not in (0, x.netns_cookie) for x in claims if x.netns == path and x.netns_cookie)
            if not recycled:
                whose = ", ".join(["the pod in " + path, *(x.owner.describe() for x in claims if x.home == path)])
                taken.details = f"it belongs to {whose}; nothing was changed"
                raise taken
        for claim in claims:
            if not claim.is_of_this_boot:
                self.give_back(claim, host, None)
                continue
            with RecordedPod(claim.owner, (), self._log) as home:
                if home is not None and self._is_in(claim, host, home):
                    taken.details = f"{claim.owner.describe()} has it as {claim.ifname} in {home.path}"
                    raise taken
            # Where the pod lives, or nobody knows where it is, only a link on the host tells that it lost the VF.
            is_dead = claim.netns and home is None
            if not is_dead and not transfer.is_back(claim, host, PATIENCE_S, self.sysfs_root):
                taken.details = f"{claim.owner.describe()} has it as {claim.ifname}; nothing was changed"
                raise taken
            self._log.warning(f"{claim.name} was left behind by {claim.container_id}: taking it over")
            if not self.give_back(claim, host, None, PATIENCE_S):
                taken.details = f"it has not come back from the pod of {claim.owner.describe()} yet"
                raise taken

    def _is_in(self, claim: Attachment, host: NetNS, home: NetNS) -> bool:
        """Return whether the VF of a record is in the pod that the record names, which lives."""
        if claim.original is None:  # nothing of it is to be seen there
            return not self.kind.allocates
        return transfer.find_in_pod(claim, host, home, self.sysfs_root) is not None

    def lives(self, claim: Attachment) -> bool:
        """Return whether the pod of an attachment is there, by what its record or the VF's allocation says."""
        with RecordedPod(claim.owner, (claim.home,), self._log) as pod:
            return pod is not None

    def detach(
        self,
        claim: Attachment,
        host: NetNS,
        netns_path: str = "",
        patience_s: float = 0.0,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        keep: bool = False,
    ) -> bool:
        """Give the VF of a recorded attachment back, under the VF's lock, if it is still the attachment's; return
        whether nothing is left to do.

        netns_path: where the runtime says that the pod's namespace is, if not where the record says. patience_s: as in
        `transfer.give_back`. lock_timeout_s: how long to wait for the lock. keep: whether the record is to stay
        nevertheless. Raises CniError; the record stays then.
        """
        with self.lock(claim.address, lock_timeout_s):
            current = self.load(claim.container_id, claim.ifname, claim.network)
            if current is None:  # another DEL was faster
                return True
            if (current.address, current.netns, current.netns_cookie) != (
                claim.address,
                claim.netns,
                claim.netns_cookie,
            ):
                raise CniError(TRY_AGAIN_LATER, f"{claim.ifname} of {claim.container_id} has just been attached anew")
            if not self._owns(current, netns_path):
                self._log.warning(f"VF {claim.address} belongs to another pod by now: left alone")
                if current.beside is not None and current.is_of_this_boot:
                    current.beside.release(host, lambda: self._others(current), self._log)
                self._forget(claim)
                return True
            paths = (netns_path, self.owner(claim.address))
            with RecordedPod(claim.owner, paths, self._log) as pod:
                return self.give_back(current, host, pod, patience_s, keep)

    def give_back_dead(self, host: NetNS, besides: tuple[str, str, str] | None = None) -> None:
        """Give back what pods that are gone have left, addresses too; never fails (`cni.attach.dead`).

        besides: container ID, interface name and network of the request's own attachment, which sees to itself.
        """
        found = (self._believed(raw) for raw in self.store.all(passing=dead.may_be))
        dead.give_back(
            (x for x in found if x is not None and x.owner.identity != besides),
            Living(self._log),
            lambda x: self.store.adding(x.container_id, x.ifname, 0.0),
            lambda x: self.detach(x, host, lock_timeout_s=0.0),
            lambda x: delegate.release_recorded(
                x.owner.ipam, x.network, x.container_id, x.ifname, self._log, timeout_s=dead.STORE_TIMEOUT_S
            ),
            self._log,
        )

    def _owns(self, claim: Attachment, netns_path: str) -> bool:
        """Return whether the VF is the attachment's: nobody has claimed it since. The caller holds the VF's lock."""
        written = self.store.written_ns(claim.container_id, claim.ifname, claim.network)
        for other in self._others(claim, claim.address):
            if self.store.written_ns(other.container_id, other.ifname, other.network) > written:
                return False
        path = self.owner(claim.address)
        if path in ("", claim.netns, netns_path) or not (claim.netns or netns_path):
            return True
        pod = netns.if_there(path, self._log)
        if pod is None:
            return True
        with pod:
            return pod.cookie != 0 and pod.cookie == claim.netns_cookie

    def _others(self, claim: Attachment, address: str | None = None) -> list[Attachment]:
        """Return all other recorded attachments, or those of the VF with this address only."""
        identity = (claim.container_id, claim.ifname, claim.network)
        return [x for x in self.load_all(address) if (x.container_id, x.ifname, x.network) != identity]

    def give_back(
        self, claim: Attachment, host: NetNS, pod: NetNS | None, patience_s: float = 0.0, keep: bool = False
    ) -> bool:
        """Give the VF back and, when nothing is left to do, forget the attachment; return whether that was so.

        keep: as in `detach`. The caller holds the VF's lock.
        """
        done = transfer.give_back(claim, host, pod, patience_s, self.load_all, self.sysfs_root, self._log)
        if done:
            self._release(claim.address)
            if not keep:
                self._forget(claim)
        return done

    def undo(self, claim: Attachment, host: NetNS, pod: NetNS) -> None:
        """Give the VF back, as the undo of an ADD that failed. Raises CniError when it has no link to be found."""
        if not self.give_back(claim, host, pod):
            raise CniError(GENERIC, f"{claim.name} has no link on the host; its record stays")

    def forget_remains(self, container_id: str, ifname: str, network: str) -> None:
        """Remove what a damaged record, or a killed ADD or DEL, left of an attachment that has no record."""
        self.store.remove_remains(container_id, ifname, network)

    def release_unrecorded(self, request: Request, conf: NetConf, address: str, host: NetNS) -> None:
        """Take a VF back from a pod that has it, and disconnect it, though no record tells of it: that was damaged, or
        somebody removed it. What the VF was like before is not known. conf: the network configuration. Raises CniError.
        """
        if self.kind.allocates and not request.netns:  # that is what owners are known by
            return
        with self.lock(address):
            if self.load_all(address):
                return
            if self.kind.allocates and self.owner(address) != request.netns:
                return
            was_attached = self.store.has(request.container_id, request.ifname, conf.name)
            pod = netns.if_there(request.netns, self._log)
            if pod is not None:
                with pod:
                    fetched = transfer.fetch_unrecorded(address, host, pod, self.sysfs_root, self._log)
                    was_attached = fetched or was_attached
            try:
                vf = device.find(address, self.sysfs_root, needs_pf=False)
            except CniError as e:  # it was removed, or never was a VF
                self._log.info(f"{e}: nothing to disconnect")
            else:
                # A link that is in neither namespace is in that of another pod, which no record tells of either.
                if was_attached or not device.is_away(vf, host):
                    self.kind.disconnect_unrecorded(conf, vf, was_attached, host, self.sysfs_root, self._log)
            self._release(address)

    def sweep(self) -> None:
        """Remove allocations whose owners are gone and that no record tells of, and locks of killed commands (GC)."""
        recorded = {claim.address for claim in self.load_all()}
        for address in files.names(self._pci):
            if not sysfs.is_pci_address(address) or address in recorded:
                continue
            with self.lock(address):
                pod = netns.if_there(self.owner(address), self._log)
                if pod is None:
                    self._release(address)
                else:
                    pod.__exit__()
        self.store.sweep()
