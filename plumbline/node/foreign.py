"""JSON that other programs have written. What cannot be read or understood is as absent: they write at any time."""

from __future__ import annotations

import json
from typing import Any

from cni.linux import files
from cni.protocol.errors import CniError


def loaded(path: str) -> Any:
    """Return what a file holds, None where there is none that can be read and understood."""
    try:
        data = files.read(path, follow=True)
        return None if data is None else json.loads(data)
    except (CniError, ValueError, RecursionError):
        return None


def member(value: Any, key: str) -> Any:
    """Return a member of an object, None where it has none, or is no object."""
    return value.get(key) if isinstance(value, dict) else None
