"""The host-local executable."""

from __future__ import annotations

from cni import skel
from ipam.host_local.commands import HostLocal

_commands = HostLocal()

PROGRAM = skel.Program(
    "host-local", "IPAM: gives addresses from ranges and keeps them in files of this host",
    _commands.add, _commands.check, _commands.delete, _commands.gc, _commands.status,
    check_needs_prev_result=False,  # the store says what the attachment holds
)  # fmt: skip

if __name__ == "__main__":
    skel.main(PROGRAM)
