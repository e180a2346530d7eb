"""What the verbs of this part print with --json. The form is docs/schema/prepared.json, and has a version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plumbline.node.wish import to_json
from plumbline.prepare.applying import Outcome

SCHEMA = "plumbline/prepared/1"


def prepared(outcomes: Sequence[Outcome], done: bool, written: Sequence[str] = ()) -> dict[str, Any]:
    """Return what came of wishes. done: whether the steps were done. written: files for the next boot."""
    return {"schema": SCHEMA, "done": done, "pfs": [_pf(x) for x in outcomes], "written": list(written)}


def _pf(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    return {
        "wish": to_json(outcome.wish),
        "steps": [{"title": step.title, "shell": step.shell()} for step in outcome.steps],
        "error": error and {"status": int(outcome.status), "message": error.message, "hint": error.hint or None},
    }
