"""Under cnitool: the VF as with sriov, and its representor in the bridge."""

from __future__ import annotations

import pytest

from tests.support import disk
from tests.support.called_by_cnitool import MAC, Rig, StoriesOfVfs
from tests.support.switchdev import Nic
from tests.support.vfs import VF


@pytest.mark.tried(
    "cnitool", "accelerated-bridge on a VF: all commands with capabilities and CNI_ARGS, pods that are gone"
)
@pytest.mark.tried("plugins", "tuning and sbr behind accelerated-bridge, and what they change", versions=("1.10.0",))
class TestAcceleratedBridge(StoriesOfVfs):
    """A VF that may choose its own address, in a VLAN of the bridge."""

    @pytest.fixture
    def rig(self, nic: Nic, vf: VF, bridge: str) -> Rig:
        """A VF of the first PF, and what is beside it."""
        return Rig(
            {"type": "accelerated-bridge", "bridge": bridge, "vlan": 100, "trust": "on"},
            disk.ACCELERATED_BRIDGE,
            lambda: nic.snapshot(vf, bridge),
            {"deviceID": vf.address},
            {"mac": MAC, "mtu": 1400},
        )
