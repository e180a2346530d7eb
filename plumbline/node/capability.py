"""What a NIC itself says of SR-IOV, in its configuration space: more than sysfs tells, and true where that is silent.

Offsets: linux/pci_regs.h, PCI_EXT_CAP_* and PCI_SRIOV_*; PCI Express Base Specification, "SR-IOV Extended Capability".
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

EXTENDED = 0x100
"""Where extended capabilities begin. The kernel shows what is behind 64 bytes to CAP_SYS_ADMIN only."""

SPACE = 4096
SRIOV = 0x10
BARS = 6
SIZE = 0x40
"""How long the capability is."""

_CONTROL, _INITIAL_VFS, _TOTAL_VFS, _OFFSET, _STRIDE, _VF_BARS = 0x08, 0x0C, 0x0E, 0x14, 0x16, 0x24
_ARI_HIERARCHY = 1 << 4
_SPACE_IS_IO, _IS_64_BIT = 1, 4


@dataclass(frozen=True, slots=True)
class Capability:
    """SR-IOV as a NIC has it.

    total: how many VFs it can have, 0 where its firmware has it off. initial: how many of them it has been given.
    ari: whether ARI is in use for its VFs. bars: the indices of the BARs that each VF has, as far as can be told: a
    32-bit one that has no address looks as if there were none. offset, stride: from the NIC's routing ID to its first
    VF's, and to the next one's.
    """

    total: int
    initial: int
    ari: bool
    bars: tuple[int, ...] = ()
    offset: int = 0
    stride: int = 0


def of(device: str) -> Capability | None:
    """Return what a PCI device says of SR-IOV, None where it says nothing, or may not be asked. device: its folder."""
    return parse(space(device))


def space(device: str) -> bytes:
    """Return a PCI device's configuration space, as far as it may be read. device: its folder."""
    try:
        with open(os.path.join(device, "config"), "rb") as file:
            return file.read(SPACE)
    except OSError:
        return b""


def parse(config: bytes) -> Capability | None:
    """Return the same of a configuration space."""
    at = _find(config, SRIOV)
    if at is None or at + SIZE > len(config):
        return None
    control, initial, total, offset, stride = (
        int.from_bytes(config[at + where : at + where + 2], "little")
        for where in (_CONTROL, _INITIAL_VFS, _TOTAL_VFS, _OFFSET, _STRIDE)
    )
    registers = struct.unpack_from(f"<{BARS}I", config, at + _VF_BARS)
    return Capability(total, initial, bool(control & _ARI_HIERARCHY), _bars(registers), offset, stride)


def _bars(registers: tuple[int, ...]) -> tuple[int, ...]:
    found = []
    index = 0
    while index < BARS:
        register = registers[index]
        if register:
            found.append(index)
        # The upper half of a 64-bit address is in the next register.
        index += 2 if register & (_SPACE_IS_IO | _IS_64_BIT) == _IS_64_BIT else 1
    return tuple(found)


def _find(config: bytes, wanted: int) -> int | None:
    """Return where an extended capability begins, None where there is none."""
    at, seen = EXTENDED, set[int]()
    while EXTENDED <= at <= len(config) - 4 and at not in seen:
        seen.add(at)
        header = int.from_bytes(config[at : at + 4], "little")
        if header & 0xFFFF == wanted:
            return at
        at = header >> 20
    return None
