"""PFs come one by one while a node boots: those that are there are not kept waiting by those that are not."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pyudev

from plumbline.node import functions
from plumbline.node.roots import Roots
from plumbline.node.wish import Wish
from plumbline.prepare.carry_out import Progress

PFS_S = 60.0
"""How long, in seconds, to wait at boot for all PFs and their drivers: the modules of some NICs load firmware first."""

POLL_S = 0.5


def as_they_come(wishes: list[Wish], roots: Roots, progress: Progress, timeout_s: float = PFS_S) -> Iterator[Wish]:
    """Give each wish when its PF is there, in the order of the file if several are; after the timeout those that are
    left, too: what follows says better what is missing.
    """
    deadline = time.monotonic() + timeout_s
    left = list(wishes)
    while left:
        ready = next((wish for wish in left if is_there(wish, roots)), None)
        if ready is None and time.monotonic() < deadline:
            progress.begin(f"wait for {', '.join(wish.address for wish in left)}", 1)
            time.sleep(POLL_S)
            continue
        wish = ready or left[0]
        left.remove(wish)
        yield wish


def is_there(wish: Wish, roots: Roots) -> bool:
    """Return whether a PF has its driver, and its link, if it is a NIC that had one: what is none has no MAC address.

    udev has to be through with the link: before Linux 6.2 one that is up cannot be renamed any more.
    """
    if wish.bus != functions.PCI:
        return True
    device = functions.on_bus(wish.bus, wish.address, roots.sysfs)
    names = functions.entries(os.path.join(device, "net"))
    if not os.path.exists(os.path.join(device, "driver")) or (wish.mac and not names):
        return False
    return all(_is_known_to_udev(os.path.realpath(os.path.join(device, "net", name)), roots) for name in names)


def _is_known_to_udev(link: str, roots: Roots) -> bool:
    """Return whether udev has done what its rules want of a link, or does not run. link: its real folder in sysfs."""
    if not os.path.exists(os.path.join(roots.run, "udev/control")):
        return True
    try:
        return bool(pyudev.Devices.from_path(pyudev.Context(), link).is_initialized)
    except ImportError:  # there is no libudev
        return True
    except (OSError, pyudev.DeviceNotFoundError):  # it is being renamed at this moment
        return False
