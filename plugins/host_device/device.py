"""Find on the host the device that a configuration names, and give it to the engine."""

from __future__ import annotations

import os
from collections.abc import Iterator

from cni.attach import links
from cni.attach.attachment import Attachment, Owner
from cni.attach.call import Call
from cni.attach.identity import LOOPBACK
from cni.attach.plugin import Device
from cni.attach.pod import recorded_pod
from cni.linux import pci
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.errors import CniError, invalid_config
from cni.protocol.request import Request
from cni.protocol.result import Interface
from plugins.host_device.attachment import HostAttachment, key_of
from plugins.host_device.config import DeviceConfig
from plugins.host_device.returning import HostDeviceReturn


class HostDevice(Device):
    """One device of the host. wanted: how the configuration names it. sysfs_root: where sysfs is mounted."""

    __slots__ = ("_folder", "_key", "_path", "_root", "needs_record", "wanted")

    def __init__(self, wanted: DeviceConfig, sysfs_root: str) -> None:
        self.wanted = wanted
        self._root = sysfs_root
        self._folder = wanted.folder(sysfs_root)
        self._key = self._path = ""
        # A program drives it, and nothing is done with it.
        self.needs_record = not wanted.is_userspace(sysfs_root)

    def describe(self) -> str:
        return self.wanted.describe()

    @property
    def folder(self) -> str:
        return self._path or self._folder

    def key(self, call: Call) -> str:
        """A device in a pod, or that an earlier pod left behind under another name, is known by its record only."""
        try:
            found = self._find(call.host)
        except CniError:
            recorded = self._recorded(call)
            if recorded is None:
                raise
            self._key = recorded.key
        else:
            self._key = key_of(found, self._path_of(found))
        return self._key

    def _path_of(self, found: Link) -> str:
        """Return the real folder in sysfs of the device behind a link of the host, empty for a virtual link."""
        return os.path.realpath(self._folder) if self._folder else pci.folder_of_netdev(found.name, self._root)

    def _recorded(self, call: Call) -> HostAttachment | None:
        """Return the recorded attachment that has the device, which still can be on anything: a virtual link dies with
        its pod, and all do with a boot.
        """
        wanted = self.wanted
        for attachment in call.records.all():
            assert isinstance(attachment, HostAttachment)
            original = attachment.original
            if self._folder:
                has_it = attachment.device_path == os.path.realpath(self._folder)
            elif wanted.device:
                has_it = wanted.device in (original.name, *original.altnames)
            else:
                has_it = wanted.hwaddr in (original.mac, original.permanent_mac)
            if not has_it or not attachment.is_of_this_boot:
                continue
            if os.path.isdir(attachment.device_path) or call.records.lives(attachment):
                return attachment
        return None

    def left_behind(self, call: Call) -> Iterator[Attachment]:
        """Those whose device lies on the host as a dead pod left it."""
        for attachment in call.records.of_device(self._key):
            assert isinstance(attachment, HostAttachment)
            if HostDeviceReturn(attachment, call).on_host() is None:
                continue
            with recorded_pod(attachment.owner, call.log) as pod:
                if pod is not None and attachment.link_in(pod, call.host) is not None:
                    continue  # what lies on the host is another link of the same device
            yield attachment

    def link(self, call: Call) -> Link:
        """Looked for once more, now under its lock. The error says who has the device, if a record says so."""
        try:
            return self._find(call.host)
        except CniError:
            recorded = self._recorded(call)
            if recorded is None:
                raise
            owner = recorded.owner
            whose = f"container {owner.describe()}, which has it as {owner.ifname} in {owner.netns}"
            raise _missing(self.wanted, f"it is attached to {whose}") from None

    def attachment(self, owner: Owner, original: Link | None, call: Call) -> Attachment:
        assert original is not None
        self._path = self._path_of(original)
        return HostAttachment(owner, original, self._path, len(pci.netdevs(self._path)) == 1)

    def interface(self, attachment: Attachment, request: Request) -> Interface:
        pci_id = pci.address_of(self._path) if self.needs_record else self.wanted.pci_address
        return Interface(request.ifname, sandbox=request.netns, pci_id=pci_id)

    def status(self, call: Call) -> None:
        """A device in a pod is no fault: it has a record, and comes back."""
        if self.needs_record:
            self.key(call)

    def _find(self, host: NetNS) -> Link:
        """Return the link on the host that the configuration names. Raises CniError (code 7) when there is none: the
        configuration asks for something that the host does not have, or that is in a pod at the moment.
        """
        if self.wanted.device:
            found = link.get(host.netlink, name=self.wanted.device)
        elif self.wanted.hwaddr:
            found = _find_by_address(self.wanted, host)
        elif os.path.isdir(self._folder):
            found = links.first_port(links.of_device(host, self._folder))
        else:
            raise _missing(self.wanted, f"{self._folder} does not exist")
        if found is None:
            raise _missing(self.wanted, "it is not in the host's network namespace; it may be in a pod")
        return found


def _find_by_address(config: DeviceConfig, host: NetNS) -> Link | None:
    """Return the link with a MAC address. Several may have it: a bridge and its first port, a bond and its ports, a
    VLAN or a macvlan in passthru mode and what it is upon. Meant is the port, and what is upon another.

    Raises CniError (code 7) when there still is more than one.
    """
    there = link.dump(host.netlink)
    found = [x for x in there if x.mac == config.hwaddr and x.movable is not False and x.index != LOOPBACK]
    masters = {x.master for x in found}
    beneath = {x.peer for x in found if x.peer_nsid == -1 and x.kind != "veth"}
    meant = [x for x in found if x.index not in masters and x.index not in beneath] or found
    if len(meant) > 1:
        meant = [x for x in meant if x.permanent_mac == config.hwaddr] or meant
    if len(meant) > 1:
        names = ", ".join(sorted(x.name for x in meant))
        raise invalid_config(
            f"{config.describe()} is that of {len(meant)} links: {names}",
            '"device" or "pciBusID" names one; nothing was changed',
        )
    return meant[0] if meant else None


def _missing(config: DeviceConfig, reason: str) -> CniError:
    """Return the error for a device that is not there."""
    return invalid_config(f"failed to find host device: {config.describe()}", reason)
