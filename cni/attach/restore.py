"""Make a link on the host again what it was before ADD."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cni.attach.move import RACES, free_name
from cni.attach.step import attempt, settle, trying
from cni.linux import features, packetfilter
from cni.linux.log import Logger
from cni.linux.netlink import link
from cni.linux.netlink.link import FEATURES, Link
from cni.linux.netlink.socket import NetlinkError, RequestError
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError

PERMANENT = frozenset((errno.EINVAL, errno.ERANGE, errno.EOPNOTSUPP, errno.ENETDOWN, errno.ENODEV, errno.EADDRINUSE))
"""What the kernel refuses will not be otherwise the next time: the link, or what it is upon, is not what it was."""


ADVICE = "`bpftool net` shows what sees its packets"


def restore(host: NetNS, device: Link, original: Link, master: str, log: Logger) -> None:
    """Give a link on the host everything that it had: address, MTU, properties, alternative names, master, up state
    and, last, the alias. An XDP program that the pod left is detached while the link is down.

    device: the link as it is; original: as it was, a port of the link called `master` if that is not empty. The alias
    goes last: a plugin that has a mark there knows by it that the link is not yet restored.
    What the kernel refuses for good is a warning: to keep the record would keep the device from every other pod.
    Raises CniError naming everything else that it refused.
    """
    without_filters(host, device, log)
    errors: list[CniError] = []
    attempt(errors, restore_altnames, host, device, original, log)
    attempt(errors, restore_master, host, device, master, log)
    known = {"mac": original.mac or device.mac, "mtu": original.mtu or device.mtu}
    attempt(errors, change, host, device, known, log)
    attempt(errors, _properties, host, device, original, log)
    attempt(errors, _features, device, original, log)
    attempt(errors, change, host, device, {"up": original.up}, log)
    attempt(errors, change, host, device, {"alias": original.alias}, log)
    settle(f"restoring {device.name}", errors)


def _properties(host: NetNS, device: Link, original: Link, log: Logger) -> None:
    """Give the link its properties back, those that are known and not as they were."""

    def make(wanted: dict[str, int | str]) -> None:
        link.change_property(host.netlink, device.index, wanted, original.kind)

    _one_by_one(device, differing(device, original), make, log)


def _features(device: Link, original: Link, log: Logger) -> None:
    wanted = original.properties.get(FEATURES)
    try:
        if wanted:
            features.restore(device.name, str(wanted))
    except OSError as e:
        log.warning(f"cannot restore the features of {device.name} (ethtool -k): {e.strerror} (errno {e.errno})")


def differing(device: Link, original: Link) -> dict[str, int | str]:
    """Return the properties of a link that are not what they were, with what they were."""
    return {name: was for name, was in original.properties.items() if device.properties.get(name, was) != was}


def without_filters(netns: NetNS, device: Link, log: Logger) -> None:
    """Detach the programs that see a link's packets: a pod's must not see the host's, nor the next pod's. The calling
    thread is in this namespace. What the kernel refuses is a warning.
    """
    try:
        if device.xdp:
            _detach_xdp(netns, device)
            log.info(f"detached the XDP program that {device.name} had")
            device.xdp = 0
    except OSError as e:
        log.warning(f"cannot detach the XDP program of {device.name}: {e.strerror} (errno {e.errno}); {ADVICE}")
    try:
        classifiers = packetfilter.detach_classifiers(device.index)
        if classifiers:
            log.info(f"detached {classifiers} classifiers (tcx) that {device.name} had")
    except OSError as e:
        log.warning(f"cannot detach the classifiers of {device.name}: {e.strerror} (errno {e.errno}); {ADVICE}")


def _detach_xdp(netns: NetNS, device: Link) -> None:
    try:
        link.detach_xdp(netns.netlink, device.index, device.xdp)
    except NetlinkError as e:
        # EBUSY: a bpf_link holds it.
        if e.errno != errno.EBUSY or not packetfilter.detach_xdp_link(device.index, device.xdp_program):
            raise


def restore_place(host: NetNS, device: Link, original: Link, master: str, log: Logger) -> None:
    """Give a link that never left the host what an ADD may have taken from it before the move: alternative names, its
    place in a bridge or bond, that it was up. Errors are as with `restore`.
    """
    restore_altnames(host, device, original, log)
    restore_master(host, device, master, log)
    change(host, device, {"up": original.up or device.up}, log)


def restore_altnames(host: NetNS, device: Link, original: Link, log: Logger) -> None:
    """Take the alternative names off that the pod gave, give those back that were in the way of a move. What the kernel
    refuses is a warning. Raises CniError for what it did not answer to.
    """
    added = [altname for altname in device.altnames if altname not in original.altnames]
    if added:
        with _or_warn(f"take the alternative names {', '.join(added)} from {device.name}", log):
            link.delete_altnames(host.netlink, device.index, added)
    for altname in original.altnames:
        if altname not in device.altnames and altname != device.name:
            with _or_warn(f"give {device.name} its alternative name {altname} back", log):
                link.add_altname(host.netlink, device.index, altname)


def restore_master(host: NetNS, device: Link, master: str, log: Logger) -> None:
    """Make the link a port again of the bridge or bond that it was in. Errors are as with `restore_altnames`."""
    found = link.get(host.netlink, name=master) if master else None
    if found is not None and device.master != found.index:
        with _or_warn(f"make {device.name} a port of {master} again", log):
            link.change(host.netlink, device.index, master=found.index)


@contextmanager
def _or_warn(to: str, log: Logger) -> Iterator[None]:
    """Log what the kernel refuses. Raises CniError where its answer was lost: it may be otherwise the next time."""
    with trying(to, "repeat DEL"):
        try:
            yield
        except NetlinkError as e:
            log.warning(f"cannot {to}: {e.strerror}")


def change(host: NetNS, device: Link, changes: dict[str, Any], log: Logger) -> None:
    """Make all changes in one message; when the kernel refuses one, make each in a message of its own.

    changes: keyword arguments of `link.change` that are called as in `Link`; what `device` is already is left alone.
    What the kernel refuses for good is a warning. Raises CniError naming everything else that it refused.
    """
    needed = {field: value for field, value in changes.items() if getattr(device, field) != value}
    _one_by_one(device, needed, lambda wanted: link.change(host.netlink, device.index, **wanted), log)


def _one_by_one(device: Link, changes: dict[str, Any], make: Callable[[dict[str, Any]], None], log: Logger) -> None:
    if not changes:
        return
    try:
        make(changes)
        return
    except RequestError:
        pass
    errors: list[CniError] = []
    for field, value in changes.items():
        try:
            make({field: value})
        except RequestError as e:
            refusal = CniError(
                GENERIC,
                f'cannot restore {field} of {device.name} to "{value}": {e.strerror}',
                f"errno {e.errno}; the device is on the host",
            )
            if e.errno in PERMANENT:
                log.warning(f"{refusal}; it stays as the pod left it")
            else:
                errors.append(refusal)
    settle(f"restoring {device.name}", errors)


def rename(host: NetNS, device: Link, name: str, log: Logger) -> Link:
    """Give a link on the host its name back; return the link as it is then.

    udev may have given it the name, or the name as an alternative one, since it came back from the pod. When another
    link has the name, ours gets a free one that begins with it, and that is logged: the next ADD would take the pod's
    name for its own. Raises CniError.
    """
    if device.name == name:
        return device
    with trying(f"rename {device.name} back to {name}", "repeat DEL"):
        for _ in range(RACES - 1):
            try:
                return _rename(host, device, name, log)
            except NetlinkError as e:
                if e.errno != errno.EEXIST:
                    raise
        return _rename(host, device, name, log)


def _rename(host: NetNS, device: Link, name: str, log: Logger) -> Link:
    target, taken = name, link.get(host.netlink, name=name)
    if taken is not None and taken.index != device.index:
        target = free_name(host, name, device.name)
    elif taken is not None:
        if taken.name == name:  # udev was faster; where it is so after this look, the kernel has nothing to do below
            device.name, device.altnames = taken.name, taken.altnames
            return device
        link.delete_altnames(host.netlink, device.index, [name])
        device.altnames = [altname for altname in taken.altnames if altname != name]
    if target != device.name:
        if device.up:  # kernels before 6.2 rename only what is down
            link.change(host.netlink, device.index, up=False)
            device.up = False
        link.change(host.netlink, device.index, name=target)
        if target != name:
            log.warning(f"the name {name} is taken on the host: the device that had it is called {target} now")
    device.name = target
    return device
