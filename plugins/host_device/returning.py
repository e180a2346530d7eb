"""How a host device finds back: by its folder in sysfs if it is on a bus, else by what it is tied to."""

from __future__ import annotations

from collections.abc import Callable

from cni.attach import links
from cni.attach.give_back import Return
from cni.linux import pci
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from plugins.host_device.attachment import HostAttachment


class HostDeviceReturn(Return):
    __slots__ = ()

    attachment: HostAttachment

    def on_host(self) -> Link | None:
        """A device on a bus is looked for in its folder in sysfs, where other links of the same device may be: ours has
        the mark in its alias, the permanent address, the name and index that it had, or is known to be the only one.
        """
        host, original, sought = self.call.host, self._link, self.sought()
        if not self.attachment.device_path:
            return super().on_host()
        there = links.of_device(host, self.attachment.device_path)
        found = [entry for entry in there if not sought.on_host(entry)]
        signs: tuple[Callable[[Link], bool], ...] = (
            lambda x: x.alias == original.name,
            lambda x: bool(original.permanent_mac) and x.permanent_mac == original.permanent_mac,
            lambda x: x.name == original.name and x.index == original.index,
            lambda x: self.attachment.sole and len(there) == 1 and self._is_like(x),
        )
        return next((entry for sign in signs for entry in found if sign(entry)), None)

    def _is_like(self, found: Link) -> bool:
        """Return whether a link has at least one thing in common with the attachment's."""
        original = self._link
        return bool(original.parent and found.parent == original.parent) or (
            found.name in (self.attachment.owner.ifname, original.name)
            or found.mac == original.mac
            or found.index == original.index
        )

    def was_left_alone(self, found: Link, pod: NetNS | None, was_touched: bool) -> bool:
        """A device that the kernel has saved from its pod may have any name, and any index."""
        may_be_saved = pod is None and bool(self.attachment.device_path)
        return not may_be_saved and super().was_left_alone(found, pod, was_touched)

    def may_come(self) -> bool:
        """As long as it is there and bound to a driver that makes links. A link of another address there now
        says that the old one is gone.
        """
        path = self.attachment.device_path
        if not path or not pci.driver(path) or pci.is_for_userspace(path):
            return False
        return not (self.attachment.sole and pci.netdevs(path))

    def left_behind(self) -> Link | None:
        return None if self.attachment.device_path else super().left_behind()

    def is_over(self, pod: NetNS | None, seen: str) -> bool:
        """One whose folder in sysfs is gone was unplugged."""
        name, path = self.attachment.name, self.attachment.device_path
        if self.may_come():
            where = f" nor in {pod.path}: {seen}" if pod is not None else ""
            self.call.log.warning(
                f"{name} ({path}) has no link on the host yet{where}; its record stays: the next ADD or DEL looks"
            )
            return False
        return super().is_over(None if path else pod, seen)
