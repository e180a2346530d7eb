"""Which programs have which devices open through vfio: a VF's IOMMU group is /dev/vfio/GROUP."""

from __future__ import annotations

import os

from plumbline.node import pci
from plumbline.node.model import Owner, Source
from plumbline.node.roots import Roots

DEVICES = "/dev/vfio/"


def holders(groups: set[int], roots: Roots) -> dict[int, Owner]:
    """Return which program has which of these IOMMU groups open, by the group's number; of several, the first.

    Without any nobody is asked: the open files of a thousand processes take half a second.
    """
    found: dict[int, Owner] = {}
    if not groups:
        return found
    for process in sorted((x for x in pci.entries(roots.proc) if x.isdecimal()), key=int):
        folder = os.path.join(roots.proc, process, "fd")
        for fd in pci.entries(folder):
            group = pci.target(folder, fd).removeprefix(DEVICES)
            if group.isdecimal() and int(group) in groups:
                found.setdefault(int(group), _owner(process, roots))
    return found


def _owner(process: str, roots: Roots) -> Owner:
    netns = os.path.join(roots.proc, process, "ns/net")
    program = f"{process} {pci.text(roots.proc, process, 'comm')}"
    return Owner(Source.VFIO, netns=netns, alive=True, program=program)
