"""All VFs of both NICs attached and detached at once, with overlapping trunks that the uplinks get, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import disk, net, switchdev
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import NATIVE, Nic
from tests.support.vfs import VF

ROUNDS = 20

Attach = Callable[..., Attachment]


@pytest.fixture
def vfs(nics: list[Nic]) -> Iterator[list[tuple[Nic, VF]]]:
    """All VFs, with their NICs."""
    every = [(nic, vf) for nic in nics for vf in nic.pf.vfs]
    yield every
    if not all(vf.name for _, vf in every):
        net.run("ip", "-all", "netns", "delete")
    for _, vf in every:
        vf.reset()


class Crowd:
    """The attachments of all VFs. vlans: what the representor of each gets, by its name, in the same order."""

    def __init__(self, vfs: list[tuple[Nic, VF]], bridges: tuple[str, str], pods: list[Space], attach: Attach) -> None:
        self.nics = [nic for nic, _ in vfs]
        self.attached: list[Attachment] = []
        self.vlans: dict[str, dict[int, set[str]]] = {}
        ipam = {"type": "host-local", "subnet": "10.9.0.0/24"}
        for number, ((nic, vf), pod) in enumerate(zip(vfs, pods, strict=True)):
            native, first, last = 100 + number % 3, 200 + number, 204 + number
            conf = {"vlan": native, "trunk": [{"minID": first, "maxID": last}], "setUplinkVlan": True, "mtu": 1400}
            self.attached.append(attach(vf, pod, bridge=",".join(bridges), ipam=ipam, **conf))
            self.vlans[nic.representor(vf)] = {native: NATIVE, **{vlan: set() for vlan in range(first, last + 1)}}

    def at_once(self, *commands: tuple[Callable[[Attachment], Any], list[int]]) -> None:
        """Give commands to attachments, given by their numbers, all at the same time."""
        doing = [(command, index) for command, which in commands for index in which]
        with ThreadPoolExecutor(len(doing)) as threads:
            list(threads.map(lambda one: one[0](self.attached[one[1]]), doing))

    def assert_attached(self, which: list[int]) -> None:
        """Assert that these attachments, and no others, have addresses, ports with their VLANs, and these on their
        uplinks, and that CHECK of the first and of the last, which are on different NICs, says the same.
        """
        expected = {nic.pf.name: {1: NATIVE} for nic in self.nics}
        for index, (representor, vlans) in enumerate(self.vlans.items()):
            if index in which:
                expected[representor] = vlans
                expected[self.nics[index].pf.name] |= {vlan: set() for vlan in vlans}
        found = switchdev.vlans_of_all()
        assert {name: found.get(name) for name in expected} == expected
        assert not [name for name in self.vlans if name in found and name not in expected]
        addresses = {f"{address}/24" for address in disk.reserved("lab")}
        assert addresses == {(self.attached[x].result or {})["ips"][0]["address"] for x in which}
        assert len(addresses) == len(which)
        if which:
            self.at_once((lambda one: one.check().ok(), [which[0], which[-1]]))


@pytest.fixture
def crowd(
    vfs: list[tuple[Nic, VF]], bridges: tuple[str, str], make_pod: Callable[[], Space], attach: Attach
) -> Iterator[Crowd]:
    """All VFs, each with a pod of its own. Afterwards everything is as it was before, to the letter."""
    before = [nic.snapshot(vf, *bridges) for nic, vf in vfs], sorted(HOST.links())
    yield Crowd(vfs, bridges, [make_pod() for _ in vfs], attach)
    assert ([nic.snapshot(vf, *bridges) for nic, vf in vfs], sorted(HOST.links())) == before
    assert disk.reserved("lab") == {}
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


@pytest.mark.at_once
def test_all_vfs_at_once(crowd: Crowd) -> None:
    """All are attached, then all are detached, twenty times: no failure, each port and each uplink has its VLANs. In
    half of the rounds, those with odd numbers first leave, and come back while those with even ones, on the same
    uplinks, leave.
    """
    every = list(range(len(crowd.attached)))
    odd, even = every[1::2], every[::2]
    for number in range(ROUNDS):
        crowd.at_once((Attachment.add, every))
        crowd.assert_attached(every)
        if number % 2:
            crowd.at_once((Attachment.delete, odd))
            crowd.at_once((Attachment.add, odd), (Attachment.delete, even))
            crowd.assert_attached(odd)
            crowd.at_once((Attachment.delete, odd))
        else:
            crowd.at_once((Attachment.delete, every))
        crowd.assert_attached([])
