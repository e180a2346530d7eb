"""What `plumbline doctor --json` prints. The form is docs/schema/doctor.json: members are only ever added to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plumbline.doctor.finding import Finding, Level
from plumbline.node.model import Node

SCHEMA = "plumbline/doctor/1"


def document(node: Node, findings: Iterable[Finding]) -> dict[str, Any]:
    """Return findings of a node."""
    found = list(findings)
    return {
        "schema": SCHEMA,
        "node": node.name,
        "kernel": node.kernel,
        "counts": {level.value: sum(x.level is level for x in found) for level in Level},
        "findings": [
            {
                "id": x.id,
                "level": x.level.value,
                "subject": x.subject or None,
                "measured": x.measured,
                "remedy": x.remedy or None,
            }
            for x in found
        ],
    }
