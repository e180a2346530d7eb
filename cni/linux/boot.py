"""Which boot of the machine this is: links, VFs and what was set on them do not outlive one."""

from __future__ import annotations

import time

from cni.linux import files

BOOT_ID = "/proc/sys/kernel/random/boot_id"
EARLIER = "earlier"
"""In place of the identity of a boot that is over, where that is all that is known of it."""


def current(path: str = BOOT_ID) -> str:
    """Return the identity of this boot of the machine (random(4)). Raises CniError (code 5)."""
    return (files.read(path) or b"").decode("ascii").strip()


def began_ns() -> int:
    """Return when this boot began, in nanoseconds since 1970, by the clock as it is set now."""
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
