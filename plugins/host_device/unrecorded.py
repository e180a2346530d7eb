"""A device that the reference plugin attached, of which there is no record: found in the pod, and given back.

That plugin notes the host name in the alias and nothing else, which a pod can do, too. So the link has to be the one
that the configuration names, and one that no pod can have made.
"""

from __future__ import annotations

import os

from cni.attach import identity, move, stacked
from cni.attach.call import Call
from cni.attach.plugin import Plugin
from cni.attach.restore import change, without_filters
from cni.linux import netns, pci
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from plugins.host_device.attachment import key_of_unrecorded
from plugins.host_device.config import DeviceConfig


def release(wanted: DeviceConfig, call: Call, plugin: Plugin) -> bool:
    """Give back what the reference plugin attached, unless it is ours and another attachment's: the namespace's path
    may have been given to a new pod since. Return whether the attachment has a record by now: then an ADD of it has
    been at work. Raises CniError.
    """
    root, folder = plugin.sysfs_root, wanted.folder(plugin.sysfs_root)
    pod = None if wanted.is_userspace(root) else netns.if_there(call.request.netns, call.log)
    if pod is None:
        return False
    with pod:
        found = _find(wanted, folder, pod, call)
        if found is None:
            return False
        with plugin.lock(key_of_unrecorded(found, folder, root)):
            if call.records.store.has(*call.identity):
                return True
            if not _is_of_another(found, pod, call):
                _give_back(found, pod, call)
    return False


def _is_of_another(found: Link, pod: NetNS, call: Call) -> bool:
    """Return whether a link in a pod is that of a recorded attachment, or calls itself what another pod's is called on
    the host, which is said.
    """
    for attachment in call.records.all():
        if attachment.name == found.alias and call.records.lives(attachment):
            owner = attachment.owner.describe()
            call.log.warning(f"{found.name} in {pod.path} is left alone: {owner} has {found.alias}")
            return True
        owned = attachment.link_in(pod, call.host) if attachment.owner.netns_cookie in (0, pod.cookie) else None
        if owned is not None and owned.index == found.index:
            owner = attachment.owner.describe()
            call.log.warning(f"{found.name} in {pod.path} belongs to {owner} by now: left alone")
            return True
    return False


def _give_back(device: Link, pod: NetNS, call: Call) -> None:
    ifname, host, log = device.name, call.host, call.log
    stacked.remove(device, host, pod, log, link.dump(pod.netlink))
    back = move.onto_host(host, pod, device, device.alias, log)
    if back is not None:
        log.info(f"{ifname} of {pod.path}, which has no record, is {back.name} on the host now")
        stacked.remove(back, host, pod, log)
        without_filters(host, back, log)
        change(host, back, {"alias": ""}, log)


def _find(wanted: DeviceConfig, folder: str, pod: NetNS, call: Call) -> Link | None:
    """Return the link in a pod with the attachment's name or, where a DEL was killed after it had given the link its
    host name, with that one; None when there is none that is known to be it, which is said.
    """
    ifname = call.request.ifname
    named = [x for x in link.dump(pod.netlink) if x.name in (ifname, x.alias)]
    reason = ""
    for found in sorted(named, key=lambda x: x.name != ifname):
        reason = _doubt(found, wanted, folder, call.host, pod)
        if not reason:
            return found
    if reason:
        call.log.warning(f"{ifname} in {pod.path} has no record and is left alone: {reason}")
    else:
        call.log.info(f"{ifname} is not in {pod.path}: nothing to give back")
    return None


def _doubt(found: Link, wanted: DeviceConfig, folder: str, host: NetNS, pod: NetNS) -> str:
    """Return why a link in a pod cannot be known to be the device that the configuration names, empty if it is."""
    if found.movable is False:
        return "it cannot be moved"
    if not link.is_name(found.alias):
        return f'its alias "{found.alias}" is no name of a link'
    if folder or found.parent:
        # A virtio device is one level below.
        parents = (os.path.basename(os.path.realpath(folder)), *pci.virtio_devices(folder)) if folder else ()
        if folder and not os.path.isdir(folder):
            return f"{folder} does not exist"
        if folder and pci.netdevs(folder):
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
