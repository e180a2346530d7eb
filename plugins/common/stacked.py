"""Links that a pod has put on top of its device, as a VLAN or a macvlan: they do not go with it when it leaves.

Such a link stays where it is, and what the device receives on the host, or in its next pod, reaches it (the kernel
leaves links on top alone when a link only moves: net/core/dev.c, NETDEV_UNREGISTER without unregistering). So they
go before the device does.
"""

from __future__ import annotations

from cni.errors import GENERIC, CniError
from cni.netlink import link, nsid
from cni.netlink.link import Link
from cni.netlink.socket import NetlinkError, RequestError
from cni.netns import NetNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni.log import Logger


def remove(device: Link, links: list[Link], host: NetNS, pod: NetNS, log: Logger) -> None:
    """Delete the links on top of a pod's device, in its namespace and in those that this one knows, but for the host's.

    links: of the pod. What cannot be deleted is a warning: the device has to leave all the same. Raises CniError for
    what the kernel did not answer to, and RequestError.
    """
    for number, found in _on_top(device, links, host, pod):
        try:
            link.delete(pod.netlink, found.index, number)
            log.info(f"deleted {found.name} of {pod.path}, which was on top of {device.name}")
        except RequestError as e:
            refusal = f"cannot delete {found.name}, which is on top of {device.name}: {e.strerror}"
            if not isinstance(e, NetlinkError):
                raise CniError(GENERIC, refusal, f"errno {e.errno}; the device is still in {pod.path}") from e
            log.warning(f"{refusal} (errno {e.errno})")


def _on_top(device: Link, links: list[Link], host: NetNS, pod: NetNS) -> Iterator[tuple[int, Link]]:
    """Give each link on top, with the number of its namespace, -1 for the pod's own. The end of a veth is none."""
    for found in links:
        if found.peer == device.index and found.peer_nsid == -1 and found.kind != "veth":
            yield -1, found
    others = set(nsid.known(pod.netlink))
    if others:
        others.discard(nsid.of(pod.netlink, host.fd))
    if others:
        others.discard(nsid.of(pod.netlink, pod.fd))
    for number in others:
        try:
            there = [x for x in link.dump(pod.netlink, number) if x.peer == device.index and x.kind != "veth"]
        except NetlinkError:  # before Linux 5.0 there is no listing of another namespace's links; or it has gone
            continue
        # A namespace may have a number for itself only since the list told of it.
        own = nsid.of(pod.netlink, pod.fd) if there else -1
        yield from ((number, found) for found in there if found.peer_nsid == own)
