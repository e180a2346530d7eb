"""CHECK and STATUS: is what should be, can what will be asked for. Nothing is changed, and no lock is taken."""

from __future__ import annotations

from cni.protocol.config import NetConf
from cni.protocol.errors import GENERIC, PLUGIN_UNAVAILABLE, CniError
from cni.protocol.request import Request
from ipam import nodeconfig
from ipam.host_local import allocator, config, resolvconf
from ipam.host_local.store import Store


def check(request: Request, conf: NetConf, store: Store) -> None:
    """Serve CHECK. The reference plugin is content with any address; an address of prevResult in our ranges that
    another attachment has, or nobody, is a conflict to come, so that is an error here. Raises CniError.
    """
    wanted = config.parse(request, conf)
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
                f"host-local: {address} is not reserved for container {request.container_id}",
                f"prevResult has it; for interface {request.ifname}, {store.folder} has {', '.join(held)}",
            )


def status(request: Request, conf: NetConf, store: Store, node_config: str = nodeconfig.PATH) -> None:
    """Serve STATUS. node_config: path of the administrator's file. Raises CniError: what ADD would say of the
    configuration; code 50 for the store and for a full range set, since pods that are attached go on working.
    """
    if config.is_left_to_runtime(conf):
        try:
            store.check_usable()
        except CniError as e:
            raise CniError(PLUGIN_UNAVAILABLE, e.msg, e.details) from e
        return
    wanted = config.parse(request, conf)
    resolvconf.read(wanted.resolv_conf, node_config)
    try:
        store.check_usable()
        names = store.names()
        for one in wanted.range_sets:
            if allocator.is_full(one, set(names), store.abandoned):
                raise allocator.exhausted(one)
    except CniError as e:
        raise CniError(PLUGIN_UNAVAILABLE, e.msg, e.details) from e
