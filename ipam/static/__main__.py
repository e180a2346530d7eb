"""The static executable."""

from __future__ import annotations

from cni import skel
from ipam.static import commands

PROGRAM = skel.Program(
    "static", "IPAM: gives the addresses that the configuration or the runtime names",
    commands.add, commands.check, commands.delete, commands.gc, commands.status,
)  # fmt: skip

if __name__ == "__main__":
    skel.main(PROGRAM)
