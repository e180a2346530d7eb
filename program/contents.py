"""What goes into every binary besides the plugin's own modules; build.spec and the profile build with it."""

from __future__ import annotations

STANDARD_LIBRARY = [
    "__future__", "struct", "encodings", "encodings.aliases", "encodings.ascii", "encodings.latin_1", "encodings.utf_8",
]  # fmt: skip
"""Of the standard library, besides what the interpreter has frozen in itself. The encodings are those of UTF-8 mode, in
which it always runs, and of its own start."""

EXTENSIONS = [
    "_abc", "_codecs", "_imp", "_io", "_signal", "_stat", "_thread", "_tracemalloc", "_warnings", "_weakref",
    "builtins", "errno", "faulthandler", "gc", "marshal", "posix", "sys", "time",
    "_socket", "_struct", "fcntl", "itertools", "select",
]  # fmt: skip
"""The extension modules that the interpreter starts with, then those that the plugins use."""
