"""Move a link from a pod to the host and make sure that it is the one: a pod may put another in its place meanwhile."""

from __future__ import annotations

from cni.attach import identity, move, stacked
from cni.attach.identity import Sought
from cni.linux.log import Logger
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netlink.socket import NetlinkError, RequestError
from cni.linux.netns import NetNS


def fetched(sought: Sought, found: Link, links: list[Link], host: NetNS, pod: NetNS, log: Logger) -> Link | None:
    """Move a link that was found in a pod to the host, under the name that it had there; return it as it is there.

    links: of the pod. None when another came in its place, which is deleted. Raises CniError, whose details say where
    the link is.
    """
    original = sought.original
    stacked.remove(found, host, pod, log, links)
    _drop_given_names(found, sought.original, pod)
    back = move.onto_host(host, pod, found, original.name, log, alias=original.name, index=original.index)
    if back is None:
        return None
    reason = sought.on_host(back)
    if reason and (back.kind, back.peer) == (found.kind, found.peer) and identity.peer_has_left(original, host):
        reason = ""
    if not reason:
        stacked.remove(back, host, pod, log)
        return back
    log.warning(f"{pod.path} has put another link in the place of {original.name}: {reason}; it is deleted")
    try:
        link.delete(host.netlink, back.index)
    except RequestError as e:
        log.error(f"{back.name}, which is a link of {pod.path}, stays on the host: {e.strerror} (errno {e.errno})")
    return None


def _drop_given_names(device: Link, original: Link, pod: NetNS) -> None:
    """Take the alternative names off that the pod gave. They would come with the link and be names of the host until it
    is restored: another device that has such a name could not come back under it, and who asks for that one would get
    this. What the kernel refuses, `restore` asks again.
    """
    given = [altname for altname in device.altnames if altname not in original.altnames]
    try:
        if given:
            link.delete_altnames(pod.netlink, device.index, given)
    except NetlinkError:
        return
    device.altnames = [altname for altname in device.altnames if altname not in given]
