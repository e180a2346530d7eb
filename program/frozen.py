"""The flavour of a binary without an image: the same interpreter, the same modules, started anew in each process.

It depends on nothing inside CPython, so it is there when a new CPython does not bear to be taken as an image, and it is
what a binary with an image is compared with.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping

from program import elf, toolchain
from program.modules import check_imports, compiled

OF_THE_INTERPRETER = ("frozen.c", "run.c", "die.c", "interpreter.c", "module.c")
REPLACED_FUNCTIONS = ("pthread_create", "write")
"""For what crash.c does. All else of the C library is as it is."""

REMARK = ", frozen"
"""What such a binary says of itself, behind its versions."""

MODULES = """\
    .section plumbline_modules, "aw", %progbits
    .globl program_modules, program_modules_end
program_modules:
    .incbin "{path}"
program_modules_end:
    .byte 1
    .section .note.GNU-stack, "", %progbits
"""
LAST = "SECTIONS { plumbline_modules : { KEEP(*(plumbline_modules)) } } INSERT BEFORE .bss;"
"""Of what is in the file, the linker puts the modules last: a file that was cut short is known by what is missing."""


def link(folder: str, builtins: Iterable[str], sources: str = toolchain.SOURCES) -> str:
    """Make the interpreter in a folder, and return its path: an object, since the modules are still to be linked to it.

    builtins: names of the extension modules to build in, of those that CPython's static library has. sources: the
    folder of our C files. Raises OSError, KeyError for an extension module that the library does not have, and
    subprocess.CalledProcessError when the compiler or the linker fails.
    """
    os.makedirs(folder, exist_ok=True)
    partial, interpreter = (os.path.join(folder, name) for name in ("partial.o", "linked.o"))
    ours = [os.path.join(sources, name) for name in OF_THE_INTERPRETER]
    toolchain.joined(partial, *toolchain.objects(folder, ours, builtins, REMARK), toolchain.library())
    toolchain.replace_functions(partial, REPLACED_FUNCTIONS)
    toolchain.joined(interpreter, partial, toolchain.compiled(os.path.join(sources, "crash.c"), folder))
    return interpreter


def make_executable(target: str, interpreter: str, modules: Mapping[str, str], builtins: Iterable[str]) -> None:
    """Write the executable `target`.

    interpreter: path of what `link` made with these `builtins`. modules: {name: path of the source}, with the program
    as `__main__`. Raises OSError, SyntaxError, ImportError for a module that is imported and not there, ValueError when
    the linker has left no place for the modules, and subprocess.CalledProcessError when it fails.
    """
    check_imports(modules, builtins)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(interpreter)) as folder:
        content, source, last, linked = (os.path.join(folder, x) for x in ("content", "modules.s", "last", "linked"))
        with open(content, "wb") as file:
            file.write(compiled(modules))
        with open(source, "w") as text:
            text.write(MODULES.format(path=content))
        with open(last, "w") as text:
            text.write(LAST)
        toolchain.make_static(linked, interpreter, toolchain.compiled(source, folder), f"-Wl,-T,{last}")
        with open(linked, "rb") as file:
            executable = elf.without_sections(file.read())
    if executable[-1] != 1:
        raise ValueError("the linker has put variables behind the modules, with which the file is to end")
    elf.put(target, executable)
