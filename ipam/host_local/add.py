"""ADD: an address from each range set, all or none."""

from __future__ import annotations

from dataclasses import dataclass

from cni.attach.rollback import Rollback
from cni.linux.log import Logger
from cni.protocol.config import NetConf
from cni.protocol.ip import IPAddress, interface
from cni.protocol.request import Request
from cni.protocol.result import DNS, IPConfig, Result
from ipam import nodeconfig
from ipam.host_local import allocator, config, resolvconf
from ipam.host_local.allocator import Allocation, Knowledge
from ipam.host_local.config import HostLocalConfig
from ipam.host_local.store import Store


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that is known before the store is looked at. assigned: for each range set the address that is asked for."""

    wanted: HostLocalConfig
    assigned: list[IPAddress | None]
    dns: DNS


def prepare(request: Request, conf: NetConf, node_config: str = nodeconfig.PATH) -> Prepared:
    """Read and check everything that can be checked without the store. node_config: path of the administrator's file.

    Raises CniError.
    """
    wanted = config.parse(request, conf)
    assigned = allocator.assign(wanted.range_sets, wanted.requested)
    return Prepared(wanted, assigned, resolvconf.read(wanted.resolv_conf, node_config))


def add(request: Request, prepared: Prepared, store: Store, log: Logger) -> Result:
    """Serve ADD. Raises CniError."""
    wanted = prepared.wanted
    with store.locked():
        known = _knowledge(store, request, log)
        allocations = allocator.choose(wanted.range_sets, prepared.assigned, request.container_id, known)
        _reserve(store, allocations, request, log)
    ips = [IPConfig(interface(one.address, one.range.subnet.prefixlen), one.range.gateway) for one in allocations]
    return Result(ips=ips, routes=wanted.routes, dns=prepared.dns)


def _knowledge(store: Store, request: Request, log: Logger) -> Knowledge:
    """Return what the allocator needs to know. The attachment's own files of an earlier boot are released first."""
    taken = store.take_stock()
    mine, of_container = store.held_by(request.container_id, request.ifname, taken)
    held = mine + of_container
    for name in [name for name in held if store.is_abandoned(name)]:
        log.info(f"releasing {name}, which this attachment had before the machine was booted")
        store.release(name)
        held.remove(name)
        taken.discard(name)
    return Knowledge(taken, held, store.last_reserved, store.abandoned)


def _reserve(store: Store, allocations: list[Allocation], request: Request, log: Logger) -> None:
    """Write the files of all addresses, or none."""
    with Rollback(log) as undo:
        for index, one in enumerate(allocations):
            name = str(one.address)
            if one.abandoned:
                log.info(f"taking {name}, which no living pod can have: nothing else is free")
            undo.push(f"release {name}", store.release_own, name, request.container_id, request.ifname)
            store.reserve(name, request.container_id, request.ifname)
            store.remember_last(index, one.address)
        undo.commit()
