"""DEL and GC: addresses are released and devices given back, as far as anything is still there."""

from __future__ import annotations

from cni.attach import release
from cni.attach.steps import attempt
from cni.attach.waiting import PATIENCE_S
from cni.linux import netns
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.errors import CniError, combined
from ipam import delegate
from plugins.host_device import attachment, config, device, transfer
from plugins.host_device.attachment import Attachment
from plugins.host_device.claims import Claims

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.request import Request


def delete(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Release the addresses and give the device back, as `release.delete`. The record tells all about the device, so
    that a configuration which no longer names one is no obstacle. Raises CniError.
    """
    with netns.own() as host:
        release.delete(
            request,
            conf,
            log,
            lambda: claims.load(request.container_id, request.ifname),
            claims.lives,
            lambda claim, keep: _detach(request, conf, claim, keep, host, log, claims),
            lambda: claims.give_back_dead(host, (request.container_id, request.ifname)),
        )


def _detach(
    request: Request, conf: NetConf, claim: Attachment | None, keep: bool, host: NetNS, log: Logger, claims: Claims
) -> None:
    """keep: whether the record is needed after that."""
    if claim is not None:
        if claims.detach(claim, host, request.netns, PATIENCE_S, keep=keep) != transfer.DONE:
            return
    elif claims.load(request.container_id, request.ifname) is None:  # an ADD may just have written it
        claims.forget_remains(request.container_id, request.ifname)
    # Also after a record: the reference plugin, which knows nothing of that, may have attached the pod anew.
    _delete_unrecorded(request, conf, host, log, claims)


def _delete_unrecorded(request: Request, conf: NetConf, host: NetNS, log: Logger, claims: Claims) -> None:
    """Give back what the reference plugin attached, unless it is ours and another attachment's: the namespace's path
    may have been given to a new pod since.
    """
    try:
        wanted = config.parse(conf, required=False)
    except CniError as e:
        log.warning(f"{e}; without a record, this DEL has no device to give back")
        return
    pod = None if device.is_userspace(wanted, claims.sysfs_root) else netns.if_there(request.netns, log)
    if pod is None:
        return
    with pod:
        folder = device.folder(wanted, claims.sysfs_root)
        found = transfer.find_unrecorded(request.ifname, wanted, folder, host, pod, log)
        if found is None:
            return
        with claims.lock(attachment.key_of_unrecorded(found, folder, claims.sysfs_root)):
            # An ADD of the same attachment, which had no record when this DEL looked, may have been at work.
            is_recorded = claims.store.has(request.container_id, request.ifname)
            if not is_recorded and not _is_of_another(found, host, pod, log, claims):
                transfer.give_back_unrecorded(found, host, pod, log)
    if is_recorded:
        claim = claims.load(request.container_id, request.ifname)
        _detach(request, conf, claim, False, host, log, claims)


def _is_of_another(found: Link, host: NetNS, pod: NetNS, log: Logger, claims: Claims) -> bool:
    """Return whether a link in a pod is that of a recorded attachment, or calls itself what another pod's is called on
    the host, which is said.
    """
    for claim in claims.load_all():
        if claim.original.name == found.alias and claims.lives(claim):
            log.warning(f"{found.name} in {pod.path} is left alone: {claim.owner.describe()} has {found.alias}")
            return True
        owned = transfer.find_in_pod(claim, host, pod) if claim.netns_cookie in (0, pod.cookie) else None
        if owned is not None and owned.index == found.index:
            log.warning(f"{found.name} in {pod.path} belongs to {claim.owner.describe()} by now: left alone")
            return True
    return False


def collect_garbage(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Take back the devices and addresses of this network's attachments that are no longer valid, and, as every
    command, what dead pods have left (GC). Without a list of valid attachments only that.

    Raises CniError naming every step that failed, after doing all the others.
    """
    listed = conf.valid_attachments
    valid = set(listed or ())
    errors: list[CniError] = []

    def detach_invalid() -> None:
        for claim in claims.load_all() if listed is not None else ():
            if claim.network == conf.name and (claim.container_id, claim.ifname) not in valid:
                log.info(f"giving back {claim.original.name}, which {claim.owner.describe()} no longer needs")
                attempt(errors, claims.detach, claim, host)

    with netns.own() as host:
        attempt(errors, detach_invalid)
        attempt(errors, claims.give_back_dead, host)
    attempt(errors, claims.sweep)
    if conf.ipam is not None:
        attempt(errors, delegate.gc, request, conf, log)
    if errors:
        raise combined(f"GC of network {conf.name}", errors)
