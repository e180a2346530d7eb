"""Move a link between two namespaces and give it its name there, with one move each way.

A move costs some 15 ms under the kernel's RTNL lock, which a node's pods queue for; everything else costs next to
nothing. One RTM_SETLINK carries both the namespace and the name. It is not quite atomic: the kernel moves first and
renames then (net/core/rtnetlink.c, do_setlink), so when the new name is taken, the link is in the target under its old
name and the answer is EEXIST. When the old name is taken there, the kernel moves it under the new one at once, and with
both taken not at all. Both functions look before they move, and after a failure find out where the link is.

A link that is up is taken down first, in a message of its own: that costs 0.2 ms, and the move then takes 14 ms where
it took 26 (medians with a veth on Linux 6.18).
"""

from __future__ import annotations

import errno
import os

from cni.attach import identity
from cni.attach.identity import Sought
from cni.linux.log import Logger
from cni.linux.netlink import link
from cni.linux.netlink.link import IFNAMSIZ, Link
from cni.linux.netlink.socket import NetlinkError, RequestError
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError

RACES = 5
"""How often a name is chosen anew when others on the host take the chosen one first."""


def free_index(netns: NetNS, wanted: int, others: NetNS | None = None) -> int:
    """Return an index that a link can have in a namespace: the wanted one if it is free, else one above all.

    others: another namespace in which it should be free. Raises RequestError.
    """
    if link.get(netns.netlink, index=wanted) is None:
        return wanted
    return 1 + max(entry.index for space in (netns, others) if space is not None for entry in link.dump(space.netlink))


def into_pod(host: NetNS, pod: NetNS, device: Link, ifname: str, index: int, log: Logger) -> None:
    """Move a link of the host into a pod under the name `ifname`. It arrives down, without addresses.

    device: the link as it is on the host. index: what it gets there, which was free; 0 for what the kernel chooses.
    Raises CniError: the link is on the host then, under its name, unless the details say otherwise.
    """
    try:
        # An alternative name that the link itself carries blocks a rename to it just as another link's name would.
        altnames = _drop_altnames(host, device, device.altnames, [ifname], log)
        # A link that cannot be moved must not lose its routes over the attempt.
        if device.up and device.movable:
            link.change(host.netlink, device.index, up=False)
        try:
            _move(host, pod, device, index, ifname)
        except NetlinkError as e:
            if e.errno != errno.EEXIST or not _is_at(host, device):
                raise
            # Not even moved: one of its alternative names is taken in the pod.
            if _drop_altnames(host, device, altnames, _names(pod), log) == altnames:
                raise
            _move(host, pod, device, index, ifname)
    except RequestError as e:
        raise CniError(
            GENERIC,
            f"cannot move {device.name} into {pod.path} as {ifname}: {e.strerror}",
            f"errno {e.errno}; {_bring_back(host, pod, device, index)}",
        ) from e


def _bring_back(host: NetNS, pod: NetNS, device: Link, index: int) -> str:
    """Undo a move whose rename failed; return what state the link is in now, for the error.

    Only what this move has moved comes back: the link with the index that it was to get, if nothing says that it is
    another one. It comes with its name as its alias, as ADD marks it: the caller restores the rest.
    """
    try:
        if not _is_at(host, device):
            sought = Sought(device, name=device.name, index=index)
            stray, seen = identity.in_pod(sought, host, pod, knows_index=index > 0)
            if stray is None:
                return f"{device.name} is no longer on the host, nor in {pod.path}; {seen}"
            # The mark tells whoever restores it that this is the link, should its index be another one now.
            link.change(pod.netlink, stray.index, alias=device.name)
            back = free_index(host, device.index, pod)
            link.change(pod.netlink, stray.index, netns_fd=host.fd, new_index=back)
        current = link.get(host.netlink, name=device.name)
        if current is None or current.up == device.up:
            return f"{device.name} is on the host"
        link.change(host.netlink, current.index, up=True)
    except RequestError as e:
        return f"giving {device.name} back failed: {e.strerror}"
    return f"{device.name} is on the host and up again; routes through it were lost"


