"""VFs on a userspace driver, behind the emulated IOMMU: IPAM is asked, the PF is used, nothing is moved."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.support import disk
from tests.support.net import Space
from tests.support.plugin import Attachment
from tests.support.vfs import VF

MAC = "02:00:00:00:00:2a"
HOST_LOCAL = {"type": "host-local", "subnet": "10.7.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}


@pytest.fixture
def vfio_vf(vf: VF) -> VF:
    """A VF that is bound to vfio-pci."""
    vf.bind("vfio-pci")
    assert vf.driver == "vfio-pci"
    assert os.path.exists(f"{vf.folder}/iommu_group")
    return vf


def test_add_check_and_del(vfio_vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """The result has interface and addresses, the pod no link, the PF the settings; DEL takes all back."""
    before = vfio_vf.snapshot()
    one = attach(vfio_vf, vlan=100, mac=MAC, spoofchk="off", ipam=HOST_LOCAL)
    result = one.add()
    interface = {"name": "net1", "mac": MAC, "sandbox": pod.path, "pciID": vfio_vf.address}
    assert result["interfaces"] == [interface]
    assert [ip["address"] for ip in result["ips"]] == list(f"{ip}/24" for ip in disk.reserved("lab"))
    assert pod.links() == []
    table = vfio_vf.table()
    assert (table["address"], table["vlan_list"], table["spoofchk"]) == (MAC, [{"vlan": 100}], False)
    one.check().ok()
    vfio_vf.pf.set(vfio_vf.index, "vlan", "5")
    assert "vlan 5" in one.check().error(999)["msg"]
    one.delete()
    assert vfio_vf.snapshot() == before
    assert disk.reserved("lab") == {}
    assert vfio_vf.driver == "vfio-pci"


def test_a_busy_vf_is_refused(vfio_vf: VF, make_pod: Callable[[], Space], attach: Callable[..., Attachment]) -> None:
    """That nothing is moved does not mean that nobody has it."""
    first, second = attach(vfio_vf, make_pod()), attach(vfio_vf, make_pod())
    first.add()
    assert f"pci address {vfio_vf.address} is already allocated" in second.call("ADD").error(11)["msg"]
    first.delete()
    second.add()
    second.delete()


def test_the_pod_is_gone_and_the_driver_another(vfio_vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """DEL finds the namespace gone and the VF on its NIC driver: the PF's table is restored nevertheless."""
    before = vfio_vf.pf.shown()
    one = attach(vfio_vf, vlan=100, trust="on")
    one.add()
    pod.delete()
    vfio_vf.bind("igbvf")
    one.delete()
    vfio_vf.bind("vfio-pci")
    assert vfio_vf.pf.shown() == before
