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
        # The module under ctypes: the package around it costs another millisecond and more in the binary.
        import _ctypes

        class Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
            _type_ = "i"

        class Function(_ctypes.CFuncPtr):
            _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
            _restype_ = Int

        address = _ctypes.dlsym(_ctypes.dlopen(None, os.RTLD_NOW), "setns")  # type: ignore[arg-type]
        if Function(address)(fd, nstype) != 0:
            error = _ctypes.get_errno()
            raise OSError(error, os.strerror(error))
