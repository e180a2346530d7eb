"""Give a VF back: find its link wherever it has got to, move it to the host, make VF and link what they were."""

from __future__ import annotations

import os

from cni import move, sysfs
from cni.errors import GENERIC, CniError, combined
from cni.netlink import link
from cni.netlink.link import Link
from cni.netlink.socket import NetlinkError
from cni.netlink.vf import VF
from cni.netns import NetNS
from plugins.common import boot, restore, waiting
from plugins.sriov import device, mac, plan
from plugins.sriov.pf import NO_MAC, Entry
from plugins.sriov.plan import Setting
from plugins.sriov.record import Attachment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni.log import Logger


def give_back(
    attachment: Attachment, host: NetNS, pod: NetNS | None, patience_s: float, sysfs_root: str, log: Logger
) -> bool:
    """Put the attachment's VF back on the host as it was before ADD; return whether there is nothing left to do.

    pod: the attachment's namespace, None when it is gone. patience_s: how long to wait, in seconds, for a link that the
    kernel has still to save from a dying namespace; while it is there, the VF's settings stay as well, so that nothing
    is sent without its VLAN. A VF that a boot has reset, or that was removed, is logged and is no failure.
    Raises CniError for what the kernel refused; everything else is done.
    """
    name = attachment.name
    if attachment.boot_id and attachment.boot_id != boot.current():
        log.info(f"{name} was attached before the machine's last boot: the boot has reset it")
        return True
    if not os.path.isdir(sysfs.pci_device(attachment.address, sysfs_root)):
        log.info(f"VF {attachment.address}, which was {name}, has been removed: nothing to give back")
        return True
    vf = device.find(attachment.address, sysfs_root)
    found = None
    if attachment.original is not None:
        found = _find(attachment, attachment.original, vf, host, pod, patience_s, log)
        driver = sysfs.driver(vf.path)
        if found is None and driver and not vf.is_userspace:
            log.warning(f"{name} ({vf.address}, driver {driver}) has no link on the host yet: its record stays")
            return False
        if found is None:
            log.info(f"{vf.address}, which was {name}, has no link: it is bound to {driver or 'no driver'}")
    errors: list[CniError] = []
    entry = _entry(attachment, vf, host, errors)
    if entry is not None:
        _restore_settings(attachment, entry, errors)
    if found is not None and attachment.original is not None:
        _restore_link(attachment, attachment.original, found, entry, host, errors, log)
    if entry is not None:
        _attempt(errors, _restore_admin_mac, attachment, entry)
    if errors:
        raise combined(f"giving back {name} ({vf.address})", errors)
    log.debug(f"{name} is back on the host")
    return True


def _attempt(errors: list[CniError], function: Callable[..., object], *arguments: object) -> None:
    try:
        function(*arguments)
    except CniError as e:
        errors.append(e)
    except NetlinkError as e:
        errors.append(CniError(GENERIC, f"the kernel did not answer: {e.strerror}", f"errno {e.errno}"))


def _find(
    attachment: Attachment,
    original: Link,
    vf: device.Device,
    host: NetNS,
    pod: NetNS | None,
    patience_s: float,
    log: Logger,
) -> Link | None:
    """Return the VF's link on the host, under its name if that is free, and down unless it never left."""
    found = device.on_host(vf, host)
    if found is None and pod is not None:
        in_pod = find_in_pod(attachment, pod)
        if in_pod is not None:
            return link.get(host.netlink, name=move.onto_host(host, pod, in_pod, original.name, log))
    if found is None and sysfs.driver(vf.path) and not vf.is_userspace:
        found = waiting.for_link(lambda: device.on_host(vf, host), patience_s)
    if found is None or (found.name, found.index) == (original.name, original.index):
        return found
    # The kernel saved it from the dying pod, under the name that it had there last.
    if found.up:
        link.change(host.netlink, found.index, up=False)
        found.up = False
    return restore.rename(host, found, original.name, log)


