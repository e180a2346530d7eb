"""SIGKILL at every step of sriov's ADD and of DEL: the next DEL, or the next pod, finds a VF that can be put right."""

from __future__ import annotations

from typing import Any

from tests.support import disk
from tests.support.faults import Call
from tests.support.kill import MOVE_FIRST, MOVE_LAST, Case, Rig, the
from tests.support.killed_vfs import Kills
from tests.support.net import HOST
from tests.support.plugin import Attachment
from tests.support.vfs import VF

TAKEN_OVER = ("recorded", "one setting made", "moved", "all done but for the result")


class TestSriov(Kills[Rig]):
    """All of them, with all that sriov can set on igb."""

    messages = 15
    renamed = ("record", "allocation", "reservation", "last reserved IP")
    unlinked = ("reservation", "allocation", "record")
    folders = (disk.SRIOV, disk.NETWORKS)
    made = 5 + 2  # folders and locks
    places = frozenset(((MOVE_FIRST, True), (MOVE_LAST, False)))

    def place(self, rig: Rig, order: str) -> object:
        """See `Kills`: whether the VF has left the host; the two orders are what they say."""
        return order, rig.vf.name == ""

    def stages(self, add: list[Call]) -> dict[str, Case]:
        """See `Kills`."""
        record = the(add, lambda call: call.name.startswith("rename") and "/sriov/.tmp-" in call.text)
        allocation = the(add, lambda call: call.name.startswith("rename") and "/sriov/pci/.tmp-" in call.text)
        move = the(add, lambda call: call.name.startswith("clone"))
        settings = [index for index in range(allocation, move) if add[index].name == "sendto"]
        assert len(settings) == 4, "trust, spoofchk, MAC address and VLAN"
        arrived = next(index for index, call in enumerate(add) if index > move and call.name == "sendto")
        return {
            "recorded": (add[record + 1], ""),
            "allocated": (add[settings[0]], ""),
            "one setting made": (add[settings[1]], ""),
            "all settings made": (add[move], ""),
            "moved": (add[move + 1], MOVE_FIRST),
            "addresses chosen, not moved": (add[arrived - 1], MOVE_LAST),
            "all done but for the result": (add[-1], ""),
        }

    def of_the_dead(self, stages: dict[str, Case], is_late: bool) -> list[Case]:
        """See `Kills`."""
        return [stages[stage] for stage in TAKEN_OVER]

    def others(self, rig: Rig) -> dict[str, Any]:
        """See `Kills`."""
        return {"vlan": 200}

    def before(self, rig: Rig) -> object:
        """See `Kills`: what an attachment leaves alone that does not ask for it."""
        own = HOST.settings(rig.vf.name)
        return switches(rig.vf), own["mac"], own["mtu"]

    def assert_attached(self, rig: Rig, one: Attachment, before: object) -> None:
        """See `Kills`."""
        inside = rig.pod.settings("net1")
        asked = one.conf
        assert vlan(rig.vf) == (asked["vlan"], asked.get("vlanQoS", 0))
        if "mac" in asked:
            before = ({"spoofchk": False, "trust": True}, asked["mac"], asked["mtu"])
        assert (switches(rig.vf), inside["mac"], inside["mtu"]) == before
        assert one.result is not None
        address = one.result["ips"][0]["address"]
        assert rig.pod.addresses("net1") == [address]
        assert disk.reserved(rig.network) == {address.partition("/")[0]: f"{one.container_id}\r\nnet1"}


def vlan(vf: VF) -> tuple[int, int]:
    """Return VLAN and QoS as the PF has them."""
    (entry,) = vf.table()["vlan_list"]
    return entry["vlan"], entry.get("qos", 0)


def switches(vf: VF) -> dict[str, object]:
    """Return what the PF's table says of the switches of a VF."""
    table = vf.table()
    return {name: table[name] for name in ("spoofchk", "trust")}
