"""How a VF finds back: its link from wherever that has got to, then VF, link and settings at the PF as they were."""

from __future__ import annotations

import os
import time

from cni.attach import restore, waiting
from cni.attach.call import Call
from cni.attach.give_back import Return
from cni.attach.identity import Sought
from cni.attach.step import attempt
from cni.linux import pci
from cni.linux.log import Logger
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netlink.socket import NetlinkError, RequestError
from cni.linux.netlink.vf import VF
from cni.linux.netns import NetNS
from cni.protocol.errors import CniError
from plugins.vf import mac, plan, vf
from plugins.vf.attachment import VfAttachment, recorded
from plugins.vf.pf import NO_MAC, Entry
from plugins.vf.plan import Setting
from plugins.vf.vf import Vf


class VfReturn(Return):
    """A VF on its way back. records: of all attachments, which may share what is connected."""

    __slots__ = ("_entry", "_root", "_vf")

    attachment: VfAttachment
    _vf: Vf

    def __init__(self, attachment: VfAttachment, call: Call, sysfs_root: str) -> None:
        super().__init__(attachment, call)
        self._root = sysfs_root
        self._entry: Entry | None = None

    @property
    def title(self) -> str:
        return f"{self.attachment.name} ({self.attachment.address})"

    def disconnect(self, errors: list[CniError]) -> None:
        if self.attachment.beside is not None:
            self.attachment.beside.disconnect(self.call.host, lambda: recorded(self.call), errors, self.call.log)

    def is_removed(self) -> bool:
        if os.path.isdir(pci.folder(self.attachment.address, self._root)):
            return False
        name, address = self.attachment.name, self.attachment.address
        self.call.log.info(f"VF {address}, which was {name}, has been removed: nothing to give back")
        return True

    def look(self) -> None:
        self._vf = vf.find(self.attachment.address, self._root, needs_pf=False)
        self._entry = _entry(self.attachment, self._vf, self.call.host, self.call.log)

    def on_host(self) -> Link | None:
        return vf.on_host(self._vf, self.call.host, self.original_parent)

    @property
    def original_parent(self) -> str:
        """What the device behind the link was called."""
        return self.attachment.original.parent if self.attachment.original is not None else ""

    def was_left_alone(self, found: Link, pod: NetNS | None, was_touched: bool) -> bool:
        """What a VF is like tells nobody who made it so."""
        return False

    def left_behind(self) -> Link | None:
        """Its address tells a VF's link, whatever its name is."""
        return None

    def sought(self) -> Sought:
        return sought(self.attachment, self._root)

    def before_leaving(self, found: Link, pod: NetNS, errors: list[CniError]) -> Link:
        """What the driver may reset the VF for is done as long as the link is in the pod and the VF in its VLAN."""
        if found.up:
            # First of all: nothing is sent any more, and what the driver changes on it is seen below.
            link.change(pod.netlink, found.index, up=False)
            found = link.get(pod.netlink, index=found.index) or found
        return self._with_hardware_restored(found, pod, errors)

    def may_come(self) -> bool:
        original = self.attachment.original
        return original is not None and _may_come(original, self._vf, self._root)

    def after_arriving(self, found: Link, errors: list[CniError]) -> Link:
        return self._with_hardware_restored(found, self.call.host, errors)

    def is_over(self, pod: NetNS | None, seen: str) -> bool:
        name, address, driver = self.attachment.name, self.attachment.address, pci.driver(self._vf.path)
        if not vf.is_somewhere(self._vf, self.original_parent):
            self.call.log.info(
                f"{address}, which was {name}, has no such link any more: its driver is {driver or 'none'}"
            )
            return True
        where = f" nor in {pod.path}: {seen}" if pod is not None and seen else ""
        self.call.log.warning(
            f"{name} ({address}, driver {driver}) has no link on the host yet{where}; its record stays: the next ADD "
            "or DEL looks"
        )
        return False

    def reconnect(self, errors: list[CniError]) -> None:
        if self.attachment.beside is not None:
            self.attachment.beside.restore(self.call.host, errors, self.call.log)

    def restore_settings(self, errors: list[CniError]) -> None:
        """Those at the PF, as far as ADD changed them."""
        entry = self._entry
        if entry is None:
            return
        original = self.attachment.table or VF(self.attachment.index)
        for setting in plan.to_restore(self.attachment.wanted, original, entry.read()):
            attempt(errors, entry.make_or_warn, setting, self.call.log)

    def original_for(self, found: Link) -> Link:
        """The Go plugins note less of it."""
        original = super().original_for(found)
        if not self.attachment.is_ours:
            original.up, original.altnames = found.up, found.altnames
            original.alias = "" if found.alias == original.name else found.alias  # our mark
        return original

    def finish(self, errors: list[CniError]) -> None:
        if self._entry is not None:
            _restore_admin_mac(self.attachment, self._entry, self.call.log)

    def _with_hardware_restored(self, found: Link, netns: NetNS, errors: list[CniError]) -> Link:
        """Make what the VF itself holds what it was: the MTU first, for which some drivers reset the VF, then the MAC
        addresses. Return the link, which is in this namespace, and down afterwards if there was anything to do.
        """
        original, entry = self.attachment.original, self._entry
        assert original is not None
        changed_permanent = bool(original.permanent_mac) and found.permanent_mac not in ("", original.permanent_mac)
        changed_mac = bool(original.mac) and found.mac != original.mac
        changed_mtu = bool(original.mtu) and found.mtu != original.mtu
        if not (changed_permanent or changed_mac or changed_mtu):
            return found
        attempt(errors, restore.change, netns, found, {"up": False}, self.call.log)
        attempt(errors, restore.change, netns, found, {"mtu": original.mtu or found.mtu}, self.call.log)
        if entry is not None and changed_permanent:
            attempt(errors, _restore_permanent_mac, original, found, entry, netns, self.call.log)
        if entry is not None and self.attachment.wanted.mac:
            # First through the PF: one that it set keeps the VF from having another.
            admin = NO_MAC if changed_permanent else _admin_mac(self.attachment)
            attempt(errors, _set_admin_mac, self.attachment, entry, admin, self.call.log)
        if original.mac:
            attempt(errors, mac.set_effective, netns, found.index, original.mac)
        return link.get(netns.netlink, index=found.index) or found


