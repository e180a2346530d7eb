"""The sriov executable."""

from __future__ import annotations

from cni import skel
from plugins.vf import commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plugins.vf.kind import Kind


def _kind() -> Kind:
    from plugins.sriov.kind import Sriov

    return Sriov()


PLUGIN = commands.plugin(
    "sriov", "gives an SR-IOV virtual function to a pod, configured through its physical function", _kind
)

if __name__ == "__main__":
    skel.main(PLUGIN)
