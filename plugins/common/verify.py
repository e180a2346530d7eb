"""What CHECK and STATUS have in common: is the link in the pod as ADD left it, is the IPAM plugin there?"""

from __future__ import annotations

from cni import ifconfig
from cni.errors import GENERIC, INVALID_CONFIG, PLUGIN_UNAVAILABLE, CniError
from cni.ifconfig import PodLink
from cni.netlink import link
from cni.netlink.link import Link
from cni.netns import NetNS
from cni.result import Interface, Result
from ipam import delegate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request


def expected_interface(ifname: str, result: Result) -> Interface:
    """Return the pod's interface of this name in the result of ADD. Raises CniError when it has none."""
    expected = next((x for x in result.interfaces if x.name == ifname and x.sandbox), None)
    if expected is None:
        raise CniError(GENERIC, f"prevResult has no interface {ifname} in a sandbox")
    return expected


def link_in_pod(pod: NetNS, expected: Interface, result: Result) -> Link:
    """Return the link in the pod, having made sure that it is there with the MAC address, addresses and routes that
    ADD gave it. Raises CniError naming the first thing that is not so.
    """
    found = link.get(pod.netlink, name=expected.name)
    if found is None:
        raise CniError(GENERIC, f"{expected.name} is missing in {pod.path}")
    if expected.mac and expected.mac.lower() != found.mac:
        raise CniError(GENERIC, f"{expected.name} in {pod.path} has MAC address {found.mac}, ADD gave {expected.mac}")
    ifconfig.verify(PodLink(pod, found.index, found.name), result)
    return found


def ipam_status(request: Request, conf: NetConf, log: Logger) -> None:
    """Have IPAM, if there is any, say whether ADD could work. Raises CniError: code 50 when its executable is missing,
    IPAM's own codes.
    """
    if conf.ipam is None:
        return
    if not delegate.is_built_in(conf):
        try:
            delegate.validate(request, conf)
        except CniError as e:
            if e.code == INVALID_CONFIG:
                raise
            raise CniError(PLUGIN_UNAVAILABLE, e.msg, e.details) from e
    delegate.status(request, conf, log)
