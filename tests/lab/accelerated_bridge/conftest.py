"""Fixtures: both NICs in switchdev mode, a bridge with the uplink of each, attachments to them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.lab.accelerated_bridge.rig import Rig
from tests.support import net, switchdev, vfs
from tests.support.bridges import NAMES, Bridges
from tests.support.net import Space
from tests.support.plugin import Attachment
from tests.support.switchdev import Nic
from tests.support.vfs import PF, VF

DEVICE_INFO = "/var/run/k8s.cni.cncf.io/devinfo"


@pytest.fixture(scope="package")
def nics(pfs: list[PF]) -> Iterator[list[Nic]]:
    """Both PFs in switchdev mode."""
    with switchdev.in_switchdev_mode(pfs[0], 8) as near, switchdev.in_switchdev_mode(pfs[1], 9) as far:
        yield [near, far]


@pytest.fixture
def nic(nics: list[Nic]) -> Nic:
    """The NIC of `vf`."""
    return nics[0]


@pytest.fixture
def three(pfs: list[PF]) -> Iterator[list[VF]]:
    """Three VFs of the first PF, the first of which is `vf`."""
    three = pfs[0].vfs[:3]
    with vfs.lent(*three):
        yield three


@pytest.fixture(scope="package")
def standing(nics: list[Nic]) -> Iterator[Bridges]:
    """The bridges of all tests that want any."""
    made = Bridges(nics)
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(autouse=True)
def no_bridges(request: pytest.FixtureRequest, standing: Bridges) -> None:
    """Have none where a test wants none: its uplinks are in no bridge then."""
    if not {"bridges", "all_rigs"} & set(request.fixturenames):
        standing.remove()


@pytest.fixture
def bridges(standing: Bridges) -> Iterator[tuple[str, str]]:
    """A bridge for each NIC."""
    standing.have()
    try:
        yield NAMES
    finally:
        standing.check()


@pytest.fixture
def bridge(bridges: tuple[str, str]) -> str:
    """The bridge that the uplink of `vf` is in."""
    return bridges[0]


@pytest.fixture(scope="module")
def all_rigs(nics: list[Nic], standing: Bridges) -> Iterator[list[Rig]]:
    """One rig at each PF, for all tests of a module: to make them takes a while."""
    made: list[Rig] = []
    standing.have()
    try:
        for nic, bridge in zip(nics, NAMES, strict=True):
            made.append(Rig(nic, bridge))
        yield made
    finally:
        for rig in made:
            rig.remove()
        standing.check()


@pytest.fixture(autouse=True)
def no_device_information() -> Iterator[None]:
    """Take away the device-info files of a test."""
    yield
    shutil.rmtree(DEVICE_INFO, ignore_errors=True)


@pytest.fixture
def attach(pod: Space, bridge: str) -> Callable[..., Attachment]:
    """A function that returns the attachment of a VF to a pod: attach(vf, pod=..., ifname=..., **configuration)."""

    def make(
        vf: VF, target: Space | None = None, container_id: str = "", ifname: str = "net1", **conf: Any
    ) -> Attachment:
        whole = {
            **{"cniVersion": "1.1.0", "name": "lab", "type": "accelerated-bridge"},
            **{"deviceID": vf.address, "bridge": bridge, **conf},
        }
        space = target or pod
        return Attachment(whole, container_id or net.unique("container"), space.path, ifname)

    return make


@pytest.fixture
def device_info() -> str:
    """The path of a device-info file that does not exist."""
    return os.path.join(DEVICE_INFO, "cni", net.unique("info") + ".json")
