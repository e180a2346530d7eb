"""`plumbline gc` and `release`: representor, bridge and uplink are as before, too."""

from __future__ import annotations

from collections.abc import Callable

from tests.support import disk
from tests.support.command import plumbline
from tests.support.net import Space
from tests.support.plugin import Attachment
from tests.support.switchdev import Nic
from tests.support.vfs import VF

IPAM = {"type": "host-local", "subnet": "10.8.0.0/24"}
SETTINGS = {"vlan": 100, "trunk": [{"id": 7}], "setUplinkVlan": True, "ipam": IPAM}


def test_gc_and_release(
    nic: Nic, vf: VF, bridge: str, make_pod: Callable[[], Space], attach: Callable[..., Attachment]
) -> None:
    """What a dead pod had is given back; what a living one has is refused, and by force given back."""
    before = nic.snapshot(vf, bridge)
    dying, living = make_pod(), make_pod()
    attach(vf, dying, **SETTINGS).add()
    dying.delete()
    [done] = plumbline("gc", "--json").ended(0).json["devices"]
    assert (done["device"], done["plugin"], done["outcome"]) == (vf.address, "accelerated-bridge", "given back")
    assert nic.snapshot(vf, bridge) == before
    assert disk.reserved("lab") == {}
    attach(vf, living, **SETTINGS).add()
    plumbline("release", vf.address).ended(4)
    assert living.links() == ["net1"]
    plumbline("release", "--force", vf.address).ended(0)
    assert nic.snapshot(vf, bridge) == before
    assert (living.links(), disk.reserved("lab"), disk.records(disk.ACCELERATED_BRIDGE)) == ([], {}, [])
