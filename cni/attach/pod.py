"""The pod of an attachment, found again from what its record says."""

from __future__ import annotations

from cni.attach.attachment import Owner
from cni.linux import netns
from cni.linux.log import Logger
from cni.linux.netns import NetNS


class RecordedPod:
    """The namespace that an attachment's device went to, for commands that go on without one; None when it is gone.

    owner: whose attachment it is, by its record. other_paths: where else to look. It is known by its cookie: a path may
    have been given to another pod since. Before Linux 5.14, which has no cookies, its inode has to do, and for a record
    without one the path.
    """

    __slots__ = ("_log", "_owner", "_paths", "_pod")

    def __init__(self, owner: Owner, other_paths: tuple[str, ...], log: Logger) -> None:
        self._owner = owner
        self._paths = [owner.netns, *(other for other in other_paths if other not in ("", owner.netns))]
        self._log = log
        self._pod: NetNS | None = None

    def __enter__(self) -> NetNS | None:
        for path in self._paths:
            pod = netns.if_there(path, self._log)
            if pod is not None and self._owner.may_have(pod):
                self._pod = pod
                break
            if pod is not None:
                self._log.info(f"{path} is another pod's namespace by now")
                pod.__exit__()
        return self._pod

    def __exit__(self, *_: object) -> None:
        if self._pod is not None:
            self._pod.__exit__()
