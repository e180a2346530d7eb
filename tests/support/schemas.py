"""The schemas of what `plumbline` prints with --json, docs/schema/*.json: a document says which one it is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.plugin import REPOSITORY

FOLDER = Path(REPOSITORY, "docs/schema")


def schema(name: str) -> dict[str, Any]:
    """Return a schema. name: of its file, such as node."""
    found = json.loads((FOLDER / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def names() -> list[str]:
    """Return the names of all schemas."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def check(document: Any) -> None:
    """Fail the test unless a document is as its schema says."""
    program, name, version = document["schema"].split("/")
    assert (program, version) == ("plumbline", "1")
    checker = Draft202012Validator.FORMAT_CHECKER
    faults = Draft202012Validator(schema(name), format_checker=checker).iter_errors(document)
    assert [f"{fault.json_path}: {fault.message}" for fault in faults] == []


def objects(value: Any, path: str = "$") -> list[tuple[str, dict[str, Any]]]:
    """Return the parts of a schema that describe objects with members, each with where it is."""
    found = [(path, value)] if isinstance(value, dict) and "properties" in value else []
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [pair for key, part in below for pair in objects(part, f"{path}.{key}")]
