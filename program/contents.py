"""What goes into every binary besides the plugin's own modules; build.spec and the profile build with it."""

from __future__ import annotations

import os
import sys

STANDARD_LIBRARY = [
    "_frozen_importlib", "_frozen_importlib_external", "zipimport",
    "os", "_collections_abc", "abc", "codecs", "genericpath", "io", "posixpath", "stat",
    "encodings", "encodings.aliases", "encodings.ascii", "encodings.latin_1", "encodings.utf_8",
    "__future__", "struct", "types", "operator", "keyword", "reprlib", "collections", "collections.abc", "functools",
    "enum", "contextlib",
]  # fmt: skip
"""Of the standard library, in the order in which they are loaded: the import system, what the interpreter starts with,
the encodings of that and of UTF-8 mode, in which it always runs, and what the plugins use."""

WHILE_LOADED = [
    "_sre", "_weakrefset", "weakref", "warnings", "copyreg", "copy",
    "re._constants", "re._parser", "re._casefix", "re._compiler", "re",
    "_typing", "typing", "typing.io", "typing.re", "inspect", "dataclasses",
    *(("_py_warnings", "ast", "annotationlib") if sys.version_info >= (3, 14) else ()),
]  # fmt: skip
"""What modules need only while they are loaded, to make classes; unload.py takes it out before an image is taken."""

EXTENSIONS = [
    "_abc", "_codecs", "_imp", "_io", "_signal", "_stat", "_thread", "_tracemalloc", "_warnings", "_weakref",
    "builtins", "errno", "faulthandler", "gc", "marshal", "posix", "sys", "time",
    "_collections", "_functools", "_operator", "_socket", "_sre", "_struct", "fcntl", "itertools", "select",
    "_plumbline",
    *(("_typing",) if sys.version_info >= (3, 12) else ()),
    *(("_ast", "_contextvars", "_types") if sys.version_info >= (3, 14) else ()),
]  # fmt: skip
"""The extension modules that the interpreter starts with, those that the plugins use, and our own (module.c)."""


def standard_library() -> dict[str, str]:
    """Return the modules of the standard library: {name: path of the source}."""
    return {name: source for name in STANDARD_LIBRARY + WHILE_LOADED if (source := _source(name))}


def _source(name: str) -> str:
    """Return the path of a module's source, nothing if this CPython has no such module, or has it in C."""
    from importlib import import_module  # not in an image, where this list is read, too (unload.py)

    standin = os.path.join(os.path.dirname(__file__), "standins", f"{name}.py")
    if os.path.exists(standin) and name not in EXTENSIONS:
        return standin
    try:
        return getattr(import_module(name), "__file__", "")
    except ModuleNotFoundError:
        return ""
