"""A VF, its representor, bridge and uplink, for plugins that are killed or refused something at every step."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import Any

from tests.support import kill
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome
from tests.support.switchdev import Nic
from tests.support.vfs import settle

INFORMATION = "/var/run/k8s.cni.cncf.io/devinfo/cni"
"""The folder of all device-info files."""


class WithInformation(Attachment):
    """An attachment whose device-info file Multus takes away when DEL has succeeded. The plugin's DEL leaves it."""

    @property
    def information(self) -> str:
        """The path of the file."""
        return str(self.conf["runtimeConfig"]["CNIDeviceInfoFile"])

    def call(self, command: str, /, **options: Any) -> Outcome:
        """See `Attachment`."""
        was_there = os.path.exists(self.information)
        outcome = super().call(command, **options)
        if command == "DEL":
            assert os.path.exists(self.information) == was_there
            if outcome.status == 0:
                self.remove_information()
        return outcome

    def remove_information(self) -> None:
        """Do what Multus does."""
        with suppress(FileNotFoundError):
            os.unlink(self.information)


class Rig(kill.Rig):
    """With all that accelerated-bridge can set; the uplink has a VLAN. The representor has settings of its own, and is
    a port of another bridge, with VLANs of its own there.
    """

    plugin = "accelerated-bridge"
    attachment: WithInformation

    def __init__(self, nic: Nic, bridge: str) -> None:
        self.nic = nic
        self.bridge = bridge
        self.former = f"was-{bridge}"
        settings: dict[str, Any] = {
            **{"bridge": bridge, "vlan": 100, "trunk": [{"id": 7}, {"id": 9}, {"minID": 200, "maxID": 203}]},
            **{"setUplinkVlan": True, "mac": "02:00:5e:00:00:64", "mtu": 1400, "trust": "on", "spoofchk": "off"},
        }
        super().__init__(nic.pf.vfs[0], settings)

    def make(self) -> None:
        """See `kill.Rig`."""
        representor = self.nic.representor(self.vf)
        HOST.batch(
            # It stays down: of its carrier, which goes with the representor, the kernel would tell some time later.
            f"link add {self.former} address 02:00:00:00:b2:0{self.nic.switch[-1]} type bridge vlan_filtering 1",
            f"link set {self.former} addrgenmode none type bridge mcast_snooping 0",
            f"link set {representor} master {self.former} up mtu 1700",
        )
        in_vlans = (f"{representor} vid 55", f"{representor} vid 66 pvid untagged", f"{self.nic.pf.name} vid 9")
        HOST.batch(*(f"vlan add dev {x}" for x in in_vlans), program=("bridge",))
        settle()
        super().make()

    @property
    def information(self) -> str:
        """The folder of this rig's device-info files."""
        return f"{INFORMATION}/{self.network}"

    def attach(self, pod: Space, **settings: Any) -> WithInformation:
        """See `kill.Rig`."""
        made = super().attach(pod, **settings)
        runtime_config = {"CNIDeviceInfoFile": f"{self.information}/{made.container_id}.json"}
        return WithInformation({**made.conf, "runtimeConfig": runtime_config}, made.container_id, made.netns)

    def collect_garbage(self) -> None:
        """See `kill.Rig`. Multus takes device information away."""
        super().collect_garbage()
        self.attachment.remove_information()

    def snapshot(self) -> str:
        """See `kill.Rig`."""
        return self.nic.snapshot(self.vf, self.bridge, self.former)

    def assert_clean(self) -> None:
        """See `kill.Rig`; nor is device information left, whole or unfinished."""
        super().assert_clean()
        left = os.listdir(self.information) if os.path.isdir(self.information) else []
        assert not left, f"device information left: {left}"

    def remove(self) -> None:
        """See `kill.Rig`."""
        super().remove()
        HOST.ip("link", "del", self.former)
        shutil.rmtree(self.information, ignore_errors=True)
