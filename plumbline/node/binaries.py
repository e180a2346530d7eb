"""The plugins that lie on a node as executables: which, where, of which version, and whether they can run.

Nothing is run to find out: a version stands in the binary (program/link.py), an architecture in its header (elf(5)).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import BinaryIO

from plumbline.node.mounts import Mounts

OURS = ("sriov", "accelerated-bridge", "host-device", "host-local", "static")
ELSEWHERE = ("/opt/cni/bin", "/usr/libexec/cni", "/usr/lib/cni", "/usr/local/bin", "/usr/bin", "/var/lib/cni/bin")
"""Where plugins are put by mistake, or by distributions."""

MACHINES = {3: "i686", 21: "ppc64le", 22: "s390x", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
"""EM_* of linux/elf-em.h, as uname(2) calls them."""

_VERSION = re.compile(rb"[0-9][0-9.]{2,20}, commit [0-9a-z-]{7,20}(?=, )")
_MARK = b", commit "
HEADER_BYTES = 20
CHUNK, LONGEST = 1 << 20, 64
"""How much is read at once, in bytes, and how much of that may belong to what is read next."""


@dataclass(frozen=True, slots=True)
class Binary:
    """An executable that has the name of one of our plugins.

    version: as `0.1.0, commit 0123456789ab`; empty for one that is not of Plumbline, or tells none. machine: its
    architecture, empty for no ELF file. is_executable: by its mode; noexec: whether its mount forbids it.
    """

    path: str
    version: str = ""
    machine: str = "x86_64"
    is_executable: bool = True
    noexec: bool = False

    @property
    def name(self) -> str:
        """The name of the plugin."""
        return os.path.basename(self.path)

    @property
    def folder(self) -> str:
        """The folder that it is in."""
        return os.path.dirname(self.path)


def all_in(folders: list[str], mounts: Mounts) -> list[Binary]:
    """Return the plugins in the folders, each folder once, whatever links lead to it."""
    different = {os.path.realpath(folder): folder for folder in reversed(folders)}
    in_order = [folder for folder in folders if folder in different.values()]
    paths = [os.path.join(folder, name) for folder in dict.fromkeys(in_order) for name in OURS]
    return [_binary(path, mounts) for path in paths if os.path.isfile(path)]


def _binary(path: str, mounts: Mounts) -> Binary:
    noexec = "noexec" in mounts.above(path).options
    mode_allows = bool(os.stat(path).st_mode & 0o111)
    try:
        with open(path, "rb") as file:
            header = file.read(HEADER_BYTES)
            file.seek(0)
            return Binary(path, _version(file), machine(header), mode_allows, noexec)
    except OSError:
        return Binary(path, "", "", mode_allows, noexec)


def machine(header: bytes) -> str:
    """Return the architecture that an ELF file is for, empty for another file. header: its first HEADER_BYTES."""
    if len(header) < HEADER_BYTES or header[:4] != b"\x7fELF":
        return ""
    number = int.from_bytes(header[18:20], "big" if header[5] == 2 else "little")
    return MACHINES.get(number, f"machine {number}")


def _version(file: BinaryIO) -> str:
    """Return the version that a binary of ours has in it, read from where the file stands. Raises OSError."""
    before = b""
    while chunk := file.read(CHUNK):
        window = before + chunk
        if _MARK in window and (found := _VERSION.search(window)):
            return found[0].decode()
        before = window[-LONGEST:]
    return ""
