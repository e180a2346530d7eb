"""What the operator's command shows of a VF whose representor is in a bridge."""

from __future__ import annotations

from collections.abc import Callable

from tests.support import disk, scene
from tests.support.inprocess import document, run
from tests.support.net import Space
from tests.support.plugin import Attachment
from tests.support.switchdev import Nic
from tests.support.vfs import VF

MAC = "02:00:00:00:00:2a"


def test_show_and_tree(
    nic: Nic, vf: VF, bridge: str, pod: Space, attach: Callable[..., Attachment], device_info: str
) -> None:
    """Representor and bridge, what the representor was before, and the device-information file that ADD has written."""
    one = attach(vf, mac=MAC, vlan=100, trunk=[{"id": 7}], runtimeConfig={"CNIDeviceInfoFile": device_info})
    one.args = scene.kubelet_args("default", "router", "1111")
    one.add()
    try:
        found = document("show", vf.address)
        representor = found["vf"]["representor"]
        assert (representor["name"], representor["master"], representor["up"]) == (nic.representor(vf), bridge, True)
        assert (found["vf"]["state"], found["link"]["netns"]) == ("pod", pod.path)
        (record,) = found["records"]
        assert record["path"] == f"{disk.ACCELERATED_BRIDGE}/lab-{one.container_id}-net1"
        asked, before = record["asked"], record["before"]
        assert (asked["bridge"], asked["vlan"], asked["trunk"], asked["mac"]) == (bridge, 100, [7], MAC)
        assert record["bridge"] == bridge
        assert (before["representor"]["name"], before["representor"]["master"]) == (nic.representor(vf), None)
        assert (before["settings"]["vlan"], before["settings"]["spoofchk"]) == (None, True)
        (info,) = found["deviceInfo"]
        assert info["path"] == device_info
        assert info["content"]["pci"]["representor-device"] == nic.representor(vf)
        lines = [line.strip("│├└─ ") for line in run("tree").splitlines()]
        at = lines.index(next(line for line in lines if line.startswith(f"{vf.pf.name}:{vf.index}  pod")))
        assert lines[at + 1] == f"representor  {nic.representor(vf)}  in {bridge}"
        assert lines[at + 2].startswith("pod  default/router  net1")
        assert f'"representor {nic.representor(vf)}" -- "bridge {bridge}"' in run("tree", "--dot")
    finally:
        one.delete()
    assert document("show", vf.address)["vf"]["representor"]["master"] is None
