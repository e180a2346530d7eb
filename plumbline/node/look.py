"""A look at the node: everything from every source, put together."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from cni.attach.attachment import Attachment
from cni.attach.plugin import Plugin
from cni.linux import pci
from cni.protocol.errors import CniError
from plumbline.node import functions, hardware, kubernetes, links, namespaces, pfs_file, recorded, switch_mode, vfio
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
    """Whose VFs are, by their PCI addresses. of_device: by what is written down; programs: by who has it open."""

    of_device: dict[str, Owner] = field(default_factory=dict)
    programs: dict[str, Owner] = field(default_factory=dict)

    def add(self, more: dict[str, Owner]) -> None:
        """Add what another source tells, which counts as far as no better one has told."""
        for address, owner in more.items():
            known = self.of_device.setdefault(address, owner)
            if not str(known.pod):  # a Go plugin's record names none
                self.of_device[address] = replace(known, pod=owner.pod)

    def of(self, vf: Vf) -> Owner | None:
        """Return the owner of a VF."""
        address = vf.address or ""
        return self.of_device.get(address) or self.programs.get(address)


class _Look:
    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._unknown: list[str] = []
        self._damaged: list[str] = []
        self._others: list[tuple[str, Owner]] = []

    def node(self) -> Node:
        """Return all."""
        system = os.uname()
        pfs: list[Pf] = self._ask("PFs", lambda: functions.pfs(self._roots.sysfs), [])
        host: list[LinkState] = self._ask("links", links.of_host, [])
        no_modes: tuple[dict[str, str], list[str]] = ({}, [])
        modes, untold = self._ask("devlink", lambda: switch_mode.modes(pfs), no_modes)
        self._unknown += untold
        names = {link.name: link for link in host}
        owners = self._owners([vf for pf in pfs for vf in pf.vfs])
        away = self._away(pfs, host, owners)
        in_file = pfs_file.read(self._roots.pfs_file)
        for pf in pfs:
            pf.persistent = in_file.of(pf.bus, pf.address) is not None
            self._complete(pf, names, modes.get(pf.address))
            self._complete_vfs(pf, names)
            for vf in pf.vfs:
                vf.owner = owners.of(vf)
                if vf.link is None:
                    vf.link = away.get(vf.address or "")
                vf.state = _state(vf, owners, self._has_unseen_link(vf))
        return Node(system.nodename, system.release, pfs, self._others, host, self._unknown, self._damaged)

    def _ask(self, what: str, source: Callable[[], T], otherwise: T) -> T:
        try:
            return source()
        except (OSError, CniError) as e:
            self._unknown.append(f"{what}: {e}")
            return otherwise

    def _complete(self, pf: Pf, names: dict[str, LinkState], mode: str | None) -> None:
        device = functions.folder(pf, self._roots.sysfs)
        vendor, model = hardware.names(device)
        pf.vendor, pf.model = vendor or pf.vendor, model or pf.model
        pf.link = names.get(pf.name)
        speed = functions.number(device, "net", pf.name, "speed")
        pf.speed = speed if speed is not None and speed > 0 else None
        pf.eswitch = mode

    def _complete_vfs(self, pf: Pf, names: dict[str, LinkState]) -> None:
        if not pf.vfs:
            return
        no_table: dict[int, Settings] = {}
        uplink = pf.link
        table = no_table
        if uplink is not None:
            table = self._ask(f"the VFs of {pf.name}", lambda: links.table(uplink), no_table)
        stand_ins = functions.representors(pf, self._roots.sysfs)
        for vf in pf.vfs:
            vf.settings = table.get(vf.index)
            vf.representor = names.get(stand_ins.get(vf.index, ""))
            if vf.address is not None:
                found = pci.netdevs(pci.folder(vf.address, self._roots.sysfs))
                vf.link = next((names[name] for name in found if name in names), None)

    def _owners(self, vfs: list[Vf]) -> _Owners:
        """Return whose devices are; note those of recorded attachments that are none of these VFs."""
        found = _Owners()
        none: tuple[list[tuple[Plugin, Attachment]], list[str]] = ([], [])
        attachments, said = self._ask("records", lambda: recorded.attachments(self._roots.sysfs), none)
        self._unknown += said
        self._damaged += said
        living = recorded.living()
        addresses = {vf.address for vf in vfs if vf.address}
        for plugin, attachment in attachments:
            owner = recorded.owner(plugin, attachment, living)
            address = recorded.address_of(attachment)
            if address in addresses:
                if owner.alive is not False or address not in found.of_device:  # a dead pod's record may still be there
                    found.of_device[address] = owner
            else:
                self._others.append((attachment.name, owner))
        names = kubernetes.pod_names(self._roots)
        found.add(kubernetes.cached(self._roots))
        found.add(kubernetes.allocated(self._roots, names))
        found.add(recorded.allocations())
        found.programs = self._programs(vfs)
        return found

    def _programs(self, vfs: list[Vf]) -> dict[str, Owner]:
        nodes = {vf.address: vfio.nodes(vf, self._roots.sysfs) for vf in vfs if vf.address}
        holders = vfio.holders({path for paths in nodes.values() for path in paths}, self._roots)
        return {address: holders[path] for address, paths in nodes.items() for path in paths if path in holders}

    def _away(self, pfs: list[Pf], host: list[LinkState], owners: _Owners) -> dict[str, LinkState]:
        """Return the links that are in other namespaces than the host's, by the PCI address of their device."""
        here = {link.parent for link in host}
        sought = {
            vf.address
            for pf in pfs
            for vf in pf.vfs
            if vf.address and vf.address not in here and pci.has_own_netdev(self._folder(vf.address))
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

    def _has_unseen_link(self, vf: Vf) -> bool:
        """Return whether a VF's link is in a namespace that nothing leads to: a container sees its own processes only,
        and a namespace may be held by a descriptor alone. sysfs is asked, not the links that were listed before: a link
        that comes, or gets another name, meanwhile is on the host.
        """
        if vf.link is not None or vf.address is None:
            return False
        device = self._folder(vf.address)
        return pci.has_own_netdev(device) and not pci.netdevs(device)

    def _folder(self, address: str) -> str:
        return os.path.realpath(pci.folder(address, self._roots.sysfs))


def _state(vf: Vf, owners: _Owners, has_unseen_link: bool) -> State:
    """Return what a VF is doing. vf: with everything else that is known of it."""
    owner = owners.of_device.get(vf.address or "")
    if owner is not None and owner.plugin:
        return State.DEAD if owner.alive is False else State.POD
    if vf.address in owners.programs:
        return State.BUSY
    if has_unseen_link or (vf.link is not None and vf.link.netns):
        return State.FOREIGN
    if owner is not None:
        return State.STRAY
    return State.FREE if vf.driver else State.UNBOUND