def onto_host(
    host: NetNS, pod: NetNS, device: Link, name: str, log: Logger, alias: str | None = None, index: int = 0
) -> Link | None:
    """Move a link of a pod to the host under the name `name`; return it as it is there, None if it has gone again.

    When the name is taken on the host, the link gets a free one that begins with it, and that is logged: a device under
    another name can be found, a device left in a dying pod cannot.
    It gets its name in the pod: the kernel announces a link to udev with the name under which it arrives, and renames
    then. udev would go by the rules for the pod's name, and ask for a link of that name, for which, as it is gone by
    then, the kernel starts modprobe. Where the pod refuses the name, it comes with the move.
    device: the link as it is in the pod. alias: what it gets as its alias together with the name, by which it is known
    if this process is killed after that. index: what it had on the host, which it gets again if that is free; 0 for
    unknown. Raises CniError, whose details say where the link is.
    """
    ifname = device.name
    try:
        altnames = _drop_altnames(pod, device, device.altnames, [name], log)
        if device.up:
            link.change(pod.netlink, device.index, up=False)
        _rename_if_possible(pod, device, name, alias)
        in_pod = True
        for attempt in range(RACES):
            target = free_name(host, name)
            try:
                if in_pod:
                    back = free_index(host, index or device.index, pod)
                    _move(pod, host, device, back, target)
                else:
                    link.change(host.netlink, back, name=target)
                break
            except NetlinkError as e:
                # EBUSY: the index was taken since we looked, or the driver wants to be asked again.
                if e.errno not in (errno.EEXIST, errno.EBUSY) or attempt == RACES - 1:
                    raise
                # Taken since we looked, or an alternative name of the link is taken on the host.
                in_pod = _is_at(pod, device)
                if in_pod:
                    altnames = _drop_altnames(pod, device, altnames, _names(host), log)
                elif (there := _arrived(host, back, device)) is not None:
                    # The pod may have given it this name as an alternative one after we looked: it is in its own way.
                    _drop_altnames(host, there, there.altnames, [name], log)
                else:
                    back = _index_of(host, device.name)
    except RequestError as e:
        raise CniError(
            GENERIC,
            f"cannot move {ifname} of {pod.path} to the host as {name}: {e.strerror}",
            f"errno {e.errno}; it is {_place(pod, device, e)}; repeat DEL",
        ) from e
    if target != name:
        log.warning(f"the name {name} is taken on the host: the device that had it is called {target} now")
    return _arrived(host, back, device) or link.get(host.netlink, name=target)


def _move(source: NetNS, target: NetNS, device: Link, index: int, name: str) -> None:
    """Move a link to another namespace, where it gets an index (0 for what the kernel chooses) and a name. Raises
    RequestError.
    """
    try:
        link.change(source.netlink, device.index, netns_fd=target.fd, new_index=index or None, name=name)
    except NetlinkError:
        raise
    except RequestError:
        there = _arrived(target, index, device) if index else None
        if there is None or there.name != name:
            raise


def _place(pod: NetNS, device: Link, error: RequestError) -> str:
    """Return where a link is that could not be moved out of a pod, for the error."""
    try:
        found = link.get(pod.netlink, index=device.index)
        if found is not None and found.mac == device.mac:
            return f"still in the pod, as {found.name}"
    except RequestError:
        return "in the pod or on the host"
    return "gone" if error.errno == errno.ENODEV else "on the host"


def _arrived(netns: NetNS, index: int, device: Link) -> Link | None:
    """Return the link that a move was to give this index, if the kernel did so."""
    found = link.get(netns.netlink, index=index, known_as=device.name)
    return found if found is not None and (found.kind, found.mac) == (device.kind, device.mac) else None


def _rename_if_possible(netns: NetNS, device: Link, name: str, alias: str | None) -> None:
    """Give a link a name and an alias; `device` follows. The name is refused when another link has it and, before Linux
    6.2, when somebody has taken the link up; the alias comes in any case.
    """
    try:
        if device.name != name:
            link.change(netns.netlink, device.index, name=name, alias=alias)
            device.name = name
            return
    except NetlinkError:
        pass
    if alias is not None and device.alias != alias:
        link.change(netns.netlink, device.index, alias=alias)


def _is_at(netns: NetNS, device: Link) -> bool:
    """Return whether the link is in this namespace, where it was seen before."""
    found = link.get(netns.netlink, index=device.index)
    return found is not None and (found.name, found.mac) == (device.name, device.mac)


def _index_of(netns: NetNS, name: str) -> int:
    """Return the index of the link with this name. Raises NetlinkError (ENODEV)."""
    found = link.get(netns.netlink, name=name)
    if found is None:
        raise NetlinkError(errno.ENODEV, f"no link {name}")
    return found.index


def free_name(netns: NetNS, name: str, own: str = "") -> str:
    """Return the name, or when it is taken, one that begins with it and is free. Raises RequestError.

    own: the name of the link that is to be renamed, which counts as free.
    """
    if link.get(netns.netlink, name=name) is None:
        return name
    taken = set(_names(netns)) - {own}
    # By bytes, which is what the kernel counts, and not through the middle of a character.
    stem = os.fsencode(name)[: IFNAMSIZ - 5].decode("utf-8", "ignore")
    return next(free for free in (f"{stem}_{number}" for number in range(1000)) if free not in taken)


def _names(netns: NetNS) -> list[str]:
    """Return every proper and alternative name in use."""
    return [name for entry in link.dump(netns.netlink) for name in (entry.name, *entry.altnames)]


def _drop_altnames(netns: NetNS, device: Link, altnames: list[str], names: list[str], log: Logger) -> list[str]:
    """Take those alternative names from the link that are among `names`; return the others.

    altnames: those that it has. Raises NetlinkError.
    """
    conflicting = [altname for altname in altnames if altname in names]
    if not conflicting:
        return altnames
    link.delete_altnames(netns.netlink, device.index, conflicting)
    log.info(f"dropped the alternative name {', '.join(conflicting)} of {device.name}: it is in the way of the move")
    return [altname for altname in altnames if altname not in conflicting]
