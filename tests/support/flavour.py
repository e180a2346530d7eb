"""Which flavour the binaries are of: with an image of a started interpreter, or frozen (docs/architecture.md)."""

from __future__ import annotations

import subprocess

from tests.support.plugin import DIST, binary

IMAGE, FROZEN = "image", "frozen"


def of_binaries(folder: str = DIST) -> str:
    """Return what the binaries in a folder say that they are."""
    said = subprocess.run([binary("static", folder)], env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return FROZEN if said.stderr.splitlines()[1].endswith(", frozen") else IMAGE
