"""Give a device back: find it wherever it has got to, move it to the host, make it what it was."""

from __future__ import annotations

import os

from cni import move, sysfs
from cni.netlink import link
from cni.netlink.link import Link
from cni.netns import NetNS
from plugins.common import waiting
from plugins.common.restore import change, rename, restore, restore_altnames, restore_master
from plugins.host_device.attachment import Attachment
from plugins.host_device.config import DeviceConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni.log import Logger


def give_back(attachment: Attachment, host: NetNS, pod: NetNS | None, patience_s: float, log: Logger) -> bool:
    """Put the attachment's device back on the host as it was before ADD; return whether there is nothing left to do.

    pod: the attachment's namespace, None when it is gone. patience_s: how long to wait, in seconds, for a device that
    the kernel has still to save from a dying namespace. A virtual device that is nowhere died with its pod, and one
    whose folder in sysfs is gone was unplugged: that is logged and is no failure. A device that exists and has no link
    to be found has not come back yet, so there is something left.
    Raises CniError for what the kernel refused; everything else is done.
    """
    original = attachment.original
    if not attachment.survives:
        log.info(f"{original.name} was attached before the machine's last boot: the boot has reset it")
        return True
    found = find_on_host(attachment, host)
    if (
        found is not None
        and found.alias != original.name
        and (found.name, found.index) == (original.name, original.index)
    ):
        # Never moved, or given back by somebody else since: what it is like is how the administrator wants it, but for
        # what a move takes from it.
        restore_altnames(host, found, original, log)
        restore_master(host, found, attachment.master, log)
        if original.up and not found.up:
            change(host, found, {"up": True})
        return True
    if found is None and pod is not None:
        found = _fetch(attachment, host, pod, log)
    elif found is None and _may_come_back(attachment):
        found = waiting.for_link(lambda: find_on_host(attachment, host), patience_s)
    if found is None and not attachment.device_path:
        found = _find_marked(attachment, host)
    if found is None:
        if not _may_come_back(attachment):
            log.info(f"{original.name} is neither on the host nor in the pod: nothing to give back")
            return True
        log.warning(f"{original.name} ({attachment.device_path}) has no link on the host yet: its record stays for GC")
        return False
    if found.name == attachment.ifname != original.name or pod is None or not attachment.device_path:
        # The kernel saved it from the dying pod, under the name that it had there last.
        found = rename(host, found, original.name, log)
    restore(host, found, original, attachment.master, log)
    log.debug(f"{found.name} is back on the host")
    return True


def _fetch(attachment: Attachment, host: NetNS, pod: NetNS, log: Logger) -> Link | None:
    """Move the link from the pod to the host; return it as it is there, None when it is not in the pod."""
    in_pod = find_in_pod(attachment, pod)
    if in_pod is None:
        return None
    name = attachment.original.name
    return link.get(host.netlink, name=move.onto_host(host, pod, in_pod, name, log, alias=name))


def _may_come_back(attachment: Attachment) -> bool:
    """Return whether a device on a bus is still there and bound to a driver that makes links, so that its link, which
    is nowhere to be seen, may be in a namespace that is being torn down. A link of another address there now says that
    the old one is gone.
    """
    path = attachment.device_path
    if not path or not sysfs.driver(path) or sysfs.is_for_userspace(path):
        return False
    return not (attachment.sole and sysfs.netdevs(attachment.device_path))


def _find_marked(attachment: Attachment, host: NetNS) -> Link | None:
    """Return a virtual link that came back under another name, its own being taken, and was not restored yet."""
    name = attachment.original.name
    return next((x for x in link.dump(host.netlink) if x.alias == name and attachment.could_be(x)), None)


