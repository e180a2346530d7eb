"""What ADD does once the device is in the pod: up, addresses, routes, announcement, and the result of it all."""

from __future__ import annotations

from cni import ifconfig, sysfs
from cni.errors import GENERIC, CniError
from cni.ifconfig import PodLink
from cni.netlink import link
from cni.netlink.link import Link
from cni.netlink.socket import NetlinkError
from cni.netns import NetNS
from cni.result import Interface, Result
from ipam import delegate
from plugins.host_device.attachment import Attachment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request


def link_in_pod(
    request: Request, conf: NetConf, claim: Attachment, pod: NetNS, addresses: Result | None, log: Logger
) -> Result:
    """Configure the link that has arrived in the pod, and return the result of ADD.

    addresses: what a built-in IPAM type gave; None when IPAM is another, which is asked here, or there is none.
    Raises CniError; what was done until then is the caller's to undo.
    """
    arrived = _arrived(pod, request.ifname)
    inside = PodLink(pod, arrived.index, request.ifname)
    # Before it comes up, so that the kernel announces them.
    announcing = addresses is not None and ifconfig.add_addresses(inside, addresses, log)
    _mark_and_bring_up(inside, claim.original.name)
    announced = announcing and ifconfig.has_carrier(inside)
    if addresses is None and conf.ipam is not None:
        # A plugin such as dhcp talks through the link, which therefore is there and up.
        addresses = delegate.add(request, conf, log)
        ifconfig.add_addresses(inside, addresses, log)
    interface = Interface(
        request.ifname, arrived.mac, arrived.mtu, pod.path, pci_id=sysfs.pci_address_of(claim.device_path)
    )
    result = _result([interface], addresses, conf)
    ifconfig.add_routes(inside, result, log)
    ifconfig.announce(inside, arrived.mac, result, announced, log)
    return result


def without_link(request: Request, conf: NetConf, log: Logger) -> Result:
    """Return the result of ADD for a device that has no link: addresses for the pod's program, if IPAM is configured.

    Raises CniError; releasing the addresses is the caller's then.
    """
    return _result([], None if conf.ipam is None else delegate.add(request, conf, log), conf)


def _arrived(pod: NetNS, ifname: str) -> Link:
    arrived = link.get(pod.netlink, name=ifname)
    if arrived is None:
        raise CniError(GENERIC, f"{ifname} has vanished from {pod.path} during ADD")
    return arrived


def _mark_and_bring_up(inside: PodLink, host_name: str) -> None:
    """Note the device's name on the host in its alias, as the reference plugin does, and bring it up."""
    try:
        link.change(inside.netns.netlink, inside.index, alias=host_name, up=True)
    except NetlinkError as e:
        raise CniError(
            GENERIC,
            f"cannot bring up {host_name} as {inside.name} in {inside.netns.path}: {e.strerror}",
            f"errno {e.errno}",
        ) from e


def _result(interfaces: list[Interface], addresses: Result | None, conf: NetConf) -> Result:
    """Return IPAM's result for our interface. As in the reference plugin, DNS is the network configuration's and not
    IPAM's, and a network without IPAM has none. Raises CniError when IPAM gave no address, in the words users know.
    """
    if addresses is None:
        return Result(interfaces)
    if not addresses.ips:
        raise CniError(GENERIC, "IPAM plugin returned missing IP config", "everything is undone")
    for ip in addresses.ips:
        ip.interface = 0
    return Result(interfaces, addresses.ips, addresses.routes, conf.dns)
