"""DEL and GC: addresses become free. Nothing of the configuration matters but where the store is."""

from __future__ import annotations

from cni.attach.step import attempt
from cni.linux.log import Logger
from cni.protocol.config import NetConf
from cni.protocol.errors import CniError, combined
from cni.protocol.ip import address_or_none
from ipam.host_local.store import LOCK_TIMEOUT_S, Owner, Store


def release_attachment(container_id: str, ifname: str, store: Store) -> None:
    """Serve DEL. Files of an old version, with the container ID alone, count when there are no others.

    Raises CniError naming every address that could not be released, after releasing the others.
    """
    if not store.exists():
        return
    with store.locked():
        mine, of_container = store.held_by(container_id, ifname, store.take_stock())
        _release(store, mine or of_container, f"DEL of {ifname}")


def release_where_found(container_id: str, ifname: str, store: Store, timeout_s: float = LOCK_TIMEOUT_S) -> list[str]:
    """Release what the attachment holds in a folder that is not known to be a store, and return the addresses.

    The folder has to prove it: it has a lock, and files with the names of addresses whose content is this attachment's,
    container ID and interface. These alone are removed; nothing is made, marked or put in order. timeout_s: how long to
    wait for the lock, in seconds.
    Raises CniError as `release_attachment`.
    """
    if not store.held_if_store(container_id, ifname)[0]:
        return []
    with store.locked(create=False, timeout_s=timeout_s):
        mine = [name for name in store.held_by(container_id, ifname, store.taken())[0] if address_or_none(name)]
        _release(store, mine, f"DEL of {ifname}")
    return mine


def collect_garbage(conf: NetConf, store: Store, log: Logger) -> None:
    """Serve GC. Without a list of valid attachments, what certainly is no living pod's is released: files of an earlier
    boot, and empty ones (see `Store.is_abandoned`).

    A file of an old version is kept as long as a valid attachment is of its container. A damaged file is nobody's, but
    whoever it was may live. Raises CniError as `release_attachment`.
    """
    if not store.exists():
        return
    valid = set(conf.valid_attachments or ())
    containers = {container_id for container_id, _ in valid}

    def is_stale(name: str, owner: Owner | None) -> bool:
        if conf.valid_attachments is None:
            return store.is_abandoned(name)
        if owner is None:
            return True
        if owner.ifname is None:
            return owner.container_id not in containers
        return (owner.container_id, owner.ifname) not in valid

    with store.locked():
        stale = []
        for name, owner in store.owners(store.take_stock()):
            if address_or_none(name) is not None and is_stale(name, owner):
                log.info(f"releasing {name}, which {owner or 'nobody'} held")
                stale.append(name)
        _release(store, stale, f"GC of network {conf.name}")


def _release(store: Store, names: list[str], attempted: str) -> None:
    errors: list[CniError] = []
    for name in names:
        attempt(errors, store.release, name)
    if errors:
        raise combined(attempted, errors)
