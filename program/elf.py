"""A static executable as bytes: its initialised data replaced, what only debuggers read left out."""

from __future__ import annotations

import os
import struct
import tempfile

ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # elf.h, Elf64_Ehdr
PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")  # elf.h, Elf64_Phdr
PT_LOAD, PT_NOTE, PF_R, PF_W = 1, 4, 4, 2
PAGE = 4096


def with_memory(executable: bytes, memory: dict[int, bytes]) -> bytes:
    """Return the executable with this content of its initialised data and, from its last variable on, behind that.

    The latter gets a segment of its own, in the place of a note for debuggers. The sections, which also are only for
    them, are left out. Raises ValueError when there is no place for it.
    """
    header, segments = _headers(executable)
    data = _data(segments)
    note = next(segment for segment in segments if segment[0] == PT_NOTE)
    (variables, values), (array, content) = sorted(memory.items())
    if array < data[3] + data[5] or array % PAGE or segments.index(note) < segments.index(data):
        raise ValueError("the linker has put variables behind those that an image ends with")

    written = bytearray(executable[: data[2] + data[5]])
    at = data[2] + variables - data[3]
    written[at : at + len(values)] = values
    written += bytes(-len(written) % PAGE)
    end = data[3] + data[6]  # where variables of the C library are that begin as zero
    note[:] = [PT_LOAD, PF_R | PF_W, len(written), array, array, len(content), end - array, PAGE]
    data[6] = array - data[3]
    written += content
    return _assembled(written, header, segments)


def without_sections(executable: bytes) -> bytes:
    """Return the executable up to the end of its initialised data: what is behind that is only for debuggers."""
    header, segments = _headers(executable)
    data = _data(segments)
    return _assembled(bytearray(executable[: data[2] + data[5]]), header, segments)


def put(target: str, executable: bytes) -> None:
    """Make an executable file, or put this one in the place of another. Raises OSError."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    fd, beside = tempfile.mkstemp(dir=os.path.dirname(target))
    with open(fd, "wb") as file:
        file.write(executable)
    os.chmod(beside, 0o755)
    os.replace(beside, target)  # a running binary cannot be written to


def _headers(executable: bytes) -> tuple[list[int], list[list[int]]]:
    """Return the fields of the file's header, and those of each segment's."""
    header = list(ELF_HEADER.unpack_from(executable))
    place, count = header[5], header[10]
    return header, [list(PROGRAM_HEADER.unpack_from(executable, place + i * PROGRAM_HEADER.size)) for i in range(count)]


def _data(segments: list[list[int]]) -> list[int]:
    """Return the segment that can be written to."""
    [data] = (segment for segment in segments if segment[0] == PT_LOAD and segment[1] & PF_W)
    return data


def _assembled(written: bytearray, header: list[int], segments: list[list[int]]) -> bytes:
    """Return the content with these headers, which tell of no sections."""
    header[6] = header[12] = header[13] = 0
    ELF_HEADER.pack_into(written, 0, *header)
    for i, segment in enumerate(segments):
        PROGRAM_HEADER.pack_into(written, header[5] + i * PROGRAM_HEADER.size, *segment)
    return bytes(written)
