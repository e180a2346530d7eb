"""ADD for an attachment that has a record already: an earlier ADD was not finished, or is another network's."""

from __future__ import annotations

from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.claims import Claims
from cni.attach.give_back import Outcome
from cni.attach.waiting import PATIENCE_S
from cni.protocol.errors import BAD_ENVIRONMENT, TRY_AGAIN_LATER, CniError


def undo(call: Call, before: Attachment, claims: Claims) -> None:
    """Undo an earlier ADD of the same attachment: the runtime cannot know its result, else it would not ask again.

    Raises CniError: code 4 when the attachment is another network's and lives, code 11 when the device is not back.
    """
    request, conf, owner = call.request, call.conf, before.owner
    if owner.network != conf.name and call.records.lives(before):
        raise CniError(
            BAD_ENVIRONMENT,
            f'CNI_IFNAME "{request.ifname}" of {owner.describe()} is attached to network "{owner.network}"',
            f'DEL from that network comes before ADD to "{conf.name}"; nothing was changed',
        )
    call.log.info("an earlier ADD of this attachment was not finished: undoing it first")
    if owner.network == conf.name:
        call.release_addresses_of(owner)
    else:
        call.ipam.release_recorded(owner.ipam, owner.identity, call.log)
    if claims.detach(before, request.netns, PATIENCE_S) is Outcome.NOT_YET:
        raise CniError(
            TRY_AGAIN_LATER,
            f"{before.name} of an earlier ADD has not come back yet",
            "its record stays; its addresses are released",
        )
