"""The file that says what the PFs of this node are to be, also after a boot: /etc/plumbline/pfs.json.

    {
      "schema": "plumbline/pfs/1",
      "pfs": [
        {"address": "0000:01:00.0", "bus": "pci", "mac": "0c:42:a1:00:00:01", "vfs": 8, "mode": "switchdev",
         "drivers": [{"vfs": "0-3", "driver": "vfio-pci"}], "vdpa": null, "up": true}
      ]
    }

A person may edit it; `plumbline apply` does what it says. Who writes it holds the lock of the node.
"""

from __future__ import annotations

import json
import os

from cni.linux import files
from plumbline.errors import Status, VerbError
from plumbline.prepare.wish import Wish, WishError, from_json, to_json

SCHEMA = "plumbline/pfs/1"
MODE = 0o644


def read(path: str) -> list[Wish]:
    """Return what PFs are to be, none where there is no such file. Raises VerbError naming what is wrong with it."""
    content = files.read(path, follow=True)
    if content is None:
        return []
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError) as e:
        raise _wrong(path, f"it is no JSON: {e}") from e
    if not isinstance(whole, dict) or whole.get("schema") != SCHEMA:
        raise _wrong(path, f'schema: "{SCHEMA}" is needed')
    pfs = whole.get("pfs")
    if not isinstance(pfs, list):
        raise _wrong(path, "pfs: a list is needed")
    found: list[Wish] = []
    for number, raw in enumerate(pfs):
        try:
            wish = from_json(raw)
        except WishError as e:
            raise _wrong(path, f"pfs[{number}].{e}") from e
        if any((x.bus, x.address) == (wish.bus, wish.address) for x in found):
            raise _wrong(path, f"pfs[{number}].address: {wish.address} is there twice")
        found.append(wish)
    return found


def write(path: str, wishes: list[Wish]) -> None:
    """Write what PFs are to be, whole or not at all. Raises CniError."""
    files.ensure_folder(os.path.dirname(path), 0o755)
    document = {"schema": SCHEMA, "pfs": [to_json(wish) for wish in sorted(wishes, key=lambda x: (x.bus, x.address))]}
    files.write_atomic(path, (json.dumps(document, indent=2) + "\n").encode(), MODE)


def with_wish(wishes: list[Wish], wish: Wish) -> list[Wish]:
    """Return the wishes with this one in the place of the same PF's."""
    return [*without(wishes, wish.bus, wish.address), wish]


def without(wishes: list[Wish], bus: str, address: str) -> list[Wish]:
    """Return the wishes without that of a PF."""
    return [x for x in wishes if (x.bus, x.address) != (bus, address)]


def _wrong(path: str, what: str) -> VerbError:
    return VerbError(Status.FAILURE, f"{path} cannot be used: {what}", "nothing was changed; put it right by hand")
