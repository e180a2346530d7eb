"""The wire format of rtnetlink: aligned attributes of type, length and value (linux/netlink.h)."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator

NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

_HEADER = struct.Struct("=HH")
_U32 = struct.Struct("=I")
_S32 = struct.Struct("=i")


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    return _HEADER.pack(4 + len(value), kind) + value + b"\0" * (-len(value) & 3)


def u32(kind: int, value: int) -> bytes:
    """Return an attribute that holds a 32-bit number in the machine's byte order."""
    return attribute(kind, _U32.pack(value))


def s32(kind: int, value: int) -> bytes:
    """Return the same for a number with a sign."""
    return attribute(kind, _S32.pack(value))


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds others."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """Return an attribute that holds a zero-terminated string."""
    return attribute(kind, os_bytes(value) + b"\0")


def hardware_address(value: str) -> bytes:
    """Return a MAC address, hexadecimal with colons, as bytes."""
    return bytes.fromhex(value.replace(":", ""))


def os_bytes(value: str) -> bytes:
    """Return a kernel name as bytes; names may hold any byte, which Python keeps as surrogates."""
    return value.encode("utf-8", "surrogateescape")


def os_text(value: bytes) -> str:
    """Return a kernel string, which ends at the first zero byte."""
    return value.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def attributes(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (type, value) of every attribute in `data` from `offset` on; a cut-off last one ends the walk."""
    end = len(data)
    while offset + 4 <= end:
        length, kind = _HEADER.unpack_from(data, offset)
        if length < 4 or offset + length > end:
            return
        yield kind & NLA_TYPE_MASK, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def number(value: bytes) -> int:
    """Return an attribute's value as the unsigned number it holds, in the machine's byte order, whatever its width."""
    return int.from_bytes(value, sys.byteorder)


def signed(value: bytes) -> int:
    """Return the same of a number with a sign."""
    return int.from_bytes(value, sys.byteorder, signed=True)
