"""What goes wrong on nodes between ADD and DEL: no VF is lost, left configured, or taken from its owner."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.support import disk
from tests.support.bad_luck import collect_garbage
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.unlucky_vfs import IPAM, MAC, NOBODY, OTHER_MAC, Asked, BadLuck, Rig
from tests.support.vfs import PF, VF


class SriovRig(Rig):
    """A VF whose VLAN, QoS and all else is set at its PF, and whose owner is noted in an allocation."""

    folder = disk.SRIOV
    settings = Asked(
        {"vlan": 100, "vlanQoS": 3, "trust": "on", "spoofchk": "off", "mtu": 1400, "ipam": IPAM, "mac": MAC},
        {"vlan": [{"vlan": 100, "qos": 3}], "trust": True, "spoofchk": False, "mac": MAC},
    )
    others = Asked(
        {"vlan": 200, "mac": OTHER_MAC, "spoofchk": "off", "mtu": 1300, "ipam": IPAM},
        {"vlan": [{"vlan": 200}], "trust": False, "spoofchk": False, "mac": OTHER_MAC},
    )
    changed = Asked(
        {"vlan": 200, "vlanQoS": 0, "spoofchk": "off", "mtu": 1300, "ipam": IPAM},
        {"vlan": [{"vlan": 200}], "trust": False, "spoofchk": False},
    )
    damage = ('"Vlan":7', '"Vlan":"seven"')

    def set_up(self) -> None:
        """See `Rig`."""
        super().set_up()
        self.vf.pf.set(self.vf.index, "vlan", "7", "qos", "2")

    def records(self, *attached: Attachment) -> list[str]:
        """See `Rig`."""
        records = sorted(f"{one.container_id}-{one.ifname}" for one in attached)
        return [*records, *sorted(f"pci/{one.conf['deviceID']}" for one in attached)]

    def assert_kept(self, one: Attachment) -> None:
        """See `Rig`. It keeps its settings."""
        super().assert_kept(one)
        self.assert_set(self.settings)


@pytest.fixture
def make_rig(attach: Callable[..., Attachment]) -> Callable[[VF], Rig]:
    """A function that returns the rig of a VF."""
    return lambda vf: SriovRig(vf, attach)


class TestSriov(BadLuck):
    """All of it."""


def test_gc_sweeps_allocations(pfs: list[PF], vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """Without a record, an allocation counts as long as its namespace is there."""
    HOST.batch(f"link set {vf.pf.name} vf {vf.index} vlan 7 qos 2", f"link set {vf.name} mtu 1450 alias spare")
    before = vf.snapshot()
    folder = f"{disk.SRIOV}/pci"
    os.makedirs(folder)
    zeros = "\0" * 40  # a power cut's
    for each, owner in zip(pfs[0].vfs, (NOBODY, pod.path, "", zeros), strict=False):
        with open(f"{folder}/{each.address}", "w") as file:
            file.write(owner)
    collect_garbage(attach(vf))
    assert disk.records(disk.SRIOV) == [f"pci/{pfs[0].vfs[1].address}"]
    pod.delete()
    collect_garbage(attach(vf))
    assert disk.records(disk.SRIOV) == []
    assert vf.snapshot() == before
