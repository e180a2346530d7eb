"""DEL and GC: addresses are released and devices given back, as far as anything is still there."""

from __future__ import annotations

from cni import netns
from cni.errors import GENERIC, CniError, combined
from cni.netlink import link
from cni.netns import NetNS
from ipam import delegate
from plugins.host_device import config, device, transfer
from plugins.host_device.claims import Claims, OptionalPod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request


def delete(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Release the addresses, then give the device back. What is gone already counts as done.

    Raises CniError naming every step that failed, after doing all the others; what could not be given back keeps its
    record for the next DEL.
    """
    wanted = config.parse(conf)
    errors: list[CniError] = []
    if conf.ipam is not None:
        try:
            delegate.delete(request, conf, log)
        except CniError as e:
            errors.append(e)
    try:
        claim = claims.load(request.container_id, request.ifname)
        # The runtime may have forgotten the namespace while it is still there, with the device in it.
        path = request.netns or (claim.netns if claim is not None else "")
        with OptionalPod(path, log) as pod, netns.own() as host:
            if claim is not None:
                claims.detach(claim, host, pod)
            else:
                if pod is not None and not device.is_userspace(wanted, claims.sysfs_root):
                    _give_back_unrecorded(request, wanted.device, host, pod, log, claims)
                claims.forget_remains(request.container_id, request.ifname)
    except (CniError, OSError) as e:
        errors.append(_failure(e))
    if errors:
        raise combined(f"DEL of {request.ifname}", errors)


def _give_back_unrecorded(
    request: Request, device_name: str, host: NetNS, pod: NetNS, log: Logger, claims: Claims
) -> None:
    """Give back what the reference plugin attached, unless it is ours and another attachment's: the namespace's path
    may have been given to a new pod since.
    """
    found = link.get(pod.netlink, name=request.ifname)
    for claim in claims.load_all():
        owned = transfer.find_in_pod(claim, pod)
        if found is not None and owned is not None and owned.index == found.index:
            log.warning(f"{request.ifname} in {pod.path} belongs to {claim.container_id} by now: left alone")
            return
    transfer.give_back_unrecorded(device_name, request.ifname, host, pod, log)


def collect_garbage(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Take back the devices and addresses of this network's attachments that are no longer valid (GC).

    Raises CniError naming every step that failed, after doing all the others.
    """
    valid = set(conf.valid_attachments or ())
    errors: list[CniError] = []
    with netns.own() as host:
        for record in claims.load_all():
            if record.network != conf.name or (record.container_id, record.ifname) in valid:
                continue
            log.info(f"giving back {record.original.name}, which {record.container_id} no longer needs")
            try:
                with OptionalPod(record.netns, log) as pod:
                    claims.detach(record, host, pod)
            except (CniError, OSError) as e:
                errors.append(_failure(e))
    try:
        claims.sweep()
        if conf.ipam is not None:
            delegate.gc(request, conf, log)
    except CniError as e:
        errors.append(e)
    if errors:
        raise combined(f"GC of network {conf.name}", errors)


def _failure(error: CniError | OSError) -> CniError:
    """Return the failure of one step, which is no reason to leave the others undone."""
    if isinstance(error, CniError):
        return error
    return CniError(
        GENERIC, f"the kernel did not answer: {error.strerror}", f"errno {error.errno}; the record was kept"
    )
