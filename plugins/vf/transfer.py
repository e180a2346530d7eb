"""Give a VF back: find its link wherever it has got to, move it to the host, make VF and link what they were."""

from __future__ import annotations

import os
import time

from cni import identity, move, sysfs
from cni.errors import GENERIC, CniError, combined
from cni.identity import Sought
from cni.netlink import link
from cni.netlink.link import Link
from cni.netlink.socket import NetlinkError, RequestError
from cni.netlink.vf import VF
from cni.netns import NetNS
from plugins.common import restore, waiting
from plugins.common.fetch import fetched
from plugins.common.steps import attempt
from plugins.vf import device, mac, plan
from plugins.vf.attachment import Attachment
from plugins.vf.pf import NO_MAC, Entry
from plugins.vf.plan import Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni.log import Logger


def give_back(
    attachment: Attachment,
    host: NetNS,
    pod: NetNS | None,
    patience_s: float,
    others: Callable[[], list[Attachment]],
    sysfs_root: str,
    log: Logger,
) -> bool:
    """Put the attachment's VF back on the host as it was before ADD; return whether there is nothing left to do.

    pod: the attachment's namespace, None when it is gone. patience_s: how long to wait, in seconds, for a link that the
    kernel has still to save from a dying namespace; while it is there, the VF's settings stay as well, so that nothing
    is sent without its VLAN. others: returns all recorded attachments. A VF that a boot has reset, or that was removed,
    is logged and is no failure.
    Raises CniError for what the kernel refused; everything else is done.
    """
    name = attachment.name
    if not attachment.is_of_this_boot:
        log.info(f"{name} was attached before the machine's last boot: the boot has reset it")
        return True
    errors: list[CniError] = []
    if attachment.beside is not None:
        attempt(errors, attachment.beside.disconnect, host, others, errors, log)
    if not os.path.isdir(sysfs.pci_device(attachment.address, sysfs_root)):
        log.info(f"VF {attachment.address}, which was {name}, has been removed: nothing to give back")
        if attachment.beside is not None:
            attempt(errors, attachment.beside.restore, host, errors, log)
        if errors:
            raise combined(f"cleaning up after {name} ({attachment.address})", errors)
        return True
    found, seen = None, ""
    try:
        vf = device.find(attachment.address, sysfs_root, needs_pf=False)
        entry = _entry(attachment, vf, host, log)
        if attachment.original is not None:
            way = Way(attachment, attachment.original, vf, entry, host, sysfs_root)
            found, seen = way.fetch(pod, patience_s, errors, log)
    except CniError as e:
        raise combined(f"giving back {name} ({attachment.address})", [*errors, e]) from e
    except RequestError as e:
        reason = f"errno {e.errno}; " + (f"cannot {e.question}; " if e.question else "") + "its record stays"
        errors.append(CniError(GENERIC, f"cannot fetch {name} ({attachment.address}): {e.strerror}", reason))
        raise combined(f"giving back {name} ({attachment.address})", errors) from e
    if attachment.original is not None:
        driver = sysfs.driver(vf.path)
        if found is None and device.is_somewhere(vf, attachment.original.parent):
            where = f" nor in {pod.path}: {seen}" if pod is not None and seen else ""
            log.warning(
                f"{name} ({vf.address}, driver {driver}) has no link on the host yet{where}; its record stays: the "
                "next ADD or DEL looks"
            )
            if errors:
                raise combined(f"giving back {name} ({vf.address})", errors)
            return False
        if found is None:
            log.info(f"{vf.address}, which was {name}, has no such link any more: its driver is {driver or 'none'}")
    if attachment.beside is not None:
        attempt(errors, attachment.beside.restore, host, errors, log)
    if entry is not None:
        attempt(errors, _restore_settings, attachment, entry, errors, log)
    if found is not None and attachment.original is not None:
        original = attachment.original
        if not attachment.is_ours:  # the Go plugin did not note them
            original.up, original.altnames = found.up, found.altnames
            original.alias = "" if found.alias == original.name else found.alias  # our mark
        attempt(errors, restore.restore, host, found, original, attachment.master, log)
    if entry is not None:
        attempt(errors, _restore_admin_mac, attachment, entry, log)
    if errors:
        raise combined(f"giving back {name} ({vf.address})", errors)
    log.debug(f"{name} is back on the host")
    return True


