"""The addresses that a recorded attachment holds, as far as they can be released without its configuration.

host-local keeps them in files that name their owner (ipam/host_local/store.py); static has none to release. What
another IPAM plugin gave, that one alone can release.
"""

from __future__ import annotations

from cni.attach.attachment import Attachment
from cni.linux.log import Logger
from cni.protocol.errors import CniError
from cni.protocol.ip import address_or_none
from ipam.delegate import Delegate
from ipam.host_local.boot import Boot
from ipam.host_local.place import Places
from ipam.host_local.store import Store

HOST_LOCAL = "host-local"
RELEASABLE = ("", HOST_LOCAL, "static")


def remembered(attachment: Attachment) -> dict[str, object]:
    """Return what is known of an attachment's IPAM, as `delegate.remember` said it.

    A record that a Go plugin wrote does not tell; host-local's files name their owners, so that nothing else's goes.
    """
    return attachment.owner.ipam if attachment.is_ours else {"type": HOST_LOCAL}


def held(attachment: Attachment, log: Logger, places: Places | None = None) -> list[str]:
    """Return the addresses that an attachment holds in host-local's store, in no store none. Nothing is changed.

    places: where stores are. Raises CniError (code 5).
    """
    told, owner = remembered(attachment), attachment.owner
    if told.get("type") != HOST_LOCAL:
        return []
    folder = (places or Places()).anyones(str(told.get("dataDir", "")), owner.network)
    mine, _ = Store(folder, Boot(), log).held_if_store(owner.container_id, owner.ifname)
    return sorted(name for name in mine if address_or_none(name))


def release(attachment: Attachment, log: Logger, timeout_s: float) -> list[str]:
    """Release the addresses of an attachment and return them. timeout_s: how long to wait for the store, in seconds.

    Raises CniError (code 5, 11).
    """
    before = held(attachment, log)
    Delegate().release_recorded(remembered(attachment), attachment.owner.identity, log, timeout_s=timeout_s)
    return sorted(set(before) - set(held(attachment, log)))


def unreleasable(attachment: Attachment) -> str:
    """Return the type of the IPAM plugin that alone can release the addresses of an attachment, empty for none."""
    kind = str(remembered(attachment).get("type", ""))
    return "" if kind in RELEASABLE else kind


def told_or_none(attachment: Attachment, log: Logger) -> list[str]:
    """The same as `held`, for a look: a store that cannot be read counts as an empty one, and that is noted."""
    try:
        return held(attachment, log)
    except CniError as e:
        log.warning(str(e))
        return []
