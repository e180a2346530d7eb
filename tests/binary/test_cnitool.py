"""Under cnitool, on the host: host-device with a virtual link. tests/lab/callers has the same on VFs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import disk
from tests.support.called_by_cnitool import IPAM, Rig, Stories
from tests.support.cnitool import NEWEST, Cnitool
from tests.support.net import HOST, Space, delete_device


@pytest.mark.tried("cnitool", "host-device on a veth: all commands, GC and STATUS with the newest")
class TestHostDevice(Stories):
    """The stories, and STATUS, which asks for the link."""

    @pytest.fixture
    def rig(self, device: str) -> Rig:
        """A veth's end."""
        return Rig({"type": "host-device", "device": device}, disk.HOST_DEVICE, lambda: HOST.settings(device))

    def test_status(self, device: str, pod: Space, tmp_path: Path) -> None:
        """It fails where the link is not there; one that a pod has is no fault."""
        cnitool = Cnitool(NEWEST, tmp_path)
        cnitool.write({"type": "host-device", "device": device, "ipam": IPAM})
        cnitool("status", pod).ended(0)
        cnitool("add", pod).ended(0)
        cnitool("status", pod).ended(0)
        cnitool("del", pod).ended(0)
        delete_device(device)
        assert device in cnitool("status", pod).ended(1).stderr
