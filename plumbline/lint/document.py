"""What `plumbline lint --json` prints. The form is docs/schema/lint.json: members are only ever added to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plumbline.lint.fault import Fault

SCHEMA = "plumbline/lint/1"


def document(faults: Iterable[Fault]) -> dict[str, Any]:
    """Return what was found in files."""
    return {
        "schema": SCHEMA,
        "faults": [
            {
                "file": fault.path,
                "line": fault.line or None,
                "member": fault.member or None,
                "level": "error" if fault.is_error else "warning",
                "message": fault.message,
            }
            for fault in faults
        ],
    }
