"""Under cnitool, on VFs: sriov, and host-device with the same VF. accelerated-bridge's are beside its other tests."""

from __future__ import annotations

import pytest

from tests.support import disk
from tests.support.called_by_cnitool import MAC, Rig, StoriesOfVfs
from tests.support.vfs import VF


@pytest.mark.tried("cnitool", "sriov on a VF: all commands with capabilities and CNI_ARGS, pods that are gone")
@pytest.mark.tried("plugins", "tuning and sbr behind sriov, and what they change", versions=("1.10.0",))
class TestSriov(StoriesOfVfs):
    """A VF that may choose its own address, so that tuning can."""

    @pytest.fixture
    def rig(self, vf: VF) -> Rig:
        """A VF of the first PF."""
        return Rig(
            {"type": "sriov", "vlan": 100, "trust": "on"},
            disk.SRIOV,
            vf.snapshot,
            {"deviceID": vf.address},
            {"mac": MAC, "mtu": 1400},
        )


@pytest.mark.tried("cnitool", "host-device on a VF: all commands with capabilities and CNI_ARGS, pods that are gone")
@pytest.mark.tried("plugins", "tuning and sbr behind host-device, and what they change", versions=("1.10.0",))
class TestHostDevice(StoriesOfVfs):
    """A VF is one device on the bus among others."""

    @pytest.fixture
    def rig(self, vf: VF) -> Rig:
        """The same VF."""
        named_by = {"deviceID": vf.address}
        return Rig({"type": "host-device"}, disk.HOST_DEVICE, vf.snapshot, named_by, member="pciBusID")
