"""What a link leaves to its NIC, such as checksums and segmentation (ethtool -k): a move leaves that as it is, too.

linux/ethtool.h: ETHTOOL_GFEATURES and ETHTOOL_SFEATURES, with blocks of 32 features.
"""

from __future__ import annotations

import _socket
import struct

from cni.linux.libc import ethtool

GFEATURES, SFEATURES = 0x3A, 0x3B
MAX_BLOCKS = 8
_HEAD = struct.Struct("=II")
_GET = struct.Struct("=IIII")  # available, requested, active, never changed
_SET = struct.Struct("=II")  # valid, requested


def requested(name: str) -> str:
    """Return the features that are asked for of a link of the calling thread's namespace, as a hexadecimal number;
    empty when the kernel does not tell.
    """
    try:
        blocks = _blocks(name)
        number = sum(block << 32 * at for at, block in enumerate(blocks))
        return f"{number:0{8 * len(blocks)}x}" if blocks else ""
    except OSError:
        return ""


def restore(name: str, wanted: str) -> bool:
    """Ask for the features that `requested` gave, where others are asked for now; return whether there was a change.

    Raises OSError.
    """
    now = _blocks(name)
    number = int(wanted, 16)
    blocks = [number >> 32 * at & 0xFFFFFFFF for at in range(len(now))]
    if blocks == now:
        return False
    command = bytearray(_HEAD.pack(SFEATURES, len(now)))
    for was, block in zip(now, blocks, strict=True):
        command += _SET.pack(was ^ block, block)
    _give(name, command)
    return True


def _blocks(name: str) -> list[int]:
    command = bytearray(_HEAD.pack(GFEATURES, MAX_BLOCKS).ljust(_HEAD.size + MAX_BLOCKS * _GET.size, b"\0"))
    _give(name, command)
    _, blocks = _HEAD.unpack_from(command)
    return [_GET.unpack_from(command, _HEAD.size + at * _GET.size)[1] for at in range(min(blocks, MAX_BLOCKS))]


def _give(name: str, command: bytearray) -> None:
    control = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        ethtool(control.fileno(), name, command)
    finally:
        control.close()
