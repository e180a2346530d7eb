"""What program/module.c has in a binary, for running from the source: never a part of a binary. `cni.linux.libc` says
what each does.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import struct

_SYS_BPF = {"x86_64": 321, "aarch64": 280}
_SIOCETHTOOL = 0x8946

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(answer: int) -> int:
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return answer


def _address(buffer: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


def setns(fd: int, nstype: int) -> None:
    _checked(_libc.setns(fd, nstype))


def bpf(command: int, attributes: bytearray, pointers: tuple[tuple[int, bytearray], ...]) -> int:
    for offset, buffer in pointers:
        struct.pack_into("=Q", attributes, offset, _address(buffer))
    number = _SYS_BPF[platform.machine()]
    return _checked(int(_libc.syscall(number, command, ctypes.c_void_p(_address(attributes)), len(attributes))))


def ethtool(socket: int, name: bytes, command: bytearray) -> None:
    fcntl.ioctl(socket, _SIOCETHTOOL, struct.pack("=16sQ16x", name, _address(command)))
