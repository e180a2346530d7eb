"""The number of a PF's VFs is a file of sysfs; what is wrong is in its errno only."""

from __future__ import annotations

import os

from cni.linux import pci
from plumbline.errors import Status, VerbError
from plumbline.node import functions, room
from plumbline.node.look import look
from plumbline.node.roots import Roots
from plumbline.prepare import attribute, in_use
from plumbline.prepare.explain import Situation, explain, told


def set_number(name: str, device: str, number: int, roots: Roots) -> None:
    """Write how many VFs a PF is to have. name: for messages; device: its folder in sysfs.

    Raises VerbError, which explains the errno. That fewer have been made than asked for is no error here.
    """
    try:
        attribute.write(os.path.join(device, "sriov_numvfs"), str(number))
    except OSError as e:
        found, said = _situation(name, device, number, roots), e.errno or 0
        raise VerbError(Status.FAILURE, told(said, found), explain(said, found)) from e


def _situation(name: str, device: str, asked: int, roots: Roots) -> Situation:
    path = os.path.realpath(device)
    address = os.path.basename(path)
    pf = next((x for x in look(roots).pfs if x.address == address), None)
    return Situation(
        name=name,
        driver=pci.driver(path),
        asked=asked,
        now=functions.number(path, "sriov_numvfs") or 0,
        possible=functions.number(path, "sriov_totalvfs"),
        holders=tuple(in_use.users(pf.vfs) if pf is not None else ()),
        room=room.measure(path) if pci.is_address(address) else None,
    )
