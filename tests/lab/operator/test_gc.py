"""`plumbline gc` on real VFs: what a pod leaves that dies without DEL."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from tests.lab.test_go_records import attached_by_sriov_cni, nothing_is_left
from tests.support import disk
from tests.support.command import BINARY, plumbline
from tests.support.net import Space
from tests.support.plugin import Attachment
from tests.support.vfs import PF, VF, without_permanent_mac

HOST_LOCAL = {"type": "host-local", "subnet": "10.8.0.0/24"}
POD = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=router-0"


def test_what_a_dead_pod_had(
    vf: VF, far_vf: VF, make_pod: Callable[[], Space], attach: Callable[..., Attachment]
) -> None:
    """Its VF is as before, its address free; that of a pod that lives stays where it is. A dry run changes nothing."""
    before = vf.snapshot()
    dying, living = make_pod(), make_pod()
    one, other = attach(vf, dying, vlan=100, trust="on", ipam=HOST_LOCAL), attach(far_vf, living, ipam=HOST_LOCAL)
    one.args = POD
    address = one.add()["ips"][0]["address"].partition("/")[0]
    other.add()
    dying.delete()
    on_disk, beside = disk.files(disk.CNI), vf.pf.table()

    planned = plumbline("gc", "--dry-run", "--json", program=BINARY).ended(0).json
    [device] = planned["devices"]
    assert (device["device"], device["outcome"], device["addresses"]) == (
        vf.address,
        "would be given back",
        [address],
    )
    owner = device["owner"]
    assert (owner["namespace"], owner["pod"], owner["interface"], owner["network"]) == (
        "default",
        "router-0",
        "net1",
        "lab",
    )
    assert disk.files(disk.CNI) == on_disk
    assert vf.pf.table() == beside

    said = plumbline("gc", program=BINARY).ended(0).stdout
    assert "given back" in said
    assert "default/router-0" in said
    assert vf.snapshot() == before
    assert living.links() == ["net1"]
    assert list(disk.reserved("lab").values()) == [f"{other.container_id}\r\nnet1"]
    assert [path for path in disk.records(disk.SRIOV) if not path.startswith("pci/")] == [f"{other.container_id}-net1"]

    assert plumbline("gc").ended(0).stdout == "nothing is left of dead pods\n"
    other.delete()


def test_somebody_is_at_work_on_it(vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """It waits for the device's lock, says that it did not get it, and leaves everything for the next one."""
    before = vf.snapshot()
    one = attach(vf, ipam=HOST_LOCAL)
    one.add()
    pod.delete()
    lock = os.open(f"{disk.SRIOV}/pci/vf_lock/{vf.address}.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    found = plumbline("gc", "--json").ended(3).json
    assert found["devices"][0]["outcome"] == "not back yet"
    assert "cannot lock" in found["devices"][0]["error"]
    assert len(disk.reserved("lab")) == 1
    os.close(lock)
    plumbline("gc").ended(0)
    assert vf.snapshot() == before
    assert disk.reserved("lab") == {}


def test_what_sriov_cni_left(pfs: list[PF], vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """Its records name no pod and no IPAM: the VF comes back, and so does what host-local has in its name; an
    allocation without a record goes as well.
    """
    before = vf.snapshot()
    one = attach(vf)
    attached_by_sriov_cni(vf, one, pod)
    stray = pfs[0].vfs[3].address
    os.makedirs(f"{disk.NETWORKS}/lab")
    for path, text in {
        f"{disk.NETWORKS}/lab/lock": "",
        f"{disk.NETWORKS}/lab/10.8.0.9": f"{one.container_id}\r\nnet1",
        f"{disk.NETWORKS}/lab/10.8.0.10": "another\r\nnet1",
        f"{disk.SRIOV}/pci/{stray}": "/run/netns/gone",
    }.items():
        with open(path, "w") as file:
            file.write(text)
    pod.delete()
    found = plumbline("gc", "--json").ended(0).json
    assert [(x["device"], x["outcome"], x["addresses"]) for x in found["devices"]] == [
        (vf.address, "given back", ["10.8.0.9"])
    ]
    assert found["allocations"] == [{"device": stray, "netns": "/run/netns/gone"}]
    assert without_permanent_mac(vf.snapshot()) == without_permanent_mac(before)
    assert list(disk.reserved("lab")) == ["10.8.0.10"]
    assert nothing_is_left()
