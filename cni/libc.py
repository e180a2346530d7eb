"""The system calls that CPython 3.11 does not wrap, each a tiny typed function."""

from __future__ import annotations

import os
import sys

CLONE_NEWNET = 0x40000000  # linux/sched.h

if sys.version_info >= (3, 12):

    def setns(fd: int, nstype: int) -> None:
        """Move the calling thread into the namespace that `fd` stands for (setns(2)). Raises OSError."""
        os.setns(fd, nstype)

else:
    try:
        from _plumbline import setns as _setns  # type: ignore[import-not-found]  # built in (program/module.c)
    except ImportError:  # from the source

        def _setns(fd: int, nstype: int) -> None:
            import ctypes

            if ctypes.CDLL(None, use_errno=True).setns(fd, nstype) != 0:
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error))

    def setns(fd: int, nstype: int) -> None:
        """Move the calling thread into the namespace that `fd` stands for (setns(2)). Raises OSError."""
        _setns(fd, nstype)
