"""What accelerated-bridge refuses: code 7, field and value named, and nothing touched."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.accelerated_bridge.conftest import DEVICE_INFO
from tests.support import disk, switchdev
from tests.support.cases import try_each
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import Nic
from tests.support.vfs import VF

Attach = Callable[..., Attachment]

BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "vlan too large": ({"vlan": 4095}, ["vlan", "4095"]),
    "vlan negative": ({"vlan": -1}, ["vlan", "-1"]),
    "vlan as text": ({"vlan": "100"}, ["vlan", '"100"']),
    "trunk not a list": ({"trunk": {"id": 7}}, ["trunk"]),
    "trunk of numbers": ({"trunk": [7]}, ["trunk[0]", "7"]),
    "trunk of nothing": ({"trunk": [{"id": 7}, {}]}, ["trunk[1]"]),
    "trunk ID 0": ({"trunk": [{"id": 0}]}, ["trunk[0].id", "0"]),
    "trunk ID too large": ({"trunk": [{"id": 4095}]}, ["trunk[0].id", "4095"]),
    "range inverted": ({"trunk": [{"minID": 8, "maxID": 7}]}, ["trunk[0].minID", "8", "maxID", "7"]),
    "range without end": ({"trunk": [{"minID": 8}]}, ["trunk[0]", "maxID"]),
    "range without start": ({"trunk": [{"id": 7, "maxID": 8}]}, ["trunk[0]", "minID"]),
    "range too large": ({"trunk": [{"minID": 1, "maxID": 4095}]}, ["trunk[0].maxID", "4095"]),
    "setUplinkVlan as text": ({"setUplinkVlan": "true"}, ["setUplinkVlan", '"true"']),
    "no bridge in the list": ({"bridge": ","}, ["bridge", ","]),
    "empty name in the list": ({"bridge": "br0,,br1"}, ["bridge", "br0,,br1"]),
    "name of no link": ({"bridge": "a-name-that-is-too-long"}, ["bridge", "a-name-that-is-too-long"]),
    "path as a bridge": ({"bridge": "../br0"}, ["bridge", "../br0"]),
    "no such bridge": ({"bridge": "nowhere7"}, ["bridge", "nowhere7"]),
    "lo is no bridge": ({"bridge": "lo"}, ["bridge", "lo"]),
    "uplink in none of them": ({"bridge": "nowhere7,nowhere8"}, ["bridge", "nowhere7,nowhere8", "enp1s0"]),
    "MTU": ({"mtu": 10}, ["mtu", "10"]),
    "MTU as text": ({"mtu": "1500"}, ["mtu", '"1500"']),
    "multicast MAC": ({"mac": "01:00:5e:00:00:01"}, ["mac", "01:00:5e:00:00:01"]),
    "bad MAC by the runtime": ({"runtimeConfig": {"mac": "02:00"}}, ["runtimeConfig.mac", "02:00"]),
    "spoofchk": ({"spoofchk": "yes"}, ["spoofchk", "yes"]),
    "trust": ({"trust": True}, ["trust", "true"]),
    "debug": ({"debug": "yes"}, ["debug", "yes"]),
    "no device": ({"deviceID": ""}, ["VF pci addr is required"]),
    "a PF": ({"deviceID": "0000:01:00.0"}, ["deviceID", "physical function"]),
    "no such device": ({"deviceID": "0000:ff:1f.7"}, ["deviceID", "0000:ff:1f.7"]),
}


def test_bad_input(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """Each on its own, and after all of them everything is as it was."""
    before = nic.snapshot(vf, bridge)

    def trial(name: str) -> None:
        conf, named = BAD[name]
        error = attach(vf, **{"trust": "on", **conf}).call("ADD").error(7)
        assert all(word in error["msg"] for word in named), error
        assert vf.name, "the VF's link is on the host"
        assert not any("container" in path for path in disk.files(disk.CNI))

    try_each(BAD, trial)
    assert nic.snapshot(vf, bridge) == before
    assert pod.links() == []


def test_a_pf_in_legacy_mode(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """What to do about it is in the details."""
    cover = switchdev.cover(f"/sys/class/net/{vf.pf.name}/phys_switch_id")
    with open(cover) as file:
        switch = file.read()
    before = nic.snapshot(vf, bridge)
    with open(cover, "w") as file:
        file.write("")
    try:
        error = attach(vf).call("ADD").error(7)
    finally:
        with open(cover, "w") as file:
            file.write(switch)
    assert "not in switchdev mode" in error["msg"]
    assert vf.pf.address in error["msg"]
    assert f"devlink dev eswitch set pci/{vf.pf.address} mode switchdev" in error["details"]
    assert nic.snapshot(vf, bridge) == before


OUTSIDE = {
    "another folder": "/var/run/k8s.cni.cncf.io/x.json",
    "parent folder": "/var/run/k8s.cni.cncf.io/devinfo/cni/../x.json",
    "relative": "x.json",
    "NUL": "/var/run/k8s.cni.cncf.io/devinfo/cni/a\0b",
    "the folder itself": "/var/run/k8s.cni.cncf.io/devinfo/cni/",
}


def test_device_information_outside_its_folder(vf: VF, attach: Attach) -> None:
    """Nothing is written there, and the pod gets its VF all the same."""

    def trial(name: str) -> None:
        path = OUTSIDE[name]
        one = attach(vf, runtimeConfig={"CNIDeviceInfoFile": path})
        outcome = one.call("ADD")
        try:
            outcome.ok()
            assert "CNIDeviceInfoFile" in outcome.stderr
            assert not os.path.isfile(path)
        finally:
            one.delete()
        assert not os.path.exists(DEVICE_INFO)

    try_each(OUTSIDE, trial)


GARBAGE = {"no JSON": b"{", "no object": b"[]", "binary": bytes(range(256)), "another type": b'{"type": "memif"}'}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_in_device_information(content: bytes, nic: Nic, vf: VF, attach: Attach, device_info: str) -> None:
    """Said, and written anew unless it is another's; never a reason to fail."""
    os.makedirs(os.path.dirname(device_info))
    with open(device_info, "wb") as file:
        file.write(content)
    one = attach(vf, runtimeConfig={"CNIDeviceInfoFile": device_info})
    outcome = one.call("ADD")
    outcome.ok()
    assert "device information" in outcome.stderr
    with open(device_info, "rb") as file:
        now = file.read()
    if b"memif" in content:
        assert now == content
    else:
        known = {"pci-address": vf.address, "pf-pci-address": vf.pf.address}
        known["representor-device"] = nic.representor(vf)
        assert json.loads(now) == {"type": "pci", "version": "1.1.0", "pci": known}
        assert os.stat(device_info).st_mode & 0o777 == 0o444
    one.delete()


def test_status(vf: VF, bridge: str, attach: Attach) -> None:
    """A missing bridge is named; of several, one is enough."""
    one = attach(vf)
    one.call("STATUS").ok()
    del one.conf["deviceID"]
    one.call("STATUS").ok()
    for names, status in (("nowhere7", 1), ("nowhere7,nowhere8", 1), ("lo", 1), (f"nowhere7,{bridge}", 0)):
        one.conf["bridge"] = names
        outcome = one.call("STATUS")
        assert outcome.status == status
        if status:
            assert all(name in outcome.error(50)["msg"] for name in names.split(","))
    HOST.ip("link", "show", bridge)
