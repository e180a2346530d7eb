"""ADD: everything is checked, the VF is claimed, configured through its PF, and its link goes into the pod."""

from __future__ import annotations

from cni.attach import attachment, configure, information, move, waiting
from cni.attach import earlier as earlier_add
from cni.attach.ifconfig import PodLink
from cni.attach.rollback import Rollback
from cni.attach.waiting import PATIENCE_S
from cni.linux import netns, sysfs
from cni.linux.background import Background
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netlink.socket import RequestError
from cni.linux.netns import NetNS
from cni.linux.signals import Deferred, ignore_termination
from cni.protocol.errors import BAD_ENVIRONMENT, GENERIC, TRY_AGAIN_LATER, CniError, invalid_config
from cni.protocol.result import Interface
from ipam import delegate
from plugins.vf import device, fixed_mac, mac, plan
from plugins.vf.attachment import Attachment
from plugins.vf.claims import Claims
from plugins.vf.config import VfConfig
from plugins.vf.device import Device
from plugins.vf.pf import NO_MAC, Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.attach.ifconfig import PodLink
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.request import Request
    from cni.protocol.result import Interface, Result


def add(request: Request, conf: NetConf, log: Logger, claims: Claims) -> Result:
    """Give the pod the VF, configured, and return the result.

    Everything that can be known to be wrong is found before anything is changed. Raises CniError; the VF is on the host
    as it was then, no address is held and no record is left.
    """
    kind = claims.kind
    wanted = kind.parse(conf, request.args)
    delegate.validate(request, conf)
    delegate.refuse_unrenderable(conf)
    vf = device.find(wanted.address, claims.sysfs_root)
    if not vf.pf:
        _refuse_without_pf(wanted)
    adding = claims.store.adding(request.container_id, request.ifname)
    with netns.of_pod(request.netns) as pod, netns.own() as host, adding:
        identity = (request.container_id, request.ifname, conf.name)
        if wanted.mac and vf.pf:
            fixed_mac.await_dead(wanted, vf, identity, host, claims, log)
        claims.give_back_dead(host, identity)
        if wanted.mac and vf.pf:
            fixed_mac.take(wanted, vf, identity, host, claims, log)
        earlier = claims.of_interface(*identity)
        if earlier is not None:
            lives = claims.lives(earlier)
            earlier_add.undo(
                request, conf, earlier, lives, lambda: claims.detach(earlier, host, request.netns, PATIENCE_S), log
            )
        if not vf.is_userspace and link.get(pod.netlink, name=request.ifname) is not None:
            raise CniError(
                BAD_ENVIRONMENT, f'CNI_IFNAME "{request.ifname}" exists already in {pod.path}', "nothing was changed"
            )
        with claims.lock(wanted.address):
            claims.make_free(wanted.address, host)
            return _attach(request, conf, wanted, vf, host, pod, log, claims)


def _refuse_without_pf(wanted: VfConfig) -> None:
    """Raise CniError (code 7) for parameters that only a PF can set, where none is to be seen."""
    needing = ", ".join(setting.describe() for setting in plan.needs_pf(wanted))
    if needing:
        raise invalid_config(
            f"cannot set {needing} on {wanted.address}: its physical function is not visible here",
            "in a virtual machine only the hypervisor can; the VF can be attached without; nothing was changed",
        )


def _entry(vf: Device, host: NetNS, log: Logger) -> Entry | None:
    """Return the VF's entry at its PF, None where no PF is to be seen. Raises CniError."""
    if not vf.pf:
        return None
    pf = device.pf_link(vf, host)
    if not pf.up:
        log.warning(f"{vf.pf}, the PF of {vf.address}, is down: most VFs have no carrier then")
    return Entry(host, pf.name, pf.index, vf.address, vf.index)


def _claim(
    request: Request,
    conf: NetConf,
    wanted: VfConfig,
    vf: Device,
    original: Link | None,
    entry: Entry | None,
    host: NetNS,
    pod: NetNS,
    log: Logger,
    claims: Claims,
) -> Attachment:
    """Return what is to be recorded of the VF before anything is done with it."""
    master = ""
    if original is not None:
        attachment.complete(original)
        if original.movable is False:
            raise CniError(GENERIC, f"the kernel does not let {original.name} go to another namespace")
        port_of = link.get(host.netlink, index=original.master) if original.master else None
        if port_of is not None:
            master = port_of.name
            log.warning(f"{original.name} is a port of {master}, which it leaves until DEL")
    owner = attachment.owner_of(request, conf, pod, delegate.remember(conf))
    claim = Attachment(owner, wanted, vf.pf, vf.index, original, entry.read() if entry is not None else None)
    claim.master = master
    if original is not None:
        claim.pod_index = move.index_to_be(pod, original.index, host)
    claim.beside = claims.kind.beside(wanted, vf, original, host, claims, log)
    return claim


def _link_on_host(vf: Device, host: NetNS) -> Link | None:
    """Return the VF's link, None when it has none: a program is to drive it, or its vDPA device. A link that is nowhere
    may be on its way back from the pod that had it before.
    """
    if vf.is_userspace:
        return None
    found = device.on_host(vf, host)
    driver = sysfs.driver(vf.path)
    if found is None and vf.vdpa is not None and vf.vdpa.driver == "vhost" and not sysfs.has_netdev(vf.path):
        return None
    if found is None and driver:
        found = waiting.for_link(lambda: device.on_host(vf, host), PATIENCE_S)
    if found is not None:
        return found
    if not driver:
        raise invalid_config(
            f'deviceID: "{vf.address}" is not allowed; the VF is bound to no driver', f"see {vf.path}/driver"
        )
    raise CniError(
        TRY_AGAIN_LATER,
        f"VF {vf.address} has no link on the host, though it is bound to {driver}",
        "its link may be in a pod that is going away, or that nobody knows of; nothing was changed",
    )


