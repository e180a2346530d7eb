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

from program import elf
from program.modules import check_imports, compiled

RANGE = struct.Struct("<QQ")  # image.c, write_range()

TUNABLES = "GLIBC_TUNABLES"  # glibc manual, Tunables
OLD_PROCESSOR = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-ERMS,-FSRM"
CIRCUMSTANCES = ((0, "/", "_" * len(TUNABLES)), (1 << 16, "/tmp", TUNABLES))
"""In which an image must turn out the same: how far the stack, the C library's memory and what is mapped are displaced,
in bytes; the working directory; the name of a variable by which the C library uses other functions. A variable of
another name does nothing, but is as long: how many there are, and how long, has a say in where things are allocated."""


def make_executable(target: str, interpreter: str, modules: Mapping[str, str], builtins: Iterable[str]) -> None:
    """Write the executable `target`.

    interpreter: path of what link.py made with these `builtins`. modules: {name: path of the source}, in the order in
    which they are loaded, and with the program as `__main__`. Raises OSError, SyntaxError, ImportError for a module
    that is imported and not there, or that cannot be loaded without a word, and ValueError for an image that depends on
    the process it was taken in, or that the linker has left no place for.
    """
    check_imports(modules, builtins)
    with tempfile.TemporaryFile() as file:
        file.write(compiled(modules))
        file.flush()
        images = [_taken(interpreter, file.fileno(), *circumstances) for circumstances in CIRCUMSTANCES]
    _check_equal(*images)
    with open(interpreter, "rb") as file:
        elf.put(target, elf.with_memory(file.read(), images[0]))


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
