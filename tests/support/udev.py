"""Wait for udev without starting udevadm, which takes half a second in a busy lab, where nearly every test waits.

The kernel numbers its events, and udev passes each on under the same number when it has done what its rules want. Who
listens to both knows what udev still has to do. Events of links in other network namespaces reach neither.
"""

from __future__ import annotations

import errno
import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest

from tests.support import net

NETLINK_KOBJECT_UEVENT = 15  # linux/netlink.h
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
OF_KERNEL, OF_UDEV = 1, 2
"""The groups of listeners, as bits; `udevadm monitor` listens to both as well."""

BY_UDEV = b"libudev\0"
"""What udev's messages begin with."""

BUFFER_BYTES = 16 << 20
PATIENCE_S = 60.0
"""How long udev may be silent while there is something to do; its own limit for one event is 180 s."""


class Events:
    """The kernel's events since this was made, and which of them udev is through with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[int, str] = {}
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self._socket.bind((0, OF_KERNEL | OF_UDEV))
        self._socket.setblocking(False)
        net.run("udevadm", "settle")  # for what had happened before

    def settle(self) -> None:
        """Wait until udev has done what there is to do for all events of the kernel."""
        with self._lock:
            self._receive()
            while self._pending:
                ready, _, _ = select.select([self._socket], [], [], PATIENCE_S)
                if not ready:
                    pending = ", ".join(f"{number} {what}" for number, what in self._pending.items())
                    self._pending.clear()  # the next test waits for its own events only
                    pytest.fail(f"udev has not done anything for {PATIENCE_S:g} s about {pending}")
                self._receive()

    def _receive(self) -> None:
        """Take in all that has been said."""
        while True:
            try:
                message = self._socket.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as e:
                if e.errno != errno.ENOBUFS:
                    raise
                self._pending.clear()  # some are lost: udev itself has to be asked
                net.run("udevadm", "settle")
                continue
            number = re.search(rb"SEQNUM=(\d+)\0", message)
            if number is None:
                continue
            if message.startswith(BY_UDEV):
                self._pending.pop(int(number[1]), None)
            else:
                self._pending[int(number[1])] = message.partition(b"\0")[0].decode()


@cache
def events() -> Events:
    """Return the events of this session's host."""
    return Events()


@contextmanager
def waiting() -> Iterator[None]:
    """Have udev wait, while folders of sysfs are covered: it would name links after what it finds there instead.

    `udevadm control --start-exec-queue` would do it, but is without effect now and then (systemd 252, in a lab with one
    CPU), and udev then waits for ever.
    """
    events().settle()
    net.run("pkill", "-STOP", "--exact", "systemd-udevd")
    try:
        yield
    finally:
        net.run("pkill", "-CONT", "--exact", "systemd-udevd")
        events().settle()
