"""Where the PF's link is not simply there: in a bond, among representors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import pytest

from tests.support.net import HOST
from tests.support.plugin import Attachment
from tests.support.simulator import in_place_of_pf
from tests.support.vfs import VF

DEVICE_INFO = "/var/run/k8s.cni.cncf.io/devinfo/cni/plumbline-uplink.json"


@pytest.fixture
def bond(vf: VF) -> Iterator[str]:
    """A bond with the VF's PF as its port."""
    pf = vf.pf.name
    HOST.batch("link add bond7 type bond mode active-backup", f"link set {pf} down", f"link set {pf} master bond7")
    HOST.batch("link set bond7 up", f"link set {pf} up")
    yield "bond7"
    HOST.batch(f"link set {pf} nomaster", "link del bond7", f"link set {pf} up")


def test_a_pf_in_a_bond(vf: VF, bond: str, attach: Callable[..., Attachment]) -> None:
    """The VF is configured through the port, which stays one."""
    before = vf.table()
    one = attach(vf, vlan=100, spoofchk="off")
    one.add()
    assert (vf.table()["vlan_list"], vf.table()["spoofchk"]) == ([{"vlan": 100}], False)
    one.check().ok()
    one.delete()
    assert vf.table() == before
    link = HOST.link(vf.pf.name)
    assert link is not None
    assert link["master"] == bond


def test_a_pf_in_switchdev_mode(vf: VF, attach: Callable[..., Attachment]) -> None:
    """The uplink is told from the representors beside it; the device information names the VF's."""
    with in_place_of_pf(vf, switchdev=True) as simulated:
        ports = os.listdir(f"{vf.pf.folder}/net")
        assert len(ports) == 3, "an uplink and two representors"
        before = simulated.table()
        one = attach(vf, vlan=100, trust="on", runtimeConfig={"CNIDeviceInfoFile": DEVICE_INFO})
        one.add()
        table = simulated.table()
        assert (table["vlan_list"][0]["vlan"], table["trust"]) == (100, True)
        with open(DEVICE_INFO) as file:
            info = json.load(file)
        os.unlink(DEVICE_INFO)
        representor = next(x for x in ports if x.endswith(f"pf0vf{vf.index}"))
        assert (info["version"], info["pci"]["representor-device"]) == ("1.1.0", representor)
        one.check().ok()
        one.delete()
        assert simulated.table() == before
