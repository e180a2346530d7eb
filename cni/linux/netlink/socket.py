"""One synchronous rtnetlink socket: a request, its acknowledgement or answer, dumps, and the errors in words.

A socket belongs for good to the namespace in which it was created (netlink(7)), so the plugin opens one on the host and
one in the pod and never changes namespace to send a message.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct
import sys
from collections.abc import Callable, Iterator
from typing import TypeVar

from cni.linux.netlink.codec import attributes, os_text

T = TypeVar("T")

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x001
NLM_F_ACK = 0x004
NLM_F_DUMP_INTR = 0x010
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLM_F_DUMP = 0x300
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
NETLINK_GET_STRICT_CHK = 12
NLMSGERR_ATTR_MSG = 1
SO_NETNS_COOKIE = 71  # asm-generic/socket.h

# A link with several hundred VFs answers with more than the 32 KiB that are customary (iproute2's "Truncated VF list").
RECEIVE_BYTES = 1 << 20
DUMP_ATTEMPTS = 10

LOST = (errno.ENOBUFS, errno.ENOMEM)
"""What sending or receiving fails with when the kernel has no memory for a message at the moment (netlink(7)). It may
have done what was asked for, and the answer is lost."""

ATTEMPTS = 3
"""How often the same is asked while answers are lost."""

_HEADER = struct.Struct("=IHHII")
_ERRNO = struct.Struct("=i")


class RequestError(OSError):
    """A request failed: errno and strerror as of a system call. As such, it is one that could not be sent or whose
    answer could not be received, for want of memory: what the kernel says to it is not known. Or there is no socket.

    question: what was to be found out, after "cannot"; empty for a request that was to change something.
    """

    question = ""


class NetlinkError(RequestError):
    """The kernel refused a request; strerror has the kernel's own words, too, if there are any."""


