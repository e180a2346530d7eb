"""Why the kernel did not make VFs, in words, with what was measured. Nothing is looked at here.

The errors are those of drivers/pci/pci-sysfs.c (sriov_numvfs_store) and drivers/pci/iov.c (sriov_enable); drivers add
their own.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass

from plumbline.node.room import FOR_ADDRESSES, FOR_BUSES, Bar, Room

MLX5, MLX4 = "mlx5_core", "mlx4_core"
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a PF when the kernel has refused.

    name: of its link. asked: how many VFs; now: how many there are; possible: how many there can be. holders: who has
    those that there are. room: None where there is nothing to measure.
    """

    name: str
    driver: str
    asked: int
    now: int
    possible: int | None
    holders: tuple[str, ...] = ()
    room: Room | None = None


def explain(number: int, found: Situation) -> str:
    """Return why, and what to do about it. number: the errno."""
    reasons: dict[int, Callable[[Situation], str]] = {
        errno.ERANGE: _too_many,
        errno.ENOENT: _no_driver,
        errno.EBUSY: _there_are_some,
        errno.ENOMEM: _no_room,
        errno.EIO: _disagree,
        errno.EINVAL: _disagree,
        errno.EPERM: _assigned,
        errno.EACCES: _read_only,
        errno.EROFS: _read_only,
    }
    reason = reasons.get(number)
    return reason(found) if reason is not None else f"the driver {found.driver or '(none)'} says no; dmesg may say more"


def _too_many(found: Situation) -> str:
    limit = f"it can have {found.possible} VFs" if found.possible is not None else "that is more than it can have"
    raised = {
        MLX5: "raise NUM_OF_VFS and set SRIOV_EN=1 in its firmware (mlxconfig), then restart the node",
        MLX4: "raise NUM_OF_VFS and set SRIOV_EN=1 in its firmware (mlxconfig), then restart the node",
    }
    return f"{limit}: ask for fewer, or {raised.get(found.driver, 'raise the number in its firmware or the BIOS')}"


def _no_driver(found: Situation) -> str:
    if found.driver:
        return f"its driver {found.driver} cannot make VFs: bind the PF to the NIC's own driver"
    return "the PF has no driver: load the NIC's module, or bind the PF to it"


def _there_are_some(found: Situation) -> str:
    if found.holders:
        return f"it has {found.now} VFs, and some are in use: {', '.join(found.holders)}"
    if found.now:
        return f"it has {found.now} VFs, which somebody has made meanwhile: who else makes VFs on this node?"
    return f"its driver {found.driver} is busy, a reset for one: try again"


def _no_room(found: Situation) -> str:
    room = found.room
    if room is None:
        return f"there is no room for the VFs' addresses or bus numbers: {FOR_ADDRESSES}"
    lacking, bus = room.lacking, room.lacks_bus(found.asked)
    said = [f"BAR {bar.number} of the VFs{_needed(bar)} has no addresses" for bar in lacking]
    if bus:
        said.append(
            f"the last VF would be on bus {bus:02x}, and the bridge above the PF ends with bus {room.last_bus:02x}"
        )
    if said:
        return f"{'; '.join(said)}: {FOR_ADDRESSES if lacking else FOR_BUSES}"
    buses = f", and bus numbers up to {room.last_bus:02x}" if room.bridge else ""
    return (
        f"there is room on the PCI bus: the VFs' BARs have {room.size / MIB:g} MiB{buses}; "
        f"so it is the driver {found.driver} that has no memory or no queues for so many"
    )


def _needed(bar: Bar) -> str:
    return f" needs {bar.size / MIB:g} MiB and" if bar.size else ""


def _disagree(found: Situation) -> str:
    capability = found.room.capability if found.room is not None else None
    told = "the NIC's SR-IOV capability and its firmware disagree"
    if capability is not None:
        told += f": the capability says {capability.initial} VFs at first and {capability.total} in all"
    return (
        f"{told}; or its driver {found.driver or '(none)'} cannot have so many as it is set now. "
        "Update the firmware, restart the node after a change of it, and see dmesg"
    )


def _assigned(found: Situation) -> str:
    whose = f": {', '.join(found.holders)}" if found.holders else ""
    return f"its driver {found.driver} keeps VFs that are given to virtual machines{whose}; end these first"


def _read_only(_: Situation) -> str:
    return "only root may, and where /sys is writable: in a container, it has to be privileged"


def told(number: int, found: Situation) -> str:
    """Return what was attempted, and what the kernel said."""
    verb = f"make {found.asked} VFs" if found.asked else f"remove the {found.now} VFs"
    return f"cannot {verb} of {found.name}: {os.strerror(number)} ({errno.errorcode.get(number, number)})"