def without_mac(attachment: VfAttachment, host: NetNS, sysfs_root: str, log: Logger) -> bool:
    """Take the MAC address that ADD gave a VF from it, at its PF; return whether the VF is without it there. All else
    stays as it is. Raises CniError.
    """
    entry = _entry(attachment, vf.find(attachment.address, sysfs_root, needs_pf=False), host, log)
    if entry is None:
        return True
    _set_admin_mac(attachment, entry, _admin_mac(attachment), log)
    now = entry.read()
    return now is None or now.mac != attachment.wanted.mac


def is_back(attachment: VfAttachment, host: NetNS, patience_s: float, sysfs_root: str) -> bool:
    """Return whether the VF's link is on the host, or comes back within the time, in seconds. A VF without one is."""
    original = attachment.original
    if original is None or not os.path.isdir(pci.folder(attachment.address, sysfs_root)):
        return True
    found_vf = vf.find(attachment.address, sysfs_root, needs_pf=False)
    if not _may_come(original, found_vf, sysfs_root):
        return True
    found = waiting.for_link(lambda: vf.on_host(found_vf, host, original.parent), patience_s)
    return found is not None or not vf.is_somewhere(found_vf, original.parent)


def _may_come(original: Link, found: Vf, sysfs_root: str) -> bool:
    """Return whether a link that is nowhere to be seen is worth to wait for: the VF is bound to a driver of NICs, which
    may be about to make it anew, and the device behind it is there. That of a vDPA device comes and goes.
    """
    is_there = original.parent in ("", *vf.parents(found.address, sysfs_root))
    return is_there and bool(pci.driver(found.path)) and not found.is_userspace


