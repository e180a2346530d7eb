"""The accelerated-bridge executable."""

from __future__ import annotations

from cni import skel
from plugins.vf import commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plugins.vf.kind import Kind


def _kind() -> Kind:
    from plugins.accelerated_bridge.kind import AcceleratedBridge

    return AcceleratedBridge()


PLUGIN = commands.plugin(
    "accelerated-bridge",
    "gives a virtual function of a NIC in switchdev mode to a pod, and its representor to a bridge",
    _kind,
    has_debug=True,
)

if __name__ == "__main__":
    skel.main(PLUGIN)
