"""Takes out of the interpreter what modules needed only while they were loaded, before the image is taken.

image.c runs this when all modules are loaded. Dataclasses, for one, are made by a module of the standard library, and
that imports many others; once made, a class has functions of its own. So the modules that contents.py lists as
WHILE_LOADED go, and with them the names by which ours know something of theirs, such as `dataclass`, a `TypeVar` or a
`Protocol`. What uses such a name later, or keeps a part of such a module alive, is an error of the build.
"""

from __future__ import annotations

import gc
import sys
from _weakref import ref
from types import CodeType, FunctionType, ModuleType

from program.contents import WHILE_LOADED

OF_DATACLASSES = ("__annotations__", "__dataclass_fields__", "__dataclass_params__", "__match_args__")
"""What `dataclasses` leaves in a class for itself, and for `match` with positions, which we do not use. CPython 3.11.2
leaves `__weakref__`, too, of the class that it was before it had slots."""

HEAP_TYPE = 1 << 9
"""In the flags of a class (Py_TPFLAGS_HEAPTYPE): it can go."""

GOING = frozenset(WHILE_LOADED)


def unload() -> None:
    """Take it out. Raises ImportError for a use of it at run time, and for a part that cannot be taken out."""
    parts = [ref(part) for name in WHILE_LOADED if name in sys.modules for part in _parts(sys.modules[name])]
    for name in (*WHILE_LOADED, "program", "program.contents"):
        sys.modules.pop(name, None)
    marks: dict[int, object] = {}
    for name in sorted(sys.modules.keys() - sys.builtin_module_names):
        _clean(sys.modules[name], marks)
    gc.collect()
    if any(reference() is not None for reference in parts):
        keepers = ", ".join(_keepers()) or "something"
        raise ImportError(f"{keepers} still refers to what is there only while modules are loaded")


def _parts(module: ModuleType) -> list[type | FunctionType]:
    """Return the functions and classes of a module that is to go."""
    return [part for part in vars(module).values() if isinstance(part, type | FunctionType) and _is_going(part)]


def _keepers() -> list[str]:
    """Return the names of what still refers to a part of a module that goes: `module.name`."""
    modules = {name: vars(module) for name, module in sys.modules.items() if name not in sys.builtin_module_names}
    seen = {id(names) for names in modules.values()}  # every function refers to those of its module
    return [f"{name}.{key}" for name, names in modules.items() for key, value in names.items() if _keeps(value, seen)]


def _keeps(value: object, seen: set[int]) -> bool:
    """Return whether a value, or what it refers to and was not seen, is of a module that goes."""
    left = [value]
    while left:
        value = left.pop()
        if id(value) not in seen and not isinstance(value, ModuleType):
            if _goes(value):
                return True
            seen.add(id(value))
            left += gc.get_referents(value)
    return False


def _goes(value: object) -> bool:
    """Return whether a value is of a module that goes, or of a type of such a module."""
    if isinstance(value, ModuleType):
        return value.__name__ in GOING
    return _is_going(value) or _is_going(type(value))


def _is_going(value: object) -> bool:
    """Return whether a function or a class is of a module that goes; types that are variables in C stay, as `ref`."""
    if isinstance(value, FunctionType):  # a decorator's looks as if it were of the module that has what it decorates
        return value.__globals__["__name__"] in GOING
    is_static = isinstance(value, type) and not value.__flags__ & HEAP_TYPE
    return not is_static and getattr(value, "__module__", "") in GOING


def _clean(module: ModuleType, marks: dict[int, object]) -> None:
    """Take out of a module of ours what goes. Raises ImportError if a function still uses it."""
    gone = {name for name, value in vars(module).items() if _goes(value)}
    for name in gone:
        delattr(module, name)
    for value in list(vars(module).values()):
        if getattr(value, "__module__", "") != module.__name__:
            continue
        for function in _cleaned(value, marks) if isinstance(value, type) else [value]:
            used = gone & _names(function.__code__) if isinstance(function, FunctionType) else ()
            if used:
                raise ImportError(f"{module.__name__}.{function.__qualname__} uses {', '.join(sorted(used))}, "
                                  "which is there only while modules are loaded")  # fmt: skip


def _names(code: CodeType) -> set[str]:
    """Return the names of globals, and attributes, that code uses."""
    return {*code.co_names}.union(*(_names(x) for x in code.co_consts if isinstance(x, CodeType)))


def _cleaned(cls: type, marks: dict[int, object]) -> list[FunctionType]:
    """Take out of a class what goes, and return the functions that are left."""
    functions = []
    for name, value in list(vars(cls).items()):
        value = getattr(value, "__func__", getattr(value, "fget", value))  # of class methods and properties
        if name in OF_DATACLASSES or (name == "__weakref__" and value.__objclass__ is not cls):
            delattr(cls, name)
        elif isinstance(value, type) and value.__module__ == cls.__module__:
            functions += _cleaned(value, marks)
        elif isinstance(value, FunctionType):
            if _goes(value) and hasattr(value, "__wrapped__"):  # what keeps __repr__ from going in circles
                value = value.__wrapped__
                setattr(cls, name, value)
            if _goes(value):  # for pickling
                delattr(cls, name)
            else:
                _clean_function(value, cls, marks)
                functions.append(value)
    return functions


def _clean_function(function: FunctionType, cls: type, marks: dict[int, object]) -> None:
    """Replace what a function that `dataclasses` has made for a class knows of that module."""
    function.__annotations__ = {}
    function.__defaults__ = function.__defaults__ and tuple(_replaced(x, cls, marks) for x in function.__defaults__)
    keywords = function.__kwdefaults__ or {}
    keywords.update({name: _replaced(value, cls, marks) for name, value in keywords.items()})
    for cell in function.__closure__ or ():
        cell.cell_contents = _replaced(cell.cell_contents, cls, marks)


def _replaced(value: object, cls: type, marks: dict[int, object]) -> object:
    """Return the value itself, if it stays. Else the class in the place of what it was before it had slots, what a
    FrozenInstanceError is a kind of, or a mark in the place of the one that stands for a parameter that was not given.
    """
    if isinstance(value, type) and (value.__module__, value.__qualname__) == (cls.__module__, cls.__qualname__):
        return cls
    if not _goes(value):
        return value
    if isinstance(value, type) and issubclass(value, AttributeError):
        return AttributeError
    return marks.setdefault(id(value), object())


unload()
