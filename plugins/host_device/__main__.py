"""The host-device executable."""

from __future__ import annotations

from cni import skel
from plugins.host_device.plugin import HostDevicePlugin
from plugins.program import program

PROGRAM = program(HostDevicePlugin())

if __name__ == "__main__":
    skel.main(PROGRAM)
