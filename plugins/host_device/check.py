"""CHECK and STATUS: is the pod as ADD left it, and could ADD work here?"""

from __future__ import annotations

from cni.attach import verify
from cni.linux import netns
from cni.protocol.errors import PLUGIN_UNAVAILABLE, CniError
from cni.protocol.result import Result
from ipam import delegate
from plugins.host_device import config, device
from plugins.host_device.claims import Claims

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.request import Request


def check(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Verify that the pod still has what ADD returned. Raises CniError naming the first thing that is not so."""
    wanted = config.parse(conf)
    result = conf.prev_result or Result()
    if conf.ipam is not None:
        delegate.check(request, conf, log)
    with netns.of_pod(request.netns) as pod:
        if device.is_userspace(wanted, claims.sysfs_root):
            return
        expected = verify.expected_interface(request.ifname, result)
        found = verify.link_in_pod(pod, expected, result)
        verify.properties(found, claims.load(request.container_id, request.ifname), pod.path)
        if expected.mtu and expected.mtu != found.mtu:
            # A plugin later in the chain, such as tuning, changes it and does not say so in the result.
            log.info(f"{request.ifname} in {pod.path} has MTU {found.mtu}, ADD gave {expected.mtu}")


def status(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Say whether ADD could work here: the device is on the host or attached by us, and IPAM has addresses.

    Raises CniError: code 50 for a device that this host does not have, IPAM's own codes.
    """
    wanted = config.parse(conf, required=False)
    verify.ipam_status(request, conf, log)
    claims.check_usable()
    if wanted.is_empty or device.is_userspace(wanted, claims.sysfs_root):
        return
    with netns.own() as host:
        try:
            # A device in a pod is no fault: it has a record, and comes back.
            claims.key(wanted, host)
        except CniError as e:
            raise CniError(PLUGIN_UNAVAILABLE, e.msg, e.details) from e
