"""DEL and CHECK of accelerated-bridge without a usable record, on the real kernel; a veth plays the representor.

What the VLANs tell then is in the lab, tests/lab/accelerated_bridge/test_bad_luck.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni.attach.engine import Engine
from cni.linux import netns
from cni.protocol.config import NetConf
from cni.protocol.errors import CniError
from cni.protocol.request import Request
from ipam.delegate import Delegate
from plugins.accelerated_bridge.plugin import AcceleratedBridge
from tests.support import disk, sysfstree
from tests.support.bridging import Machine
from tests.support.log import Lines
from tests.support.net import Space, unique

PF, VF = "0000:03:00.0", "0000:03:00.2"
RECORD = f"{disk.ACCELERATED_BRIDGE}/blue-c0ffee-net1"
SWITCH = "00000000005e1001"


@pytest.fixture
def machine() -> Iterator[Machine]:
    """The host with what a test makes in it."""
    with netns.own() as host:
        made = Machine(host)
        yield made
        made.close()
    disk.clear()


@pytest.fixture
def br(machine: Machine) -> str:
    """A bridge."""
    return machine.add(unique("br"), "bridge", up=True)


@pytest.fixture
def rep(machine: Machine, br: str) -> str:
    """The representor of the VF, a port of the bridge."""
    return machine.add(unique("rep"), master=br, up=True)


@pytest.fixture
def root(tmp_path: Path, rep: str) -> str:
    """A sysfs with a PF and its VF, which a program drives."""
    tree = sysfstree.pf(PF, {0: VF}) | {sysfstree.folder(VF, "driver"): "vfio-pci"}
    tree |= sysfstree.netdev(sysfstree.folder(PF), "ens2f0", "p0", SWITCH)
    tree |= sysfstree.netdev(sysfstree.folder(PF), rep, "pf0vf0", SWITCH)
    return sysfstree.build(tmp_path, tree)


def damaged() -> None:
    """Leave what a full disk leaves of a record."""
    os.makedirs(os.path.dirname(RECORD), exist_ok=True)
    with open(RECORD, "w"):
        pass


def network(**conf: Any) -> NetConf:
    """Return a configuration."""
    return NetConf({"cniVersion": "1.0.0", "name": "blue", "type": "accelerated-bridge", "deviceID": VF, **conf})


def deleted(root: str, netns_path: str = "", **conf: Any) -> str:
    """DEL, which must succeed; return what was said."""
    log, request = Lines(), Request("DEL", "c0ffee", netns_path, "net1")
    Engine(AcceleratedBridge(root), Delegate()).delete(request, network(**conf), log)
    assert not os.path.exists(RECORD)
    return log.text()


@pytest.mark.parametrize("where", ["lives", "gone", "not named"])
def test_a_damaged_record(machine: Machine, br: str, rep: str, root: str, pod: Space, where: str) -> None:
    """That there was an attachment is certain: the representor leaves the bridge, wherever the pod is."""
    damaged()
    path = {"lives": pod.path, "gone": "/run/netns/nowhere", "not named": ""}[where]
    assert f"{rep} was taken out of {br}" in deleted(root, path, bridge=f"nowhere7,{br}")
    assert machine.seen(rep) == {"master": "", "mtu": 1500, "up": False}


@pytest.mark.parametrize("asked", [{}, {"vlan": 100}], ids=["no VLAN", "a VLAN that it is not in"])
def test_no_record(machine: Machine, br: str, rep: str, root: str, asked: dict[str, Any]) -> None:
    """An administrator may have made it a port: it stays one, before the first ADD and after the last DEL."""
    assert f"{rep} stays a port of {br}" in deleted(root, bridge=br, **asked)
    assert machine.seen(rep) == {"master": br, "mtu": 1500, "up": True}


NOTHING: dict[str, dict[str, Any]] = {
    "a PF": {"deviceID": PF},
    "no such device": {"deviceID": "0000:03:00.7"},
    "no address": {"deviceID": "0000:03"},
    "another bridge": {"bridge": "nowhere7"},
    "no bridge": {"bridge": ","},
    "no VLAN": {"vlan": 5000},
}


@pytest.mark.parametrize("is_damaged", [False, True], ids=["no record", "damaged"])
@pytest.mark.parametrize("conf", NOTHING.values(), ids=NOTHING)
def test_nothing_to_disconnect(
    machine: Machine, br: str, rep: str, root: str, conf: dict[str, Any], is_damaged: bool
) -> None:
    """Whatever the configuration says, DEL comes to its end; what it does not name is left alone."""
    if is_damaged:
        damaged()
    deleted(root, **{"bridge": br, **conf})
    assert machine.seen(rep) == {"master": br, "mtu": 1500, "up": True}


@pytest.mark.parametrize("is_damaged", [False, True], ids=["no record", "damaged"])
def test_check(machine: Machine, rep: str, root: str, pod: Space, is_damaged: bool) -> None:
    """What ADD made of the representor cannot be told, nor could DEL put it back: nothing to be passed over."""
    if is_damaged:
        damaged()
    log, request = Lines(), Request("CHECK", "c0ffee", pod.path, "net1")
    with pytest.raises(CniError) as caught:
        Engine(AcceleratedBridge(root), Delegate()).check(request, network(), log)
    assert caught.value.msg == f"net1 of c0ffee has no usable record in {disk.ACCELERATED_BRIDGE}"


def test_the_record_of_another_pod(machine: Machine, br: str, rep: str, root: str) -> None:
    """The VF is that pod's by now."""
    damaged()
    with open(f"{disk.ACCELERATED_BRIDGE}/blue-decaf-net1", "w") as file:
        file.write(f'{{"name": "blue", "deviceID": "{VF}", "orig_vf_state": {{}}}}')
    deleted(root, bridge=br)
    assert machine.seen(rep) == {"master": br, "mtu": 1500, "up": True}
