"""What the node's administrator says in /etc/plumbline/node.json, which is this session's own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATH = "/etc/plumbline/node.json"


@contextmanager
def configured(**members: Any) -> Iterator[None]:
    """Have the file say this, until the end."""
    os.makedirs(os.path.dirname(PATH), exist_ok=True)
    with open(PATH, "w") as file:
        json.dump(members, file)
    try:
        yield
    finally:
        os.unlink(PATH)
