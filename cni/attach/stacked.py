"""Links that a pod has put on top of its device, as a VLAN or a macvlan: they do not go with it when it leaves.

Such a link stays where it is, and what the device receives on the host, or in its next pod, reaches it (the kernel
leaves links on top alone when a link only moves: net/core/dev.c, NETDEV_UNREGISTER without unregistering). So they
go before the device does; and when it has gone, those that the pod has made in the meantime.
"""

from __future__ import annotations

from collections.abc import Iterator

from cni.attach import identity
from cni.linux.log import Logger
from cni.linux.netlink import link, nsid
from cni.linux.netlink.link import Link
from cni.linux.netlink.socket import NetlinkError, RequestError
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError

MAX_NAMESPACES = 64
"""Into how many namespaces of a pod's it is looked."""

PAIRS = ("veth", "vxcan", "netkit")
"""Kinds of links that are made in twos and die in twos: what one is tied to is the other."""

HERE = -1
"""In place of a namespace's number, the one that the socket is in."""


def remove(device: Link, host: NetNS, pod: NetNS, log: Logger, links: list[Link] | None = None) -> None:
    """Delete what is on top of a device, in a pod's namespace and in those that this one knows, but for the host's.

    device: in the pod, if links are given: those of the pod; else as it is on the host, back from there.
    What cannot be deleted is a warning: the device has to leave all the same. Raises CniError for
    what the kernel did not answer to, and RequestError.
    """
    for number, found in _on_top(device, host, pod, links):
        if links is not None and not device.up:
            _bring_up(device, pod)
        try:
            link.delete(pod.netlink, found.index, number)
            log.info(f"deleted {found.name} of {pod.path}, which was on top of {device.name}")
        except RequestError as e:
            refusal = f"cannot delete {found.name}, which is on top of {device.name}: {e.strerror}"
            if not isinstance(e, NetlinkError):
                raise CniError(GENERIC, refusal, f"errno {e.errno}; the device is still in {pod.path}") from e
            log.warning(f"{refusal} (errno {e.errno})")


def _bring_up(device: Link, pod: NetNS) -> None:
    """Bring a device of a pod up: of one that is down the kernel does not take back that it was made promiscuous for
    what is on top of it (net/core/dev_addr_lists.c, __dev_set_rx_mode).
    """
    try:
        link.change(pod.netlink, device.index, up=True)
        device.up = True
    except NetlinkError:  # it stays promiscuous until it is up the next time
        return


def _on_top(device: Link, host: NetNS, pod: NetNS, links: list[Link] | None) -> Iterator[tuple[int, Link]]:
    """Give each link on top, with the number of its namespace."""
    hosts = nsid.of(pod.netlink, host.fd)
    home = HERE if links is not None else hosts
    if links is None and hosts < 0:
        return  # no link of the pod is on top of one of the host
    yield from ((HERE, found) for found in links or link.dump(pod.netlink) if _is_on(found, device, home))
    others = set(nsid.known(pod.netlink)) - {hosts}
    if others:
        # Those that have a name on the host are other pods', or the administrator's.
        others -= {nsid.of(pod.netlink, pod.fd), *identity.named(pod)}
    for number in sorted(others)[:MAX_NAMESPACES]:
        try:
            there = link.dump(pod.netlink, number)
        except NetlinkError:  # before Linux 5.0 there is no listing of another namespace's links; or it has gone
            continue
        # A namespace may have a number for itself only since the list told of it.
        home = nsid.of(pod.netlink, pod.fd) if links is not None else hosts
        if home < 0:  # nothing there can be tied to it
            continue
        yield from ((number, found) for found in there if _is_on(found, device, home))


def _is_on(found: Link, device: Link, home: int) -> bool:
    """Return whether a link is on top of a device in the namespace with a number. The other end of a pair is not."""
    return found.peer == device.index and found.peer_nsid == home and found.kind not in PAIRS
