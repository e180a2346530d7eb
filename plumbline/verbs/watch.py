"""`--watch`: what a verb prints is printed again whenever a device, a link or a record changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pyudev
from rich.console import Console

from plumbline.node.recorded import PLUGINS

QUIET_S = 0.2
"""How long nothing more may happen before it is printed, in seconds: one attachment is a dozen events."""

RECORDS_S = 1.0
"""How often the folders of records are looked at, in seconds."""


def follow(watch: bool, show: Callable[[], None]) -> None:
    """Print once; and again after each change, on a terminal in the same place, if `watch`."""
    if not watch:
        show()
        return
    monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="kernel")
    for subsystem in ("net", "pci"):
        monitor.filter_by(subsystem)
    monitor.start()
    records = _records()
    while True:
        screen = Console()
        if screen.is_terminal:
            screen.clear()
        show()
        while True:
            event = monitor.poll(RECORDS_S)
            now = _records()
            if event is not None or now != records:
                records = now
                break
        deadline = time.monotonic() + 10 * QUIET_S
        while time.monotonic() < deadline and monitor.poll(QUIET_S) is not None:
            pass


def _records() -> list[int]:
    """Return when the folders of records were last changed."""
    return [_changed(plugin.state_folder) for plugin in PLUGINS]


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0
