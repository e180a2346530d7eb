"""Programs that run while a test does."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def running(*command: str, ready: Callable[[], bool], timeout_s: float = 30.0) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program, wait until `ready` says that it works, and end it by its process ID afterwards."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            deadline = time.monotonic() + timeout_s
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    output = process.communicate()[0].decode(errors="replace")
                    raise AssertionError(f"{' '.join(command)} did not get ready:\n{output}")
                time.sleep(0.02)
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
