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

    def setns(fd: int, nstype: int) -> None:
        """Move the calling thread into the namespace that `fd` stands for (setns(2)). Raises OSError."""
        try:
            from _plumbline import setns as call  # type: ignore[import-not-found]  # built in (program/main.c)
        except ImportError:
            call = _setns_of_the_c_library
        call(fd, nstype)

    def _setns_of_the_c_library(fd: int, nstype: int) -> None:
        import ctypes

        if ctypes.CDLL(None, use_errno=True).setns(fd, nstype) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
