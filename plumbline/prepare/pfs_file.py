"""Changes the file of PFs. Who writes it holds the lock of the node, and leaves a file alone that cannot be used."""

from __future__ import annotations

import json
import os

from cni.linux import files
from plumbline.errors import Status, VerbError
from plumbline.node import pfs_file
from plumbline.node.pfs_file import SCHEMA
from plumbline.node.wish import Wish, to_json

MODE = 0o644


def read(path: str) -> list[Wish]:
    """Return what PFs are to be, none where there is no such file. Raises VerbError naming what is wrong with it."""
    found = pfs_file.read(path)
    if found.error:
        message = f"{path} cannot be used: {found.error}"
        raise VerbError(Status.FAILURE, message, "put it right by hand")
    return list(found.pfs)


def write(path: str, wishes: list[Wish]) -> None:
    """Write what PFs are to be, whole or not at all. Raises CniError."""
    files.ensure_folder(os.path.dirname(path), 0o755)
    document = {"schema": SCHEMA, "pfs": [to_json(wish) for wish in ordered(wishes)]}
    files.write_atomic(path, (json.dumps(document, indent=2) + "\n").encode(), MODE)


def ordered(wishes: list[Wish]) -> list[Wish]:
    """Return the wishes as they stand in the file."""
    return sorted(wishes, key=lambda x: (x.bus, x.address))


def with_wish(wishes: list[Wish], wish: Wish) -> list[Wish]:
    """Return the wishes with this one in the place of the same PF's."""
    return [*without(wishes, wish.bus, wish.address), wish]


def without(wishes: list[Wish], bus: str, address: str) -> list[Wish]:
    """Return the wishes without that of a PF."""
    return [x for x in wishes if (x.bus, x.address) != (bus, address)]
