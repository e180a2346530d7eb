"""Which PFs have VFs after a boot, too: those in the file that `plumbline apply --boot` goes by."""

from __future__ import annotations

from plumbline.node.foreign import loaded, member
from plumbline.node.roots import Roots


def addresses(roots: Roots) -> frozenset[str]:
    """Return the addresses of the PFs in the file, none where there is no such file, or nobody can read it."""
    pfs = member(loaded(roots.pfs_file), "pfs")
    found = (member(pf, "address") for pf in (pfs if isinstance(pfs, list) else ()))
    return frozenset(address for address in found if isinstance(address, str))
