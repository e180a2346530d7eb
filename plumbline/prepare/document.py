"""What the verbs of this part print with --json. The forms are docs/schema/{prepared,steps,forgotten}.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plumbline.node.wish import Wish, to_json
from plumbline.prepare.applying import Outcome
from plumbline.prepare.steps import Step

SCHEMA = "plumbline/prepared/1"
STEPS_SCHEMA = "plumbline/steps/1"
FORGOTTEN_SCHEMA = "plumbline/forgotten/1"


def prepared(outcomes: Sequence[Outcome], done: bool, written: Sequence[str] = ()) -> dict[str, Any]:
    """Return what came of wishes. done: whether the steps were done. written: files for the next boot."""
    return {"schema": SCHEMA, "done": done, "pfs": [_pf(x) for x in outcomes], "written": list(written)}


def _pf(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    return {
        "wish": to_json(outcome.wish),
        "steps": [_step(step) for step in outcome.steps],
        "error": error and {"status": int(outcome.status), "message": error.message, "hint": error.hint or None},
    }


def single(steps: Sequence[Step], done: bool, vfs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what came of single steps. done: whether they were done. vfs: those they are about, as they are now, in
    the form of docs/schema/node.json.
    """
    told = [{"pf": step.target.name, **_step(step)} for step in steps]
    return {"schema": STEPS_SCHEMA, "done": done, "steps": told, "vfs": list(vfs)}


def forgotten(wish: Wish, written: Sequence[str]) -> dict[str, Any]:
    """Return what a PF was to be, and is not any more. written: files for the next boot."""
    return {"schema": FORGOTTEN_SCHEMA, "wish": to_json(wish), "written": list(written)}


def _step(step: Step) -> dict[str, Any]:
    return {"title": step.title, "shell": step.shell()}
