"""The host-local executable."""

from __future__ import annotations

from cni import skel
from ipam.host_local.commands import HostLocal

_commands = HostLocal()

PROGRAM = skel.Program(
    name="host-local",
    about="IPAM: gives addresses from ranges and keeps them in files of this host",
    add=_commands.add,
    check=_commands.check,
    delete=_commands.delete,
    gc=_commands.gc,
    status=_commands.status,
    # The store says what the attachment holds.
    check_needs_prev_result=False,
)

if __name__ == "__main__":
    skel.main(PROGRAM)
