"""What dead pods have left: recorded devices, and allocations of VFs that no record tells of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from cni.attach.attachment import Attachment
from cni.attach.plugin import Plugin
from cni.linux import pci
from cni.protocol.errors import CniError
from plumbline.node import recorded
from plumbline.node.model import Owner
from plumbline.node.notes import Notes
from plumbline.repair.give_back import claims_of


@dataclass(frozen=True, slots=True)
class Left:
    """A device that is recorded as a pod's. plugin: whose record it is. owner: the pod."""

    plugin: Plugin
    attachment: Attachment
    owner: Owner

    @property
    def device(self) -> str:
        """What it is called: its address on a bus, else its name on the host."""
        return recorded.address_of(self.attachment) or self.attachment.key

    @property
    def may_live(self) -> bool:
        """Whether the pod lives, or nobody can tell: only of one that is known to be gone is anything taken."""
        return self.owner.alive is not False

    @property
    def title(self) -> str:
        """The same with its name on the host."""
        name = self.attachment.name
        return self.device if name in ("", self.device) else f"{self.device} ({name})"


def everything(sysfs_root: str = pci.ROOT) -> tuple[list[Left], list[str]]:
    """Return all devices that are recorded, and what is not known: of records that cannot be read, and of pods of which
    nobody can tell whether they live. Raises CniError (code 5).
    """
    attachments, unknown = recorded.attachments(sysfs_root)
    living = recorded.living()
    found = [Left(plugin, x, recorded.owner(plugin, x, living)) for plugin, x in attachments]
    unknown += [
        f"whether {x.owner}, which has {x.title}, lives: the namespace {x.owner.netns} cannot be looked at"
        for x in found
        if x.owner.alive is None
    ]
    return found, unknown


def allocations(known: list[Left]) -> dict[str, str]:
    """Return the VFs that are allocated in sriov-cni's way to namespaces that are gone, and that no record tells of:
    the path of the namespace by the VF's address. known: what is recorded.
    """
    devices = {left.device for left in known}
    found = recorded.allocations().items()
    return {address: owner.netns for address, owner in found if owner.alive is False and address not in devices}


def sweep() -> Iterator[str]:
    """Remove what killed commands have left of locks and allocations, as GC does; give what could not be removed."""
    for make in recorded.PLUGINS:
        plugin, log = make(), Notes()
        if not os.path.isdir(plugin.state_folder):
            continue
        try:
            with claims_of(plugin, log) as claims:
                plugin.sweep(claims.call)
                claims.call.records.store.sweep()
        except CniError as e:
            yield f"locks and allocations of {plugin.name}: {e}"
        yield from log.warnings
