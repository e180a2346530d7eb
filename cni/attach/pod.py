"""The pod of an attachment, found again from what its record says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cni.attach.attachment import Owner
from cni.linux import netns
from cni.linux.log import Logger
from cni.linux.netns import NetNS


@contextmanager
def recorded_pod(owner: Owner, log: Logger, *other_paths: str) -> Iterator[NetNS | None]:
    """Open the namespace that an attachment's device went to, for commands that go on without one; None if it is gone.

    owner: whose attachment it is, by its record. other_paths: where else to look. It is known by its cookie: a path may
    have been given to another pod since. Before Linux 5.14, which has no cookies, its inode has to do, and for a record
    without one the path.
    """
    for path in dict.fromkeys((owner.netns, *other_paths)):
        pod = netns.if_there(path, log)
        if pod is None:
            continue
        with pod:
            if owner.may_have(pod):
                yield pod
                return
        log.info(f"{path} is another pod's namespace by now")
    yield None
