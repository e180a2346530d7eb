"""What a plugin is for the engine: its parameters, its device on both sides, its settings, and its records.

The engine (`add`, `delete`, `check`, `garbage`) does everything else, for all plugins alike. A plugin is four classes:

- `Plugin`: its names and folders, and how a record of it is read;
- `Device`: what a configuration names, for ADD, CHECK and STATUS: found on the host, configured, verified;
- `Attachment` (cni.attach.attachment): what is recorded of a device that a pod has;
- `Return` (cni.attach.give_back): how that device finds back, and what is put right with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

from cni.attach.attachment import Attachment, Owner
from cni.attach.call import Call
from cni.attach.give_back import Return
from cni.attach.ifconfig import PodLink
from cni.attach.records import Format
from cni.attach.state import LOCK_TIMEOUT_S
from cni.attach.step import Step, trying
from cni.linux import files, lock, pci
from cni.linux.lock import EphemeralLock, FileLock
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.config import NetConf
from cni.protocol.errors import TRY_AGAIN_LATER, CniError
from cni.protocol.request import Request
from cni.protocol.result import Interface


class Device:
    """The device that a configuration names. The methods stand in the order in which the engine calls most of them."""

    __slots__ = ()

    needs_record = True
    """Whether an attachment of it is recorded. A device without a link, with which nothing is done, need not be."""

    def find(self) -> None:
        """Look for it in sysfs, as far as that is possible without a lock. Raises CniError (code 7)."""

    def refuse(self) -> None:
        """Raise CniError (code 7), for ADD, for parameters that cannot be had as things are."""

    def describe(self) -> str:
        """Return how the configuration names it, for messages."""
        raise NotImplementedError

    @property
    def has_link(self) -> bool:
        """Whether it has a link to move; a program may drive it instead."""
        return True

    @property
    def folder(self) -> str:
        """Its folder in sysfs, for device information; empty for a virtual one."""
        return ""

    def before_sweep(self, call: Call) -> None:
        """Prepare ADD, before what dead pods have left is given back. Raises CniError."""

    def after_sweep(self, call: Call) -> None:
        """The same after that."""

    def key(self, call: Call) -> str:
        """Return the name of its lock. Raises CniError when nobody knows the device."""
        raise NotImplementedError

    def left_behind(self, call: Call) -> Iterator[Attachment]:
        """Give the attachments of dead pods that still have it, for the caller to give them back. The caller holds its
        lock. Raises CniError: code 11 when one who lives has it.
        """
        return iter(())

    def not_back(self, attachment: Attachment) -> CniError:
        """Return the error for one of these that cannot be given back yet."""
        owner = attachment.owner.describe()
        return CniError(
            TRY_AGAIN_LATER,
            f"{attachment.name} has not come back from the pod of {owner} yet",
            "its record stays; nothing was changed",
        )

    def link(self, call: Call) -> Link | None:
        """Return its link on the host, None when it has none. Raises CniError."""
        raise NotImplementedError

    def shared_lock(self) -> AbstractContextManager[object]:
        """Return what is to be held while it is looked at, recorded and connected. Entering it raises CniError."""
        return nullcontext()

    def attachment(self, owner: Owner, original: Link | None, call: Call) -> Attachment:
        """Return what is to be recorded of it before anything is done with it. Raises CniError."""
        return Attachment(owner, original)

    def connecting(self, attachment: Attachment, call: Call) -> list[Step]:
        """Return the steps that connect it on the host, under the shared lock."""
        return []

    def interface(self, attachment: Attachment, request: Request) -> Interface:
        """Return how it appears in the result, as far as that is known before it is in the pod."""
        return Interface(request.ifname, sandbox=request.netns)

    def configuring(self, attachment: Attachment, call: Call, note: Callable[[Attachment], None]) -> list[Step]:
        """Return the steps that make its settings on the host. note: writes the record anew."""
        return []

    def configuring_in_pod(self, attachment: Attachment, inside: PodLink) -> list[Step]:
        """Return the steps that make the settings of the link itself, which is in the pod and down."""
        return []

    def bring_up(self, attachment: Attachment, inside: PodLink, interface: Interface) -> None:
        """Bring the link up in the pod, and note in the interface what it is like then. Raises CniError.

        By itself this marks it: its name on the host is its alias, by which `Return` knows a link that came back.
        """
        with trying(f"bring up {attachment.name} as {inside.name} in {inside.netns.path}"):
            link.change(inside.netns.netlink, inside.index, alias=attachment.name, up=True)

    def require(self, recorded: Attachment | None, call: Call) -> None:
        """Raise CniError for CHECK where a record is missing without which it cannot tell."""

    def verify(self, call: Call, attachment: Attachment | None) -> None:
        """Verify, for CHECK, what it is on the host. Raises CniError naming the first thing that ADD left otherwise."""

    def verify_link(self, found: Link, expected: Interface, pod: NetNS, call: Call) -> None:
        """The same for its link in the pod. expected: the interface that ADD gave."""

    def status(self, call: Call) -> None:
        """Raise CniError when this host does not have it."""


class Plugin(Format):
    """One plugin. name, about, has_debug: as in `skel.Program`. sysfs_root: where sysfs is mounted."""

    __slots__ = ("sysfs_root",)

    name = ""
    about = ""
    has_debug = False

    def __init__(self, sysfs_root: str = pci.ROOT) -> None:
        self.sysfs_root = sysfs_root

    def device(self, conf: NetConf, args: str) -> Device:
        """Return the device that a configuration names, its parameters read and checked; nothing is looked at.

        args: CNI_ARGS. Raises CniError (code 7) naming field and value; code 4 for CNI_ARGS.
        """
        raise NotImplementedError

    def named(self, conf: NetConf) -> Device | None:
        """Return the device for STATUS, for which runtimes name none. Raises CniError as `device`."""
        raise NotImplementedError

    def check_host(self, call: Call) -> None:
        """Raise CniError when something on the host would keep ADD from working, whatever the device is."""

    def returning(self, attachment: Attachment, call: Call) -> Return:
        """Return how a recorded device finds back to the host."""
        return Return(attachment, call)

    def lock(self, key: str, timeout_s: float = LOCK_TIMEOUT_S) -> FileLock:
        """Return the lock of a device; entering it raises CniError (code 11) when others hold it for that long."""
        files.ensure_folder(self.state_folder)
        files.ensure_folder(self._locks)
        return EphemeralLock(os.path.join(self._locks, key), timeout_s)

    @property
    def _locks(self) -> str:
        return os.path.join(self.state_folder, "lock")

    def note_owner(self, attachment: Attachment) -> None:
        """Write down whose the device is, if that stands anywhere besides the record. Raises CniError (code 5)."""

    def forget_owner(self, key: str) -> None:
        """Remove what `note_owner` wrote, and what a killed ADD left of it. The caller holds the device's lock."""

    def noted_netns(self, key: str) -> str:
        """Return the path of the namespace that `note_owner` wrote, empty when there is none."""
        return ""

    def is_lost(self, attachment: Attachment, netns_path: str, call: Call) -> bool:
        """Return whether the device is another attachment's by now. The caller holds its lock.

        netns_path: where the runtime says that the pod's namespace is, empty if it does not.
        """
        return False

    def leave(self, attachment: Attachment, call: Call) -> None:
        """Give back what a lost attachment shares with others, and nothing else. Raises CniError."""

    def release_unrecorded(self, call: Call, was_recorded: bool) -> bool:
        """Give back, for DEL, what can be known to be this attachment's without a record, and remove what is left of
        one that cannot be read; return whether there is a record by now, which is to be given back then.

        was_recorded: whether there was one, which has been given back. Raises CniError.
        """
        if was_recorded:
            return False
        lock.sweep(self._locks)
        return call.records.forget_remains(*call.identity)

    def sweep(self, call: Call) -> None:
        """Remove what killed commands have left of locks and owners, for GC. Raises CniError."""
        lock.sweep(self._locks)
