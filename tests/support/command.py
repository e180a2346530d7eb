"""Run `plumbline` as an operator does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.support import schemas
from tests.support.plugin import DIST, REFERENCE, REPOSITORY

BINARY = (os.path.join(DIST, "plumbline"),)
MODULE = (sys.executable, "-m", "plumbline")
"""Starts faster than the binary does, which unpacks itself."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a run ended: exit status, standard output and standard error."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object on standard output."""
        found = json.loads(self.stdout)
        assert isinstance(found, dict), self.stdout
        return found

    @property
    def document(self) -> dict[str, Any]:
        """The same, which is as its schema says."""
        found = self.json
        schemas.check(found)
        return found

    def ended(self, status: int) -> Said:
        """Assert the exit status."""
        assert self.status == status, f"exit status {self.status}: {self.stdout}{self.stderr}"
        assert "Traceback" not in self.stderr, self.stderr
        return self


def plumbline(*arguments: str, program: tuple[str, ...] = MODULE, stdin: str = "", **variables: str) -> Said:
    """Run a verb and wait for its end, 300 s at most: strace takes its time. stdin: what it reads. variables: of the
    environment, besides where plugins are.
    """
    environ = {"PATH": os.environ["PATH"], "CNI_PATH": f"{DIST}:{REFERENCE}", **variables}
    done = subprocess.run(
        [*program, *arguments], input=stdin, env=environ, cwd=REPOSITORY, capture_output=True, text=True, timeout=300
    )
    return Said(done.returncode, done.stdout, done.stderr)


def injected(path: str, fault: str, number: int) -> tuple[str, ...]:
    """Return a program for `plumbline` to which a fault, such as `error=EIO`, comes at a write to a file, which is
    counted from 1.
    """
    # Without a filter each system call of any kind stops, and a run takes a minute; with it no signal is injected.
    filtered = () if fault.startswith("signal") else ("--seccomp-bpf",)
    return ("strace", "-f", *filtered, "-qq", "-o", os.devnull, "-e", "trace=write", "-e", "signal=none",
            "-P", os.path.realpath(path), "-e", f"inject=write:{fault}:when={number}", *MODULE)  # fmt: skip
