"""From the interpreter and a plugin's modules to one executable: the build's last step.

The interpreter is run; it starts, loads the modules, and writes its memory (image.c). The executable is the interpreter
with that memory as its initialised data: a process begins where the interpreter was then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from program import elf
from program.modules import check_imports
from program.takes import Takes


def make_executable(target: str, interpreter: str, modules: Mapping[str, str], builtins: Iterable[str]) -> None:
    """Write the executable `target`.

    interpreter: path of what link.py made with these `builtins`. modules: {name: path of the source}, in the order in
    which they are loaded, and with the program as `__main__`. Raises OSError, SyntaxError, ImportError for a module
    that is imported and not there, or that cannot be loaded without a word, or does what is none of its business then,
    and ValueError for an image that depends on the process it was taken in, or that the linker has left no place for.
    """
    check_imports(modules, builtins)
    takes = Takes(interpreter, modules)
    takes.audit()
    memory = takes.image()
    with open(interpreter, "rb") as file:
        elf.put(target, elf.with_memory(file.read(), memory))
