"""What ADD does once a link is in the pod: addresses, up, routes, announcement, and the result of it all."""

from __future__ import annotations

from cni.attach import identity, ifconfig, restore
from cni.attach.ifconfig import PodLink
from cni.linux.netlink import link, nsid
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError
from cni.protocol.result import Interface, Result
from ipam import delegate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni.attach.attachment import Attachment
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.request import Request


def arrived(claim: Attachment, host: NetNS, pod: NetNS, note: Callable[[], None], log: Logger) -> Link:
    """Return the link that was moved into the pod, known by the index that the move gave it, and without programs that
    see its packets.

    note: writes the record anew, which has to be done where the kernel has chosen another index (before Linux 5.13).
    Raises CniError when the link is not there any more.
    """
    index = claim.pod_index
    found = link.get(pod.netlink, index=index, known_as=claim.ifname) if index else None
    if found is None or claim.sought().contradiction(found, nsid.UNKNOWN):
        found, seen = identity.in_pod(claim.sought(), host, pod, knows_index=index > 0)
        if found is None:
            raise CniError(GENERIC, f"{claim.ifname} has vanished from {pod.path} during ADD", seen)
        claim.pod_index = found.index
        note()
    with pod.entered():
        restore.without_filters(pod, found, log)
    return found


def link_in_pod(
    request: Request,
    conf: NetConf,
    inside: PodLink,
    interface: Interface,
    addresses: Result | None,
    bring_up: Callable[[], None],
    log: Logger,
) -> Result:
    """Configure a link that has arrived in the pod and is down, and return the result of ADD.

    interface: how the link appears in the result. addresses: what a built-in IPAM type gave; None when IPAM is another,
    which is asked here, or there is none. bring_up: takes the link up.
    Raises CniError; what was done until then is the caller's to undo.
    """
    # Before it comes up, so that the kernel announces them.
    announcing = addresses is not None and ifconfig.add_addresses(inside, addresses, log)
    bring_up()
    announced = announcing and ifconfig.kernel_announced(inside)
    if addresses is None and conf.ipam is not None:
        # A plugin such as dhcp talks through the link, which therefore is there and up.
        addresses = delegate.add(request, conf, log)
        ifconfig.add_addresses(inside, addresses, log)
    result = _result([interface], addresses, conf)
    ifconfig.add_routes(inside, result, log)
    ifconfig.announce(inside, result, announced, log)
    return result


def without_link(request: Request, conf: NetConf, interfaces: list[Interface], log: Logger) -> Result:
    """Return the result of ADD for a device that has no link: addresses for the pod's program, if IPAM is configured.

    interfaces: how the device appears in the result. Raises CniError; releasing the addresses is the caller's then.
    """
    return _result(interfaces, None if conf.ipam is None else delegate.add(request, conf, log), conf)


def _result(interfaces: list[Interface], addresses: Result | None, conf: NetConf) -> Result:
    """Return IPAM's result for our interface. As in the reference plugins, DNS is the network configuration's and not
    IPAM's, and a network without IPAM has none. Raises CniError when IPAM gave no address, in the words users know.
    """
    if addresses is None:
        return Result(interfaces)
    if not addresses.ips:
        raise CniError(GENERIC, "IPAM plugin returned missing IP config", "everything is undone")
    for ip in addresses.ips:
        ip.interface = 0
    return Result(interfaces, addresses.ips, addresses.routes, conf.dns)
