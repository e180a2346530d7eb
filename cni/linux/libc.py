"""The system calls that CPython 3.11 does not wrap, each a tiny typed function."""

from __future__ import annotations

import os
from types import ModuleType

CLONE_NEWNET = 0x40000000  # linux/sched.h

try:
    import _plumbline  # type: ignore[import-not-found]  # built in (program/module.c)

    def _calls() -> ModuleType:
        return _plumbline  # type: ignore[no-any-return]

except ImportError:  # from the source

    def _calls() -> ModuleType:
        from cni.linux import libc_source

        return libc_source


def setns(fd: int, nstype: int) -> None:
    """Move the calling thread into the namespace that `fd` stands for (setns(2)). Raises OSError."""
    _calls().setns(fd, nstype)


def bpf(command: int, attributes: bytearray, pointers: tuple[tuple[int, bytearray], ...] = ()) -> int:
    """Call bpf(2); return what it returns. Raises OSError.

    command: BPF_* (linux/bpf.h). attributes: the argument, which the kernel may change. pointers: (offset, buffer):
    where in the argument the address of which buffer is to be.
    """
    answer: int = _calls().bpf(command, attributes, pointers)
    return answer


def ethtool(socket: int, name: str, command: bytearray) -> None:
    """Give a command of linux/ethtool.h, which the kernel may change, to the link with this name. Raises OSError.

    socket: the descriptor of any socket in the link's namespace.
    """
    _calls().ethtool(socket, os.fsencode(name), command)
