"""Give a device back: find it wherever it has got to, move it to the host, make it what it was."""

from __future__ import annotations

import os

from cni.attach import fetch, identity, move, stacked, waiting
from cni.attach.restore import change, rename, restore, restore_altnames, restore_master, without_filters
from cni.linux import sysfs
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from plugins.host_device.attachment import Attachment
from plugins.host_device.config import DeviceConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni.linux.log import Logger


NOT_YET, DONE, FETCHED = range(3)
"""What came of giving a device back: there is something left to do; nothing is; nothing is, and the pod had it."""


def give_back(
    attachment: Attachment, host: NetNS, pod: NetNS | None, patience_s: float, log: Logger, was_touched: bool = False
) -> int:
    """Put the attachment's device back on the host as it was before ADD; return what came of it, NOT_YET and the like.

    pod: the attachment's namespace, None when it is gone. patience_s: how long to wait, in seconds, for a device that
    the kernel has still to save from a dying namespace. was_touched: whether a device that is where it was may have
    been in the pod for a moment, as when ADD has failed. A virtual device that is nowhere died with its pod, and one
    whose folder in sysfs is gone was unplugged: that is logged and is no failure. A device that exists and has no link
    to be found has not come back yet, or the pod has hidden it, so there is something left.
    Raises CniError for what the kernel refused; everything else is done.
    """
    original = attachment.original
    if not attachment.is_of_this_boot:
        log.info(f"{original.name} was attached before the machine's last boot: the boot has reset it")
        return DONE
    found = find_on_host(attachment, host)
    if (
        found is not None
        and not was_touched
        and found.alias != original.name
        and (found.name, found.index) == (original.name, original.index)
        and (not attachment.device_path if pod is None else find_in_pod(attachment, host, pod) is None)
    ):
        # Never moved, or given back by somebody else since: what it is like is how the administrator wants it, but for
        # what a move takes from it. A device that the kernel has saved from its pod may have any name, and any index; a
        # virtual one is not saved.
        restore_altnames(host, found, original, log)
        restore_master(host, found, attachment.master, log)
        if original.up and not found.up:
            change(host, found, {"up": True}, log)
        return DONE
    seen = ""
    if found is None and pod is not None:
        found, seen = fetch.onto_host(attachment.sought(), host, pod, attachment.knows(pod), log)
    outcome = FETCHED if found is not None and pod is not None else DONE
    if found is None and _may_come_back(attachment):
        found = waiting.for_link(lambda: find_on_host(attachment, host), patience_s)
    if found is None and not attachment.device_path:
        found = _find_marked(attachment, host)
    if found is None:
        return DONE if _is_over(attachment, host, pod, seen, log) else NOT_YET
    if found.name == attachment.ifname != original.name or pod is None or not attachment.device_path:
        # The kernel saved it from the dying pod, under the name that it had there last.
        found = rename(host, found, original.name, log)
    restore(host, found, original, attachment.master, log)
    log.debug(f"{found.name} is back on the host")
    return outcome


def _is_over(attachment: Attachment, host: NetNS, pod: NetNS | None, seen: str, log: Logger) -> bool:
    """Return whether a device that is nowhere cannot be found any more. seen: what is in the pod instead."""
    name, path = attachment.original.name, attachment.device_path
    if path and _may_come_back(attachment):
        where = f" nor in {pod.path}: {seen}" if pod is not None else ""
        log.warning(f"{name} ({path}) has no link on the host yet{where}; its record stays: the next ADD or DEL looks")
        return False
    if pod is not None and not path and not _has_died(attachment, host, pod):
        log.warning(
            f"{name} is neither on the host nor to be recognised in {pod.path}: {seen}; its record stays until that "
            "namespace is gone"
        )
        return False
    log.info(f"{name} is neither on the host nor in the pod: nothing to give back")
    return True


def _has_died(attachment: Attachment, host: NetNS, pod: NetNS) -> bool:
    """Return whether a virtual link is certain to be no more: the two ends of a veth die together, and the kernel gives
    an index once in a boot. Where the other end was not on the host, or of another kind, that cannot be told.
    """
    original = attachment.original
    if original.kind != "veth" or not original.peer or original.peer_nsid != -1:
        return False
    here = link.get(pod.netlink, index=attachment.pod_index) if attachment.pod_index else None
    if here is not None and here.kind == "veth":  # with its other end elsewhere by now
        return False
    peer = link.get(host.netlink, index=original.peer)
    return peer is None or peer.kind != "veth"


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
    name, sought = attachment.original.name, attachment.sought()
    return next((x for x in link.dump(host.netlink) if x.alias == name and not sought.on_host(x)), None)


