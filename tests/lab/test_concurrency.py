"""All VFs of both NICs attached and detached at once, over and over."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable

import pytest

from tests.support import disk
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import PF

ROUNDS = 20


@pytest.mark.at_once
def test_all_vfs_at_once(pfs: list[PF], make_pod: Callable[[], Space], attach: Callable[..., Attachment]) -> None:
    """Twenty rounds, with settings that all go through two PFs: no failure, no address twice, nothing left."""
    vfs = [vf for pf in pfs for vf in pf.vfs]
    pods = [make_pod() for _ in vfs]
    before = [pf.shown() for pf in pfs], sorted(HOST.links())
    ipam = {"type": "host-local", "subnet": "10.9.0.0/24"}
    attached = [
        attach(vf, pod, vlan=100 + number, spoofchk="off", mtu=1400, ipam=ipam)
        for number, (vf, pod) in enumerate(zip(vfs, pods, strict=True))
    ]
    with concurrent.futures.ThreadPoolExecutor(len(vfs)) as crowd:
        for _ in range(ROUNDS):
            results = list(crowd.map(lambda one: one.add(), attached))
            assert len({result["ips"][0]["address"] for result in results}) == len(vfs)
            vlans = [entry["vlan_list"][0]["vlan"] for pf in pfs for entry in pf.table()]
            assert vlans == [100 + number for number in range(len(vfs))]
            list(crowd.map(lambda one: one.delete(), attached))
    assert ([pf.shown() for pf in pfs], sorted(HOST.links())) == before
    assert disk.reserved("lab") == {}
    assert not [path for path in disk.files(disk.SRIOV) if not path.startswith("pci/vf_lock/")]
