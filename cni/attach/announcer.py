"""Announce the addresses of a link when it gets carrier, in a process of its own, for which nobody waits.

The process is a fork of the plugin. It keeps nothing of it but its memory and its slot, and enters the pod's namespace.
It ends when all is announced, when the link or the namespace goes, and in any case after `ANNOUNCER_S`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from cni.attach import announce
from cni.linux import files
from cni.linux.libc import CLONE_NEWNET, setns
from cni.linux.log import Logger
from cni.linux.netlink import addr, link
from cni.linux.netlink.monitor import RTMGRP_IPV6_IFADDR, RTMGRP_LINK, Monitor
from cni.linux.netlink.socket import NetlinkError, NetlinkSocket
from cni.linux.netns import NetNS
from cni.linux.signals import Deferred, begin_anew
from cni.protocol.errors import CniError
from cni.protocol.ip import IPAddress
from cni.protocol.limits import ANNOUNCER_S, ANNOUNCERS

FOLDER = "/run/plumbline/announce"
"""Where the slots are: a file each, locked by the process that has it. The kernel lets go of it when that ends."""

NAMESPACE_LOOK_S = 0.5
"""How long the process keeps a namespace that nothing else holds any more, in seconds, at most."""

PAUSE_S = 0.05
"""How long the process pauses after each look, in seconds. The pod can make events without end: it gets 20 looks a
second for them, each of which asks for one link and for the addresses that are left, and is as short whatever the pod
makes."""

FD_FOLDER = "/proc/self/fd"


def start(pod: NetNS, index: int, name: str, addresses: list[IPAddress], log: Logger, folder: str = FOLDER) -> None:
    """Start a process that announces the addresses once the pod's link with this index can send.

    name: of the link, for the log. folder: where the slots are. Never fails: an announcement is a courtesy. The calling
    process may have one thread only.
    """
    what = f"{name} has no carrier, and {', '.join(str(address) for address in addresses)}"
    try:
        slot = _free_slot(folder)
    except CniError as e:
        log.debug(f"{what} will not be announced when it gets some: {e}")
        return
    if slot is None:
        log.info(f"{what} will not be announced when it gets some: {ANNOUNCERS} processes wait for carrier already")
        return
    try:
        process = _fork(pod, index, addresses, slot)
    except OSError as e:
        log.info(f"{what} will not be announced when it gets some: cannot start a process for it: {e.strerror}")
    else:
        log.debug(f"{what} will be announced by process {process} if it gets some within {ANNOUNCER_S} s")
    finally:
        os.close(slot)  # the process has the lock


def _free_slot(folder: str) -> int | None:
    """Return the descriptor of a slot, locked; None when all are taken. Raises CniError when there can be none."""
    files.ensure_folder(os.path.dirname(folder))
    files.ensure_folder(folder)
    for number in range(ANNOUNCERS):
        path = os.path.join(folder, str(number))
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                raise
        except OSError as e:
            if e.errno != errno.EWOULDBLOCK:
                raise files.io_failure("lock", path, e) from e
        else:
            return fd
    return None


def _fork(pod: NetNS, index: int, addresses: list[IPAddress], slot: int) -> int:
    """Start the process and return its ID. Raises OSError.

    Nothing of what the plugin has begun may go on in it, an undo least of all: neither an exception nor a signal gets
    out of here there.
    """
    with Deferred():
        process = os.fork()
        if process == 0:
            try:
                _leave(slot, pod.fd)
                _wait_and_announce(pod, index, addresses)
            finally:
                os._exit(0)
    return process


def _leave(*keep: int) -> None:
    """Part with the plugin and with whoever called it, who waits until its streams are closed. keep: descriptors."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    # close_range(2) is of Linux 5.9, and one by one up to the limit of a process may take minutes.
    for fd in map(int, os.listdir(FD_FOLDER)):
        if fd > 2 and fd not in keep:
            try:
                os.close(fd)
            except OSError:
                pass  # it was the folder's own
    os.setsid()  # a caller that kills the plugin's process group does not mean us
    begin_anew(ANNOUNCER_S)


def _wait_and_announce(pod: NetNS, index: int, addresses: list[IPAddress]) -> None:
    """Announce each address as soon as it can be, until all are, or link or namespace are gone. Raises OSError."""
    setns(pod.fd, CLONE_NEWNET)
    namespace, path = os.fstat(pod.fd), os.path.abspath(pod.path)
    os.close(pod.fd)
    os.chdir("/")
    with Monitor(RTMGRP_LINK | RTMGRP_IPV6_IFADDR) as monitor, NetlinkSocket() as netlink:
        # Whoever gives up a namespace without DEL unmounts it, and we may be the last who keep it and its links alive.
        while addresses and os.path.samestat(os.stat(path), namespace):
            try:
                current = link.get(netlink, index=index)
                if current is None:
                    return
                if current.carrier and current.running:
                    addresses = _announce(netlink, current, addresses)
            except OSError:
                pass  # no memory, more messages than the socket takes, a link that is down again: look once more
            time.sleep(PAUSE_S)
            monitor.wait(time.monotonic() + NAMESPACE_LOOK_S - PAUSE_S)


def _announce(netlink: NetlinkSocket, current: link.Link, addresses: list[IPAddress]) -> list[IPAddress]:
    """Announce the addresses that can be, and return those that cannot yet. Raises OSError."""
    ready: list[IPAddress] = []
    later: list[IPAddress] = []
    for address in addresses:
        tentative = address.version == 6 and is_tentative(netlink, current.index, address)
        if tentative is not None:
            (later if tentative else ready).append(address)
    announce.announce(current.name, current.mac, ready)
    return later


def is_tentative(netlink: NetlinkSocket, index: int, address: IPAddress) -> bool | None:
    """Return whether duplicate address detection runs for an IPv6 address, which it does once there is carrier. Until
    it has ended nobody may be told to prefer us (RFC 4429, section 3.3). None: the link does not have the address any
    more, or another node has it. Raises OSError.
    """
    try:
        flags = addr.flags(netlink, index, address)
    except NetlinkError as e:
        if e.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return None if flags & addr.IFA_F_DADFAILED else bool(flags & addr.IFA_F_TENTATIVE)
