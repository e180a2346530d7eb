"""The sriov executable."""

from __future__ import annotations

from cni import skel
from plugins.sriov.kind import Sriov
from plugins.vf import commands

PLUGIN = commands.plugin(
    "sriov", "gives an SR-IOV virtual function to a pod, configured through its physical function", Sriov()
)

if __name__ == "__main__":
    skel.main(PLUGIN)
