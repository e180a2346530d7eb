"""The host-device executable."""

from __future__ import annotations

from cni import skel
from plugins.host_device.commands import HostDevice

if __name__ == "__main__":
    commands = HostDevice()
    skel.main(
        skel.Plugin(
            name="host-device",
            about="moves a device of the host into a pod's network namespace, and back",
            add=commands.add,
            check=commands.check,
            delete=commands.delete,
            gc=commands.gc,
            status=commands.status,
        )
    )
