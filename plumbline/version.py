"""Which version of the command this is."""

from __future__ import annotations

import os
from importlib import metadata

FILE = os.path.join(os.path.dirname(__file__), "version")
"""What build.spec puts into the binary: version and commit (program/version.py)."""


def described() -> str:
    """Return the version, in a binary with its commit."""
    try:
        with open(FILE, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        pass
    try:
        return f"{metadata.version('plumbline')}, as a Python package"
    except metadata.PackageNotFoundError:
        return "from the source"
