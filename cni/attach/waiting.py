"""Wait for a link that the kernel gives back from a namespace that is being torn down."""

from __future__ import annotations

import time
from collections.abc import Callable

from cni.linux.netlink.link import Link
from cni.linux.netlink.monitor import RTMGRP_LINK, Monitor

PATIENCE_S = 5.0
"""How long ADD and DEL wait, in seconds, for a device that is on its way back from the pod that had it. If it does not
come until then, its record stays, and every later ADD and DEL looks for it."""


def for_link(find: Callable[[], Link | None], patience_s: float) -> Link | None:
    """Return the link as soon as `find` finds it, None when it does not within the time, in seconds.

    The kernel saves a physical link some time after the namespace's last user has gone (net/core/net_namespace.c,
    cleanup_net). The calling thread is in the namespace where the link is to appear.
    """
    deadline = time.monotonic() + patience_s
    with Monitor(RTMGRP_LINK) as monitor:
        while True:
            found = find()
            if found is not None or not monitor.wait(deadline):
                return found
