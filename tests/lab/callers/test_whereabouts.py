"""whereabouts gives a VF its address. What goes wrong with it is tried outside of the lab, in tests/binary."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.peers import peer
from tests.support import disk, whereabouts
from tests.support.net import Space
from tests.support.plugin import DIST, Attachment
from tests.support.vfs import VF


@pytest.mark.tried("whereabouts", "IPAM of sriov: ADD twice, DEL with the pod gone")
def test_an_address_of_the_cluster(vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """It is the VF's as long as the pod has it, and DEL gives it back without the pod."""
    before = vf.snapshot()
    one = attach(vf, vlan=100, ipam={"type": "whereabouts", "range": "10.40.0.0/24"})
    one.path = f"{DIST}:{peer('whereabouts')}"
    one.args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=router-0"
    with whereabouts.cluster() as api:
        one.add()
        one.add()
        assert pod.addresses("net1") == ["10.40.0.1/24"]
        assert [x["id"] for x in api.allocated()] == [one.container_id]
        pod.delete()
        one.delete()
        assert api.allocated() == []
    assert vf.snapshot() == before
    assert disk.records(disk.SRIOV) == []
