"""The schemas of what `plumbline` prints with --json, docs/schema/*.json: a document says which one it is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

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


def faults(document: Any) -> list[str]:
    """Return what is wrong with a document, by the schema that it says it is of, after it was JSON."""
    program, name, version = document["schema"].split("/")
    assert (program, version) == ("plumbline", "1")
    whole = schema(name)
    Draft202012Validator.check_schema(whole)
    # One schema has parts of another's.
    others = Registry().with_resources(
        (x["$id"], Resource.from_contents(x)) for x in map(schema, names()) if "$id" in x
    )
    validator = Draft202012Validator(whole, registry=others, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(json.loads(json.dumps(document)))]


def check(document: Any) -> None:
    """Fail the test unless a document is as its schema says."""
    assert faults(document) == []


def objects(value: Any, path: str = "$") -> list[tuple[str, dict[str, Any]]]:
    """Return the parts of a schema that describe objects with members, each with where it is."""
    found = [(path, value)] if isinstance(value, dict) and "properties" in value else []
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [pair for key, part in below for pair in objects(part, f"{path}.{key}")]
