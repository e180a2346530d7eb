"""Which programs have which VFs open: through vfio, or, of a vDPA device, through vhost."""

from __future__ import annotations

import os
from collections.abc import Collection

from cni.linux import pci
from cni.protocol.errors import escaped
from plumbline.node import functions, processes
from plumbline.node.model import Owner, Source, Vf
from plumbline.node.roots import Roots

DEVICES = "/dev/vfio"


def nodes(vf: Vf, root: str) -> list[str]:
    """Return the device nodes by which a program can have a VF. root: where sysfs is mounted.

    They are that of its IOMMU group, which has another name where there is no IOMMU, that of the device itself since
    Linux 6.6 (Documentation/driver-api/vfio.rst), and its vDPA device's. A VF with a link has none of vfio's.
    """
    if vf.address is None or not vf.driver:
        return []
    device = os.path.realpath(pci.folder(vf.address, root))
    found = [vf.vdpa.path] if vf.vdpa is not None and vf.vdpa.driver == "vhost" and vf.vdpa.path else []
    if not pci.has_own_netdev(device):
        if vf.iommu_group is not None:
            found += [f"{DEVICES}/{vf.iommu_group}", f"{DEVICES}/noiommu-{vf.iommu_group}"]
        found += [f"{DEVICES}/devices/{name}" for name in functions.entries(os.path.join(device, "vfio-dev"))]
    return found


def holders(wanted: Collection[str], roots: Roots) -> dict[str, Owner]:
    """Return which program has which of these device nodes open, by their paths; of several programs, the first.

    Where none is wanted no process is looked at: the open files of a thousand take half a second.
    """
    found: dict[str, Owner] = {}
    if not wanted:
        return found
    for process in processes.numbers(roots):
        folder = os.path.join(roots.proc, process, "fd")
        for fd in functions.entries(folder):
            node = functions.target(folder, fd)
            if node in wanted and node not in found:
                found[node] = _owner(process, roots)
    return found


def _owner(process: str, roots: Roots) -> Owner:
    netns = os.path.join(roots.proc, process, "ns/net")
    # A program calls itself as it likes, a pod's, too.
    program = f"{process} {escaped(functions.text(roots.proc, process, 'comm'))}"
    return Owner(Source.VFIO, netns=netns, alive=True, program=program)
