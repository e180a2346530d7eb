"""Under cnitool, on VFs: sriov, and host-device with the same VF. accelerated-bridge's are beside its other tests."""

from __future__ import annotations

import pytest

from tests.support import disk
from tests.support.called_by_cnitool import MAC, Rig, StoriesOfVfs
from tests.support.vfs import VF


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


class TestHostDevice(StoriesOfVfs):
    """A VF is one device on the bus among others."""

    @pytest.fixture
    def rig(self, vf: VF) -> Rig:
        """The same VF."""
        return Rig({"type": "host-device"}, disk.HOST_DEVICE, vf.snapshot, {"deviceID": vf.address})