def _attach(
    request: Request,
    conf: NetConf,
    wanted: VfConfig,
    vf: Device,
    host: NetNS,
    pod: NetNS,
    log: Logger,
    claims: Claims,
) -> Result:
    with Rollback(log) as undo:
        # What may take a while is done without the kind's lock, for which all of the node wait.
        original, entry = _link_on_host(vf, host), _entry(vf, host, log)
        with claims.kind.lock(wanted):
            claim = _claim(request, conf, wanted, vf, original, entry, host, pod, log, claims)
            undo.push(f"give {claim.name} back", claims.undo, claim, host, pod)
            claims.make(claim, conf.section)
            if claim.beside is not None:
                claim.beside.connect(host, log)
        if entry is not None:
            _make_settings(claim, entry, conf, claims, log)
        if conf.ipam is not None:
            undo.push("release the addresses", delegate.delete, request, conf, log)
        if claim.original is None:
            result = _without_link(request, conf, claim, log)
        else:
            with Deferred():  # were we told to end in between, the undo would run beside the move, on the same socket
                moving = Background(move.into_pod, host, pod, claim.original, request.ifname, claim.pod_index, log)
                undo.push("end the move", moving.join)
            # The kernel takes its time over the move. Meanwhile addresses are chosen.
            addresses = delegate.add(request, conf, log) if delegate.is_built_in(conf) else None
            moving.wait()
            arrived = configure.arrived(claim, host, pod, lambda: claims.note(claim, conf.section), log)
            result = _configure(request, conf, claim, arrived, sysfs.driver(vf.path), addresses, pod, log)
        information.publish(conf, vf.path, claims.sysfs_root, log)
        ignore_termination()  # from here on the attachment stands: an error would say that it does not
        undo.commit()
    log.debug(f"{claim.name} is {request.ifname} in {pod.path} now")
    return result


def _make_settings(claim: Attachment, entry: Entry, conf: NetConf, claims: Claims, log: Logger) -> None:
    """Make what was asked for at the PF. Raises CniError naming the setting that was refused."""
    refused = []
    for setting in plan.to_make(claim.wanted, claim.table):
        log.debug(f"setting {setting.describe()} on VF {claim.index} of {claim.pf}")
        if not entry.make(setting, setting.attribute in claims.kind.optional):
            log.warning(f"{claim.pf} does not support {setting.attribute}: VF {claim.index} goes without")
            refused.append(setting.attribute)
    if refused:
        plan.forget(claim.wanted, refused)
        claims.note(claim, conf.section)


def _configure(
    request: Request,
    conf: NetConf,
    claim: Attachment,
    arrived: Link,
    driver: str,
    addresses: Result | None,
    pod: NetNS,
    log: Logger,
) -> Result:
    """Give the link that has arrived its MAC address and MTU, then all that every link gets.

    driver: the VF's. addresses: what a built-in IPAM type gave, if it did.
    """
    wanted = claim.wanted
    inside = PodLink(pod, arrived.index, request.ifname)
    if wanted.mac:
        mac.set_effective(pod, arrived.index, wanted.mac)
    elif claim.table is not None and claim.table.mac == NO_MAC and driver in mac.REPORTING_WHEN_RESET:
        mac.reset(pod, arrived.index)
    if wanted.mtu is not None:
        try:
            link.change(pod.netlink, arrived.index, mtu=wanted.mtu)
        except RequestError as e:
            raise CniError(
                GENERIC,
                f"cannot set MTU {wanted.mtu} on {claim.name} ({claim.address}): {e.strerror}",
                f"errno {e.errno}",
            ) from e
    interface = Interface(request.ifname, wanted.mac or arrived.mac, 0, pod.path, pci_id=claim.address)
    return configure.link_in_pod(
        request, conf, inside, interface, addresses, lambda: _bring_up(inside, claim, interface), log
    )


def _bring_up(inside: PodLink, claim: Attachment, interface: Interface) -> None:
    """Bring the link up and note what it is like then: some VFs get their address only when they come up."""
    try:
        link.change(inside.netns.netlink, inside.index, up=True)
        now = link.get(inside.netns.netlink, index=inside.index)
    except RequestError as e:
        raise CniError(
            GENERIC,
            f"cannot bring up {claim.name} as {inside.name} in {inside.netns.path}: {e.strerror}",
            f"errno {e.errno}",
        ) from e
    if now is None:
        raise CniError(GENERIC, f"{inside.name} has vanished from {inside.netns.path} during ADD")
    if claim.wanted.mac and now.mac != claim.wanted.mac:
        raise CniError(
            GENERIC, f"{claim.name} has MAC address {now.mac} when it is up, and {claim.wanted.mac} was asked for"
        )
    interface.mac, interface.mtu = now.mac, now.mtu


def _without_link(request: Request, conf: NetConf, claim: Attachment, log: Logger) -> Result:
    """Return the result for a VF on a userspace driver: IPAM is asked, and nothing is applied."""
    admin = claim.table.mac if claim.table is not None and claim.table.mac != NO_MAC else ""
    interface = Interface(request.ifname, claim.wanted.mac or admin, 0, request.netns, pci_id=claim.address)
    return configure.without_link(request, conf, [interface], log)
