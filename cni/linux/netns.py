"""A network namespace: opened once, verified, with a netlink socket; entered only where a thread must be inside."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from cni.linux.files import closing, io_failure
from cni.linux.libc import CLONE_NEWNET, setns
from cni.linux.log import Logger
from cni.linux.netlink.socket import NetlinkSocket
from cni.linux.signals import Deferred
from cni.protocol.errors import BAD_ENVIRONMENT, IO_FAILURE, CniError

NS_GET_NSTYPE = 0xB703  # linux/nsfs.h, Linux 4.11; ENOTTY on anything that is no namespace
OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EINTR)
OWN_NAMESPACE = "/proc/thread-self/ns/net"


@dataclass(slots=True)
class NetNS:
    """An open network namespace. Use as a context manager; leaving it closes the descriptors, not the namespace.

    path: as the runtime gave it. fd: an open descriptor of it. netlink: a socket in it. Being in it with the calling
    thread, for sysctls and packet sockets, is `with netns.entered():`.
    """

    path: str
    fd: int
    netlink: NetlinkSocket

    def __enter__(self) -> NetNS:
        return self

    def __exit__(self, *_: object) -> None:
        self.netlink.close()
        os.close(self.fd)

    @property
    def cookie(self) -> int:
        """The number of the namespace, never given twice in a boot, whatever its path is; 0 before Linux 5.14."""
        return self.netlink.netns_cookie

    def entered(self) -> AbstractContextManager[None]:
        """Return a context manager inside which the calling thread is in this namespace."""
        return entered(self.path, self.fd)


LEAVE_ATTEMPTS, LEAVE_INTERVAL_S = 50, 0.02
"""How often to try to go home again: the kernel may be out of memory for a moment."""


@contextmanager
def entered(path: str, fd: int) -> Iterator[None]:
    """The calling thread is in the namespace inside; other threads and open sockets are not moved.

    SIGTERM and SIGINT wait until the thread is back, since the undo of an ADD that was told to end is the host's: it
    executes IPAM, which goes to work where this thread is. So what is done inside must be short. Raises CniError.
    """
    with Deferred():
        try:
            home = os.open(OWN_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as e:
            raise io_failure("enter network namespace", path, e) from e
        with closing(home):
            try:
                setns(fd, CLONE_NEWNET)
            except OSError as e:
                raise io_failure("enter network namespace", path, e) from e
            try:
                yield
            finally:
                _leave(path, home)


def _leave(path: str, home: int) -> None:
    """Go home. Raises CniError when the kernel refuses that for a second."""
    for attempt in range(1, LEAVE_ATTEMPTS + 1):
        try:
            return setns(home, CLONE_NEWNET)
        except OSError as e:
            if attempt == LEAVE_ATTEMPTS:
                raise io_failure("leave network namespace", path, e) from e
        time.sleep(LEAVE_INTERVAL_S)


def own() -> NetNS:
    """Return the namespace that the plugin runs in, the host's. Raises CniError (code 5) or RequestError when no
    descriptor is left.
    """
    try:
        fd = os.open(OWN_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as e:
        raise io_failure("open", f"{OWN_NAMESPACE}, the network namespace that the plugin runs in", e) from e
    try:
        return NetNS(OWN_NAMESPACE, fd, NetlinkSocket())
    except BaseException:  # as in `of_pod`
        os.close(fd)
        raise


def of_pod(path: str) -> NetNS:
    """Open the namespace of a pod and make sure that it is one, and not the plugin's own.

    A recycled process ID can turn /proc/PID/ns/net into the host's namespace (containernetworking/plugins #714);
    moving a device "into the pod" would then reconfigure the host.
    Raises CniError: code 4 naming CNI_NETNS, its value and what is wrong with it; code 5 when the kernel cannot open or
    enter it at the moment, which says nothing about the namespace.
    """
    try:
        # O_NONBLOCK: opening a FIFO that somebody put here must not wait for a writer.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        raise _failure(path, e, f"cannot be opened: {e.strerror}") from e
    except ValueError as e:  # of an allocation that sriov-cni did not sync, a power cut may leave zeros
        raise _unusable(path, "cannot be opened: a path has no NUL") from e
    try:
        try:
            kind = fcntl.ioctl(fd, NS_GET_NSTYPE)
        except OSError as e:
            raise _failure(path, e, "is not a namespace") from e
        if kind != CLONE_NEWNET:
            raise _unusable(path, "is a namespace, but not a network namespace")
        if os.path.samestat(os.fstat(fd), os.stat(OWN_NAMESPACE)):
            raise _unusable(path, "is the network namespace that the plugin itself runs in, not a pod's")
        with entered(path, fd):
            netlink = NetlinkSocket()
    except BaseException:  # a signal's exception, too, must not leave the namespace open: that keeps it alive
        os.close(fd)
        raise
    return NetNS(path, fd, netlink)


def if_there(path: str, log: Logger) -> NetNS | None:
    """Return the namespace of a pod for a command that goes on without one: None, logged, when it is gone, replaced
    by a plain file, or not given at all.

    Raises CniError when it is there and cannot be entered: to take it for gone would leave the device in it for good.
    """
    if not path:
        return None
    try:
        return of_pod(path)
    except CniError as e:
        if e.code != BAD_ENVIRONMENT:
            raise
        log.info(f"the pod is gone: {e.msg}")
        return None


def _failure(path: str, error: OSError, reason: str) -> CniError:
    """Return the error for what the kernel refused. reason: what that means, if it says something of the namespace."""
    if error.errno not in OUT_OF_RESOURCES:
        return _unusable(path, reason)
    msg = f'failed to open netns: CNI_NETNS "{path}": {error.strerror}'
    return CniError(IO_FAILURE, msg, f"errno {error.errno}; try again")


def _unusable(path: str, reason: str) -> CniError:
    return CniError(BAD_ENVIRONMENT, f'failed to open netns: CNI_NETNS "{path}" {reason}', "nothing was changed")
