"""Fixtures for the tests in the lab: pods, and VFs that are in a known state before each test and after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import disk, kill, net, vfs
from tests.support.net import Space
from tests.support.plugin import Attachment
from tests.support.vfs import PF, VF

pytest.register_assert_rewrite(  # a failure says what differs
    "tests.support.unlucky_vfs", "tests.support.killed_vfs", "tests.support.called_by_cnitool"
)


SETTINGS = {"vlan": 100, "vlanQoS": 3, "mac": "02:00:5e:00:00:64", "spoofchk": "off", "trust": "on", "mtu": 1400}
"""All that sriov can set on igb."""


def pytest_configure() -> None:
    """Refuse to run anywhere else: these tests remove and reset VFs."""
    if not vfs.in_lab():
        raise pytest.UsageError("tests/lab is for the lab: make lab RUN='.venv/bin/python -m pytest -q tests/lab'")


@pytest.fixture(scope="session")
def pfs() -> list[PF]:
    """Both PFs with all their VFs."""
    found = [PF(address) for address in vfs.PFS]
    for pf in found:
        pf.make_vfs()
    vfs.reset(*(vf for pf in found for vf in pf.vfs))
    return found


@pytest.fixture
def vf(pfs: list[PF]) -> Iterator[VF]:
    """A VF of the first PF."""
    one = pfs[0].vfs[0]
    with vfs.lent(one):
        yield one


@pytest.fixture
def far_vf(pfs: list[PF]) -> Iterator[VF]:
    """A VF of the second PF, whose port is wired to that of the first."""
    one = pfs[1].vfs[0]
    with vfs.lent(one):
        yield one


@pytest.fixture(scope="module")
def all_rigs(pfs: list[PF]) -> Iterator[list[kill.Rig]]:
    """One rig at each PF, for all tests of a module: to make them takes a while."""
    made = [kill.Rig(pf.vfs[0], SETTINGS) for pf in pfs]
    yield made
    for rig in made:
        rig.remove()


@pytest.fixture
def rigs(all_rigs: list[kill.Rig]) -> list[kill.Rig]:
    """Rigs to work side by side, on a disk with all folders."""
    kill.prepare(all_rigs)
    return all_rigs


@pytest.fixture(autouse=True)
def empty_disk() -> Iterator[None]:
    """Take away what a test left on disk, so that the next one does not fail for it."""
    os.makedirs(disk.CNI, exist_ok=True)
    yield
    disk.clear()


@pytest.fixture
def attach(pod: Space) -> Callable[..., Attachment]:
    """A function that returns the attachment of a VF to a pod: attach(vf, pod=..., ifname=..., **configuration)."""

    def make(
        vf: VF, target: Space | None = None, container_id: str = "", ifname: str = "net1", **conf: Any
    ) -> Attachment:
        whole = {"cniVersion": "1.1.0", "name": "lab", "type": "sriov", "deviceID": vf.address, **conf}
        space = target or pod
        return Attachment(whole, container_id or net.unique("container"), space.path, ifname)

    return make
