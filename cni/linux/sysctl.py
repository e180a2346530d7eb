"""Kernel settings under /proc/sys: read, compare, write. Those under net/ are of the calling thread's namespace."""

from __future__ import annotations

import os

from cni.protocol.errors import IO_FAILURE, CniError

ROOT = "/proc/sys"


def ensure(name: str, value: str, root: str = ROOT) -> bool:
    """Give the setting this value unless it has it; return False when this kernel has no such setting.

    name: path below /proc/sys, such as `net/ipv6/conf/net1/disable_ipv6` (slashes: interface names may hold dots).
    Raises CniError (code 5) when the kernel refuses the value.
    """
    path = os.path.join(root, name)
    try:
        # Reading first: where /proc/sys is read-only, a setting may have the value already.
        if _transfer(path, os.O_RDONLY, None) != value:
            _transfer(path, os.O_WRONLY, value)
    except FileNotFoundError:
        return False
    except OSError as e:
        raise CniError(IO_FAILURE, f"cannot set {path} to {value}: {e.strerror}", f"errno {e.errno}") from e
    return True


def _transfer(path: str, flags: int, value: str | None) -> str:
    """Write the value, or read and return the present one. Raises OSError."""
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        if value is None:
            return os.read(fd, 4096).decode().strip()
        os.write(fd, value.encode())
        return value
    finally:
        os.close(fd)
