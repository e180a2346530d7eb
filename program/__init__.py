"""The single file: CPython linked statically, with all modules of a plugin frozen into it."""
