"""DEL: addresses are released, the device given back, and what dead pods have left; what is gone counts as done."""

from __future__ import annotations

from cni.attach import deviceinfo
from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.claims import Claims
from cni.attach.give_back import Outcome
from cni.attach.plugin import Plugin
from cni.attach.records import is_unusable
from cni.attach.step import attempt, settle
from cni.attach.waiting import PATIENCE_S
from cni.protocol.errors import CniError


def delete(call: Call, plugin: Plugin) -> None:
    """Release the addresses, always and first, then give the device back.

    The record tells all about the device, so that a configuration which no longer names one is no obstacle. It stays
    where the device does not come back, for the next DEL, and where the addresses were not released, as it tells where
    they are. Where it cannot be said what is recorded, as for want of a descriptor, nothing is given back, and what is
    recorded stays: to go on without would forget it. An attachment to another network, which lives, stays.
    Raises CniError naming every step that failed, after doing all the others.
    """
    request, conf, log, claims = call.request, call.conf, call.log, Claims(plugin, call)
    errors: list[CniError] = []
    found: list[Attachment | None] = []
    attempt(errors, lambda: found.append(call.records.of_delete(*call.identity)))
    recorded = found[0] if found else None
    is_known = bool(found) or is_unusable(errors[-1])
    if recorded is not None and recorded.owner.network != conf.name != "" and call.records.lives(recorded):
        owner = recorded.owner
        # As a runtime does after the ADD that was refused for it (`earlier`).
        log.warning(
            f'{request.ifname} of {owner.describe()} is attached to network "{owner.network}", not to "{conf.name}": '
            "it stays attached"
        )
        attempt(errors, call.ipam.delete, request, conf, log, attached=False)
    else:
        failed = len(errors)
        attempt(errors, call.release_addresses_of, recorded.owner if recorded is not None else None)
        if is_known:
            attempt(errors, _detach, recorded, len(errors) > failed, claims)
    attempt(errors, claims.give_back_dead)
    deviceinfo.sweep_for(conf, log)
    settle(f"DEL of {request.ifname}", errors)


def _detach(recorded: Attachment | None, keep: bool, claims: Claims) -> None:
    """Give back what the attachment had. keep: whether the record is needed after that. Raises CniError."""
    call = claims.call
    while True:
        if recorded is not None:
            outcome = claims.detach(recorded, call.request.netns, PATIENCE_S, keep=keep)
            if outcome is not Outcome.DONE or keep:
                return
        # Also after a record: a Go plugin, which knows nothing of that, may have attached the pod anew.
        if not claims.plugin.release_unrecorded(call, recorded is not None):
            return
        recorded = call.records.of_delete(*call.identity)
