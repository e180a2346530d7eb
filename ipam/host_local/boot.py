"""Which boot of which machine a file was written in: what tells the address of a dead pod from that of a living one.

No pod outlives a reboot, but its address file does, and the runtime may never call DEL for it. Wall-clock times cannot
tell the two apart, because clocks are set after boot. So each file that we write carries a label, the extended
attribute `user.plumbline.boot` with the machine ID and the kernel's boot ID. The content stays as the reference plugin
writes it, which neither knows nor disturbs the label.

A label says: this file was there in that boot. Hence one with another boot ID of the same machine is of a dead pod.
Files without a label, those of the reference plugin, are labelled when we first see them in a boot, and are known to be
older from the next boot on. Where the file system has no extended attributes, nothing is ever known to be older.
"""

from __future__ import annotations

import os

from cni.linux import files
from cni.linux.boot import BOOT_ID

MACHINE_ID = "/etc/machine-id"
ATTRIBUTE = "user.plumbline.boot"


class Boot:
    """The boot that this process runs in."""

    __slots__ = ("_known_label", "_paths")

    def __init__(self, boot_id_path: str = BOOT_ID, machine_id_path: str = MACHINE_ID) -> None:
        self._paths = (machine_id_path, boot_id_path)
        self._known_label = b""

    def _label(self) -> bytes:
        """Return the label of this boot, empty when the kernel does not tell.

        The machine ID is in it for stores that several machines share: what another one wrote may well be alive.
        """
        if not self._known_label:
            contents = [files.read(path, follow=True) or b"" for path in self._paths]
            machine, boot_id = (content.decode("ascii", "replace").strip() for content in contents)
            self._known_label = f"{machine} {boot_id}".encode() if boot_id else b""
        return self._known_label

    def mark(self, fd: int) -> bool:
        """Label an open file with this boot; return whether that was possible. By path, a link would be followed.

        A file without a label counts as written today, which is safe, so no failure matters here.
        """
        label = self._label()
        if not label:
            return False
        try:
            os.setxattr(fd, ATTRIBUTE, label)
        except OSError:  # not supported, no space, read-only
            return False
        return True

    def is_marked(self, path: str) -> bool:
        """Return whether the file carries a label, of whatever boot."""
        return bool(_read(path))

    def is_current(self, path: str) -> bool:
        """Return whether the file carries the label of this boot."""
        return bool(self._label()) and _read(path) == self._label()

    def is_earlier(self, path: str) -> bool:
        """Return whether the file is known to be from an earlier boot of this machine."""
        machine, _, boot_id = _read(path).partition(b" ")
        current_machine, _, current_boot_id = self._label().partition(b" ")
        return bool(boot_id and current_boot_id) and machine == current_machine and boot_id != current_boot_id


def _read(path: str) -> bytes:
    try:
        return os.getxattr(path, ATTRIBUTE, follow_symlinks=False)
    except OSError:  # none, not supported, no such file: nothing is known, which is safe
        return b""
