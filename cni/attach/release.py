"""Release the addresses of an attachment: those that the configuration tells of, and those that its record does."""

from __future__ import annotations

from cni.attach.attachment import Owner
from cni.attach.call import Call


def release_addresses(call: Call, owner: Owner | None) -> None:
    """Release the addresses of an attachment. owner: what its record says, None without one. Raises CniError."""
    remembered = owner.ipam if owner is not None else None
    call.ipam.delete(call.request, call.conf, call.log, attached=owner is not None, remembered=remembered)
    if owner is not None and owner.network not in ("", call.conf.name):
        call.ipam.release_recorded(owner.ipam, owner.identity, call.log)