def sought(attachment: VfAttachment, sysfs_root: str) -> Sought:
    """Return what the VF's link is known by: the device behind it, which may be a virtio device on the VF."""
    known = attachment.original.parent if attachment.original is not None else ""
    return attachment.sought((known,) if known else vf.parents(attachment.address, sysfs_root))


def _entry(attachment: VfAttachment, found: Vf, host: NetNS, log: Logger) -> Entry | None:
    """Return the VF's entry at its PF, None when it was attached without a PF, or the PF has lost its link: what was
    set there is lost with it, and no later DEL would find it.
    """
    if not attachment.pf:
        return None
    # The PF's link may have got another name since.
    pf = link.get(host.netlink, name=found.pf or attachment.pf)
    if pf is None:
        log.warning(f"cannot reset VF {attachment.address}: its PF {attachment.pf} has no link on the host")
        return None
    return Entry(host, pf.name, pf.index, attachment.address, found.index if found.index >= 0 else attachment.index)


def _restore_permanent_mac(original: Link, found: Link, entry: Entry, netns: NetNS, log: Logger) -> None:
    """Give a VF back the address that its driver takes for permanent, where that is the one which the VF had when
    it was last reset (igbvf). The PF lets the VF have it for the length of a reset.
    """
    try:
        entry.make(Setting(plan.MAC, NO_MAC))
        mac.set_effective(netns, found.index, original.permanent_mac)
        mac.reset(netns, found.index)
    except CniError as e:
        if isinstance(e.__cause__, RequestError) and not isinstance(e.__cause__, NetlinkError):
            raise
        log.info(f"the permanent address of {original.name} is not restored: {e}")
        return
    now = link.get(netns.netlink, index=found.index)
    if now is None or now.permanent_mac != original.permanent_mac:
        log.info(f"the driver of {original.name} does not take its permanent address {original.permanent_mac} back")


def _restore_admin_mac(attachment: VfAttachment, entry: Entry, log: Logger) -> None:
    """Make the administrative MAC address what it was, as the last step: a VF that comes up, or is given an address,
    reports it to the PF, in whose table it then is. Where ADD set one, DEL sets one: the table does not tell one that
    binds the VF from one that the VF has chosen itself.
    """
    original = _admin_mac(attachment)
    current = entry.read()
    if not attachment.wanted.mac and original != NO_MAC:
        # What the VF reports, some drivers tell the PF some time later; to set it would bind the VF to it.
        for _ in range(mac.ATTEMPTS):
            if current is None or current.mac == original:
                return
            time.sleep(mac.INTERVAL_S)
            current = entry.read()
    if current is None:
        if attachment.wanted.mac:
            _set_admin_mac(attachment, entry, original, log)
        return
    binding = bool(attachment.wanted.mac) and original != NO_MAC
    if current.mac and (binding or current.mac != original):
        _set_admin_mac(attachment, entry, original, log)


def _admin_mac(attachment: VfAttachment) -> str:
    """Return the administrative MAC address from before ADD, as far as it is known."""
    return (attachment.table.mac if attachment.table is not None else "") or NO_MAC


def _set_admin_mac(attachment: VfAttachment, entry: Entry, address: str, log: Logger) -> None:
    """Set the administrative MAC address. A driver that does not take an empty one gets the VF's own, so that at least
    the pod's is gone. Raises CniError.
    """
    if address != NO_MAC:
        entry.make_or_warn(Setting(plan.MAC, address), log)
        return
    try:
        entry.make(Setting(plan.MAC, address))
    except CniError as e:
        if not isinstance(e.__cause__, NetlinkError):  # an answer that was lost, and no refusal
            raise
        log.warning(f"{e}; the VF keeps an administrative MAC address")
        own = attachment.original.mac if attachment.original is not None else ""
        if attachment.wanted.mac and own:
            entry.make_or_warn(Setting(plan.MAC, own), log)