class NetlinkSocket:
    """A rtnetlink socket in the namespace that the calling thread is in. Use as a context manager.

    parts: in how many datagrams the answers to the last request came; links may come and go between two of them.
    A request whose answer was lost is made again (`ATTEMPTS`); only a move is not.
    Creating it raises RequestError when the kernel has no socket left.
    """

    __slots__ = ("_interrupted", "_sequence", "_socket", "_unread", "parts")

    def __init__(self) -> None:
        self._socket = opened(0)
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK):
            try:
                self._socket.setsockopt(SOL_NETLINK, option, 1)
            except OSError as e:
                if e.errno != errno.ENOPROTOOPT:  # an older kernel: plain errors, unfiltered dumps
                    raise
        self._sequence = 0
        self._interrupted = False
        self._unread = False
        self.parts = 0

    def __enter__(self) -> NetlinkSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def netns_cookie(self) -> int:
        """The number of the socket's namespace, never given twice in a boot; 0 before Linux 5.14, which has none."""
        try:
            return int.from_bytes(self._socket.getsockopt(_socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), sys.byteorder)
        except OSError:
            return 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def change(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Send a request that changes something and wait until the kernel has done it.

        kind: RTM_*; body: the message after its header; flags: NLM_F_CREATE and the like.
        Raises NetlinkError when the kernel refuses, else RequestError.
        """
        self._ask(kind, NLM_F_ACK | flags, body, list)

    def change_once(self, kind: int, body: bytes) -> None:
        """The same for what may not be done twice: after a lost answer the caller looks what has become of it."""
        self._ask(kind, NLM_F_ACK, body, list, attempts=1)

    def get(self, kind: int, body: bytes, question: str) -> bytes:
        """Ask for one object and return the body of the answer. question: see `RequestError`.

        Raises NetlinkError, ENODEV for an unknown link, else RequestError.
        """
        return self._ask(kind, NLM_F_ACK, body, list, question)[0]

    def dump(self, kind: int, body: bytes, question: str) -> list[bytes]:
        """Ask for all objects of a kind; return the bodies of the answers. As `collect`."""
        return self.collect(kind, body, question, list)

    def collect(self, kind: int, body: bytes, question: str, read: Callable[[Iterator[bytes]], T]) -> T:
        """Ask for all objects of a kind; return what `read` makes of the bodies of the answers, from one consistent
        walk of the kernel. They come one after the other, and what is not kept takes no memory: a pod may have any
        number of routes.

        The kernel marks a dump during which the table changed (NLM_F_DUMP_INTR); such a list may lack entries, so it is
        asked for again, and `read` called again, which has to start anew. The number of attempts is bounded: where
        links never stop changing, the last list has to do.
        question: see `RequestError`. Raises NetlinkError when the kernel refuses, else RequestError.
        """
        found = self._ask(kind, NLM_F_DUMP, body, read, question)
        for _ in range(1, DUMP_ATTEMPTS):
            if not self._interrupted:
                break
            found = self._ask(kind, NLM_F_DUMP, body, read, question)
        return found

    def _ask(
        self,
        kind: int,
        flags: int,
        body: bytes,
        read: Callable[[Iterator[bytes]], T],
        question: str = "",
        attempts: int = ATTEMPTS,
    ) -> T:
        """Return what `read` makes of the answers. Raises RequestError, with the question in it."""
        for attempt in range(1, attempts + 1):
            try:
                answers = self._exchange(kind, flags, body)
                found = read(answers)
                for _ in answers:  # the kernel does not begin another dump before this one is read
                    pass
                return found
            except OSError as e:
                if e.errno in LOST and not isinstance(e, NetlinkError) and attempt < attempts:
                    continue
                if attempt > 1 and isinstance(e, NetlinkError) and e.errno in _when_done(kind, flags):
                    break
                error = e if isinstance(e, NetlinkError) else RequestError(e.errno, e.strerror)
                error.question = question
                raise error from e.__cause__
        return read(iter(()))  # of what was done the first time nothing is told

    def _exchange(self, kind: int, flags: int, body: bytes) -> Iterator[bytes]:
        """Send a request; yield the bodies of its answers. `_interrupted` says then whether the kernel marked any as
        inconsistent. Raises OSError.
        """
        if self._unread:
            self._drop_unread()
        self._sequence += 1
        self._interrupted = False
        self.parts = 0
        header = _HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | flags, self._sequence, 0)
        self._unread = True
        self._socket.send(header + body)
        while True:
            data, (sender, _) = self._socket.recvfrom(RECEIVE_BYTES)
            if sender != 0:
                continue  # anybody in the namespace can send to this socket; only the kernel is port 0
            has_answer = False
            offset = 0
            while offset + _HEADER.size <= len(data):
                length, answer, answer_flags, sequence, _ = _HEADER.unpack_from(data, offset)
                answer_body = data[offset + _HEADER.size : offset + length]
                offset += (length + 3) & ~3
                if sequence != self._sequence:
                    continue  # what is left of an exchange that an exception cut short
                self._interrupted = self._interrupted or bool(answer_flags & NLM_F_DUMP_INTR)
                if answer in (NLMSG_ERROR, NLMSG_DONE):
                    self._unread = False
                    _raise_error(answer_body, answer, answer_flags)
                    return
                self.parts += not has_answer
                has_answer = True
                yield answer_body

    def _drop_unread(self) -> None:
        """Read what an exchange that an exception cut short has left: with the rest of a dump unread the kernel refuses
        the next one (EBUSY, net/netlink/af_netlink.c, __netlink_dump_start). It is there, or made as one reads.
        """
        losses = 0
        while True:
            try:
                self._socket.recvfrom(RECEIVE_BYTES, _socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError as e:  # some of it was lost
                losses += 1
                if e.errno not in LOST or losses == ATTEMPTS:
                    raise
        self._unread = False


def opened(groups: int) -> _socket.socket:
    """Return a new rtnetlink socket in the calling thread's namespace. groups: RTMGRP_*, to which it is subscribed.

    Raises RequestError.
    """
    try:
        found = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _socket.NETLINK_ROUTE)
        found.bind((0, groups))
    except OSError as e:
        error = RequestError(e.errno, e.strerror)
        error.question = "open a netlink socket"
        raise error from e
    return found


def _when_done(kind: int, flags: int) -> tuple[int, ...]:
    """Return what the kernel answers to a request that it has done before: one to make something, and one to delete it.
    (Every fourth type of message is of the latter kind: rtnetlink(7).) To all others it answers as the first time.
    """
    if flags & NLM_F_CREATE:
        return (errno.EEXIST,)
    return (errno.ENODEV, errno.ENOENT) if kind % 4 == 1 else ()


def _raise_error(body: bytes, kind: int, flags: int) -> None:
    """Raise NetlinkError unless the message that ends an exchange says that all went well (netlink(7), nlmsgerr)."""
    number = -_ERRNO.unpack_from(body)[0] if len(body) >= 4 else 0
    if number <= 0:
        return
    reason = os.strerror(number)
    if flags & NLM_F_ACK_TLVS:
        # nlmsgerr holds the errno and the header of the request, and the whole request unless NLM_F_CAPPED says not.
        start = 4
        if kind == NLMSG_ERROR:
            start = 20 if flags & NLM_F_CAPPED else 4 + ((_HEADER.unpack_from(body, 4)[0] + 3) & ~3)
        for attribute, value in attributes(body, start):
            if attribute == NLMSGERR_ATTR_MSG:
                reason += f" ({os_text(value)})"
    raise NetlinkError(number, reason)
