"""Which boot of the machine this is: links, VFs and what was set on them do not outlive one."""

from __future__ import annotations

from cni import files

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def current(path: str = BOOT_ID) -> str:
    """Return the identity of this boot of the machine (random(4)). Raises CniError (code 5)."""
    return (files.read(path) or b"").decode("ascii").strip()