def find_on_host(attachment: Attachment, host: NetNS) -> Link | None:
    """Return the attachment's link if it is on the host: never moved, back already, or saved by the kernel.

    A device on a bus is looked for in its folder in sysfs, where other links of the same device may be: ours has the
    mark in its alias, the permanent address, the name and index that it had, or is known to be the only one. A virtual
    device dies with its pod, so it is on the host only when it never left (same name, same index) or has come back
    already (same name, the mark).
    """
    original, sought = attachment.original, attachment.sought()
    if not attachment.device_path:
        candidate = link.get(host.netlink, name=original.name)
        if candidate is None or sought.on_host(candidate):
            return None
        return candidate if original.name == candidate.alias or original.index == candidate.index else None
    entries = [link.get(host.netlink, name=name) for name in sysfs.netdevs(attachment.device_path)]
    found = [entry for entry in entries if entry is not None and not sought.on_host(entry)]
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
    return bool(original.parent and found.parent == original.parent) or (
        found.name in (attachment.ifname, original.name) or found.mac == original.mac or found.index == original.index
    )


def find_in_pod(attachment: Attachment, host: NetNS, pod: NetNS) -> Link | None:
    """Return the attachment's link in the pod, which may have renamed it and changed its address."""
    return identity.in_pod(attachment.sought(), host, pod, attachment.knows(pod))[0]


def give_back_unrecorded(device: Link, host: NetNS, pod: NetNS, log: Logger) -> None:
    """Give back the device of an attachment without a record, as `find_unrecorded` found it. Raises CniError."""
    ifname = device.name
    stacked.remove(device, host, pod, log, link.dump(pod.netlink))
    back = move.onto_host(host, pod, device, device.alias, log)
    if back is not None:
        log.info(f"{ifname} of {pod.path}, which has no record, is {back.name} on the host now")
        stacked.remove(back, host, pod, log)
        without_filters(host, back, log)
        change(host, back, {"alias": ""}, log)


def find_unrecorded(
    ifname: str, wanted: DeviceConfig, folder: str, host: NetNS, pod: NetNS, log: Logger
) -> Link | None:
    """Return the link of an attachment without a record that the reference plugin made, None when there is none.

    That plugin notes the host name in the alias and nothing else, which a pod can do, too. So the link has to be the
    one that the configuration names, and one that no pod can have made. wanted, folder: how the configuration names
    the device, and its folder in sysfs where it names one.
    """
    found, reason = _find_unrecorded(ifname, wanted, folder, host, pod)
    if reason:
        log.warning(f"{ifname} in {pod.path} has no record and is left alone: {reason}")
    elif found is None:
        log.info(f"{ifname} is not in {pod.path}: nothing to give back")
    return found


def _find_unrecorded(
    ifname: str, wanted: DeviceConfig, folder: str, host: NetNS, pod: NetNS
) -> tuple[Link | None, str]:
    """Return the link in a pod with the attachment's name or, where a DEL was killed after it had given the link its
    host name, with that one; None and why not when it cannot be it.
    """
    named = [x for x in link.dump(pod.netlink) if x.name in (ifname, x.alias)]
    reason = ""
    for found in sorted(named, key=lambda x: x.name != ifname):
        reason = _doubt(found, wanted, folder, host, pod)
        if not reason:
            return found, ""
    return None, reason


def _doubt(found: Link, wanted: DeviceConfig, folder: str, host: NetNS, pod: NetNS) -> str:
    """Return why a link in a pod cannot be known to be the device that the configuration names, empty if it is."""
    if found.movable is False:
        return "it cannot be moved"
    if not link.is_name(found.alias):
        return f'its alias "{found.alias}" is no name of a link'
    if folder or found.parent:
        # A virtio device is one level below.
        parents = (os.path.basename(os.path.realpath(folder)), *sysfs.virtio_devices(folder)) if folder else ()
        if folder and not os.path.isdir(folder):
            return f"{folder} does not exist"
        if folder and sysfs.netdevs(folder):
            return f"the device {folder} is on the host"
        if folder and found.parent and found.parent not in parents:
            return f"the device behind it is {found.parent}"
        if not found.parent and found.kind:  # before Linux 5.14 the kernel does not tell
            return f"it is a {found.kind}"
        if link.get(host.netlink, name=found.alias) is not None:
            return f"the host has {found.alias}"
        return "" if folder else _misnamed(found, wanted)
    reason = _misnamed(found, wanted)
    if reason or link.get(host.netlink, name=found.alias) is not None:
        return reason or f"the host has {found.alias}"
    other_end = link.get(host.netlink, index=found.peer) if found.peer else None
    if other_end is not None and other_end.master and found.kind == "veth":
        return f"its other end {other_end.name} is a port, as a plugin for bridges makes it"
    is_tied = identity.is_tied_outside(found, host, pod)
    return "" if is_tied else "nothing of the host is tied to it: the pod may have made it"


def _misnamed(found: Link, wanted: DeviceConfig) -> str:
    if wanted.device:
        named = wanted.device in (found.alias, *found.altnames)
    else:
        named = bool(wanted.hwaddr) and wanted.hwaddr in (found.mac, found.permanent_mac)
    return "" if named else f'its alias is "{found.alias}", the configuration names {wanted.describe()}'
