"""What CHECK and STATUS have in common: is the link in the pod as ADD left it, is the IPAM plugin there?"""

from __future__ import annotations

from cni.attach import ifconfig
from cni.attach.ifconfig import PodLink
from cni.linux.netlink import link
from cni.linux.netlink.link import FLAGS, IFF_MULTICAST, IFF_NOARP, Link
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, INVALID_CONFIG, PLUGIN_UNAVAILABLE, CniError
from cni.protocol.result import Interface, Result
from ipam import delegate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.attach.attachment import Attachment
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.request import Request


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


def properties(found: Link, claim: Attachment | None, where: str) -> None:
    """Make sure that the link in the pod has those properties of before ADD without which it does not work, as far as
    they are recorded. The others are the pod's affair, or that of a plugin later in the chain, such as tuning.

    claim: the attachment's record, if there is one. where: the namespace, for the message. Raises CniError.
    """
    if claim is None or claim.original is None:
        return
    before = claim.original.properties
    told = [(name, before.get(key), found.properties.get(key)) for key, name in CHECKED.items()]
    flags, now = int(before.get(FLAGS, found.properties[FLAGS])), int(found.properties[FLAGS])
    told += [(name, _on(flags & bit != off), _on(now & bit != off)) for bit, off, name in CHECKED_FLAGS]
    for name, was, is_now in told:
        if was is not None and is_now is not None and was != is_now:
            raise CniError(GENERIC, f"{found.name} in {where}: {name} is {is_now}, ADD left it {was}")


CHECKED = {"broadcast": "the broadcast address", "linkMode": "the link mode"}
CHECKED_FLAGS = ((IFF_NOARP, IFF_NOARP, "ARP"), (IFF_MULTICAST, 0, "multicast"))
"""A flag, what it is when the thing is off, and the thing."""


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"


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
