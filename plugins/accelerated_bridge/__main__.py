"""The accelerated-bridge executable."""

from __future__ import annotations

from cni import skel
from plugins.accelerated_bridge.kind import AcceleratedBridge
from plugins.vf import commands

PLUGIN = commands.plugin(
    "accelerated-bridge",
    "gives a virtual function of a NIC in switchdev mode to a pod, and its representor to a bridge",
    AcceleratedBridge(),
    has_debug=True,
)

if __name__ == "__main__":
    skel.main(PLUGIN)
