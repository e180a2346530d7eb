"""The files of sriov-cni: what it wrote, our DEL finishes; what we write, it understands."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from tests.support import disk
from tests.support.bad_luck import collect_garbage
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import VF, without_permanent_mac

MAC = "02:00:00:00:00:2a"
IPAM = {"type": "host-local", "subnet": "10.8.0.0/24"}


def go_record(vf: VF, name: str, mac: str) -> dict[str, Any]:
    """Return the record that sriov-cni writes at ADD with a VLAN, a MAC address, trust and an MTU."""
    return {
        "cniVersion": "1.0.0",
        "name": "lab",
        "type": "sriov",
        "ipam": {"type": "host-local"},
        "dns": {},
        "OrigVfState": {
            "HostIFName": name,
            "SpoofChk": True,
            "Trust": False,
            "AdminMAC": mac,
            "EffectiveMAC": mac,
            "Vlan": 0,
            "VlanQoS": 0,
            "VlanProto": 33024,
            "MinTxRate": 0,
            "MaxTxRate": 0,
            "LinkState": 0,
            "MTU": 1500,
        },
        "Master": vf.pf.name,
        "MAC": mac_of(vf),
        "MTU": None,
        "vlan": 100,
        "vlanQoS": 3,
        "vlanProto": "802.1q",
        "deviceID": vf.address,
        "VFID": vf.index,
        "min_tx_rate": None,
        "max_tx_rate": None,
        "trust": "on",
        "runtimeConfig": {},
    }


def mac_of(vf: VF) -> str:
    """Return the address that sriov-cni gives a VF: no other VF has it."""
    return f"02:00:00:{vf.pf.address[5:7]}:{vf.index:02x}:2a"


def attached_by_sriov_cni(vf: VF, one: Attachment, pod: Space) -> None:
    """Do and write what sriov-cni does and writes at ADD."""
    name, mac = vf.name, vf.table()["address"]
    entry = f"link set {vf.pf.name} vf {vf.index}"
    HOST.batch(f"{entry} vlan 100 qos 3", f"{entry} mac {mac_of(vf)}", f"{entry} trust on")
    HOST.ip("link", "set", name, "netns", str(pod.name), "name", "net1")
    # igbvf takes the address that the PF has set when it is reset, which is when it comes up.
    pod.batch("link set net1 up", "link set net1 down", f"link set net1 address {mac_of(vf)}", "link set net1 up")
    os.makedirs(f"{disk.SRIOV}/pci/vf_lock", exist_ok=True)
    write(f"{disk.SRIOV}/{one.container_id}-net1", json.dumps(go_record(vf, name, mac)))
    write(f"{disk.SRIOV}/pci/{vf.address}", pod.path)


def write(path: str, text: str) -> None:
    """Write a file as sriov-cni does: for root alone."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def nothing_is_left() -> bool:
    """Return whether no record and no allocation is left; lock files stay."""
    return not [path for path in disk.files(disk.SRIOV) if not path.startswith("pci/vf_lock/")]


def test_del_finishes_what_sriov_cni_began(vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """VF, PF and files are as if nothing had been."""
    before = vf.snapshot()
    one = attach(vf)
    attached_by_sriov_cni(vf, one, pod)
    one.delete()
    assert without_permanent_mac(vf.snapshot()) == without_permanent_mac(before)
    assert nothing_is_left()


def test_del_after_the_pod_is_gone(vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """The kernel has given the link back under the pod's name for it."""
    before = vf.snapshot()
    one = attach(vf)
    attached_by_sriov_cni(vf, one, pod)
    pod.delete()
    one.delete()
    assert without_permanent_mac(vf.snapshot()) == without_permanent_mac(before)
    assert nothing_is_left()


def test_gc_takes_back_what_sriov_cni_attached(vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """A record tells its owner by its file's name only: the valid one stays, the invalid one goes."""
    before = vf.snapshot()
    one = attach(vf)
    attached_by_sriov_cni(vf, one, pod)
    collect_garbage(one, one)
    assert pod.links() == ["net1"]
    collect_garbage(one)
    assert pod.links() == []
    assert without_permanent_mac(vf.snapshot()) == without_permanent_mac(before)
    assert nothing_is_left()


def test_a_pod_of_sriov_cni_keeps_its_vf(
    vf: VF, make_pod: Callable[[], Space], attach: Callable[..., Attachment]
) -> None:
    """Another ADD is refused in the words users know, and a late DEL of ours leaves it alone."""
    before = vf.snapshot()
    pods = make_pod(), make_pod()
    ours, theirs = attach(vf, pods[0]), attach(vf, pods[1])
    ours.add()
    record = disk.files(disk.SRIOV)[f"{ours.container_id}-net1"]
    ours.delete()
    write(f"{disk.SRIOV}/{ours.container_id}-net1", record.decode())  # a DEL that came to nothing
    attached_by_sriov_cni(vf, theirs, pods[1])
    third = attach(vf, make_pod())
    assert third.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    ours.delete()
    assert pods[1].links() == ["net1"]
    assert vf.table()["vlan_list"] == [{"vlan": 100, "qos": 3}]
    theirs.delete()
    assert without_permanent_mac(vf.snapshot()) == without_permanent_mac(before)
    assert nothing_is_left()


TYPES = {
    str: {"HostIFName", "AdminMAC", "EffectiveMAC"},
    bool: {"SpoofChk", "Trust"},
    int: {"Vlan", "VlanQoS", "VlanProto", "MinTxRate", "MaxTxRate", "LinkState", "MTU"},
}


def test_our_record_is_one_of_sriov_cni(vf: VF, pod: Space, attach: Callable[..., Attachment]) -> None:
    """Every field with its type, the allocation, the modes."""
    name, mac = vf.name, vf.table()["address"]
    one = attach(vf, vlan=100, vlanQoS=3, mac=MAC, trust="on", spoofchk="off", mtu=1400, max_tx_rate=100, ipam=IPAM)
    one.add()
    path = f"{disk.SRIOV}/{one.container_id}-net1"
    with open(path) as file:
        record = json.load(file)
    expected = {
        "cniVersion": "1.1.0",
        "name": "lab",
        "type": "sriov",
        "ipam": {"type": "host-local"},
        "deviceID": vf.address,
        "Master": vf.pf.name,
        "VFID": vf.index,
        "MAC": MAC,
        "MTU": 1400,
        "vlan": 100,
        "vlanQoS": 3,
        "vlanProto": "802.1q",
        "trust": "on",
        "spoofchk": "off",
        "max_tx_rate": 100,
    }
    assert {key: record.get(key) for key in expected} == expected
    assert not {"min_tx_rate", "link_state"} & record.keys()
    state = record["OrigVfState"]
    assert {kind: {key for key, value in state.items() if type(value) is kind} for kind in TYPES} == TYPES
    assert (state["HostIFName"], state["EffectiveMAC"], state["AdminMAC"], state["MTU"]) == (name, mac, mac, 1500)
    assert (state["SpoofChk"], state["Trust"], state["VlanProto"]) == (True, False, 0x8100)
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(f"{disk.SRIOV}/pci/{vf.address}") as file:
        assert file.read() == pod.path
    assert os.path.exists(f"{disk.SRIOV}/pci/vf_lock/{vf.address}.lock")
    one.delete()
    assert nothing_is_left()
