"""The commands of host-local: the same in-process and in the binary."""

from __future__ import annotations

from collections.abc import Collection

from cni.linux.log import Logger
from cni.protocol.config import NetConf
from cni.protocol.errors import GENERIC, PLUGIN_UNAVAILABLE, CniError
from cni.protocol.request import Request
from cni.protocol.result import Result
from ipam import members, nodeconfig
from ipam.host_local import config, resolvconf
from ipam.host_local.add import add, prepare
from ipam.host_local.allocator import find_next
from ipam.host_local.boot import Boot
from ipam.host_local.place import DEFAULT, Places
from ipam.host_local.ranges import RangeSet
from ipam.host_local.release import collect_garbage, release_attachment, release_where_found
from ipam.host_local.store import LOCK_TIMEOUT_S, Store


class HostLocal:
    """ADD, DEL, CHECK, STATUS and GC; all raise CniError.

    data_dir: where stores are unless the configuration says otherwise. boot: the machine's present boot. node_config:
    path of the administrator's file, which may allow more places (see `place`).
    """

    __slots__ = ("_boot", "_node_config", "_places")

    def __init__(self, data_dir: str = DEFAULT, boot: Boot | None = None, node_config: str = nodeconfig.PATH) -> None:
        self._places = Places(data_dir, node_config)
        self._boot = boot or Boot()
        self._node_config = node_config

    def _store(self, conf: NetConf, log: Logger) -> Store:
        """Return the network's store. Raises CniError (code 7) where none may be."""
        return Store(self._places.store(_data_dir(conf), conf.name), self._boot, log)

    def validate(self, request: Request, conf: NetConf) -> None:
        """Find out what can be known to be wrong before ADD changes anything."""
        prepare(request, conf, self._node_config)
        self._places.store(_data_dir(conf), conf.name)

    def add(self, request: Request, conf: NetConf, log: Logger) -> Result:
        """Take one address from each range set; return them with gateways, routes and DNS settings.

        On an error no address is held, beyond those that the attachment had before.
        """
        prepared = prepare(request, conf, self._node_config)
        members.warn_of_unknown(conf, log)
        return add(request, prepared, self._store(conf, log), log)

    def delete(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Release all addresses of the attachment, whatever the ranges are by now. None is no error.

        Where no store may be, the reference plugin may have made one: the attachment's own files are released there.
        """
        if not conf.name:  # ADD refuses such a configuration, so there is no store of it
            return
        try:
            store = self._store(conf, log)
        except CniError:
            self.release(_data_dir(conf), (request.container_id, request.ifname, conf.name), log)
            return
        release_attachment(request.container_id, request.ifname, store)

    def release(
        self, data_dir: str, identity: tuple[str, str, str], log: Logger, timeout_s: float = LOCK_TIMEOUT_S
    ) -> None:
        """Release the addresses that an attachment holds in the network's store below a `dataDir`, empty for the
        default. Nothing is created, and no argument is believed: where no store may be, as in `delete`.

        identity: container ID, interface name, network. timeout_s: how long to wait for the store, in seconds.
        """
        container_id, ifname, network = identity
        if not network:
            return
        store = Store(self._places.anyones(data_dir, network), self._boot, log)
        if released := release_where_found(container_id, ifname, store, timeout_s):
            log.info(f"released {', '.join(released)} of {ifname} in {store.folder}")
            return
        try:
            self._places.store(data_dir, network)
        except CniError as e:
            log.warning(f"{e}; {ifname} of {container_id} holds no address there: nothing is released")

    def check(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Verify that the attachment holds an address, and each of its prevResult that is in our ranges. No lock is
        taken.

        The reference plugin is content with any address. One of prevResult in our ranges that another attachment has,
        or nobody, is a conflict to come, so that is an error here.
        """
        try:
            store = self._store(conf, log)
        except CniError as e:
            # The reference plugin may have attached the pod, and it works: what is there is looked at, no more.
            store = Store(self._places.anyones(_data_dir(conf), conf.name), self._boot, log)
            if not any(store.held_if_store(request.container_id, request.ifname)):
                raise
            log.warning(f"{e}; the next ADD will fail")
        range_sets = config.parse(request, conf).range_sets
        mine, of_container = store.held_by(request.container_id, request.ifname, store.taken())
        held = mine + of_container
        if not held:
            raise CniError(
                GENERIC,
                f"host-local: Failed to find address added by container {request.container_id}",
                f"{store.folder} has no file of its interface {request.ifname}",
            )
        for address in [ip.address.ip for ip in conf.prev_result.ips] if conf.prev_result else []:
            if any(address in one for one in range_sets) and str(address) not in held:
                raise CniError(
                    GENERIC,
                    f"host-local: {address} is not reserved for container {request.container_id}",
                    f"prevResult has it; for interface {request.ifname}, {store.folder} has {', '.join(held)}",
                )

    def gc(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Release the addresses of all attachments of this network that are not valid."""
        try:
            store = self._store(conf, log)
        except CniError as e:
            log.warning(f"{e}; GC releases nothing there")
            return
        collect_garbage(conf, store, log)

    def status(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Say whether ADD could work: the configuration is good, the store can be used, no range set is full. No lock
        is taken. The code is 50 for the store and for a full range set, since pods that are attached go on working.
        """
        members.warn_of_unknown(conf, log)
        store = self._store(conf, log)
        range_sets: list[RangeSet] = []
        if not config.is_left_to_runtime(conf):
            wanted = config.parse(request, conf)
            resolvconf.read(wanted.resolv_conf, self._node_config)
            range_sets = wanted.range_sets
        try:
            store.check_usable()
            taken: Collection[str] = store.taken() if range_sets else ()
            for one in range_sets:
                find_next(one, None, taken, store.abandoned)
        except CniError as e:
            raise CniError(PLUGIN_UNAVAILABLE, e.msg, e.details) from e


def _data_dir(conf: NetConf) -> str:
    return conf.ipam.string("dataDir") if conf.ipam is not None else ""
