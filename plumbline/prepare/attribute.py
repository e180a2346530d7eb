"""Attributes of sysfs are written at once, or not: the kernel answers a write by its errno."""

from __future__ import annotations

import os

from cni.linux import files


def write(path: str, text: str) -> None:
    """Write an attribute that is there. Raises OSError, of which the errno is the kernel's or the driver's answer."""
    with files.closing(os.open(path, os.O_WRONLY | os.O_CLOEXEC)) as fd:
        os.write(fd, text.encode())
