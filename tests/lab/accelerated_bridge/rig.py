"""A VF, its representor, bridge and uplink, for plugins that are killed or refused something at every step."""

from __future__ import annotations

from typing import Any

from tests.support import kill, net
from tests.support.net import HOST
from tests.support.switchdev import Nic


class Rig(kill.Rig):
    """With all that accelerated-bridge can set; the representor has settings of its own, the uplink a VLAN."""

    plugin = "accelerated-bridge"

    def __init__(self, nic: Nic, bridge: str) -> None:
        self.nic = nic
        self.bridge = bridge
        settings: dict[str, Any] = {
            **{"bridge": bridge, "vlan": 100, "trunk": [{"id": 7}, {"id": 9}, {"minID": 200, "maxID": 203}]},
            **{"setUplinkVlan": True, "mac": "02:00:5e:00:00:64", "mtu": 1400, "trust": "on", "spoofchk": "off"},
        }
        HOST.ip("link", "set", nic.representor(nic.pf.vfs[0]), "up", "mtu", "1700")
        net.run("bridge", "vlan", "add", "dev", nic.pf.name, "vid", "9")
        super().__init__(nic.pf.vfs[0], settings)

    def snapshot(self) -> str:
        """See `kill.Rig`."""
        return self.nic.snapshot(self.vf, self.bridge)
