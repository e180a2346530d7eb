"""What goes into every binary besides the plugin's own modules; build.spec and the profile build with it."""

from __future__ import annotations

import importlib

STANDARD_LIBRARY = [
    "_frozen_importlib", "_frozen_importlib_external", "zipimport",
    "os", "_collections_abc", "abc", "codecs", "genericpath", "io", "posixpath", "stat",
    "encodings", "encodings.aliases", "encodings.ascii", "encodings.latin_1", "encodings.utf_8",
    "__future__", "struct",
]  # fmt: skip
"""Of the standard library, in the order in which they are loaded: the import system, what the interpreter starts with,
the encodings of that and of UTF-8 mode, in which it always runs, and what the plugins use."""

EXTENSIONS = [
    "_abc", "_codecs", "_imp", "_io", "_signal", "_stat", "_thread", "_tracemalloc", "_warnings", "_weakref",
    "builtins", "errno", "faulthandler", "gc", "marshal", "posix", "sys", "time",
    "_socket", "_struct", "fcntl", "itertools", "select",
    "_plumbline",
]  # fmt: skip
"""The extension modules that the interpreter starts with, those that the plugins use, and our own (module.c)."""


def standard_library() -> dict[str, str]:
    """Return the modules of the standard library: {name: path of the source}."""
    return {name: str(importlib.import_module(name).__file__) for name in STANDARD_LIBRARY}
