"""Wait for the kernel to report a change of a link or an address, instead of asking again and again (netlink(7))."""

from __future__ import annotations

import time

from cni.linux.netlink.socket import opened

RTMGRP_LINK = 0x1
RTMGRP_IPV6_IFADDR = 0x100
RECEIVE_BYTES = 1 << 16


class Monitor:
    """A subscription to multicast groups in the namespace the calling thread is in. Use as a context manager.

    Subscribe first and look at the present state afterwards: what changes in between is then reported.
    Creating it raises RequestError when the kernel has no socket left.
    """

    __slots__ = ("_socket",)

    def __init__(self, groups: int) -> None:
        self._socket = opened(groups)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def wait(self, deadline: float) -> bool:
        """Wait for any report; return False once `deadline` (time.monotonic, seconds) has passed without one."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return False
        try:
            self._socket.settimeout(remaining)
            self._socket.recv(RECEIVE_BYTES)
        except TimeoutError:
            return False
        except OSError:  # ENOBUFS: so much happened that reports were dropped. Something did: the caller looks again
            pass
        return True
