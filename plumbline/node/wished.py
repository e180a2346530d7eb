"""What the PFs of this node are to be: /etc/plumbline/pfs.json, which `plumbline setup` and `apply` write and read.

Only so much of it is read as tells whether the node is so: for each PF `address`, `vfs` and `mode`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from plumbline.node.roots import Roots

FILE = "plumbline/pfs.json"


@dataclass(frozen=True, slots=True)
class Wished:
    """A PF as it is to be. vfs: how many; mode: of its eswitch, empty for as it is."""

    address: str
    vfs: int
    mode: str = ""


@dataclass(frozen=True, slots=True)
class PfFile:
    """The file. pfs: what it says; error: why it cannot be read, empty where it can, or is not there."""

    path: str
    pfs: tuple[Wished, ...] = ()
    error: str = ""


def read(roots: Roots) -> PfFile:
    """Return what the file says."""
    path = os.path.join(roots.etc, FILE)
    try:
        with open(path, encoding="utf-8") as file:
            whole = json.load(file)
    except FileNotFoundError:
        return PfFile(path)
    except (OSError, ValueError, RecursionError) as e:
        return PfFile(path, error=str(e))
    pfs = whole.get("pfs") if isinstance(whole, dict) else None
    if not isinstance(pfs, list) or not all(_is_one(pf) for pf in pfs):
        return PfFile(path, error='pfs: it must be a list of objects with "address" and "vfs"')
    return PfFile(path, tuple(Wished(pf["address"], pf["vfs"], str(pf.get("mode") or "")) for pf in pfs))


def _is_one(pf: Any) -> bool:
    return isinstance(pf, dict) and isinstance(pf.get("address"), str) and type(pf.get("vfs")) is int
