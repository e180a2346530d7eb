"""Run `plumbline` as an operator does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.support.plugin import DIST, REFERENCE, REPOSITORY

BINARY = (os.path.join(DIST, "plumbline"),)
MODULE = (sys.executable, "-m", "plumbline")
"""Starts faster than the binary does, which unpacks itself."""


class Said:
    """How a run ended: exit status, standard output and standard error."""

    def __init__(self, status: int, stdout: str, stderr: str) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr

    @property
    def json(self) -> dict[str, Any]:
        """The document on standard output."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict), self.stdout
        return document

    def ended(self, status: int) -> Said:
        """Assert the exit status."""
        assert self.status == status, f"exit status {self.status}: {self.stdout}{self.stderr}"
        assert "Traceback" not in self.stderr, self.stderr
        return self


def plumbline(*arguments: str, program: tuple[str, ...] = MODULE, **variables: str) -> Said:
    """Run a verb and wait for its end, 120 s at most. variables: of the environment, besides where plugins are."""
    environ = {"PATH": os.environ["PATH"], "CNI_PATH": f"{DIST}:{REFERENCE}", **variables}
    done = subprocess.run(
        [*program, *arguments], env=environ, cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    return Said(done.returncode, done.stdout, done.stderr)
