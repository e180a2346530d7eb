"""Fixtures: both NICs in switchdev mode, a bridge with the uplink of each, attachments to them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.lab.accelerated_bridge.rig import Rig
from tests.support import net, switchdev
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import Nic
from tests.support.vfs import PF, VF, settle, wait_for

DEVICE_INFO = "/var/run/k8s.cni.cncf.io/devinfo"
BRIDGES = ("br30ens2f0", "br31ens2f1")


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
    vfs = pfs[0].vfs[:3]
    yield vfs
    for vf in vfs:
        if not vf.name:
            net.run("ip", "-all", "netns", "delete")
        vf.reset()


@contextmanager
def bridges_made(nics: list[Nic]) -> Iterator[None]:
    """Have a bridge for each NIC that filters VLANs and has its uplink as a port."""
    making = []
    for number, (bridge, nic) in enumerate(zip(BRIDGES, nics, strict=True)):
        making += [
            # Without an address of its own, a bridge has that of one of its ports, until udev gives it another.
            f"link add {bridge} address 02:00:00:00:b1:0{number} type bridge vlan_filtering 1 forward_delay 0",
            f"link set {bridge} addrgenmode none type bridge mcast_snooping 0",
            f"link set {bridge} up",
            f"link set {nic.pf.name} master {bridge}",
        ]
    try:
        HOST.batch(*making)
        settle()
        for bridge in BRIDGES:  # the kernel tells of the first port's carrier a little later
            wait_for(lambda bridge=bridge: _state(bridge) == "up", f"carrier of {bridge}")
        yield
    finally:
        clearing = [f"link del {bridge}" for bridge in BRIDGES]
        for nic in nics:
            clearing.append(f"link set {nic.pf.name} nomaster")
            for representor in map(nic.representor, nic.pf.vfs):
                clearing += [f"link set {representor} nomaster", f"link set {representor} down mtu 1500"]
        HOST.batch(*clearing, check=False)


def _state(link: str) -> str:
    with open(f"/sys/class/net/{link}/operstate") as file:
        return file.read().strip()


@pytest.fixture
def bridges(nics: list[Nic]) -> Iterator[tuple[str, str]]:
    """A bridge for each NIC."""
    with bridges_made(nics):
        yield BRIDGES


@pytest.fixture
def bridge(bridges: tuple[str, str]) -> str:
    """The bridge that the uplink of `vf` is in."""
    return bridges[0]


@pytest.fixture(scope="module")
def all_rigs(nics: list[Nic]) -> Iterator[list[Rig]]:
    """One rig at each PF, for all tests of a module: to make them takes a while."""
    with bridges_made(nics):
        made = [Rig(nic, bridge) for nic, bridge in zip(nics, BRIDGES, strict=True)]
        yield made
        for rig in made:
            rig.remove()


@pytest.fixture
def rigs(all_rigs: list[Rig]) -> list[Rig]:
    """Rigs to work side by side, on a disk with all folders."""
    for rig in all_rigs:
        rig.prepare()
    return all_rigs


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
