"""Runs the operator's command as a person does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

BINARY = "/opt/cni/bin/plumbline"
FROM_SOURCE = (sys.executable, "-m", "plumbline")
"""It starts sooner than the binary, and is the same."""


@dataclass(frozen=True)
class Said:
    """How a run ended: its exit status, and what it said on standard output and standard error."""

    status: int
    out: str
    err: str

    def ok(self) -> str:
        """Assert success; return standard output."""
        assert self.status == 0, self
        return self.out


def plumbline(*arguments: str, prefix: tuple[str, ...] = (), binary: bool = False, **variables: str) -> Said:
    """Run the command, behind a prefix such as strace, and wait for its end. variables: of its environment, besides."""
    program = (BINARY,) if binary else FROM_SOURCE
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/opt/cni/bin", **variables}
    done = subprocess.run(
        [*prefix, *program, *arguments], capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


def injected(path: str, fault: str, number: int) -> tuple[str, ...]:
    """Return the prefix by which a fault, such as `error=EIO`, comes at a write to a file, which is counted from 1."""
    # Without a filter each system call of any kind stops, and a run takes a minute; with it no signal is injected.
    filtered = () if fault.startswith("signal") else ("--seccomp-bpf",)
    return ("strace", "-f", *filtered, "-qq", "-o", os.devnull, "-e", "trace=write", "-e", "signal=none",
            "-P", os.path.realpath(path), "-e", f"inject=write:{fault}:when={number}")  # fmt: skip
