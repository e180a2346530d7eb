"""Give a device back: find it wherever it has got to, move it to the host, make it what it was."""

from __future__ import annotations

from cni import move, sysfs
from cni.errors import GENERIC, CniError, combined
from cni.netlink import link
from cni.netlink.link import Link
from cni.netlink.socket import NetlinkError
from cni.netns import NetNS
from plugins.host_device.attachment import Attachment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cni.log import Logger


def give_back(attachment: Attachment, host: NetNS, pod: NetNS | None, log: Logger) -> None:
    """Put the attachment's device back on the host as it was before ADD.

    pod: the attachment's namespace, None when it is gone. A device that is nowhere to be found is gone with its pod, or
    unplugged: that is logged and is no failure. Raises CniError for what the kernel refused; everything else is done.
    """
    original = attachment.original
    if not attachment.survives:
        log.info(f"{original.name} was attached before the machine's last boot: the boot has reset it")
        return
    found = find_on_host(attachment, host)
    if found is None and pod is not None:
        in_pod = find_in_pod(attachment, pod)
        if in_pod is not None:
            name = move.onto_host(host, pod, in_pod, original.name, log)
            found = link.get(host.netlink, name=name)
    elif found is not None and found.name != original.name:
        # The kernel saved it from the dying pod, under the name that it had there last.
        found = _rename(host, found, original.name, log)
    if found is None:
        log.info(f"{original.name} is neither on the host nor in the pod: nothing to give back")
        return
    restore(host, found, original, log)


def find_on_host(attachment: Attachment, host: NetNS) -> Link | None:
    """Return the attachment's link if it is on the host: never moved, back already, or saved by the kernel.

    A device on a bus is known by its folder in sysfs. A virtual one dies with its pod, so it is on the host only when
    it never left (same name, same index) or has come back already (same name, the alias that says so).
    """
    original = attachment.original
    if attachment.device_path:
        entries = [link.get(host.netlink, name=name) for name in sysfs.netdevs(attachment.device_path)]
        found = [entry for entry in entries if entry is not None]
        # Several netdevs can share the folder: ours has the name or the mark, or is the only one there is.
        marked = [entry for entry in found if entry.alias == original.name]
        named = [entry for entry in found if entry.name in (original.name, attachment.ifname)]
        return next(iter(marked or named or (found if len(found) == 1 else [])), None)
    candidate = link.get(host.netlink, name=original.name)
    if candidate is not None and (candidate.index == original.index or candidate.alias == original.name):
        return candidate
    return None


def find_in_pod(attachment: Attachment, pod: NetNS) -> Link | None:
    """Return the attachment's link in the pod, which may have renamed it and changed its address.

    ADD notes the host name in the alias, which a pod has no reason to touch. Without that mark the link is believed by
    its name and address (ADD was killed before it could set the mark), then by its name and index, which a move keeps
    unless it is taken. Never by its name alone: the path may be that of another pod's namespace by now.
    """
    original = attachment.original
    links = link.dump(pod.netlink)
    signs: tuple[Callable[[Link], bool], ...] = (
        lambda x: x.alias == original.name and x.name == attachment.ifname,
        lambda x: x.alias == original.name,
        lambda x: x.name == attachment.ifname and x.mac == original.mac,
        lambda x: x.name == attachment.ifname and x.index == original.index,
    )
    return next((entry for sign in signs for entry in links if sign(entry)), None)


def restore(host: NetNS, device: Link, original: Link, log: Logger) -> None:
    """Give a link on the host the address, MTU, alias, alternative names and up state that it had.

    Raises CniError naming everything that the kernel refused.
    """
    changes: dict[str, Any] = {}
    if device.mac != original.mac and original.mac:
        changes["mac"] = original.mac
    if device.mtu != original.mtu and original.mtu:
        changes["mtu"] = original.mtu
    if device.alias != original.alias:
        changes["alias"] = original.alias
    if device.up != original.up:
        changes["up"] = original.up
    errors = _change(host, device, changes) if changes else []
    added = [altname for altname in device.altnames if altname not in original.altnames]
    if added:
        try:
            link.delete_altnames(host.netlink, device.index, added)
        except NetlinkError as e:
            log.warning(f"cannot take the alternative names {', '.join(added)} from {device.name}: {e.strerror}")
    for altname in original.altnames:
        if altname not in device.altnames and altname != device.name:
            try:
                link.add_altname(host.netlink, device.index, altname)
            except NetlinkError as e:
                log.warning(f"cannot give {device.name} its alternative name {altname} back: {e.strerror}")
    if errors:
        raise combined(f"restoring {device.name}", errors)


def _change(host: NetNS, device: Link, changes: dict[str, Any]) -> list[CniError]:
    """Make all changes in one message; when the kernel refuses one, make each in a message of its own."""
    try:
        link.change(host.netlink, device.index, **changes)
        return []
    except NetlinkError:
        errors = []
        for field, value in changes.items():
            try:
                link.change(host.netlink, device.index, **{field: value})
            except NetlinkError as e:
                errors.append(
                    CniError(
                        GENERIC,
                        f'cannot restore {field} of {device.name} to "{value}": {e.strerror}',
                        f"errno {e.errno}; the device is on the host",
                    )
                )
        return errors


def _rename(host: NetNS, device: Link, name: str, log: Logger) -> Link:
    """Give a link on the host its name back if that is free; return the link as it is then."""
    if link.get(host.netlink, name=name) is not None:
        log.warning(f"the name {name} is taken on the host: the device that had it is called {device.name} now")
        return device
    try:
        if device.up:  # kernels before 6.2 rename only what is down
            link.change(host.netlink, device.index, up=False)
            device.up = False
        link.change(host.netlink, device.index, name=name)
    except NetlinkError as e:
        raise CniError(
            GENERIC, f"cannot rename {device.name} back to {name}: {e.strerror}", f"errno {e.errno}; repeat DEL"
        ) from e
    device.name = name
    return device


def give_back_unrecorded(device_name: str, ifname: str, host: NetNS, pod: NetNS, log: Logger) -> None:
    """Give back the device of an attachment without a record: one that the reference plugin made.

    That plugin notes the host name in the alias and nothing else. A link without an alias is somebody else's, and so is
    one whose alias is not the device that the configuration names (device_name, empty when it names none): left alone.
    """
    device = link.get(pod.netlink, name=ifname)
    if device is None:
        log.info(f"{ifname} is not in {pod.path}: nothing to give back")
        return
    if not device.alias or device_name not in ("", device.alias):
        log.warning(f'{ifname} in {pod.path} has no record and the alias "{device.alias}": not ours, left alone')
        return
    name = move.onto_host(host, pod, device, device.alias, log)
    found = link.get(host.netlink, name=name)
    if found is not None:
        errors = _change(host, found, {"alias": ""})
        if errors:
            raise combined(f"restoring {name}", errors)
