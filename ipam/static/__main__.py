"""The static executable."""

from __future__ import annotations

from cni import skel
from ipam.static import commands

PROGRAM = skel.Program(
    name="static",
    about="IPAM: gives the addresses that the configuration or the runtime names",
    add=commands.add,
    check=commands.check,
    delete=commands.delete,
    gc=commands.gc,
    status=commands.status,
)

if __name__ == "__main__":
    skel.main(PROGRAM)
