"""Kernel settings under /proc/sys: read, compare, write. Those under net/ are of the calling thread's namespace."""

from __future__ import annotations

import os

from cni.linux.files import closing, io_failure

ROOT = "/proc/sys"


def ensure(name: str, value: str, root: str = ROOT) -> bool:
    """Give the setting this value unless it has it; return False when this kernel has no such setting.

    name: path below /proc/sys, such as `net/ipv6/conf/net1/disable_ipv6` (slashes: interface names may hold dots).
    Raises CniError (code 5) when the kernel refuses the value.
    """
    path = os.path.join(root, name)
    try:
        # Reading first: where /proc/sys is read-only, a setting may have the value already.
        with closing(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) as fd:
            present = os.read(fd, 4096).decode().strip()
        if present != value:
            with closing(os.open(path, os.O_WRONLY | os.O_CLOEXEC)) as fd:
                os.write(fd, value.encode())
    except FileNotFoundError:
        return False
    except OSError as e:
        raise io_failure("set", f"{path} to {value}", e) from e
    return True
