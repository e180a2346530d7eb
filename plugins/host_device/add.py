"""ADD: the device goes into the pod, gets its addresses there, and is announced."""

from __future__ import annotations

from cni import ifconfig, move, netns, sysfs
from cni.background import Background
from cni.convert import render_result
from cni.errors import BAD_ENVIRONMENT, GENERIC, CniError
from cni.ifconfig import PodLink
from cni.netlink import link
from cni.netlink.link import Link
from cni.netlink.socket import NetlinkError
from cni.netns import NetNS
from cni.result import Interface, Result
from cni.rollback import Rollback
from cni.signals import Deferred, ignore_termination
from ipam import delegate
from plugins.host_device import attachment, config, device
from plugins.host_device.attachment import Attachment
from plugins.host_device.claims import Claims

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request


def add(request: Request, conf: NetConf, log: Logger, claims: Claims) -> Result:
    """Move the device into the pod, configure it there, and return the result.

    Everything that can be known to be wrong is found before anything is changed. Raises CniError; the device is back on
    the host then, no address is held and no record is left.
    """
    wanted = config.parse(conf)
    delegate.validate(request, conf)
    if conf.ipam is None:
        # Versions before 0.3.0 have no form for a result without addresses: better said now than with the device moved.
        render_result(Result(), conf.cni_version)
    with netns.of_pod(request.netns) as pod, netns.own() as host:
        if device.is_userspace(wanted, claims.sysfs_root):
            return _add_userspace(request, conf, log)
        earlier = claims.load(request.container_id, request.ifname)
        if earlier is not None:
            # The runtime cannot know that ADD's result: it would not ask again.
            log.info("an earlier ADD of this attachment was not finished: undoing it first")
            if conf.ipam is not None:
                delegate.delete(request, conf, log)
            claims.detach(earlier, host, pod)
        if link.get(pod.netlink, name=request.ifname) is not None:
            raise CniError(
                BAD_ENVIRONMENT, f'CNI_IFNAME "{request.ifname}" exists already in {pod.path}', "nothing was changed"
            )
        key = claims.key(wanted, host)
        with claims.lock(key):
            claims.reclaim(key, host)
            found = device.find(wanted, host, claims.sysfs_root)
            path = claims.path(wanted, found)
            claim = Attachment(
                request.container_id,
                request.ifname,
                conf.name,
                request.netns,
                attachment.boot_id(),
                attachment.key_of(found, path),
                path,
                found,
            )
            return _attach(request, conf, claim, host, pod, log, claims)


def _attach(
    request: Request, conf: NetConf, claim: Attachment, host: NetNS, pod: NetNS, log: Logger, claims: Claims
) -> Result:
    name = claim.original.name
    in_process = conf.ipam is not None and delegate.is_built_in(conf)
    addresses = Result()
    with Rollback(log) as undo:
        undo.push(f"giving {name} back", claims.give_back, claim, host, pod)
        claims.make(claim)
        if conf.ipam is not None:
            undo.push("releasing the addresses", delegate.delete, request, conf, log)
        with Deferred():  # were we told to end in between, the undo would run beside the move, on the same socket
            moving = Background(move.into_pod, host, pod, claim.original, request.ifname, log)
            undo.push("ending the move", moving.join)
        if in_process:
            # The kernel takes its time over the move: the addresses are chosen meanwhile.
            addresses = delegate.add(request, conf, log)
        moving.wait()
        arrived = _arrived(pod, request.ifname)
        inside = PodLink(pod, arrived.index, request.ifname)
        ifconfig.add_addresses(inside, addresses, log)
        _mark_and_bring_up(inside, name)
        kernel_did = in_process and ifconfig.has_carrier(inside)
        if conf.ipam is not None and not in_process:
            # An IPAM plugin such as dhcp talks through the link, which therefore is there and up.
            addresses = delegate.add(request, conf, log)
            ifconfig.add_addresses(inside, addresses, log)
        if conf.ipam is not None and not addresses.ips:
            raise _missing_addresses()
        pci_address = sysfs.pci_address_of(claim.device_path)
        interface = Interface(request.ifname, arrived.mac, arrived.mtu, pod.path, "", pci_address)
        result = _result([interface], addresses, conf)
        ifconfig.add_routes(inside, result, log)
        ifconfig.announce(inside, arrived.mac, result, kernel_did, log)
        ignore_termination()  # from here on the attachment stands: an error would say that it does not
        undo.commit()
    return result


def _add_userspace(request: Request, conf: NetConf, log: Logger) -> Result:
    """A device on a userspace driver has no link: the pod's program gets addresses to use, if IPAM is configured."""
    if conf.ipam is None:
        return Result()
    with Rollback(log) as undo:
        undo.push("releasing the addresses", delegate.delete, request, conf, log)
        addresses = delegate.add(request, conf, log)
        if not addresses.ips:
            raise _missing_addresses()
        ignore_termination()  # from here on the attachment stands: an error would say that it does not
        undo.commit()
    return _result([], addresses, conf)


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


def _missing_addresses() -> CniError:
    """Return the error for an IPAM plugin whose result has no address, in the words that users know."""
    return CniError(GENERIC, "IPAM plugin returned missing IP config", "everything was undone")


def _result(interfaces: list[Interface], addresses: Result, conf: NetConf) -> Result:
    """Return IPAM's result for our interface. As in the reference plugin, DNS is the network configuration's and not
    IPAM's, and a network without IPAM has none.
    """
    for ip in addresses.ips:
        ip.interface = 0
    return Result(interfaces, addresses.ips, addresses.routes, conf.dns if conf.ipam is not None else None)
