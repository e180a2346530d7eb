"""ADD, DEL, CHECK, STATUS and GC of host-local: the same in-process and in the binary."""

from __future__ import annotations

import os
from ipaddress import ip_interface

from cni.errors import GENERIC, PLUGIN_UNAVAILABLE, CniError, combined, invalid_config
from cni.result import IPConfig, Result
from cni.rollback import Rollback
from ipam.host_local import allocator, config, resolvconf
from ipam.host_local.allocator import Allocation, Knowledge
from ipam.host_local.boot import Boot
from ipam.host_local.store import Owner, Store, parse_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request

DATA_DIR = "/var/lib/cni/networks"


class HostLocal:
    """The commands. data_dir: where stores are unless the configuration says otherwise. boot: this machine's boot."""

    __slots__ = ("_boot", "_data_dir")

    def __init__(self, data_dir: str = DATA_DIR, boot: Boot | None = None) -> None:
        self._data_dir = data_dir
        self._boot = boot or Boot()

    def _store(self, conf: NetConf, log: Logger) -> Store:
        # The network's name was checked to be safe as a name of a folder when the configuration was read.
        return Store(os.path.join(config.data_dir(conf, self._data_dir), conf.name), self._boot, log)

    def validate(self, request: Request, conf: NetConf) -> None:
        """Find out what can be known to be wrong before ADD changes anything. Raises CniError."""
        wanted = config.parse(request, conf)
        allocator.assign(wanted.range_sets, wanted.requested)
        config.data_dir(conf, self._data_dir)
        resolvconf.read(wanted.resolv_conf)

    def add(self, request: Request, conf: NetConf, log: Logger) -> Result:
        """Take one address from each range set and return them with gateways, routes and DNS.

        Raises CniError; no address is held then, beyond those that the attachment had before.
        """
        wanted = config.parse(request, conf)
        assigned = allocator.assign(wanted.range_sets, wanted.requested)
        dns = resolvconf.read(wanted.resolv_conf)
        store = self._store(conf, log)
        with store.lock():
            known = _knowledge(store, store.take_stock(), request, log)
            allocations = allocator.choose(wanted.range_sets, assigned, request.container_id, known)
            _reserve(store, allocations, request, log)
        ips = [
            IPConfig(ip_interface((int(one.address), one.range.subnet.prefixlen)), one.range.gateway)
            for one in allocations
        ]
        return Result(ips=ips, routes=wanted.routes, dns=dns)

    def delete(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Release all addresses of the attachment, whatever the ranges are by now. None is no error.

        Files of an old version, with the container ID alone, count when there are no others.
        Raises CniError naming every address that could not be released, after releasing the others.
        """
        store = self._store(conf, log)
        if not store.exists():
            return
        with store.lock():
            mine, of_container = store.held_by(request.container_id, request.ifname, store.take_stock())
            _release(store, mine or of_container, f"DEL of {request.ifname}")

    def check(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Verify that the attachment holds an address, and each of its prevResult that is in our ranges.

        Raises CniError.
        """
        wanted = config.parse(request, conf)
        store = self._store(conf, log)
        mine, of_container = store.held_by(request.container_id, request.ifname, store.names())
        held = mine + of_container
        if not held:
            raise CniError(
                GENERIC,
                f"host-local: Failed to find address added by container {request.container_id}",
                f"{store.folder} has no file of its interface {request.ifname}",
            )
        for ip in conf.prev_result.ips if conf.prev_result else []:
            address = ip.address.ip
            if any(address in one for one in wanted.range_sets) and str(address) not in held:
                raise CniError(
                    GENERIC,
                    f"host-local: {address} is not reserved for {request.container_id}",
                    f"prevResult has it, {store.folder} holds {', '.join(held)} for interface {request.ifname}",
                )

    def gc(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Release the addresses of all attachments of this network that are not valid.

        A file of an old version is kept as long as any valid attachment is of its container; a damaged one is nobody's.
        Raises CniError naming every address that could not be released, after releasing the others.
        """
        if conf.valid_attachments is None:
            raise invalid_config("missing cni.dev/valid-attachments", "without it nothing can be known to be stale")
        store = self._store(conf, log)
        if not store.exists():
            return
        valid = set(conf.valid_attachments)
        containers = {container_id for container_id, _ in valid}
        with store.lock():
            stale = []
            for name, owner in store.owners(store.take_stock()):
                if parse_name(name) is None or (owner is not None and _is_valid(owner, valid, containers)):
                    continue
                log.info(f"releasing {name}, which {owner or 'nobody'} held")
                stale.append(name)
            _release(store, stale, f"GC of network {conf.name}")

    def status(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Say whether ADD could work: the configuration is good, the store can be used, no range set is full.

        Raises CniError: code 50 for the store and for a full set, as attached pods go on working; those of `validate`.
        """
        wanted = config.parse(request, conf)
        resolvconf.read(wanted.resolv_conf)
        store = self._store(conf, log)
        try:
            store.check_usable()
            names = store.names()
            for one in wanted.range_sets:
                if allocator.is_full(one, Knowledge(set(names), (), store.last_reserved, store.abandoned)):
                    raise allocator.exhausted(one)
        except CniError as e:
            raise CniError(PLUGIN_UNAVAILABLE, e.msg, e.details) from e


def _knowledge(store: Store, names: list[str], request: Request, log: Logger) -> Knowledge:
    """Return what the allocator needs to know. The attachment's own files of an earlier boot are released first."""
    taken = set(names)
    mine, of_container = store.held_by(request.container_id, request.ifname, names)
    held = mine + of_container
    for name in [name for name in held if store.is_abandoned(name)]:
        log.info(f"releasing {name}, which this attachment had before the machine was booted")
        store.release(name)
        held.remove(name)
        taken.remove(name)
    return Knowledge(taken, held, store.last_reserved, store.abandoned)


def _reserve(store: Store, allocations: list[Allocation], request: Request, log: Logger) -> None:
    """Write the files of all addresses, or none."""
    with Rollback(log) as undo:
        for index, one in enumerate(allocations):
            name = str(one.address)
            if one.abandoned:
                log.info(f"taking {name} from a pod of before the machine was booted: nothing else is free")
            undo.push(f"release {name}", store.release_own, name, request.container_id, request.ifname)
            store.reserve(name, request.container_id, request.ifname)
            store.remember_last(index, one.address)
        undo.commit()


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
