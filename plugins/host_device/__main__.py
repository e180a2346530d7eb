"""The host-device executable."""

from __future__ import annotations

from cni import skel
from plugins.host_device.commands import HostDevice

if __name__ == "__main__":
    commands = HostDevice()
    skel.main(
        skel.Plugin(
            name="host-device",
            add=commands.add,
            check=commands.check,
            delete=commands.delete,
            gc=commands.gc,
            status=commands.status,
        )
    )
