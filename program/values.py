"""Says what modules hold, a line `NAME VALUE` each. It runs in the interpreter, at the build, when unload.py has run.

Two images that are not the same tell no more than an address. This is run under the circumstances of either, to tell
which variable of which module is not the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

DEPTH = 5
"""How far into a value we look."""


def _text(value: object, depth: int = DEPTH) -> str:
    """Return a value as text, in which there is nothing of where it is in memory."""
    if value is None or isinstance(value, (str, bytes, bytearray, int, float)):
        return repr(value)
    if depth == 0:
        return "..."
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(k, depth - 1)}: {_text(v, depth - 1)}' for k, v in value.items())}}}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"{type(value).__name__}({', '.join(_text(x, depth - 1) for x in value)})"
    return f"{type(value).__name__} {_text(_attributes(value), depth - 1)}"


def _attributes(value: object) -> dict[str, object]:
    """Return what an object, a function or a class has of its own."""
    found = dict(getattr(value, "__dict__", ()))
    if isinstance(value, type):
        return found
    slots = getattr(type(value), "__slots__", ())
    for name in (*(slots if isinstance(slots, tuple) else ()), "__defaults__", "__kwdefaults__"):
        if hasattr(value, name):
            found[name] = getattr(value, name)
    for number, cell in enumerate(getattr(value, "__closure__", None) or ()):
        found[f"cell {number}"] = cell.cell_contents
    return found


def _lines() -> Iterator[str]:
    for module_name, module in sorted(sys.modules.items()):
        if module_name != __name__ and getattr(module.__spec__, "origin", None) == "frozen":
            for name, value in sorted(vars(module).items()):
                if not name.startswith("__") and not isinstance(value, type(sys)):
                    yield f"{module_name}.{name} {_text(value)}\n"


os.write(1, "".join(_lines()).encode(errors="backslashreplace"))
os._exit(0)
