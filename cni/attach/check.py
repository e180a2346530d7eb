"""CHECK and STATUS: are pod and device as ADD left them, and could ADD work here?"""

from __future__ import annotations

from cni.attach import ifconfig
from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.ifconfig import PodLink
from cni.attach.plugin import Plugin
from cni.linux import netns
from cni.linux.netlink import link
from cni.linux.netlink.link import FLAGS, IFF_MULTICAST, IFF_NOARP, Link
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, INVALID_CONFIG, PLUGIN_UNAVAILABLE, CniError
from cni.protocol.result import Interface, Result


def check(call: Call, plugin: Plugin) -> None:
    """Verify that the pod still has what ADD returned, and the device what was asked for.

    Raises CniError naming the first thing that is not so. What a driver does not tell is no fault.
    """
    request, conf = call.request, call.conf
    device = plugin.device(conf, request.args)
    result = conf.prev_result or Result()
    if conf.ipam is not None:
        call.ipam.check(request, conf, call.log)
    device.find()
    with netns.of_pod(request.netns) as pod:
        if not device.needs_record:
            return
        recorded = call.records.load(*call.identity)
        device.require(recorded, call)
        expected = result.in_pod(request.ifname)
        if expected is None:
            raise CniError(GENERIC, f"prevResult has no interface {request.ifname} in a sandbox")
        has_link = device.has_link if recorded is None else recorded.original is not None
        if has_link:
            found = _link_in_pod(pod, expected, result)
            _properties(found, recorded, pod.path)
            if expected.mtu and expected.mtu != found.mtu:
                # No fault: a plugin later in the chain, such as tuning, changes it and does not say so in the result.
                call.log.info(f"{expected.name} in {pod.path} has MTU {found.mtu}, ADD gave {expected.mtu}")
            device.verify_link(found, expected, pod, call)
        device.verify(call, recorded)


def status(call: Call, plugin: Plugin) -> None:
    """Say whether ADD could work here: records can be kept, IPAM has addresses, what else the plugin needs is there,
    and the device, if one is named. Runtimes name none.

    Raises CniError: code 50 for what keeps ADD from working, IPAM's own codes.
    """
    device = plugin.named(call.conf)
    _ipam_status(call)
    call.records.store.check_usable()
    try:
        plugin.check_host(call)
        if device is not None:
            device.status(call)
    except CniError as e:
        raise CniError(PLUGIN_UNAVAILABLE, e.msg, e.details) from e


def _link_in_pod(pod: NetNS, expected: Interface, result: Result) -> Link:
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


def _properties(found: Link, recorded: Attachment | None, where: str) -> None:
    """Make sure that the link in the pod has those properties of before ADD without which it does not work, as far as
    they are recorded. The others are the pod's affair, or that of a plugin later in the chain, such as tuning.

    recorded: the attachment, if there is a record. where: the namespace, for the message. Raises CniError.
    """
    if recorded is None or recorded.original is None:
        return
    before = recorded.original.properties
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


def _ipam_status(call: Call) -> None:
    """Have IPAM, if there is any, say whether ADD could work. Raises CniError: code 50 when its executable is missing,
    IPAM's own codes.
    """
    request, conf = call.request, call.conf
    if conf.ipam is None:
        return
    if not call.ipam.is_built_in(conf):
        try:
            call.ipam.validate(request, conf)
        except CniError as e:
            if e.code == INVALID_CONFIG:
                raise
            raise CniError(PLUGIN_UNAVAILABLE, e.msg, e.details) from e
    call.ipam.status(request, conf, call.log)
