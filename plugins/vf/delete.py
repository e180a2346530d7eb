"""DEL and GC: addresses are released and VFs given back, as far as anything is still there."""

from __future__ import annotations

from cni import netns
from cni.errors import CniError, combined
from ipam import delegate
from plugins.common import release
from plugins.common.steps import attempt
from plugins.vf import config
from plugins.vf.claims import PATIENCE_S, Claims

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request


def delete(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Release the addresses and give the VF back, as `release.delete`. The record tells all about the VF, so
    that a configuration which no longer names one is no obstacle. Raises CniError.
    """
    release.delete(request, conf, log, lambda: _detach(request, conf, log, claims))


def _detach(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    claim = claims.load(request.container_id, request.ifname, conf.name)
    if claim is None:
        log.info(f"{request.ifname} of {request.container_id} has no record: no VF to give back")
        try:
            address = config.address_of(conf)
        except CniError as e:
            log.warning(f"{e}; without a record, this DEL has no VF to give back")
            address = ""
        if address:
            with netns.own() as host:
                claims.release_unrecorded(request, conf, address, host)
        # Last: even a damaged record tells the next DEL that there was an attachment.
        claims.forget_remains(request.container_id, request.ifname, conf.name)
        return
    with netns.own() as host:
        claims.detach(claim, host, request.netns, PATIENCE_S)


def collect_garbage(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Take back the VFs and addresses of this network's attachments that are no longer valid (GC).

    Raises CniError naming every step that failed, after doing all the others.
    """
    # The Go plugins' records tell their owners by the file's name only, in which these two are joined.
    valid = {f"{container_id}-{ifname}" for container_id, ifname in conf.valid_attachments or ()}
    errors: list[CniError] = []

    def detach_invalid() -> None:
        with netns.own() as host:
            for claim in claims.load_all() if conf.valid_attachments is not None else ():
                if claim.network == conf.name and f"{claim.container_id}-{claim.ifname}" not in valid:
                    log.info(f"giving back {claim.name}, which {claim.container_id} no longer needs")
                    attempt(errors, claims.detach, claim, host)

    attempt(errors, detach_invalid)
    attempt(errors, claims.sweep)
    if conf.ipam is not None:
        attempt(errors, delegate.gc, request, conf, log)
    if errors:
        raise combined(f"GC of network {conf.name}", errors)
