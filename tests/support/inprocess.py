"""The operator's command in the test's own process: in the lab another one takes seconds to start."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from plumbline.cli import command
from tests.support import schemas


def run(*arguments: str) -> str:
    """Run the command, expect success, and return what it prints. Raises what a verb raises."""
    done = CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def document(*arguments: str) -> dict[str, Any]:
    """Return what a verb prints with --json, which is as its schema says."""
    found = json.loads(run(*arguments, "--json"))
    schemas.check(found)
    assert isinstance(found, dict)
    return found
