"""What the plugins for VFs have in common for the engine: whose VFs are, and how they find back."""

from __future__ import annotations

from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.linux import boot, pci
from cni.protocol.config import NetConf
from cni.protocol.errors import CniError
from plugins.vf import config, unrecorded, vf
from plugins.vf.attachment import VfAttachment, recorded
from plugins.vf.config import VfConfig
from plugins.vf.device import VfDevice
from plugins.vf.ownership import Ownership, others
from plugins.vf.returning import VfReturn
from plugins.vf.vf import Vf


class VfPlugin(Ownership):
    """A plugin for VFs, but for its parameters and the form of its records."""

    __slots__ = ()

    is_shared = True

    def named(self, conf: NetConf) -> VfDevice | None:
        address = config.address_of(conf)
        return VfDevice(VfConfig(address), self) if address else None

    def returning(self, attachment: Attachment, call: Call) -> VfReturn:
        assert isinstance(attachment, VfAttachment)
        return VfReturn(attachment, call, self.sysfs_root)

    def complete(self, attachment: Attachment, written_ns: int) -> None:
        """A record that does not name its boot was written before this one if it is older, and the VF's link is on the
        host under its name, where a boot puts it: the clock may have been wrong, and a link that is away is in a pod.
        """
        assert isinstance(attachment, VfAttachment)
        attachment.allocated_to = self.noted_netns(attachment.address) if self.allocates else ""
        if written_ns >= boot.began_ns() or attachment.original is None:
            return
        if attachment.original.name in pci.netdevs(pci.folder(attachment.address, self.sysfs_root)):
            attachment.owner.boot_id = boot.EARLIER

    def leave(self, attachment: Attachment, call: Call) -> None:
        assert isinstance(attachment, VfAttachment)
        if attachment.beside is not None and attachment.is_of_this_boot:
            attachment.beside.release(call.host, lambda: others(attachment, call), call.log)

    def release_unrecorded(self, call: Call, was_recorded: bool) -> bool:
        if was_recorded:
            return False
        request, log = call.request, call.log
        log.info(f"{request.ifname} of {request.container_id} has no record: no VF to give back")
        try:
            address = config.address_of(call.conf)
        except CniError as e:
            log.warning(f"{e}; without a record, this DEL has no VF to give back")
            address = ""
        # Without allocations the namespace is not needed: nobody is known by it.
        if address and (request.netns or not self.allocates):
            with self.lock(address):
                self._release(address, call)
        # Last: even a damaged record tells the next DEL that there was an attachment.
        return super().release_unrecorded(call, was_recorded)

    def _release(self, address: str, call: Call) -> None:
        if recorded(call, address) or (self.allocates and self.noted_netns(address) != call.request.netns):
            return
        was_attached = call.records.store.has(*call.identity)
        was_attached = unrecorded.fetch(address, call, self.sysfs_root) or was_attached
        try:
            found = vf.find(address, self.sysfs_root, needs_pf=False)
        except CniError as e:  # it was removed, or never was a VF
            call.log.info(f"{e}: nothing to disconnect")
        else:
            # A link that is in neither namespace is in that of another pod, which no record tells of either.
            if was_attached or not vf.is_away(found, call.host):
                self.disconnect_unrecorded(found, was_attached, call)
        self.forget_owner(address)

    def disconnect_unrecorded(self, found: Vf, was_attached: bool, call: Call) -> None:
        """Disconnect what can be told, by configuration and sysfs, to be connected besides a VF that has no record.

        was_attached: whether it is known that there was such an attachment; if not, this may be a DEL before any ADD,
        or after another DEL. Raises CniError.
        """
