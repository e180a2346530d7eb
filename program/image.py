"""From the interpreter and a plugin's modules to one executable: the build's last step.

The interpreter is run; it starts, loads the modules, and writes its memory (image.c). The executable is the interpreter
with that memory as its initialised data: a process begins where the interpreter was then.
"""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from itertools import zip_longest

from program.modules import check_imports, compiled

ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # elf.h, Elf64_Ehdr
PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")  # elf.h, Elf64_Phdr
PT_LOAD, PT_NOTE, PF_R, PF_W = 1, 4, 4, 2
PAGE = 4096
RANGE = struct.Struct("<QQ")  # image.c, write_range()

TUNABLES = "GLIBC_TUNABLES"  # glibc manual, Tunables
OLD_PROCESSOR = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-ERMS,-FSRM"
CIRCUMSTANCES = ((0, "/", "_" * len(TUNABLES)), (1 << 16, "/tmp", TUNABLES))
"""In which an image must turn out the same: how far the stack, the C library's memory and what is mapped are displaced,
in bytes; the working directory; the name of a variable by which the C library uses other functions. A variable of
another name does nothing, but is as long: how many there are, and how long, has a say in where things are allocated."""

SOURCES = os.path.dirname(__file__)
UNLOADING = {
    "program": os.path.join(SOURCES, "__init__.py"),
    "program.contents": os.path.join(SOURCES, "contents.py"),
    "__unload__": os.path.join(SOURCES, "unload.py"),
}
"""What is run when the modules are loaded (image.c), and what it imports."""


def make_executable(target: str, interpreter: str, modules: Mapping[str, str], builtins: Iterable[str]) -> None:
    """Write the executable `target`.

    interpreter: path of what link.py made with these `builtins`. modules: {name: path of the source}, in the order in
    which they are loaded, and with the program as `__main__`. Raises OSError, SyntaxError, ImportError for a module
    that is imported and not there, or that cannot be loaded without a word, and ValueError for an image that depends on
    the process it was taken in, or that the linker has left no place for.
    """
    check_imports(modules, builtins)
    with tempfile.TemporaryFile() as file:
        file.write(compiled({**modules, **UNLOADING}))
        file.flush()
        images = [_taken(interpreter, file.fileno(), *circumstances) for circumstances in CIRCUMSTANCES]
    _check_equal(*images)
    with open(interpreter, "rb") as file:
        executable = _with_memory(file.read(), images[0])
    os.makedirs(os.path.dirname(target), exist_ok=True)
    fd, beside = tempfile.mkstemp(dir=os.path.dirname(target))
    with open(fd, "wb") as file:
        file.write(executable)
    os.chmod(beside, 0o755)
    os.replace(beside, target)  # a running binary cannot be written to


def _taken(interpreter: str, modules: int, displacement: int, folder: str, variable: str) -> dict[int, bytes]:
    """Return the image, what is at which address, that the interpreter makes of the modules in an open file."""
    done = subprocess.run(
        [os.path.abspath(interpreter), str(displacement)], stdin=modules, capture_output=True, cwd=folder,
        env={variable: OLD_PROCESSOR, "TZ": ":"},
    )  # fmt: skip
    if done.returncode != 0 or done.stderr:
        said = done.stderr.decode(errors="replace")
        raise ImportError(f"the modules cannot be loaded (exit status {done.returncode}): {said}")
    taken, memory, offset = done.stdout, {}, 0
    while offset < len(taken):
        address, size = RANGE.unpack_from(taken, offset)
        offset += RANGE.size
        memory[address] = taken[offset : offset + size]
        offset += size
    return memory


def _check_equal(one: dict[int, bytes], other: dict[int, bytes]) -> None:
    """Raise ValueError if two images are not the same."""
    different = [
        hex(address + offset)
        for address, content in one.items()
        for offset, (a, b) in enumerate(zip_longest(content, other.get(address, b"")))
        if a != b
    ]
    if different:
        raise ValueError(f"an image depends on the process it was taken in, at {', '.join(different[:16])}")


def _with_memory(executable: bytes, memory: dict[int, bytes]) -> bytes:
    """Return a static executable with this content of its initialised data and, from its last variable on, behind that.

    The latter gets a segment of its own, in the place of a note for debuggers. The sections, which also are only for
    them, are left out.
    """
    header = list(ELF_HEADER.unpack_from(executable))
    place, count = header[5], header[10]
    segments = [list(PROGRAM_HEADER.unpack_from(executable, place + i * PROGRAM_HEADER.size)) for i in range(count)]
    [data] = (segment for segment in segments if segment[0] == PT_LOAD and segment[1] & PF_W)
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
    header[6] = header[12] = header[13] = 0
    ELF_HEADER.pack_into(written, 0, *header)
    for i, segment in enumerate(segments):
        PROGRAM_HEADER.pack_into(written, place + i * PROGRAM_HEADER.size, *segment)
    return bytes(written)
