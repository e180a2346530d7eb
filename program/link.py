"""The interpreter of all binaries: CPython's static library, linked so that its memory can be taken as an image.

What belongs to the interpreter is told from what belongs to the C library, which is new in each process: the variables
of CPython and of our own C files get a section of their own, and the functions in libc.c take the place of some of the
C library's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable

from program import toolchain
from program.functions import check_functions

OF_THE_IMAGE = ("main.c", "run.c", "die.c", "interpreter.c", "image.c", "module.c")
"""Their variables are of the image, as CPython's are; those of libc.c and crash.c are not."""

RENAMED_FUNCTIONS = ("malloc", "calloc", "realloc", "free", "pthread_self", "pthread_create", "write")
NOT_USED = "EXCLUDE_FILE(*obmalloc.o)"
"""CPython's own allocators: the C library's is used. That is a quarter of a megabyte of zeros, and in CPython 3.13 what
mimalloc begins with in each process. (In 3.11, the variables that say which allocator is used are here, too.)"""
SECTIONS = f"""\
SECTIONS {{
    plumbline_data : {{
        *({NOT_USED if sys.version_info >= (3, 12) else ""} .data .data.*)
        *(.PyRuntime .probes)
        *({NOT_USED} .bss COMMON)
    }}
}}
"""
ARRAY_SECTION = "plumbline_array"
"""The linker puts it behind all others, as the last of those that it does not know."""
OTHER_SECTIONS = frozenset({".bss", ".data", ".init_array", ".tbss", ".tdata"})
"""Those of what is not used, and what each thread has: PyEval_RestoreThread() puts there what CPython has there since
3.12."""
SECTION = re.compile(r"^ *\[ *\d+\] (\S+) +[A-Z_]+ +[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) \d+ +([A-Zop]+) ", re.MULTILINE)
"""Name, size and flags of a section, as readelf(1) shows them."""


def link(folder: str, builtins: Iterable[str], sources: str = toolchain.SOURCES) -> str:
    """Make the interpreter in a folder, and return its path.

    builtins: names of the extension modules to build in, of those that CPython's static library has. sources: the
    folder of our C files. Raises OSError, KeyError for an extension module that the library does not have, ValueError
    for a library with variables that an image would miss, or that calls a function of which nobody has said that it
    may, and subprocess.CalledProcessError when the compiler or the linker fails.
    """
    os.makedirs(folder, exist_ok=True)
    sections, partial, interpreter = (os.path.join(folder, name) for name in ("sections", "partial.o", "interpreter"))
    with open(sections, "w") as file:
        file.write(SECTIONS)
    objects = toolchain.objects(folder, [os.path.join(sources, name) for name in OF_THE_IMAGE], builtins, remark="")
    toolchain.joined(partial, *objects, toolchain.library(), options=("-T", sections))
    toolchain.replace_functions(partial, RENAMED_FUNCTIONS)
    check_variables(partial)
    ours = [toolchain.compiled(os.path.join(sources, name), folder) for name in ("libc.c", "crash.c")]
    check_functions(partial, ours, [*objects, toolchain.library()])
    subprocess.run(["objcopy", f"--rename-section=.bss={ARRAY_SECTION}", ours[0]], check=True)
    toolchain.make_static(interpreter, partial, *ours)
    return interpreter


def check_variables(path: str) -> None:
    """Raise ValueError if an object file has variables that would not be in an image."""
    described = subprocess.run(["readelf", "-SW", path], check=True, capture_output=True, text=True).stdout
    for name, size, flags in SECTION.findall(described):
        if "W" in flags and int(size, 16) and name != "plumbline_data" and name not in OTHER_SECTIONS:
            raise ValueError(f"the {int(size, 16)} bytes of variables in {name} of {path} would not be in an image")
