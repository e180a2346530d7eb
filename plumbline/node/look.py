"""A look at the node: everything from every source, put together."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from cni.attach.attachment import Attachment
from cni.attach.plugin import Plugin
from cni.linux import sysfs
from cni.protocol.errors import CniError
from plumbline.node import eswitch, hardware, kubernetes, links, namespaces, pci, recorded, vfio
from plumbline.node.model import LinkState, Node, Owner, Pf, Settings, State, Vf
from plumbline.node.roots import Roots

T = TypeVar("T")


def look(roots: Roots | None = None) -> Node:
    """Return what the node is like. roots: where things lie, by itself where they lie on a node.

    What cannot be read is noted in the node's `unknown`.
    """
    return _Look(roots or Roots()).node()


@dataclass(slots=True)
class _Owners:
    """Whose devices are. of_device: by PCI address; by_group: by IOMMU group."""

    of_device: dict[str, Owner] = field(default_factory=dict)
    by_group: dict[int, Owner] = field(default_factory=dict)

    def add(self, more: dict[str, Owner]) -> None:
        """Add what another source tells, which counts as far as no better one has told."""
        for address, owner in more.items():
            known = self.of_device.setdefault(address, owner)
            if not str(known.pod):  # a Go plugin's record names none
                self.of_device[address] = replace(known, pod=owner.pod)

    def of(self, vf: Vf) -> Owner | None:
        """Return the owner of a VF."""
        found = self.of_device.get(vf.address or "")
        if found is None and vf.iommu_group is not None:
            found = self.by_group.get(vf.iommu_group)
        return found


class _Look:
    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._unknown: list[str] = []
        self._damaged: list[str] = []
        self._others: list[tuple[str, Owner]] = []

    def node(self) -> Node:
        """Return all."""
        system = os.uname()
        pfs: list[Pf] = self._ask("PFs", lambda: pci.pfs(self._roots.sysfs), [])
        no_links: tuple[list[LinkState], dict[str, dict[int, Settings]]] = ([], {})
        host, tables = self._ask("links", links.of_host, no_links)
        modes: dict[str, str] = self._ask("devlink", lambda: eswitch.modes(pfs), {})
        names = {link.name: link for link in host}
        owners = self._owners({vf.address or "" for pf in pfs for vf in pf.vfs})
        away = self._away(pfs, host, owners)
        for pf in pfs:
            self._complete(pf, names, modes.get(pf.address))
            for vf in pf.vfs:
                self._complete_vf(vf, pf, names, tables.get(pf.name, {}))
                vf.owner = owners.of(vf)
                if vf.link is None:
                    vf.link = away.get(vf.address or "")
                vf.state = _state(vf, owners)
        return Node(system.nodename, system.release, pfs, self._others, host, self._unknown, self._damaged)

    def _ask(self, what: str, source: Callable[[], T], otherwise: T) -> T:
        try:
            return source()
        except (OSError, CniError) as e:
            self._unknown.append(f"{what}: {e}")
            return otherwise

    def _complete(self, pf: Pf, names: dict[str, LinkState], mode: str | None) -> None:
        device = pci.folder(pf, self._roots.sysfs)
        vendor, model = hardware.names(device)
        pf.vendor, pf.model = vendor or pf.vendor, model or pf.model
        pf.link = names.get(pf.name)
        speed = pci.number(device, "net", pf.name, "speed")
        pf.speed = speed if speed is not None and speed > 0 else None
        pf.eswitch = mode

    def _complete_vf(self, vf: Vf, pf: Pf, names: dict[str, LinkState], table: dict[int, Settings]) -> None:
        vf.settings = table.get(vf.index)
        if pf.eswitch != "legacy":
            vf.representor = names.get(pci.representor(pf, vf.index, self._roots.sysfs))
        if vf.address is not None:
            found = sysfs.netdevs(sysfs.pci_device(vf.address, self._roots.sysfs))
            vf.link = next((names[name] for name in found if name in names), None)

    def _owners(self, vfs: set[str]) -> _Owners:
        """Return whose devices are; note those of recorded attachments that are none of these VFs."""
        found = _Owners()
        none: tuple[list[tuple[Plugin, Attachment]], list[str]] = ([], [])
        attachments, said = self._ask("records", lambda: recorded.attachments(self._roots.sysfs), none)
        self._unknown += said
        self._damaged += said
        living = recorded.living()
        for plugin, attachment in attachments:
            owner = recorded.owner(plugin, attachment, living)
            address = recorded.address_of(attachment)
            if address in vfs:
                found.of_device[address] = owner
            else:
                self._others.append((attachment.name, owner))
        names = kubernetes.pod_names(self._roots)
        found.add(kubernetes.cached(self._roots))
        found.add(kubernetes.allocated(self._roots, names))
        found.add(recorded.allocations())
        found.by_group = vfio.holders(self._roots)
        return found

    def _away(self, pfs: list[Pf], host: list[LinkState], owners: _Owners) -> dict[str, LinkState]:
        """Return the links that are in other namespaces than the host's, by the PCI address of their device."""
        here = {link.parent for link in host}
        sought = {
            vf.address
            for pf in pfs
            for vf in pf.vfs
            if vf.address and vf.address not in here and sysfs.has_own_netdev(self._folder(vf.address))
        }
        found: dict[str, LinkState] = {}
        known = [owner.netns for owner in owners.of_device.values() if owner.netns]
        for path in namespaces.paths(self._roots, known) if sought else ():
            if sought <= found.keys():
                break
            try:
                found.update((link.parent, link) for link in links.of_namespace(path) if link.parent in sought)
            except OSError:  # it has gone meanwhile
                continue
        return found

    def _folder(self, address: str) -> str:
        return os.path.realpath(sysfs.pci_device(address, self._roots.sysfs))


def _state(vf: Vf, owners: _Owners) -> State:
    """Return what a VF is doing. vf: with everything else that is known of it."""
    owner = owners.of_device.get(vf.address or "")
    recorded_by = owner is not None and owner.plugin
    if owner is not None and recorded_by:
        return State.POD if owner.alive else State.DEAD
    if vf.iommu_group in owners.by_group and vf.driver:
        return State.BUSY
    if vf.link is not None and vf.link.netns:
        return State.FOREIGN
    if owner is not None:
        return State.STRAY
    return State.FREE if vf.driver else State.UNBOUND
