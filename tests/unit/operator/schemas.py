"""The schemas of what the verbs print with --json, in docs/schema."""

from __future__ import annotations

import json
import os

from jsonschema import Draft202012Validator

FOLDER = os.path.join(os.path.dirname(__file__), "../../../docs/schema")


def validate(document: object, name: str) -> None:
    """Assert that a document is as its schema says, and that the schema is one."""
    with open(os.path.join(FOLDER, f"{name}.json"), encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)
