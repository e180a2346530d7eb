"""The steps of DEL, which are the same whatever device it is about."""

from __future__ import annotations

from cni import files
from cni.errors import CniError, combined
from ipam import delegate
from plugins.common import information
from plugins.common.steps import attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request
    from plugins.common.attachment import Attachment, Owner

    Claim = TypeVar("Claim", bound=Attachment)


def delete(
    request: Request,
    conf: NetConf,
    log: Logger,
    find: Callable[[], Claim | None],
    lives: Callable[[Claim], bool],
    give_back: Callable[[Claim | None, bool], object],
    give_back_dead: Callable[[], object],
) -> None:
    """Release the addresses, always and first, then give the device back. What is gone already counts as done.

    find: returns the attachment that is recorded, None without a record. lives: whether its pod does. give_back: gives
    back what it had, as far as its record tells; that stays where it does not work, for the next DEL, and, as it tells
    where the addresses are, where they were not released, which the second argument says. Where it cannot be said
    what is recorded, as for want of a descriptor, nothing is given back, and what is recorded stays: to go on without
    would forget it. give_back_dead: does the same for all pods that have gone without one, and never fails. One that is
    attached to another network, and lives, stays.
    Raises CniError naming every step that failed, after doing all the others.
    """
    errors: list[CniError] = []
    found: list[Claim | None] = []
    attempt(errors, lambda: found.append(find()))
    recorded = found[0] if found else None
    is_known = bool(found) or _is_unusable(errors[-1])
    if recorded is not None and recorded.network != conf.name != "" and lives(recorded):
        # As a runtime does after the ADD that was refused for it (`earlier`).
        log.warning(
            f'{request.ifname} of {recorded.owner.describe()} is attached to network "{recorded.network}", not to '
            f'"{conf.name}": it stays attached'
        )
        attempt(errors, delegate.delete, request, conf, log, attached=False)
        attempt(errors, give_back_dead)
        if errors:
            raise combined(f"DEL of {request.ifname}", errors)
        return
    failed = len(errors)
    attempt(errors, release_addresses, request, conf, recorded.owner if recorded is not None else None, log)
    if is_known:
        attempt(errors, give_back, recorded, len(errors) > failed)
    attempt(errors, give_back_dead)
    information.sweep(conf, log)
    if errors:
        raise combined(f"DEL of {request.ifname}", errors)


def _is_unusable(error: CniError) -> bool:
    """Return whether what is in a record's place can be read by nobody: it is given back without one then."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in files.UNUSABLE


def release_addresses(request: Request, conf: NetConf, owner: Owner | None, log: Logger) -> None:
    """Release the addresses of an attachment: those that the configuration tells of, and those that its record does.

    owner: what the record says, None without one. Raises CniError.
    """
    remembered = owner.ipam if owner is not None else None
    delegate.delete(request, conf, log, attached=owner is not None, remembered=remembered)
    if owner is not None and owner.network not in ("", conf.name):
        delegate.release_recorded(owner.ipam, owner.network, owner.container_id, owner.ifname, log)
