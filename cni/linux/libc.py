"""The system calls that CPython 3.11 does not wrap, each a tiny typed function."""

from __future__ import annotations

import os
import sys

CLONE_NEWNET = 0x40000000  # linux/sched.h

try:
    from _plumbline import bpf as _bpf  # type: ignore[import-not-found]  # built in (program/module.c)
    from _plumbline import ethtool as _ethtool
    from _plumbline import setns as _setns
except ImportError:  # from the source

    def _bpf(command: int, attributes: bytearray, pointers: tuple[tuple[int, bytearray], ...]) -> int:
        from cni.linux import libc_source

        return libc_source.bpf(command, attributes, pointers)

    def _ethtool(socket: int, name: bytes, command: bytearray) -> None:
        from cni.linux import libc_source

        libc_source.ethtool(socket, name, command)

    def _setns(fd: int, nstype: int) -> None:
        from cni.linux import libc_source

        libc_source.setns(fd, nstype)


def setns(fd: int, nstype: int) -> None:
    """Move the calling thread into the namespace that `fd` stands for (setns(2)). Raises OSError."""
    if sys.version_info >= (3, 12):
        os.setns(fd, nstype)
    else:
        _setns(fd, nstype)


def bpf(command: int, attributes: bytearray, pointers: tuple[tuple[int, bytearray], ...] = ()) -> int:
    """Call bpf(2); return what it returns. Raises OSError.

    command: BPF_* (linux/bpf.h). attributes: the argument, which the kernel may change. pointers: (offset, buffer):
    where in the argument the address of which buffer is to be.
    """
    answer: int = _bpf(command, attributes, pointers)
    return answer


def ethtool(socket: int, name: str, command: bytearray) -> None:
    """Give a command of linux/ethtool.h, which the kernel may change, to the link with this name. Raises OSError.

    socket: the descriptor of any socket in the link's namespace.
    """
    _ethtool(socket, os.fsencode(name), command)
