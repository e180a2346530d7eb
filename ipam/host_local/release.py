"""DEL and GC: addresses become free. Nothing of the configuration matters but where the store is."""

from __future__ import annotations

from cni.cidr import address_or_none
from cni.errors import CniError, combined, invalid_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request
    from ipam.host_local.store import Owner, Store


def release_attachment(request: Request, store: Store) -> None:
    """Serve DEL. Files of an old version, with the container ID alone, count when there are no others.

    Raises CniError naming every address that could not be released, after releasing the others.
    """
    if not store.exists():
        return
    with store.lock():
        mine, of_container = store.held_by(request.container_id, request.ifname, store.take_stock())
        _release(store, mine or of_container, f"DEL of {request.ifname}")


def collect_garbage(conf: NetConf, store: Store, log: Logger) -> None:
    """Serve GC. A file of an old version is kept as long as a valid attachment is of its container.

    A damaged file is nobody's. Raises CniError as `release_attachment`.
    """
    if conf.valid_attachments is None:
        raise invalid_config("missing cni.dev/valid-attachments", "without it nothing can be known to be stale")
    if not store.exists():
        return
    valid = set(conf.valid_attachments)
    containers = {container_id for container_id, _ in valid}
    with store.lock():
        stale = []
        for name, owner in store.owners(store.take_stock()):
            if address_or_none(name) is None or (owner is not None and _is_valid(owner, valid, containers)):
                continue
            log.info(f"releasing {name}, which {owner or 'nobody'} held")
            stale.append(name)
        _release(store, stale, f"GC of network {conf.name}")


def _is_valid(owner: Owner, valid: set[tuple[str, str]], containers: set[str]) -> bool:
    if owner.ifname is None:
        return owner.container_id in containers
    return (owner.container_id, owner.ifname) in valid


def _release(store: Store, names: list[str], attempt: str) -> None:
    errors = []
    for name in names:
        try:
            store.release(name)
        except CniError as e:
            errors.append(e)
    if errors:
        raise combined(attempt, errors)
