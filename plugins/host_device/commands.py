"""ADD, DEL, CHECK, STATUS and GC of host-device."""

from __future__ import annotations

import os

from cni import files, ifconfig, move, netns, sysfs
from cni.background import Background
from cni.errors import BAD_ENVIRONMENT, GENERIC, PLUGIN_UNAVAILABLE, CniError, combined
from cni.ifconfig import PodLink
from cni.lock import EphemeralLock
from cni.netlink import link
from cni.netlink.link import Link
from cni.netlink.socket import NetlinkError
from cni.netns import NetNS
from cni.result import Interface, Result
from cni.rollback import Rollback
from cni.state import Store
from ipam import delegate
from plugins.host_device import attachment, config, device, transfer
from plugins.host_device.attachment import Attachment
from plugins.host_device.config import DeviceConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.config import NetConf
    from cni.log import Logger
    from cni.request import Request

STATE_FOLDER = "/var/lib/cni/host-device"


class HostDevice:
    """The plugin's commands. state_folder: where records are kept. sysfs_root: where sysfs is mounted."""

    __slots__ = ("_state_folder", "_sysfs_root")

    def __init__(self, state_folder: str = STATE_FOLDER, sysfs_root: str = sysfs.ROOT) -> None:
        self._state_folder = state_folder
        self._sysfs_root = sysfs_root

    def add(self, request: Request, conf: NetConf, log: Logger) -> Result:
        """Move the device into the pod, configure it there, and return the result.

        Everything that can be known to be wrong is found before anything is changed. Raises CniError; the device is
        back on the host then, no address is held and no record is left.
        """
        wanted = config.parse(conf)
        delegate.validate(request, conf)
        with netns.of_pod(request.netns) as pod, netns.own() as host:
            if device.is_userspace(wanted, self._sysfs_root):
                return self._add_userspace(request, conf, log)
            self._finish_earlier_add(request, conf, host, pod, log)
            if link.get(pod.netlink, name=request.ifname) is not None:
                raise CniError(
                    BAD_ENVIRONMENT,
                    f'CNI_IFNAME "{request.ifname}" exists already in {pod.path}',
                    "nothing was changed",
                )
            store = Store(self._state_folder, log)
            with self._lock(self._key(wanted, host, store)):
                self._reclaim(wanted, host, store, log)
                found = device.find(wanted, host, self._sysfs_root)
                return self._attach(request, conf, wanted, found, host, pod, store, log)

    def _attach(
        self,
        request: Request,
        conf: NetConf,
        wanted: DeviceConfig,
        found: Link,
        host: NetNS,
        pod: NetNS,
        store: Store,
        log: Logger,
    ) -> Result:
        path = attachment.device_path(found, device.folder(wanted, self._sysfs_root), self._sysfs_root)
        record = Attachment(
            request.container_id,
            request.ifname,
            conf.name,
            request.netns,
            attachment.boot_id(),
            attachment.key_of(found, path),
            path,
            found,
        )
        with Rollback(log) as undo:
            undo.push(f"giving {found.name} back", self._give_back, record, host, pod, store, log)
            store.save(record.container_id, record.ifname, record.to_record())
            if conf.ipam is not None:
                undo.push("releasing the addresses", delegate.delete, request, conf, log)
            moving = Background(move.into_pod, host, pod, found, request.ifname, log)
            undo.push("ending the move", moving.join)
            addresses = Result()
            if conf.ipam is not None and delegate.is_built_in(conf):
                # The kernel takes its time over the move: the addresses are chosen meanwhile.
                addresses = delegate.add(request, conf, log)
            moving.wait()
            arrived = link.get(pod.netlink, name=request.ifname)
            if arrived is None:
                raise CniError(GENERIC, f"{request.ifname} has vanished from {pod.path} during ADD")
            inside = PodLink(pod, arrived.index, request.ifname)
            ifconfig.prepare_ipv6(inside, addresses, log)
            self._mark_and_bring_up(inside, found.name)
            if conf.ipam is not None and not delegate.is_built_in(conf):
                # An IPAM plugin such as dhcp talks through the link, which therefore is there and up.
                addresses = delegate.add(request, conf, log)
                ifconfig.prepare_ipv6(inside, addresses, log)
            if conf.ipam is not None and not addresses.ips:
                raise missing_addresses()
            interface = Interface(request.ifname, arrived.mac, arrived.mtu, pod.path, "", sysfs.pci_address_of(path))
            result = _result([interface], addresses, conf)
            ifconfig.apply(inside, result, log)
            undo.commit()
        ifconfig.announce(inside, arrived.mac, result, log)
        return result

    def _add_userspace(self, request: Request, conf: NetConf, log: Logger) -> Result:
        """A device on a userspace driver has no link: the pod gets addresses to use in its program, if IPAM is set."""
        if conf.ipam is None:
            return Result()
        with Rollback(log) as undo:
            undo.push("releasing the addresses", delegate.delete, request, conf, log)
            addresses = delegate.add(request, conf, log)
            if not addresses.ips:
                raise missing_addresses()
            undo.commit()
        return _result([], addresses, conf)

    def _mark_and_bring_up(self, inside: PodLink, host_name: str) -> None:
        """Note the device's name on the host in its alias, as the reference plugin does, and bring it up."""
        try:
            link.change(inside.netns.netlink, inside.index, alias=host_name, up=True)
        except NetlinkError as e:
            raise CniError(
                GENERIC,
                f"cannot bring up {host_name} as {inside.name} in {inside.netns.path}: {e.strerror}",
                f"errno {e.errno}",
            ) from e

    def _finish_earlier_add(self, request: Request, conf: NetConf, host: NetNS, pod: NetNS, log: Logger) -> None:
        """Undo an earlier ADD of the same attachment whose result the runtime never saw: it would not ask again."""
        store = Store(self._state_folder, log)
        if store.load(request.container_id, request.ifname) is not None:
            log.info("an earlier ADD of this attachment was not finished: undoing it first")
            if conf.ipam is not None:
                delegate.delete(request, conf, log)
            self._detach(request.container_id, request.ifname, host, pod, store, log)

    def _key(self, wanted: DeviceConfig, host: NetNS, store: Store) -> str:
        """Return the name of the lock of the device that the configuration names.

        A device that an earlier pod left behind under another name is known by that pod's record only.
        Raises CniError (code 7) when neither the host nor a record knows the device.
        """
        folder = device.folder(wanted, self._sysfs_root)
        try:
            found = device.find(wanted, host, self._sysfs_root)
        except CniError:
            for record in map(attachment.from_record, store.all()):
                if record.original.name == wanted.device or record.original.mac == wanted.hwaddr:
                    return record.key
            raise
        return attachment.key_of(found, attachment.device_path(found, folder, self._sysfs_root))

    def _reclaim(self, wanted: DeviceConfig, host: NetNS, store: Store, log: Logger) -> None:
        """Put a device that lies on the host as a dead pod left it back to what it was, and forget that pod's claim.

        The caller holds the device's lock, so no other command is at work on it.
        """
        key = self._key(wanted, host, store)
        for record in map(attachment.from_record, store.all()):
            if record.key == key and transfer.find_on_host(record, host) is not None:
                log.warning(f"{record.original.name} was left behind by {record.container_id}: taking it over")
                self._give_back(record, host, None, store, log)

    def delete(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Release the addresses, then give the device back. What is gone already counts as done.

        Raises CniError naming every step that failed, after doing all the others; the record stays for the next DEL.
        """
        wanted = config.parse(conf)
        errors: list[CniError] = []
        if conf.ipam is not None:
            try:
                delegate.delete(request, conf, log)
            except CniError as e:
                errors.append(e)
        try:
            with OptionalPod(request.netns, log) as pod, netns.own() as host:
                store = Store(self._state_folder, log)
                if store.load(request.container_id, request.ifname) is not None:
                    self._detach(request.container_id, request.ifname, host, pod, store, log)
                elif pod is not None and not device.is_userspace(wanted, self._sysfs_root):
                    transfer.give_back_unrecorded(wanted.device, request.ifname, host, pod, log)
        except CniError as e:
            errors.append(e)
        if errors:
            raise combined(f"DEL of {request.ifname}", errors)

    def _detach(
        self, container_id: str, ifname: str, host: NetNS, pod: NetNS | None, store: Store, log: Logger
    ) -> None:
        """Give the device of a recorded attachment back, under the device's lock."""
        stored = store.load(container_id, ifname)
        if stored is None:
            return
        with self._lock(attachment.from_record(stored).key):
            # Another DEL, or an ADD that took the device over, may have been faster.
            stored = store.load(container_id, ifname)
            if stored is not None:
                self._give_back(attachment.from_record(stored), host, pod, store, log)

    def _give_back(self, record: Attachment, host: NetNS, pod: NetNS | None, store: Store, log: Logger) -> None:
        transfer.give_back(record, host, pod, log)
        store.remove(record.container_id, record.ifname)

    def check(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Verify that the pod still has what ADD returned. Raises CniError naming the first thing that is not so."""
        wanted = config.parse(conf)
        result = conf.prev_result or Result()
        if conf.ipam is not None:
            delegate.check(request, conf, log)
        with netns.of_pod(request.netns) as pod:
            if device.is_userspace(wanted, self._sysfs_root):
                return
            expected = next((x for x in result.interfaces if x.name == request.ifname and x.sandbox), None)
            if expected is None:
                raise CniError(GENERIC, f"prevResult has no interface {request.ifname} in a sandbox")
            found = link.get(pod.netlink, name=request.ifname)
            if found is None:
                raise CniError(GENERIC, f"{request.ifname} is missing in {pod.path}")
            for what, want, have in (("MAC address", expected.mac, found.mac), ("MTU", expected.mtu, found.mtu)):
                if want and want != have:
                    raise CniError(GENERIC, f"{request.ifname} in {pod.path} has {what} {have}, ADD gave {want}")
            ifconfig.verify(PodLink(pod, found.index, found.name), result)

    def status(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Say whether ADD could work here: the device is on the host or attached by us, and IPAM has addresses.

        Raises CniError (code 50 for a device that this host does not have; IPAM's own codes).
        """
        wanted = config.parse(conf)
        delegate.validate(request, conf)
        if conf.ipam is not None:
            delegate.status(request, conf, log)
        if device.is_userspace(wanted, self._sysfs_root):
            return
        with netns.own() as host:
            try:
                # A device in a pod is no fault: it has a record, and comes back.
                self._key(wanted, host, Store(self._state_folder, log))
            except CniError as e:
                raise CniError(PLUGIN_UNAVAILABLE, e.msg, e.details) from e

    def gc(self, request: Request, conf: NetConf, log: Logger) -> None:
        """Take back the devices and addresses of this network's attachments that are no longer valid.

        Raises CniError naming every step that failed, after doing all the others.
        """
        valid = set(conf.valid_attachments or ())
        errors: list[CniError] = []
        store = Store(self._state_folder, log)
        with netns.own() as host:
            for record in map(attachment.from_record, store.all()):
                if record.network != conf.name or (record.container_id, record.ifname) in valid:
                    continue
                log.info(f"giving back {record.original.name}, which {record.container_id} no longer needs")
                try:
                    with OptionalPod(record.netns, log) as pod:
                        self._detach(record.container_id, record.ifname, host, pod, store, log)
                except CniError as e:
                    errors.append(e)
        if conf.ipam is not None:
            try:
                delegate.gc(request, conf, log)
            except CniError as e:
                errors.append(e)
        if errors:
            raise combined(f"GC of network {conf.name}", errors)

    def _lock(self, key: str) -> EphemeralLock:
        folder = os.path.join(self._state_folder, "lock")
        files.ensure_folder(folder)
        return EphemeralLock(os.path.join(folder, key))


class OptionalPod:
    """The pod's namespace for commands that go on without one: gone, replaced by a plain file, or not given at all."""

    __slots__ = ("_log", "_path", "_pod")

    def __init__(self, path: str, log: Logger) -> None:
        self._path = path
        self._log = log
        self._pod: NetNS | None = None

    def __enter__(self) -> NetNS | None:
        if self._path:
            try:
                self._pod = netns.of_pod(self._path)
            except CniError as e:
                self._log.info(f"the pod is gone: {e.msg}")
        return self._pod

    def __exit__(self, *_: object) -> None:
        if self._pod is not None:
            self._pod.__exit__()


def missing_addresses() -> CniError:
    """Return the error for an IPAM plugin whose result has no address, in the words that users know."""
    return CniError(GENERIC, "IPAM plugin returned missing IP config", "the device was given back")


def _result(interfaces: list[Interface], addresses: Result, conf: NetConf) -> Result:
    """Return IPAM's result for our interface. DNS is the network configuration's, as in the reference plugin."""
    for ip in addresses.ips:
        ip.interface = 0
    return Result(interfaces, addresses.ips, addresses.routes, conf.dns)
