"""What a verb shows of the node: once, or with `--watch` again whenever it has changed.

A change is told by udev (devices, drivers, links), by rtnetlink (carrier, masters, settings of VFs, which udev does not
tell; Documentation/userspace-api/netlink) and by the files that say whose a device is. What nobody tells, such as a
program that opens a device, is seen a little later.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pyudev
from rich.console import Console

from cni.linux.netlink.socket import opened
from plumbline import output
from plumbline.node.recorded import PLUGINS
from plumbline.node.roots import Roots

T = TypeVar("T")

QUIET_S = 0.2
"""How long nothing more may happen before the node is looked at, in seconds: one attachment is a dozen events."""

BUSY_S = 2.0
"""How long events may go on before it is looked at all the same, in seconds."""

FILES_S = 1.0
"""How often files are looked at, in seconds."""

ANYHOW_S = 10.0
"""After what time, in seconds, the node is looked at without any event."""

SUBSYSTEMS = ("net", "pci", "vdpa")
RTMGRP_LINK = 1  # linux/rtnetlink.h
CLOSED = select.POLLERR | select.POLLHUP


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """What a verb shows. look: takes it from the node; document: makes of it what --json prints; draw: prints it for a
    person.
    """

    look: Callable[[], T]
    document: Callable[[T], dict[str, Any]]
    draw: Callable[[Console, T], None]


def present(view: View[Any], as_json: bool, watch: bool) -> None:
    """Print once; with `watch` again after each change, until Ctrl-C or until nobody reads any more. A terminal is
    cleared before, JSON is one line a document.

    Raises what looking raises, and OSError where the kernel does not let one watch.
    """
    if not watch:
        _print(view, view.look(), as_json, False)
        return
    try:
        _follow(view, as_json)
    except KeyboardInterrupt:
        pass  # this is how it ends


def _follow(view: View[Any], as_json: bool) -> None:
    with _Changes() as changes:
        last: dict[str, Any] | None = None
        while True:
            found = view.look()
            document = view.document(found)
            if document != last:
                if last is not None and not as_json and not sys.stdout.isatty():
                    print()
                _print(view, found, as_json, True)
                last = document
            if not changes.wait():
                return


def _print(view: View[Any], found: Any, as_json: bool, again: bool) -> None:
    """again: whether others come before or after."""
    if as_json:
        output.print_json(view.document(found), compact=again)
        return
    console = output.console()
    if again:
        console.clear()  # does nothing but on a terminal
    view.draw(console, found)
    sys.stdout.flush()


class _Changes:
    """What tells that something may have changed. Use as a context manager."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._monitor = _monitor()
        if self._monitor is not None:
            self._poll.register(self._monitor.fileno(), select.POLLIN)
        self._links = opened(RTMGRP_LINK)
        self._poll.register(self._links, select.POLLIN)
        self._poll.register(sys.stdout.fileno(), 0)  # tells by itself when it is closed
        self._files = times(Roots())

    def __enter__(self) -> _Changes:
        return self

    def __exit__(self, *_: object) -> None:
        self._links.close()

    def wait(self) -> bool:
        """Wait for a change, and until nothing more happens, and return True; False when nobody reads any more."""
        deadline = time.monotonic() + ANYHOW_S
        while not self._has_happened(FILES_S):
            if self._is_closed():
                return False
            now = times(Roots())
            if now != self._files or time.monotonic() > deadline:
                break
        deadline = time.monotonic() + BUSY_S
        while self._has_happened(QUIET_S) and time.monotonic() < deadline:
            pass
        self._files = times(Roots())
        return not self._is_closed()

    def _has_happened(self, timeout_s: float) -> bool:
        """Wait for an event; return whether there was any. Several that are there already are one."""
        ready = dict(self._poll.poll(timeout_s * 1000))
        happened = False
        while self._monitor is not None and self._monitor.poll(0) is not None:
            happened = True
        if self._links.fileno() in ready:
            happened = True
            self._drain()
        return happened

    def _drain(self) -> None:
        while True:
            try:
                self._links.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: more has happened than there is room for
                continue

    def _is_closed(self) -> bool:
        return bool(dict(self._poll.poll(0)).get(sys.stdout.fileno(), 0) & CLOSED)


def _monitor() -> Any:
    """Return what receives events of devices, None where there is no libudev: rtnetlink and files have to do then."""
    try:
        found = pyudev.Monitor.from_netlink(pyudev.Context(), source="kernel")
    except ImportError:
        return None
    for subsystem in SUBSYSTEMS:
        found.filter_by(subsystem)
    found.start()
    return found


def times(roots: Roots) -> list[int]:
    """Return when the files that say whose a device is have changed, in nanoseconds since 1970, 0 for none."""
    folders = [plugin.state_folder for plugin in PLUGINS]
    paths = (*folders, *(os.path.join(folder, "pci") for folder in folders), *roots.results, roots.checkpoint)
    return [_changed(path) for path in (*paths, roots.pod_logs, os.path.join(roots.run, "netns"))]


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