class Way:
    """The way of a VF's link back to the host. original: the link as it was there. entry: the VF's at its PF, None when
    it was attached without one.
    """

    __slots__ = ("_root", "attachment", "entry", "host", "original", "vf")

    def __init__(
        self,
        attachment: Attachment,
        original: Link,
        vf: device.Device,
        entry: Entry | None,
        host: NetNS,
        sysfs_root: str,
    ) -> None:
        self.attachment = attachment
        self.original = original
        self.vf = vf
        self.entry = entry
        self.host = host
        self._root = sysfs_root

    def fetch(
        self, pod: NetNS | None, patience_s: float, errors: list[CniError], log: Logger
    ) -> tuple[Link | None, str]:
        """Return the VF's link on the host, with its MTU and MAC addresses, under its name if that is free, and down
        unless it never left; None when it is nowhere, and then, for a message, what is in the pod instead.

        What the driver may reset the VF for is done as long as the link is in the pod and the VF in its VLAN.
        """
        host, original, seen = self.host, self.original, ""
        found = device.on_host(self.vf, host, original.parent)
        if found is None and pod is not None:
            sought = _sought(self.attachment, self._root)
            links = link.dump(pod.netlink)
            in_pod, seen = identity.in_pod(sought, host, pod, self.attachment.knows(pod), links)
            if in_pod is not None:
                if in_pod.up:
                    # First of all: nothing is sent any more, and what the driver changes on it is seen below.
                    link.change(pod.netlink, in_pod.index, up=False)
                    in_pod = link.get(pod.netlink, index=in_pod.index) or in_pod
                self._restore_hardware(in_pod, pod, errors, log)
                in_pod = link.get(pod.netlink, index=in_pod.index) or in_pod
                found = fetched(sought, in_pod, links, host, pod, log)
                if found is not None:
                    return found, ""
        if found is None and _may_come(original, self.vf, self._root):
            found = waiting.for_link(lambda: device.on_host(self.vf, host, original.parent), patience_s)
        if found is None:
            return None, seen
        self._restore_hardware(found, host, errors, log)
        found = link.get(host.netlink, index=found.index) or found
        if (found.name, found.index) == (original.name, original.index):
            return found, ""
        # The kernel saved it from the dying pod, under the name that it had there last.
        try:
            return restore.rename(host, found, original.name, log), ""
        except CniError as e:
            errors.append(e)
            return found, ""

    def _restore_hardware(self, found: Link, netns: NetNS, errors: list[CniError], log: Logger) -> None:
        """Make what the VF itself holds what it was: the MTU first, for which some drivers reset the VF, then the MAC
        addresses. The link, which is in this namespace, is down afterwards if there was anything to do.
        """
        original, entry = self.original, self.entry
        changed_permanent = bool(original.permanent_mac) and found.permanent_mac not in ("", original.permanent_mac)
        changed_mac = bool(original.mac) and found.mac != original.mac
        changed_mtu = bool(original.mtu) and found.mtu != original.mtu
        if not (changed_permanent or changed_mac or changed_mtu):
            return
        if found.up:
            attempt(errors, restore.change, netns, found, {"up": False}, log)
        if changed_mtu:
            attempt(errors, restore.change, netns, found, {"mtu": original.mtu}, log)
        if entry is not None and changed_permanent:
            attempt(errors, _restore_permanent_mac, original, found, entry, netns, log)
        if entry is not None and self.attachment.wanted.mac:
            # First through the PF: one that it set keeps the VF from having another.
            admin = NO_MAC if changed_permanent else _admin_mac(self.attachment)
            attempt(errors, _set_admin_mac, self.attachment, entry, admin, log)
        if original.mac:
            attempt(errors, mac.set_effective, netns, found.index, original.mac)