def find_in_pod(attachment: Attachment, pod: NetNS) -> Link | None:
    """Return the VF's link in the pod, which may have renamed it and changed its address.

    The kernel tells the PCI address of the device behind a link. Before Linux 5.14 it does not; then it is the link
    with the attachment's name that no driver of virtual links made.
    """
    links = link.dump(pod.netlink)
    of_vf = [x for x in links if x.parent == attachment.address]
    if not of_vf:
        of_vf = [x for x in links if not x.parent and not x.kind and x.name == attachment.ifname]
    port = attachment.original.port if attachment.original is not None else ""
    return min(of_vf, key=lambda x: (x.port != port, x.name != attachment.ifname, x.name), default=None)


def _entry(attachment: Attachment, vf: device.Device, host: NetNS, errors: list[CniError]) -> Entry | None:
    """Return the VF's entry at its PF, None when it was attached without a PF."""
    if not attachment.pf:
        return None
    # The PF's link may have got another name since.
    pf = link.get(host.netlink, name=vf.pf or attachment.pf)
    if pf is None:
        errors.append(
            CniError(GENERIC, f"cannot reset VF {attachment.address}: its PF {attachment.pf} has no link on the host")
        )
        return None
    return Entry(host, pf.name, pf.index, attachment.address, attachment.index)


def _restore_settings(attachment: Attachment, entry: Entry, errors: list[CniError]) -> None:
    """Make the VF's settings at the PF what they were, as far as ADD changed them; the administrative MAC too, which
    otherwise keeps the VF from having another.
    """
    original = attachment.table or VF(attachment.index)
    try:
        current = entry.read()
    except CniError as e:
        errors.append(e)
        return
    settings = plan.to_restore(attachment.wanted, original, current)
    if attachment.wanted.mac and (current is None or current.mac != original.mac):
        settings.append(Setting(plan.MAC, original.mac or NO_MAC))
    for setting in settings:
        _attempt(errors, entry.make, setting)


def _restore_link(
    attachment: Attachment,
    original: Link,
    found: Link,
    entry: Entry | None,
    host: NetNS,
    errors: list[CniError],
    log: Logger,
) -> None:
    """Make the link on the host what it was: MAC address first, then the rest."""
    if not attachment.is_ours:  # sriov-cni did not note them
        original.up, original.alias, original.altnames = found.up, found.alias, found.altnames
    if entry is not None and original.permanent_mac and found.permanent_mac not in ("", original.permanent_mac):
        _attempt(errors, _restore_permanent_mac, original, found, entry, host, log)
        found = link.get(host.netlink, index=found.index) or found
    if original.mac and found.mac != original.mac:
        if found.up:
            _attempt(errors, restore.change, host, found, {"up": False})
            found.up = False
        _attempt(errors, mac.set_effective, host, found.index, original.mac)
        found.mac = original.mac
    _attempt(errors, restore.restore, host, found, original, attachment.master, log)


def _restore_permanent_mac(original: Link, found: Link, entry: Entry, host: NetNS, log: Logger) -> None:
    """Give a VF back the address that its driver takes for permanent, where the driver took it from the PF (igbvf: at
    each reset). The PF names the old one for the length of a reset.
    """
    if found.up:
        link.change(host.netlink, found.index, up=False)
        found.up = False
    entry.make(Setting(plan.MAC, original.permanent_mac))
    try:
        mac.reset(host, found.index)
    finally:
        entry.make(Setting(plan.MAC, NO_MAC))
    now = link.get(host.netlink, index=found.index)
    if now is None or now.permanent_mac != original.permanent_mac:
        log.info(f"the driver of {found.name} does not take its permanent address {original.permanent_mac} back")


def _restore_admin_mac(attachment: Attachment, entry: Entry) -> None:
    """Make the administrative MAC address what it was, as the last step: a VF that comes up, or is given an address,
    reports it to the PF, in whose table it then is.
    """
    original = (attachment.table.mac if attachment.table is not None else "") or NO_MAC
    current = entry.read()
    if current is not None and current.mac and current.mac != original:
        entry.make(Setting(plan.MAC, original))
