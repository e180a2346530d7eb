"""DEL and GC: addresses are released and devices given back, as far as anything is still there."""

from __future__ import annotations

from cni import netns
from cni.errors import CniError, combined
from cni.netns import NetNS
from ipam import delegate
from plugins.common import release
from plugins.common.steps import attempt
from plugins.host_device import config, device, transfer
from plugins.host_device.claims import Claims

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request


PATIENCE_S = 2.0
"""How long DEL waits, in seconds, for a device that comes back from a dying namespace. After that GC has to take it."""


def delete(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Release the addresses and give the device back, as `release.delete`. The record tells all about the device, so
    that a configuration which no longer names one is no obstacle. Raises CniError.
    """
    release.delete(request, conf, log, lambda: _detach(request, conf, log, claims))


def _detach(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    with netns.own() as host:
        claim = claims.load(request.container_id, request.ifname)
        if claim is not None:
            claims.detach(claim, host, request.netns, PATIENCE_S)
        else:
            _delete_unrecorded(request, conf, host, log, claims)


def _delete_unrecorded(request: Request, conf: NetConf, host: NetNS, log: Logger, claims: Claims) -> None:
    """Give back what the reference plugin attached, unless it is ours and another attachment's: the namespace's path
    may have been given to a new pod since.
    """
    claims.forget_remains(request.container_id, request.ifname)
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
        found = transfer.find_unrecorded(pod, request.ifname, wanted, folder)
        if found is None:
            log.info(f"{request.ifname} is not in {pod.path}: nothing to give back")
            return
        for claim in claims.load_all():
            owned = transfer.find_in_pod(claim, pod) if claim.netns_cookie in (0, pod.cookie) else None
            if owned is not None and owned.index == found.index:
                log.warning(f"{found.name} in {pod.path} belongs to {claim.container_id} by now: left alone")
                return
        transfer.give_back_unrecorded(found, wanted, folder, host, pod, log)


def collect_garbage(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Take back the devices and addresses of this network's attachments that are no longer valid (GC).

    Raises CniError naming every step that failed, after doing all the others.
    """
    valid = set(conf.valid_attachments or ())
    errors: list[CniError] = []

    def detach_invalid() -> None:
        with netns.own() as host:
            for claim in claims.load_all() if conf.valid_attachments is not None else ():
                if claim.network == conf.name and (claim.container_id, claim.ifname) not in valid:
                    log.info(f"giving back {claim.original.name}, which {claim.container_id} no longer needs")
                    attempt(errors, claims.detach, claim, host)

    attempt(errors, detach_invalid)
    attempt(errors, claims.sweep)
    if conf.ipam is not None:
        attempt(errors, delegate.gc, request, conf, log)
    if errors:
        raise combined(f"GC of network {conf.name}", errors)
