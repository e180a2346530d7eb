"""All VFs of both NICs attached and detached at once, with overlapping trunks that the uplinks get, too."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator

import pytest

from tests.support import disk, net, switchdev
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import NATIVE, Nic
from tests.support.vfs import VF

ROUNDS = 20


@pytest.fixture
def vfs(nics: list[Nic]) -> Iterator[list[tuple[Nic, VF]]]:
    """All VFs, with their NICs."""
    every = [(nic, vf) for nic in nics for vf in nic.pf.vfs]
    yield every
    if not all(vf.name for _, vf in every):
        net.run("ip", "-all", "netns", "delete")
    for _, vf in every:
        vf.reset()


def test_all_vfs_at_once(
    vfs: list[tuple[Nic, VF]],
    nics: list[Nic],
    bridges: tuple[str, str],
    make_pod: Callable[[], Space],
    attach: Callable[..., Attachment],
) -> None:
    """Twenty rounds: no failure, each port and each uplink has its VLANs, and in the end nothing is left."""
    before = [nic.snapshot(vf, *bridges) for nic, vf in vfs], sorted(HOST.links())
    ipam = {"type": "host-local", "subnet": "10.9.0.0/24"}
    attached, native = [], {}
    for number, (nic, vf) in enumerate(vfs):
        native[nic.representor(vf)] = 100 + number % 3
        trunk = [{"minID": 200 + number, "maxID": 204 + number}]
        conf = {"vlan": 100 + number % 3, "trunk": trunk, "setUplinkVlan": True, "mtu": 1400, "ipam": ipam}
        attached.append(attach(vf, make_pod(), bridge=",".join(bridges), **conf))
    per_nic = len(nics[0].pf.vfs)
    on_uplinks = [{1, 100, 101, 102, *range(200 + first, 200 + first + per_nic + 4)} for first in (0, per_nic)]
    with concurrent.futures.ThreadPoolExecutor(len(vfs)) as crowd:
        for _ in range(ROUNDS):
            results = list(crowd.map(lambda one: one.add(), attached))
            assert len({result["ips"][0]["address"] for result in results}) == len(vfs)
            assert [set(switchdev.vlans(nic.pf.name)) for nic in nics] == on_uplinks
            assert all(switchdev.vlans(name)[vlan] == NATIVE for name, vlan in native.items())
            list(crowd.map(lambda one: one.delete(), attached))
            assert [set(switchdev.vlans(nic.pf.name)) for nic in nics] == [{1}, {1}]
    assert ([nic.snapshot(vf, *bridges) for nic, vf in vfs], sorted(HOST.links())) == before
    assert disk.reserved("lab") == {}
    assert not [path for path in disk.files(disk.ACCELERATED_BRIDGE) if not path.endswith(".lock")]
