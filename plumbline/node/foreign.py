"""JSON that other programs have written. What cannot be read or understood is as absent: they write at any time."""

from __future__ import annotations

import json
from typing import Any

from cni.linux import files

BYTES = 1 << 24
"""How much is read of a file at most. libcni's cache has a whole configuration, the kubelet's file all devices."""


def loaded(path: str) -> Any:
    """Return what a file holds, None where there is none that can be read and understood."""
    try:
        with files.closing(files.open_regular(path, follow=True)) as fd:
            return json.loads(files.read_all(fd, BYTES))
    except (OSError, ValueError, RecursionError):
        return None


def member(value: Any, key: str) -> Any:
    """Return a member of an object, None where it has none, or is no object."""
    return value.get(key) if isinstance(value, dict) else None
