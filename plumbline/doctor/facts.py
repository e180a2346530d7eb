"""What the checks know of a node: everything is read here, at once, and nothing later."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from cni.linux import pci
from cni.protocol.limits import CONFIG_BYTES
from plumbline.lint.fault import Fault
from plumbline.lint.file import Checked, check
from plumbline.node import (
    binaries,
    claims,
    functions,
    kubernetes,
    names,
    nics,
    pfs_file,
    recorded,
    runtime,
    storage,
    system,
)
from plumbline.node.binaries import Binary
from plumbline.node.claims import Claim
from plumbline.node.model import Node, Pf, State, Vf
from plumbline.node.mounts import Mounts
from plumbline.node.nics import Nic
from plumbline.node.pfs_file import PfsFile
from plumbline.node.roots import Roots
from plumbline.node.runtime import Folders
from plumbline.node.storage import Storage
from plumbline.node.system import Modules, System

CONFIGURATION_ENDINGS = (".conf", ".conflist", ".json")  # libcni/conf.go, ConfFiles
MODULES = ("bridge", "vfio_pci", "vhost_vdpa")
"""Modules without which something that a network may ask for does not work."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge of the host. is_filtering: whether it looks at VLANs."""

    name: str
    is_filtering: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """A node, looked at.

    nics: those that can have VFs, or could. bridges: of the host, by name. networks: plugins' configurations in the
    runtime's folder, as the plugins get them. faults: what is wrong with these files. drivers: of VFs without a driver,
    by PCI address, the module that has one, empty for none. registered: what the kubelet knows of device plugins, None
    where there is no kubelet. pf_file: what the PFs are to be.
    """

    node: Node
    nics: tuple[Nic, ...] = ()
    system: System = field(default_factory=lambda: System("6.1.0"))
    storage: Storage = field(default_factory=lambda: Storage("/var/lib/cni"))
    folders: Folders = field(default_factory=Folders)
    binaries: tuple[Binary, ...] = ()
    claims: tuple[Claim, ...] = ()
    bridges: dict[str, Bridge] = field(default_factory=dict)
    networks: tuple[dict[str, object], ...] = ()
    faults: tuple[Fault, ...] = ()
    checked_files: int = 0
    drivers: dict[str, str] = field(default_factory=dict)
    registered: frozenset[str] | None = None
    pf_file: PfsFile = field(default_factory=lambda: PfsFile("/etc/plumbline/pfs.json"))

    def of_type(self, *types: str) -> list[dict[str, object]]:
        """Return the networks of some plugins."""
        return [network for network in self.networks if network.get("type") in types]

    def only(self, name: str) -> Facts:
        """Return what is known of one PF, or of a NIC that is none as yet, beside the node itself. name: of its link,
        or its address. Raises VerbError (10).
        """
        chosen = tuple(nic for nic in self.nics if name in (nic.name, nic.address))
        pfs = [pf for pf in self.node.pfs if pf.address in {nic.address for nic in chosen}]
        if not chosen:
            pfs = [names.pf(self.node, name)]
        addresses = {pf.address for pf in pfs}
        pf_file = replace(self.pf_file, pfs=tuple(x for x in self.pf_file.pfs if x.address in addresses))
        return replace(self, nics=chosen, node=replace(self.node, pfs=pfs, others=[]), pf_file=pf_file)

    def nic(self, pf: Pf) -> Nic | None:
        """Return a PF as hardware, None for a simulated one."""
        return next((nic for nic in self.nics if nic.address == pf.address), None)


def gather(node: Node, roots: Roots | None = None) -> Facts:
    """Return all that the checks need of a node that was looked at. roots: as for that look."""
    roots = roots or Roots()
    mounts, folders = Mounts.of(roots), runtime.folders(roots)
    files = configuration_files(folders.configurations)
    checked = [_checked(path) for path in files]
    searched = [*folders.binaries, *binaries.ELSEWHERE]
    return Facts(
        node=node,
        nics=tuple(nics.all_of(roots.sysfs)),
        system=system.look(roots, MODULES),
        storage=storage.look(roots, recorded.folders(roots)),
        folders=folders,
        binaries=tuple(binaries.all_in(searched, mounts)),
        claims=tuple(claims.all_on(roots)),
        bridges=_bridges(node, roots.sysfs),
        networks=tuple(network for one in checked for network in one.networks),
        faults=tuple(fault for one in checked for fault in one.faults),
        checked_files=len(files),
        drivers=_drivers(node.vfs, roots),
        registered=kubernetes.registered(roots),
        pf_file=pfs_file.read(roots.pfs_file),
    )


def configuration_files(folder: str) -> list[str]:
    """Return the files that a runtime takes for network configurations, in its order."""
    names = (name for name in sorted(functions.entries(folder)) if name.endswith(CONFIGURATION_ENDINGS))
    paths = (os.path.join(folder, name) for name in names)
    return [path for path in paths if os.path.isfile(path)]


def _checked(path: str) -> Checked:
    try:
        with open(path, "rb") as file:
            return check(path, file.read(CONFIG_BYTES + 1))
    except OSError as e:
        return Checked([Fault(path, 0, "", f"cannot be read: {e.strerror}")], [])


def _bridges(node: Node, root: str) -> dict[str, Bridge]:
    return {x.name: Bridge(x.name, _filters(x.name, root)) for x in node.links if x.kind == "bridge"}


def _filters(bridge: str, root: str) -> bool:
    return pci.attribute(root, "class/net", bridge, "bridge", "vlan_filtering") == "1"


def _drivers(vfs: list[Vf], roots: Roots) -> dict[str, str]:
    modules = Modules.of_running(roots)
    unbound = [vf.address for vf in vfs if vf.state is State.UNBOUND and vf.address]
    aliases = {address: functions.text(pci.folder(address, roots.sysfs), "modalias") for address in unbound}
    by_alias = {alias: modules.for_device(alias) for alias in set(aliases.values())}
    return {address: by_alias[alias] for address, alias in aliases.items()}
