"""Refuses what a module may not do when it is loaded. It runs in the interpreter, at the build, before our modules do.

A module that reads a file, the environment or the network keeps what it finds in the image, and every process has it
from then on. Whoever does is named, and the process ends: no `except` of the module can hide it. The image of this run
is thrown away.
"""

from __future__ import annotations

import os
import posix
import sys
from collections.abc import Callable
from typing import Any, NoReturn

HARMLESS = frozenset({
    "code", "compile", "exec", "function", "import", "marshal", "object", "sys", "builtins.id", "gc",
})  # fmt: skip
"""What loading a module consists of, among CPython's audit events, or the first word of that; and what unload.py does
behind it, which looks at objects only. Where these are is the business of the two takes. Any other event is refused."""

SILENT = ("access", "lstat", "pathconf", "readlink", "stat", "statvfs")
"""Functions that look at files, and tell no audit hook."""

ACCESSES = (
    "__contains__", "__delitem__", "__getitem__", "__iter__", "__len__", "__repr__", "__setitem__", "copy", "get",
    "items", "keys", "pop", "popitem", "setdefault", "update", "values",
)  # fmt: skip
"""The methods of a dictionary, as which the environment is there."""

_LIBRARY = frozenset(module.__name__ for module in sys.modules.values())  # one has named itself collections.abc


def _refuse(what: str) -> NoReturn:
    """Say who does what, and where, and end the process."""
    frame = sys._getframe(1)
    stack, culprit = [], ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module not in _LIBRARY and module != __name__:
            culprit = culprit or module
            stack.append(f"  {module}, line {frame.f_lineno}, in {frame.f_code.co_name}\n")
        frame = frame.f_back  # type: ignore[assignment]
    said = f"{culprit} may not do this when it is loaded, since each process would have what is found now: {what}\n"
    os.write(2, (said + "".join(stack)).encode(errors="replace"))
    os._exit(1)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if HARMLESS.isdisjoint((event, event.partition(".")[0])):
        _refuse(f"{event}({', '.join(repr(x) for x in arguments if isinstance(x, (str, bytes, int)))})")


def _refused(what: str) -> Callable[..., NoReturn]:
    """Return what stands for a function that may not be called."""
    return lambda *arguments, **_: _refuse(f"{what}({', '.join(map(repr, arguments))})")


def _access(_: object, *arguments: object) -> NoReturn:
    _refuse(" ".join(("the environment:", *map(repr, arguments[:1]))))


for _name in SILENT:
    setattr(posix, _name, _refused(f"os.{_name}"))
    setattr(os, _name, getattr(posix, _name))
posix.environ = type("_Environment", (dict,), dict.fromkeys(ACCESSES, _access))()
for _view in (os.environ, os.environb):
    _view._data = posix.environ  # type: ignore[union-attr]
sys.addaudithook(_hook)