def is_back(attachment: Attachment, host: NetNS, patience_s: float, sysfs_root: str) -> bool:
    """Return whether the VF's link is on the host, or comes back within the time, in seconds. A VF without one is."""
    original = attachment.original
    if original is None or not os.path.isdir(sysfs.pci_device(attachment.address, sysfs_root)):
        return True
    vf = device.find(attachment.address, sysfs_root, needs_pf=False)
    if not _may_come(original, vf, sysfs_root):
        return True
    found = waiting.for_link(lambda: device.on_host(vf, host, original.parent), patience_s)
    return found is not None or not device.is_somewhere(vf, original.parent)


def _may_come(original: Link, vf: device.Device, sysfs_root: str) -> bool:
    """Return whether a link that is nowhere to be seen is worth to wait for: the VF is bound to a driver of NICs, which
    may be about to make it anew, and the device behind it is there. That of a vDPA device comes and goes.
    """
    is_there = original.parent in ("", *device.parents(vf.address, sysfs_root))
    return is_there and bool(sysfs.driver(vf.path)) and not vf.is_userspace


def find_in_pod(attachment: Attachment, host: NetNS, pod: NetNS, sysfs_root: str) -> Link | None:
    """Return the VF's link in the pod, which may have renamed it and changed its address; None also for a VF that has
    none.
    """
    if attachment.original is None:
        return None
    return identity.in_pod(_sought(attachment, sysfs_root), host, pod, attachment.knows(pod))[0]


def _sought(attachment: Attachment, sysfs_root: str) -> Sought:
    """Return what the VF's link is known by: the device behind it, which may be a virtio device on the VF."""
    known = attachment.original.parent if attachment.original is not None else ""
    return attachment.sought((known,) if known else device.parents(attachment.address, sysfs_root))


def fetch_unrecorded(address: str, host: NetNS, pod: NetNS, sysfs_root: str, log: Logger) -> bool:
    """Move a VF's link from a pod to the host, knowing nothing but its PCI address; return whether it was in the pod.

    Its name is an alternative one that it has, which is udev's for it, or one after its PF. Raises CniError.
    """
    parents = device.parents(address, sysfs_root)
    found = next((x for x in link.dump(pod.netlink) if x.parent in parents and x.movable is not False), None)
    if found is None:
        return False
    vf = device.find(address, sysfs_root, needs_pf=False)
    name = next(iter(found.altnames), "") or f"{vf.pf[: link.IFNAMSIZ - 5] or 'vf'}v{max(vf.index, 0)}"
    back = move.onto_host(host, pod, found, name, log)
    if back is not None:
        restore.without_filters(host, back, log)
        name = back.name
    log.warning(f"VF {address} has no record: its link is {name} on the host now, and keeps the settings it was given")
    return True


def _entry(attachment: Attachment, vf: device.Device, host: NetNS, log: Logger) -> Entry | None:
    """Return the VF's entry at its PF, None when it was attached without a PF, or the PF has lost its link: what was
    set there is lost with it, and no later DEL would find it.
    """
    if not attachment.pf:
        return None
    # The PF's link may have got another name since.
    pf = link.get(host.netlink, name=vf.pf or attachment.pf)
    if pf is None:
        log.warning(f"cannot reset VF {attachment.address}: its PF {attachment.pf} has no link on the host")
        return None
    return Entry(host, pf.name, pf.index, attachment.address, vf.index if vf.index >= 0 else attachment.index)


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


def _restore_settings(attachment: Attachment, entry: Entry, errors: list[CniError], log: Logger) -> None:
    """Make the VF's settings at the PF what they were, as far as ADD changed them."""
    original = attachment.table or VF(attachment.index)
    for setting in plan.to_restore(attachment.wanted, original, entry.read()):
        attempt(errors, entry.make_or_warn, setting, log)


def _restore_admin_mac(attachment: Attachment, entry: Entry, log: Logger) -> None:
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


def _admin_mac(attachment: Attachment) -> str:
    """Return the administrative MAC address from before ADD, as far as it is known."""
    return (attachment.table.mac if attachment.table is not None else "") or NO_MAC


def _set_admin_mac(attachment: Attachment, entry: Entry, address: str, log: Logger) -> None:
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
