"""DEL and GC: addresses are released and VFs given back, as far as anything is still there."""

from __future__ import annotations

from cni.attach import release
from cni.attach.steps import attempt
from cni.attach.waiting import PATIENCE_S
from cni.linux import netns
from cni.linux.netns import NetNS
from cni.protocol.errors import CniError, combined
from ipam import delegate
from plugins.vf import config
from plugins.vf.attachment import Attachment
from plugins.vf.claims import Claims

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.request import Request


def delete(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Release the addresses and give the VF back, as `release.delete`. The record tells all about the VF, so
    that a configuration which no longer names one is no obstacle. Raises CniError.
    """
    with netns.own() as host:
        release.delete(
            request,
            conf,
            log,
            lambda: claims.of_delete(request.container_id, request.ifname, conf.name),
            claims.lives,
            lambda claim, keep: _detach(request, conf, claim, keep, host, log, claims),
            lambda: claims.give_back_dead(host, (request.container_id, request.ifname, conf.name)),
        )


def _detach(
    request: Request, conf: NetConf, claim: Attachment | None, keep: bool, host: NetNS, log: Logger, claims: Claims
) -> None:
    """keep: whether the record is needed after that."""
    if claim is not None:
        claims.detach(claim, host, request.netns, PATIENCE_S, keep=keep)
        return
    log.info(f"{request.ifname} of {request.container_id} has no record: no VF to give back")
    try:
        address = config.address_of(conf)
    except CniError as e:
        log.warning(f"{e}; without a record, this DEL has no VF to give back")
        address = ""
    if address:
        claims.release_unrecorded(request, conf, address, host)
    # Last: even a damaged record tells the next DEL that there was an attachment.
    claims.forget_remains(request.container_id, request.ifname, conf.name)


def collect_garbage(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Take back the VFs and addresses of this network's attachments that are no longer valid, and, as every command,
    what dead pods have left (GC). Without a list of valid attachments only that.

    Raises CniError naming every step that failed, after doing all the others.
    """
    listed = conf.valid_attachments
    # The Go plugins' records tell their owners by the file's name only, in which these two are joined.
    valid = {f"{container_id}-{ifname}" for container_id, ifname in listed or ()}
    errors: list[CniError] = []

    def detach_invalid() -> None:
        for claim in claims.load_all() if listed is not None else ():
            if claim.network == conf.name and f"{claim.container_id}-{claim.ifname}" not in valid:
                log.info(f"giving back {claim.name}, which {claim.owner.describe()} no longer needs")
                attempt(errors, claims.detach, claim, host)

    with netns.own() as host:
        attempt(errors, detach_invalid)
        attempt(errors, claims.give_back_dead, host)
    attempt(errors, claims.sweep)
    if conf.ipam is not None:
        attempt(errors, delegate.gc, request, conf, log)
    if errors:
        raise combined(f"GC of network {conf.name}", errors)
