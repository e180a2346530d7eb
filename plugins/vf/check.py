"""CHECK and STATUS: are pod and VF as ADD left them, and could ADD work here?"""

from __future__ import annotations

from cni.attach import verify
from cni.linux import netns
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, PLUGIN_UNAVAILABLE, CniError
from cni.protocol.result import Result
from ipam import delegate
from plugins.vf import config, device, plan
from plugins.vf.claims import Claims
from plugins.vf.config import VfConfig
from plugins.vf.device import Device
from plugins.vf.pf import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.request import Request


def check(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Verify that the pod still has what ADD returned, and the VF what the user asked for.

    Raises CniError naming the first thing that is not so. What a driver does not tell is no fault.
    """
    wanted = claims.kind.parse(conf, request.args)
    result = conf.prev_result or Result()
    if conf.ipam is not None:
        delegate.check(request, conf, log)
    vf = device.find(wanted.address, claims.sysfs_root)
    recorded = claims.load(request.container_id, request.ifname, conf.name)
    if claims.kind.connects and (recorded is None or recorded.beside is None):
        raise CniError(
            GENERIC,
            f"{request.ifname} of {request.container_id} has no usable record in {claims.store.folder}",
            f"only that tells what {wanted.address} was connected to, and DEL could not make it what it was before",
        )
    if recorded is not None and claims.kind.optional:  # what ADD could not set is not there
        wanted.trust, wanted.spoofchk = recorded.wanted.trust, recorded.wanted.spoofchk
    has_link = recorded.original is not None if recorded is not None else not vf.is_userspace
    with netns.of_pod(request.netns) as pod, netns.own() as host:
        expected = verify.expected_interface(request.ifname, result)
        if has_link:
            found = verify.link_in_pod(pod, expected, result)
            verify.properties(found, recorded, pod.path)
            if wanted.mtu is not None and found.mtu not in (wanted.mtu, expected.mtu):
                raise CniError(
                    GENERIC, f"{request.ifname} in {pod.path} has MTU {found.mtu}, the network asks for {wanted.mtu}"
                )
            if found.parent and found.parent not in device.parents(wanted.address, claims.sysfs_root):
                raise CniError(
                    GENERIC, f"{request.ifname} in {pod.path} is {found.parent}, the network gave {wanted.address}"
                )
        if vf.pf:
            _check_settings(wanted, vf, host)
        if recorded is not None and recorded.beside is not None:
            recorded.beside.verify(host)


def _check_settings(wanted: VfConfig, vf: Device, host: NetNS) -> None:
    """Compare what was asked for with the VF's entry in the table of its PF. Raises CniError."""
    pf = device.pf_link(vf, host)
    current = Entry(host, pf.name, pf.index, vf.address, vf.index).read()
    for setting in plan.asked(wanted, current):
        now = plan.value_of(setting.attribute, current)
        if now is not None and now != setting:
            raise CniError(
                GENERIC,
                f"VF {vf.index} ({vf.address}) of {vf.pf} has {now.describe()}, ADD set {setting.describe()}",
            )


def status(request: Request, conf: NetConf, log: Logger, claims: Claims) -> None:
    """Say whether ADD could work here: records can be kept, IPAM has addresses, what else the kind needs is there, and
    the VF, if one is named, exists with a driver. Runtimes name none.

    Raises CniError: code 50 for what keeps ADD from working, IPAM's own codes.
    """
    address = config.address_of(conf)
    verify.ipam_status(request, conf, log)
    claims.store.check_usable()
    try:
        with netns.own() as host:
            claims.kind.status(conf, host)
            if address:
                vf = device.find(address, claims.sysfs_root)
                if vf.pf:
                    device.pf_link(vf, host)
    except CniError as e:
        raise CniError(PLUGIN_UNAVAILABLE, e.msg, e.details) from e
