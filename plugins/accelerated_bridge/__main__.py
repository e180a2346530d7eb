"""The accelerated-bridge executable."""

from __future__ import annotations

from cni import skel
from plugins.accelerated_bridge.plugin import AcceleratedBridge
from plugins.program import program

PROGRAM = program(AcceleratedBridge())

if __name__ == "__main__":
    skel.main(PROGRAM)
