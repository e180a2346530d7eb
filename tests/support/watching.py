"""`plumbline ... --watch --json` while a test changes something."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support import schemas

WITHIN_S = 60.0
"""How long a change may take until it is shown, in the lab without KVM."""


def hear_ctrl_c() -> None:
    """For `preexec_fn`: what a shell runs in the background ignores SIGINT, and so does what that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Watching:
    """A process that prints a document whenever something has changed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._rest = b""

    def next(self) -> dict[str, Any]:
        """Return the next document, which is one line and as its schema says."""
        stdout = self._process.stdout
        assert stdout is not None
        deadline = time.monotonic() + WITHIN_S
        while b"\n" not in self._rest:
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"nothing was shown in {WITHIN_S:g} s"
            data = os.read(stdout.fileno(), 1 << 20)
            assert data, "it has ended"
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        found = json.loads(line)
        schemas.check(found)
        assert isinstance(found, dict)
        return found

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first of the next documents for which a condition holds: one change may be shown in two."""
        while not condition(found := self.next()):
            pass
        return found

    def close(self) -> None:
        """Read no more."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def interrupt(self, number: int) -> None:
        """Send a signal, as Ctrl-C does."""
        self._process.send_signal(number)

    def end(self) -> tuple[int, bytes]:
        """Wait for the end; return the exit status and what was said on standard error."""
        status = self._process.wait(WITHIN_S)
        assert self._process.stderr is not None
        return status, self._process.stderr.read()


@contextmanager
def watching(*command: str) -> Iterator[Watching]:
    """Run a command, and end it unless the test has."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, preexec_fn=hear_ctrl_c) as process:
        try:
            yield Watching(process)
        finally:
            if process.poll() is None:
                process.kill()
