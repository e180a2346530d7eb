"""ADD, DEL, CHECK, STATUS and GC of static: the same in-process and in the binary. There is no state to keep."""

from __future__ import annotations

from cni.linux.log import Logger
from cni.protocol.config import NetConf
from cni.protocol.errors import GENERIC, CniError
from cni.protocol.request import Request
from cni.protocol.result import Result
from ipam import members
from ipam.static import config


def validate(request: Request, conf: NetConf) -> None:
    """Find out what can be known to be wrong before ADD changes anything. Raises CniError."""
    config.parse(request, conf)


def add(request: Request, conf: NetConf, log: Logger) -> Result:
    """Return the addresses, routes and DNS settings. Raises CniError."""
    wanted = config.parse(request, conf)
    members.warn_of_unknown(conf, log)
    return Result(ips=wanted.addresses, routes=wanted.routes, dns=wanted.dns)


def delete(request: Request, conf: NetConf, log: Logger) -> None:
    """Do nothing: nothing was taken. Also with a configuration that makes no sense any more."""


def check(request: Request, conf: NetConf, log: Logger) -> None:
    """Verify that each address is in prevResult, with the gateway, if one is configured. Raises CniError."""
    given = {one.address.ip: one for one in conf.prev_result.ips} if conf.prev_result else {}
    for one in config.parse(request, conf).addresses:
        found = given.get(one.address.ip)
        if found is None or (one.gateway is not None and one.gateway != found.gateway):
            wanted = f"{one.address} with gateway {one.gateway or 'of any kind'}"
            have = "no such address" if found is None else f"{found.address} with gateway {found.gateway}"
            msg = f"static: Failed to match addr {one.address.ip} on interface {request.ifname}"
            raise CniError(GENERIC, msg, f"the configuration has {wanted}, prevResult {have}")


def gc(request: Request, conf: NetConf, log: Logger) -> None:
    """Do nothing: nothing was taken."""


def status(request: Request, conf: NetConf, log: Logger) -> None:
    """Say whether ADD could work: whether the configuration makes sense. Raises CniError."""
    config.parse(request, conf)
    members.warn_of_unknown(conf, log)
