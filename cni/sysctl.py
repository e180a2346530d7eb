"""Kernel settings under /proc/sys: read, compare, write. Those under net/ are of the calling thread's namespace."""

from __future__ import annotations

import os

from cni.errors import IO_FAILURE, CniError

ROOT = "/proc/sys"


def ensure(name: str, value: str, root: str = ROOT) -> bool:
    """Give the setting this value unless it has it; return False when this kernel has no such setting.

    name: path below /proc/sys, such as `net/ipv6/conf/net1/disable_ipv6` (slashes: interface names may hold dots).
    Raises CniError (code 5) when the kernel refuses the value.
    """
    path = os.path.join(root, name)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as e:
        raise CniError(IO_FAILURE, f"cannot set {path} to {value}: {e.strerror}", f"errno {e.errno}") from e
    try:
        if os.read(fd, 4096).decode().strip() != value:
            os.pwrite(fd, value.encode(), 0)
    except OSError as e:
        raise CniError(IO_FAILURE, f"cannot set {path} to {value}: {e.strerror}", f"errno {e.errno}") from e
    finally:
        os.close(fd)
    return True
