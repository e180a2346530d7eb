"""ADD: everything is checked, the device is claimed and goes into the pod, where `configure` takes over."""

from __future__ import annotations

from cni.attach import attachment, configure, information, move
from cni.attach import earlier as earlier_add
from cni.attach.ifconfig import PodLink
from cni.attach.rollback import Rollback
from cni.attach.waiting import PATIENCE_S
from cni.linux import netns, sysfs
from cni.linux.background import Background
from cni.linux.netlink import link
from cni.linux.netlink.socket import RequestError
from cni.linux.netns import NetNS
from cni.linux.signals import Deferred, ignore_termination
from cni.protocol.errors import BAD_ENVIRONMENT, GENERIC, CniError, invalid_config
from cni.protocol.result import Interface
from ipam import delegate
from plugins.host_device import config, device
from plugins.host_device.attachment import Attachment
from plugins.host_device.claims import Claims
from plugins.host_device.config import DeviceConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.attach.ifconfig import PodLink
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.request import Request
    from cni.protocol.result import Result


def add(request: Request, conf: NetConf, log: Logger, claims: Claims) -> Result:
    """Move the device into the pod, configure it there, and return the result.

    Everything that can be known to be wrong is found before anything is changed. Raises CniError; the device is back on
    the host then, no address is held and no record is left.
    """
    wanted = config.parse(conf)
    delegate.validate(request, conf)
    delegate.refuse_unrenderable(conf)
    adding = claims.store.adding(request.container_id, request.ifname)
    with netns.of_pod(request.netns) as pod, netns.own() as host, adding:
        claims.give_back_dead(host, (request.container_id, request.ifname))
        earlier = claims.load(request.container_id, request.ifname)
        if earlier is not None:
            lives = claims.lives(earlier)
            earlier_add.undo(
                request, conf, earlier, lives, lambda: claims.detach(earlier, host, request.netns, PATIENCE_S), log
            )
        if device.is_userspace(wanted, claims.sysfs_root):
            return _attach_userspace(request, conf, wanted, log, claims)
        if link.get(pod.netlink, name=request.ifname) is not None:
            raise CniError(
                BAD_ENVIRONMENT, f'CNI_IFNAME "{request.ifname}" exists already in {pod.path}', "nothing was changed"
            )
        key = claims.key(wanted, host)
        with claims.lock(key):
            claims.reclaim(key, host)
            claim = _claim(request, conf, wanted, host, pod, log, claims)
            return _attach(request, conf, claim, host, pod, log, claims)


def _claim(
    request: Request, conf: NetConf, wanted: DeviceConfig, host: NetNS, pod: NetNS, log: Logger, claims: Claims
) -> Attachment:
    """Return what is to be recorded of the device before anything is done with it."""
    found = claims.find(wanted, host)
    if found.movable is False:
        raise invalid_config(
            f"cannot move {found.name} to another namespace: {wanted.describe()}",
            "the kernel keeps this kind of link where it is; nothing was changed",
        )
    master = link.get(host.netlink, index=found.master) if found.master else None
    if master is not None:
        log.warning(f"{found.name} is a port of {master.name}, which it leaves until DEL")
    path = claims.path(wanted, found)
    attachment.complete(found)
    owner = attachment.owner_of(request, conf, pod, delegate.remember(conf))
    pod_index = move.index_to_be(pod, found.index, host)
    return Attachment(
        owner, found, master.name if master is not None else "", pod_index, path, len(sysfs.netdevs(path)) == 1
    )


def _attach(
    request: Request, conf: NetConf, claim: Attachment, host: NetNS, pod: NetNS, log: Logger, claims: Claims
) -> Result:
    name = claim.original.name
    with Rollback(log) as undo:
        undo.push(f"give {name} back", claims.undo, claim, host, pod)
        claims.make(claim)
        if conf.ipam is not None:
            undo.push("release the addresses", delegate.delete, request, conf, log)
        with Deferred():  # were we told to end in between, the undo would run beside the move, on the same socket
            moving = Background(move.into_pod, host, pod, claim.original, request.ifname, claim.pod_index, log)
            undo.push("end the move", moving.join)
        # The kernel takes its time over the move. Meanwhile addresses are chosen.
        addresses = delegate.add(request, conf, log) if delegate.is_built_in(conf) else None
        moving.wait()
        arrived = configure.arrived(claim, host, pod, lambda: claims.make(claim), log)
        inside = PodLink(pod, arrived.index, request.ifname)
        pci_id = sysfs.pci_address_of(claim.device_path)
        interface = Interface(request.ifname, arrived.mac, arrived.mtu, pod.path, pci_id=pci_id)
        result = configure.link_in_pod(
            request, conf, inside, interface, addresses, lambda: _mark_and_bring_up(inside, name), log
        )
        information.publish(conf, claim.device_path, claims.sysfs_root, log)
        ignore_termination()  # from here on the attachment stands: an error would say that it does not
        undo.commit()
    log.debug(f"{name} is {request.ifname} in {pod.path} now")
    return result


def _mark_and_bring_up(inside: PodLink, host_name: str) -> None:
    """Note the device's name on the host in its alias, as the reference plugin does, and bring it up."""
    try:
        link.change(inside.netns.netlink, inside.index, alias=host_name, up=True)
    except RequestError as e:
        raise CniError(
            GENERIC,
            f"cannot bring up {host_name} as {inside.name} in {inside.netns.path}: {e.strerror}",
            f"errno {e.errno}",
        ) from e


def _attach_userspace(request: Request, conf: NetConf, wanted: DeviceConfig, log: Logger, claims: Claims) -> Result:
    """Attach a device on a userspace driver, which has no link: nothing is moved, but IPAM is asked.

    There is no record, so an earlier ADD that was not finished shows only in the built-in IPAM's store.
    """
    if delegate.is_built_in(conf):
        delegate.delete(request, conf, log)
    with Rollback(log) as undo:
        if conf.ipam is not None:
            undo.push("release the addresses", delegate.delete, request, conf, log)
        interface = Interface(request.ifname, sandbox=request.netns, pci_id=wanted.pci_address)
        result = configure.without_link(request, conf, [interface], log)
        information.publish(conf, device.folder(wanted, claims.sysfs_root), claims.sysfs_root, log)
        ignore_termination()
        undo.commit()
    return result
