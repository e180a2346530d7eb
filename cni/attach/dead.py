"""What dead pods have left: known by records whose namespaces are gone, given back by whoever comes next.

A runtime may forget an attachment after one DEL, and a DEL may come when the kernel has not given the device back yet.
So every ADD and DEL looks. As long as all pods live that takes, for each record, reading it and looking at one path.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cni.attach.attachment import Attachment
from cni.attach.pod import recorded_pod
from cni.linux import netns
from cni.linux.log import Logger
from cni.protocol.errors import CniError
from cni.protocol.jsontext import JSONError, loads

NETNS = b'"netns":"'
INODE = b'"netnsInode":'
MAX_DIGITS = 20  # of a number of 64 bits
STORE_TIMEOUT_S = 1.0
"""How long a sweep waits for a store of addresses that somebody else has locked, in seconds."""

DEADLINE_S = 5.0
"""After what time a sweep leaves the rest to the next one, in seconds: the request that it is made for has a pod
waiting."""


def may_be(record: bytes) -> bool:
    """Return whether a record, as `state.Store` writes it, may be a dead pod's: its namespace is not where it was.

    It is not parsed: that takes a hundred times as long.
    """
    path, inode = record.partition(NETNS)[2].partition(b'"')[0], record.partition(INODE)[2][:MAX_DIGITS]
    try:
        number = int(inode.replace(b"}", b",").partition(b",")[0])
        return os.stat(str(loads(f'"{path.decode()}"'))).st_ino != number
    except (OSError, ValueError, JSONError):
        return True


@dataclass(slots=True, eq=False)
class Living:
    """Which namespaces live, as far as processes are in them. Looked up when first asked."""

    log: Logger
    _inodes: dict[int, int] | None = field(default=None, init=False)

    def has(self, attachment: Attachment) -> bool:
        """Return whether the namespace of an attachment lives: at its path, or because a process is in it. The caller
        may see other paths than the one who attached, and a process may outlive the path. Raises CniError.
        """
        if not attachment.is_of_this_boot:
            return False
        if not attachment.home:
            return True  # nobody knows
        with recorded_pod(attachment.owner, self.log, attachment.home) as pod:
            if pod is not None:
                return True
        if self._inodes is None:
            self._inodes = _of_processes()
        process = self._inodes.get(attachment.owner.netns_inode)
        if process is None:
            return False
        # The kernel gives the number of a namespace that has died to the next one.
        pod = netns.if_there(f"/proc/{process}/ns/net", self.log)
        if pod is None:
            return False
        with pod:
            return attachment.owner.may_have(pod)


def _of_processes() -> dict[int, int]:
    """Return the inodes of the network namespaces in which processes are, and of each one process."""
    found: dict[int, int] = {}
    for process in os.listdir("/proc"):
        if process.isdecimal():
            try:
                found.setdefault(os.stat(f"/proc/{process}/ns/net").st_ino, int(process))
            except OSError:  # it has ended
                continue
    return found


def give_back(
    attachments: Iterable[Attachment], living: Living, clean_up: Callable[[Attachment], object], log: Logger
) -> None:
    """Give back what dead pods have left. What does not work is logged: the request that this is done for is another's.

    attachments: those whose pods may be dead. clean_up: gives device and addresses back, if nobody is at work on them.
    """
    deadline = time.monotonic() + DEADLINE_S
    for attachment in attachments:
        if time.monotonic() > deadline:
            log.info("what other dead pods have left is left to the next ADD or DEL")
            return
        try:
            if living.has(attachment):
                continue
            log.info(f"the pod of {attachment.owner.describe()} is gone: giving back {attachment.name}")
            clean_up(attachment)
        except (CniError, OSError) as e:
            log.warning(f"{attachment.name}, which {attachment.owner.describe()} has left, is not given back yet: {e}")
