"""ADD for an attachment that has a record already: an earlier ADD was not finished, or is another network's."""

from __future__ import annotations

from cni.attach import release
from cni.protocol.errors import BAD_ENVIRONMENT, TRY_AGAIN_LATER, CniError
from ipam import delegate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni.attach.attachment import Attachment
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.request import Request


def undo(
    request: Request, conf: NetConf, claim: Attachment, lives: bool, detach: Callable[[], int], log: Logger
) -> None:
    """Undo an earlier ADD of the same attachment: the runtime cannot know its result, else it would not ask again.

    lives: whether the pod of the earlier ADD does. detach: gives the device back; returns whether all is done.
    Raises CniError: code 4 when the attachment is another network's and lives, code 11 when the device is not back.
    """
    if claim.network != conf.name and lives:
        raise CniError(
            BAD_ENVIRONMENT,
            f'CNI_IFNAME "{request.ifname}" of {claim.owner.describe()} is attached to network "{claim.network}"',
            f'DEL from that network comes before ADD to "{conf.name}"; nothing was changed',
        )
    log.info("an earlier ADD of this attachment was not finished: undoing it first")
    if claim.network == conf.name:
        release.release_addresses(request, conf, claim.owner, log)
    else:
        delegate.release_recorded(claim.owner.ipam, claim.network, claim.container_id, claim.ifname, log)
    if not detach():
        raise CniError(
            TRY_AGAIN_LATER,
            f"{claim.name} of an earlier ADD has not come back yet",
            "its record stays; its addresses are released",
        )
