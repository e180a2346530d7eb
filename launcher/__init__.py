"""The single-file binary: a static launcher in C, and what packs a program behind it."""
