"""ADD: everything is checked and looked at; then it is decided what is to be done (`attaching`), and done."""

from __future__ import annotations

from cni.attach import earlier, move
from cni.attach.attaching import Attaching
from cni.attach.attachment import Attachment, Owner, owner_of
from cni.attach.call import Call
from cni.attach.claims import Claims
from cni.attach.plugin import Device, Plugin
from cni.attach.rollback import Rollback
from cni.linux import features, netns
from cni.linux.netlink import link
from cni.linux.netlink.link import FEATURES, Link
from cni.linux.netns import NetNS
from cni.protocol.errors import BAD_ENVIRONMENT, TRY_AGAIN_LATER, CniError, invalid_config
from cni.protocol.result import Result


def add(call: Call, plugin: Plugin) -> Result:
    """Give the pod the device, configured, and return the result.

    Everything that can be known to be wrong is found before anything is changed. Raises CniError; the device is on the
    host as it was then, no address is held and no record is left.
    """
    request, conf = call.request, call.conf
    device = plugin.device(conf, request.args)
    call.ipam.validate(request, conf)
    call.ipam.refuse_unrenderable(conf)
    device.find()
    device.refuse()
    claims = Claims(plugin, call)
    adding = call.records.store.adding(request.container_id, request.ifname)
    with netns.of_pod(request.netns) as pod, adding:
        device.before_sweep(call)
        claims.give_back_dead()
        device.after_sweep(call)
        before = call.records.of_interface(*call.identity)
        if before is not None:
            earlier.undo(call, before, claims)
        if not device.needs_record:
            # An earlier ADD that was not finished shows only in the built-in IPAM's store.
            if call.ipam.is_built_in(conf):
                call.release_addresses()
            unrecorded = Attachment(Owner(*call.identity), None)
            with Rollback(call.log) as undo:
                attaching = Attaching(call, device, unrecorded, pod, claims)
                attaching.claim(undo)
                return attaching.finish(undo)
        if device.has_link and link.get(pod.netlink, name=request.ifname) is not None:
            raise CniError(
                BAD_ENVIRONMENT, f'CNI_IFNAME "{request.ifname}" exists already in {pod.path}', "nothing was changed"
            )
        key = device.key(call)
        with plugin.lock(key):
            claims.take_over(device)
            # What may take a while is done without the shared lock, for which all of the node wait.
            original = device.link(call)
            with Rollback(call.log) as undo:
                with device.shared_lock():
                    attachment = _claim(call, device, original, pod, claims)
                    if attachment.key != key:
                        raise CniError(
                            TRY_AGAIN_LATER,
                            f"{device.describe()} is {attachment.key} now, and was {key} when its lock was taken",
                            "nothing was changed",
                        )
                    attaching = Attaching(call, device, attachment, pod, claims)
                    attaching.claim(undo)
                return attaching.finish(undo)


def _claim(call: Call, device: Device, original: Link | None, pod: NetNS, claims: Claims) -> Attachment:
    """Return what is to be recorded of a device before anything is done with it. Raises CniError."""
    master = None
    if original is not None:
        if original.movable is False:
            raise invalid_config(
                f"cannot move {original.name} to another namespace: {device.describe()}",
                "the kernel keeps this kind of link where it is; nothing was changed",
            )
        # What rtnetlink does not tell.
        if asked := features.requested(original.name):
            original.properties[FEATURES] = asked
        master = link.get(call.host.netlink, index=original.master) if original.master else None
        if master is not None:
            call.log.warning(f"{original.name} is a port of {master.name}, which it leaves until DEL")
    owner = owner_of(call.request, call.conf, pod, call.ipam.remember(call.conf))
    attachment = device.attachment(owner, original, call)
    attachment.master = master.name if master is not None else ""
    if original is not None:
        # Before Linux 5.13 the kernel chooses it itself.
        attachment.pod_index = move.free_index(pod, original.index, call.host) if link.chooses_index() else 0
    return attachment
