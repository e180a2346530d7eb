"""The file that says what the PFs of this node are to be, also after a boot: /etc/plumbline/pfs.json.

    {
      "schema": "plumbline/pfs/1",
      "pfs": [
        {"address": "0000:01:00.0", "bus": "pci", "mac": "0c:42:a1:00:00:01", "vfs": 8, "mode": "switchdev",
         "drivers": [{"vfs": "0-3", "driver": "vfio-pci"}], "vdpa": null, "up": true}
      ]
    }

A person may edit it; `plumbline setup` writes it, and `plumbline apply` does what it says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cni.linux import files
from cni.protocol.errors import CniError
from plumbline.node.wish import Wish, WishError, from_json

SCHEMA = "plumbline/pfs/1"


@dataclass(frozen=True, slots=True)
class PfsFile:
    """The file. pfs: what it says, no PF twice; error: what is wrong with it, empty where it can be used, or is not
    there. What is wrong in part is not used at all.
    """

    path: str
    pfs: tuple[Wish, ...] = ()
    error: str = ""

    def of(self, bus: str, address: str) -> Wish | None:
        """Return what a PF is to be, None for one that is not in the file."""
        return next((x for x in self.pfs if (x.bus, x.address) == (bus, address)), None)


def read(path: str) -> PfsFile:
    """Return what the file says, or what is wrong with it."""
    try:
        content = files.read(path, follow=True)
        return PfsFile(path, _wishes(json.loads(content)) if content is not None else ())
    except WishError as e:
        return PfsFile(path, error=str(e))
    except (ValueError, RecursionError) as e:
        return PfsFile(path, error=f"it is no JSON: {e}")
    except CniError as e:
        return PfsFile(path, error=f"it cannot be read: {e}")


def _wishes(whole: Any) -> tuple[Wish, ...]:
    """Return what a document says. Raises WishError, which names the place."""
    if not isinstance(whole, dict) or whole.get("schema") != SCHEMA:
        raise WishError(f'schema: "{SCHEMA}" is needed')
    pfs = whole.get("pfs")
    if not isinstance(pfs, list):
        raise WishError("pfs: a list is needed")
    found: list[Wish] = []
    for number, raw in enumerate(pfs):
        try:
            wish = from_json(raw)
        except WishError as e:
            raise WishError(f"pfs[{number}].{e}") from e
        if any((x.bus, x.address) == (wish.bus, wish.address) for x in found):
            raise WishError(f"pfs[{number}].address: {wish.address} is there twice")
        found.append(wish)
    return tuple(found)
