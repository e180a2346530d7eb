"""Says which objects are hot: those that most runs of a plugin touch. It runs in the interpreter, at the build, last.

A page of the image that a process writes to is copied, and whoever counts a reference writes. So what a run uses is
placed together, apart from what it does not use, which is the greater part (libc.c). hot.py lists the functions that
run. What these use is hot as well: their code and its constants, and what modules and classes have under the names that
stand in it. This is a guess. Where it is wrong, a process touches a page more.
"""

from __future__ import annotations

import gc
import sys
from types import CodeType, FunctionType

from program.hot import FUNCTIONS

OF_DATACLASSES = "<string>"
"""The file that code is said to be from which a module has written itself."""

HOT: list[object] = []
"""Read by image.c."""


def _find() -> None:
    """Fill the list."""
    listed = {(module, name) for line in FUNCTIONS.splitlines() for module, *names in [line.split()] for name in names}
    names: set[str] = set()
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and _runs(function, listed):
            HOT.extend((function, function.__globals__))
            HOT.extend(function.__defaults__ or ())
            for cell in function.__closure__ or ():
                HOT.extend((cell, *gc.get_referents(cell)))
            _add_code(function.__code__, names)
    for space in (*sys.modules.values(), *_classes(object)):
        values = [value for name, value in vars(space).items() if name in names]
        HOT.extend(value for value in values if not isinstance(value, FunctionType))
        for value in values:
            if isinstance(value, type):
                HOT.extend(gc.get_referents(value))  # its dictionary and the order of its bases


def _classes(base: type) -> set[type]:
    """Return a class and all classes that are made of it; those in C are not among what the garbage collector knows."""
    below: list[type] = type.__subclasses__(base)
    return {base}.union(*map(_classes, below))


def _runs(function: FunctionType, listed: set[tuple[str, str]]) -> bool:
    if (function.__module__, function.__qualname__) in listed:
        return True
    return function.__name__ == "__init__" and function.__code__.co_filename == OF_DATACLASSES


def _add_code(code: CodeType, names: set[str]) -> None:
    """Add code, and its names to those that hot code uses. Not what only a stack trace shows, such as line numbers."""
    names.update(code.co_names)
    HOT.extend((code, code.co_names, *code.co_names, code.co_consts))
    for constant in code.co_consts:
        HOT.append(constant)
        if isinstance(constant, CodeType):  # of a function in this one, which is made each time
            HOT.extend((constant.co_name, constant.co_qualname))
            _add_code(constant, names)
        elif isinstance(constant, tuple):
            HOT.extend(constant)


_find()
for _name in ("program", "program.hot"):
    sys.modules.pop(_name, None)