def find_on_host(attachment: Attachment, host: NetNS) -> Link | None:
    """Return the attachment's link if it is on the host: never moved, back already, or saved by the kernel.

    A device on a bus is looked for in its folder in sysfs, where other links of the same device may be: ours has the
    mark in its alias, the permanent address, the name and index that it had, or is known to be the only one. A virtual
    device dies with its pod, so it is on the host only when it never left (same name, same index) or has come back
    already (same name, the mark).
    """
    original = attachment.original
    if not attachment.device_path:
        candidate = link.get(host.netlink, name=original.name)
        if candidate is None or not attachment.could_be(candidate):
            return None
        return candidate if original.name == candidate.alias or original.index == candidate.index else None
    entries = [link.get(host.netlink, name=name) for name in sysfs.netdevs(attachment.device_path)]
    found = [entry for entry in entries if entry is not None and attachment.could_be(entry)]
    signs: tuple[Callable[[Link], bool], ...] = (
        lambda x: x.alias == original.name,
        lambda x: bool(original.permanent_mac) and x.permanent_mac == original.permanent_mac,
        lambda x: x.name == original.name and x.index == original.index,
        lambda x: attachment.sole and len(entries) == 1 and _is_like(x, attachment),
    )
    return next((entry for sign in signs for entry in found if sign(entry)), None)


def _is_like(found: Link, attachment: Attachment) -> bool:
    """Return whether a link has at least one thing in common with the attachment's."""
    original = attachment.original
    return (
        found.name in (attachment.ifname, original.name) or found.mac == original.mac or found.index == original.index
    )


def find_in_pod(attachment: Attachment, pod: NetNS) -> Link | None:
    """Return the attachment's link in the pod, which may have renamed it and changed its address.

    ADD notes the host name in the alias, which a pod has no reason to touch. Without that mark the link is believed by
    its permanent address, by either of its names and its address (ADD was killed before it could set the mark), and,
    where the namespace is known to be the attachment's own, by its name and index, which a move keeps if it is free.
    """
    original = attachment.original
    links = [entry for entry in link.dump(pod.netlink) if attachment.could_be(entry)]
    certain = pod.cookie != 0 and pod.cookie == attachment.netns_cookie
    signs: tuple[Callable[[Link], bool], ...] = (
        lambda x: x.alias == original.name and x.name == attachment.ifname,
        lambda x: x.alias == original.name,
        lambda x: bool(original.permanent_mac) and x.permanent_mac == original.permanent_mac,
        lambda x: x.name in (attachment.ifname, original.name) and x.mac == original.mac,
        lambda x: certain and x.name in (attachment.ifname, original.name) and x.index == original.index,
    )
    return next((entry for sign in signs for entry in links if sign(entry)), None)


def find_unrecorded(pod: NetNS, ifname: str, wanted: DeviceConfig, folder: str) -> Link | None:
    """Return the link in a pod with the attachment's name or, where a DEL was killed after it had given the link its
    host name, the one with that name that certainly is the device which the configuration names.
    """
    found = link.get(pod.netlink, name=ifname)
    if found is not None:
        return found
    renamed = (x for x in link.dump(pod.netlink) if x.name == x.alias and (x.parent or not folder))
    return next((x for x in renamed if _is_named(x, wanted, folder)), None)


def give_back_unrecorded(device: Link, wanted: DeviceConfig, folder: str, host: NetNS, pod: NetNS, log: Logger) -> None:
    """Give back the device of an attachment without a record: one that the reference plugin made.

    That plugin notes the host name in the alias and nothing else, and any other plugin may set an alias. So the link
    has to be the one that the configuration names; one of which that is not known is left alone.
    device: the link in the pod. wanted, folder: how the configuration names the device, and its folder in sysfs where
    it names one.
    """
    if not link.is_name(device.alias) or not _is_named(device, wanted, folder):
        log.warning(f'{device.name} in {pod.path} has no record and the alias "{device.alias}": not ours, left alone')
        return
    ifname = device.name
    name = move.onto_host(host, pod, device, device.alias, log)
    log.info(f"{ifname} of {pod.path}, which has no record, is {name} on the host now")
    found = link.get(host.netlink, name=name)
    if found is not None:
        change(host, found, {"alias": ""})


def _is_named(device: Link, wanted: DeviceConfig, folder: str) -> bool:
    """Return whether a link in a pod, marked with a host name, is the device that the configuration names."""
    if wanted.device:
        return wanted.device in (device.alias, *device.altnames)
    if wanted.hwaddr:
        return wanted.hwaddr in (device.mac, device.permanent_mac)
    if not folder or sysfs.netdevs(folder):  # no device is named, or it is on the host
        return False
    # A virtio device is one level below; before Linux 5.14 the kernel does not tell the parent.
    parents = (os.path.basename(os.path.realpath(folder)), *sysfs.virtio_devices(folder))
    return not device.parent or device.parent in parents
