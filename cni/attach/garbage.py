"""GC: what attachments hold that are not valid any more is taken back, and what dead pods and killed commands left."""

from __future__ import annotations

from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.claims import Claims
from cni.attach.plugin import Plugin
from cni.attach.step import attempt, settle
from cni.protocol.errors import CniError


def collect_garbage(call: Call, plugin: Plugin) -> None:
    """Take back the devices and addresses of this network's attachments that are no longer valid, and, as every
    command, what dead pods have left. Without a list of valid attachments only that.

    Raises CniError naming every step that failed, after doing all the others.
    """
    conf, claims = call.conf, Claims(plugin, call)
    errors: list[CniError] = []
    attempt(errors, _detach_invalid, claims, errors)
    attempt(errors, claims.give_back_dead, has_own=False)
    attempt(errors, plugin.sweep, call)
    attempt(errors, call.records.store.sweep)
    if conf.ipam is not None:
        attempt(errors, call.ipam.gc, call.request, conf, call.log)
    settle(f"GC of network {conf.name}", errors)


def _detach_invalid(claims: Claims, errors: list[CniError]) -> None:
    conf = claims.call.conf
    if conf.valid_attachments is None:
        return
    valid = set(conf.valid_attachments)
    # The Go plugins' records tell their owners by the file's name only, in which these two are joined.
    joined = {f"{container_id}-{ifname}" for container_id, ifname in valid}

    def is_valid(attachment: Attachment) -> bool:
        owner = attachment.owner
        if attachment.is_ours:
            return (owner.container_id, owner.ifname) in valid
        return f"{owner.container_id}-{owner.ifname}" in joined

    for attachment in claims.call.records.all():
        if attachment.owner.network == conf.name and not is_valid(attachment):
            claims.call.log.info(f"giving back {attachment.name}, which {attachment.owner.describe()} no longer needs")
            attempt(errors, claims.detach, attachment)
