"""All VFs of both NICs attached and detached at once, by chance and while one of them is held on its way."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.support import disk, faults
from tests.support.faults import Call
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import PF

ROUNDS = 3
HEAD_START_S = 10
"""How long all but one may take meanwhile: emulated CPUs are slow."""


@pytest.fixture
def attached(
    pfs: list[PF], make_pod: Callable[[], Space], attach: Callable[..., Attachment]
) -> Iterator[list[Attachment]]:
    """An attachment to be of each VF, with settings that all go through the two PFs. In the end nothing is left."""
    vfs = [vf for pf in pfs for vf in pf.vfs]
    pods = [make_pod() for _ in vfs]
    before = [pf.shown() for pf in pfs], sorted(HOST.links())
    ipam = {"type": "host-local", "subnet": "10.9.0.0/24"}
    yield [
        attach(vf, pod, vlan=100 + number, spoofchk="off", mtu=1400, ipam=ipam)
        for number, (vf, pod) in enumerate(zip(vfs, pods, strict=True))
    ]
    assert ([pf.shown() for pf in pfs], sorted(HOST.links())) == before
    assert disk.reserved("lab") == {}
    assert not [path for path in disk.files(disk.SRIOV) if not path.startswith("pci/vf_lock/")]


def assert_all_attached(pfs: list[PF], addresses: list[str]) -> None:
    """Assert that no address was given twice, and that each VF has its settings at its PF."""
    assert len(set(addresses)) == len(addresses)
    vlans = [entry["vlan_list"][0]["vlan"] for pf in pfs for entry in pf.table()]
    assert vlans == [100 + number for number in range(len(addresses))]


@pytest.mark.at_once
def test_all_vfs_at_once(pfs: list[PF], attached: list[Attachment]) -> None:
    """No failure, no address twice, nothing left."""
    with concurrent.futures.ThreadPoolExecutor(len(attached)) as crowd:
        for _ in range(ROUNDS):
            results = list(crowd.map(lambda one: one.add(), attached))
            assert_all_attached(pfs, [result["ips"][0]["address"] for result in results])
            list(crowd.map(lambda one: one.delete(), attached))


def some(calls: list[Call]) -> list[Call]:
    """Return the first, the middle and the last of the calls that change something in the kernel."""
    changes = [call for call in calls if call.changes_kernel]
    return [changes[0], changes[len(changes) // 2], changes[-1]]


@pytest.mark.at_once
def test_all_while_one_is_held(pfs: list[PF], attached: list[Attachment]) -> None:
    """The same, while one has done a part of what it does at its PF, and has not gone on."""
    held, *others = attached
    adding, deleting = some(faults.calls(held, "ADD")), some(faults.calls(held, "DEL"))
    for add, delete in zip(adding, deleting, strict=True):
        outcomes = together(held, "ADD", add, others)
        assert_all_attached(pfs, [outcome["ips"][0]["address"] for outcome in outcomes])
        together(held, "DEL", delete, others)


def together(held: Attachment, command: str, call: Call, others: list[Attachment]) -> list[dict[str, Any]]:
    """Give a command for all, one of which is held after a call; all must succeed. Return their results."""
    waiting = (partial(other.call, command) for other in others)
    first, rest = faults.interleaved(held, command, call, *waiting, head_start_s=HEAD_START_S)
    return [outcome.ok() for outcome in (first, *rest)]
