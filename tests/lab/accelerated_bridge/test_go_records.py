"""The files of accelerated-bridge-cni: what it wrote, our DEL finishes; what we write, it understands."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import disk, net, switchdev
from tests.support.bad_luck import bind_to_stub, collect_garbage
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import Nic
from tests.support.vfs import VF, settle, wait_for, without_permanent_mac

Attach = Callable[..., Attachment]
MakePod = Callable[[], Space]
MAC = "02:00:00:00:00:2a"
VLAN, TRUNK = 100, [7, 200, 201]


def go_record(nic: Nic, vf: VF, bridge: str) -> dict[str, Any]:
    """Return the record that accelerated-bridge-cni writes at ADD."""
    return {
        "cniVersion": "0.3.1",
        "name": "lab",
        "type": "accelerated-bridge",
        "ipam": {"type": "host-local"},
        "dns": {},
        "bridge": bridge,
        "vlan": VLAN,
        "setUplinkVlan": True,
        "deviceID": vf.address,
        "runtimeConfig": {},
        "orig_vf_state": {
            "host_if_name": vf.name,
            "admin_mac": vf.table()["address"],
            "effective_mac": HOST.settings(vf.name)["mac"] if vf.name else "",
            "mtu": 1500 if vf.name else 0,
        },
        "orig_rep_state": {"mtu": 1500},
        "pf_name": vf.pf.name,
        "actual_bridge": bridge,
        "representor": nic.representor(vf),
        "vfid": vf.index,
        "cont_if_names": "net1",
        "IsUserspaceDriver": not vf.name,
        "mac": MAC,
        "mtu": 1400,
        "trunk": TRUNK,
    }


def attached_by_go(nic: Nic, vf: VF, bridge: str, one: Attachment, pod: Space, on: str = "", **different: Any) -> None:
    """Do and write what accelerated-bridge-cni does and writes at ADD. on: the uplink, if it is not the PF's link.
    different: than in `go_record`.
    """
    record, name, rep = {**go_record(nic, vf, bridge), **different}, vf.name, nic.representor(vf)
    mac, mtu, on_port = record["mac"], record["mtu"], [x for x in (record["vlan"], *(record["trunk"] or [])) if x]
    HOST.batch(f"link set {rep} up", f"link set {rep} master {bridge}")
    if mtu:
        HOST.ip("link", "set", rep, "mtu", str(mtu))
    if mac:
        vf.pf.set(vf.index, "mac", mac)
    setting = [f"vlan del dev {rep} vid 1"] if on_port else []
    for vlan in on_port:
        setting.append(f"vlan add dev {rep} vid {vlan}{' pvid untagged' if vlan == record['vlan'] else ''}")
        if record["setUplinkVlan"]:
            setting.append(f"vlan add dev {on or vf.pf.name} vid {vlan}")
    HOST.batch(*setting, program=("bridge",))
    if not record["IsUserspaceDriver"]:
        HOST.ip("link", "set", name, "netns", str(pod.name), "name", "net1")
        if mac:  # igbvf takes the address that the PF has set when it is reset, which is when it comes up
            pod.batch("link set net1 up", "link set net1 down", f"link set net1 address {mac}")
        if mtu:
            pod.ip("link", "set", "net1", "mtu", str(mtu))
        pod.ip("link", "set", "net1", "up")
    written_by_go(one, record)


def written_by_go(one: Attachment, record: dict[str, Any]) -> str:
    """Write a record where accelerated-bridge-cni does; return its path."""
    os.makedirs(disk.ACCELERATED_BRIDGE, mode=0o700, exist_ok=True)
    path = f"{disk.ACCELERATED_BRIDGE}/lab-{one.container_id}-net1"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(record, file)
    return path


NOTHING = {"vlan": 0, "trunk": None, "setUplinkVlan": False, "mac": "", "mtu": 0}
"""The record's values where the configuration has bridge and VF only."""


@pytest.mark.parametrize("different", [{}, NOTHING], ids=["everything", "nothing"])
@pytest.mark.parametrize("driver", ["igbvf", "vfio-pci"])
@pytest.mark.parametrize("namespace", ["lives", "gone", "gone, not named"])
def test_del_finishes_what_accelerated_bridge_cni_began(
    namespace: str,
    driver: str,
    different: dict[str, Any],
    nic: Nic,
    vf: VF,
    bridge: str,
    pod: Space,
    attach: Attach,
) -> None:
    """VF, PF, representor, bridge, uplink and files are as if nothing had been."""
    vf.bind(driver) if driver != vf.driver else None
    before = nic.snapshot(vf, bridge)
    one = attach(vf)
    attached_by_go(nic, vf, bridge, one, pod, **different)
    assert nic.snapshot(vf, bridge) != before
    interface = {"name": "net1", "mac": vf.table()["address"], "sandbox": pod.path}
    if driver == "igbvf":
        interface["mac"] = pod.settings("net1")["mac"]
    one.result = {"cniVersion": "1.1.0", "interfaces": [interface], "dns": {}}
    one.check().ok()
    HOST.ip("link", "set", nic.representor(vf), "down")
    assert nic.representor(vf) in one.check().error(999)["msg"]
    HOST.ip("link", "set", nic.representor(vf), "up")
    if namespace != "lives":
        pod.delete()
    if namespace == "gone, not named":
        one.netns = ""
    one.delete()
    assert without_permanent_mac(nic.snapshot(vf, bridge)) == without_permanent_mac(before)
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


@pytest.fixture
def other(nic: Nic) -> Iterator[VF]:
    """Another VF of the same NIC."""
    vf = nic.pf.vfs[1]
    yield vf
    if not vf.name:
        net.run("ip", "-all", "netns", "delete")
    vf.reset()


def test_the_representor_was_renamed(
    nic: Nic, vf: VF, other: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """accelerated-bridge-cni notes its name only, which another link may have by now: the VF tells which one it is, for
    its own DEL and for that of a VF that shares a VLAN.
    """
    rep, before = nic.representor(vf), nic.snapshot(vf, bridge)
    pods = make_pod(), make_pod()
    theirs, ours = attach(vf, pods[0]), attach(other, pods[1], trunk=[{"id": 7}], setUplinkVlan=True)
    attached_by_go(nic, vf, bridge, theirs, pods[0], setUplinkVlan=False)
    HOST.ip("link", "set", rep, "name", "renamed7")
    settle()
    HOST.ip("link", "property", "del", "dev", "renamed7", "altname", rep, check=False)  # udev's
    HOST.batch(f"link add {rep} type dummy", f"link set {rep} master {bridge} mtu 1400", f"link set {rep} up")
    try:
        ours.add()
        assert set(switchdev.vlans(nic.pf.name)) == {1, 7}
        ours.delete()
        assert set(switchdev.vlans(nic.pf.name)) == {1}
        ours.add()
        net.run("bridge", "vlan", "add", "dev", rep, "vid", "7")  # a virtual machine's
        ours.delete()
        assert set(switchdev.vlans(nic.pf.name)) == {1, 7}
        net.run("bridge", "vlan", "del", "dev", nic.pf.name, "vid", "7")
        theirs.delete()
        port, taker = switchdev.port("renamed7"), switchdev.port(rep)
        assert ("master" in port, "UP" in port["flags"], port["mtu"]) == (False, False, 1500)
        assert (taker["master"], "UP" in taker["flags"], taker["mtu"]) == (bridge, True, 1400)
    finally:
        HOST.ip("link", "del", rep)
        HOST.ip("link", "set", "renamed7", "name", rep)
        settle()
        HOST.ip("link", "property", "del", "dev", rep, "altname", "renamed7", check=False)
    assert without_permanent_mac(nic.snapshot(vf, bridge)) == without_permanent_mac(before)
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


def test_the_uplink_is_in_a_bond(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """accelerated-bridge-cni does not note which link was given VLANs: it is looked for as ADD looked for it."""
    with switchdev.bonded(bridge, nic) as bond:
        wait_for(lambda: "LOWER_UP" in switchdev.port(nic.pf.name)["flags"], "carrier of the uplink")
        before = nic.snapshot(vf, bridge, bond)
        one = attach(vf)
        attached_by_go(nic, vf, bridge, one, pod, on=bond)
        assert set(switchdev.vlans(bond)) == {1, VLAN, *TRUNK}
        one.delete()
        assert without_permanent_mac(nic.snapshot(vf, bridge, bond)) == without_permanent_mac(before)
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


@pytest.mark.parametrize("takes_over", [False, True], ids=["DEL", "the next pod"])
def test_a_vf_without_a_link_is_taken_over(
    takes_over: bool, nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """Neither record nor host tell whether the pod lives. The device plugin, who gives the VF to another, knows."""
    vf.bind("vfio-pci")
    before = nic.snapshot(vf, bridge)
    pods = make_pod(), make_pod()
    theirs, ours = attach(vf, pods[0]), attach(vf, pods[1], vlan=300)
    attached_by_go(nic, vf, bridge, theirs, pods[0])
    if takes_over:
        ours.add()
        assert set(switchdev.vlans(nic.representor(vf))) == {300}
        ours.check().ok()
    theirs.delete()
    ours.delete()
    assert nic.snapshot(vf, bridge) == before
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


def test_a_late_del_gives_back_the_uplinks_vlans(
    nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """Our pod died, and accelerated-bridge-cni, which was put back, gave the VF to another: our record stayed. Its DEL
    takes back what was brought to the uplink, and leaves the VF alone.
    """
    pods, name = (make_pod(), make_pod()), vf.name
    ours, theirs = attach(vf, pods[0], trunk=[{"id": 7}, {"id": 8}], setUplinkVlan=True), attach(vf, pods[1])
    ours.add()
    pods[0].delete()
    wait_for(lambda: bool(vf.name), "link on the host")
    settle()
    if vf.name != name:  # the pod's
        HOST.ip("link", "property", "del", "dev", vf.name, "altname", name, check=False)  # udev's
        HOST.batch(f"link set {vf.name} down", f"link set {vf.name} name {name}")
    HOST.ip("link", "set", nic.representor(vf), "nomaster")
    attached_by_go(nic, vf, bridge, theirs, pods[1], trunk=[7])
    held = nic.snapshot(vf, bridge), pods[1].settings("net1"), vf.table()
    assert set(switchdev.vlans(nic.pf.name)) == {1, VLAN, 7, 8}
    ours.delete()
    assert set(switchdev.vlans(nic.pf.name)) == {1, VLAN, 7}
    net.run("bridge", "vlan", "add", "dev", nic.pf.name, "vid", "8")
    assert (nic.snapshot(vf, bridge), pods[1].settings("net1"), vf.table()) == held
    net.run("bridge", "vlan", "del", "dev", nic.pf.name, "vid", "8")
    theirs.delete()
    assert set(switchdev.vlans(nic.pf.name)) == {1}
    assert vf.name == name
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


def test_the_driver_makes_no_link_any_more(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """Its record does not tell which device the link was of: there is none at all, and none is waited for longer."""
    before, table = switchdev.vlans_shown(), vf.pf.shown()
    one = attach(vf)
    attached_by_go(nic, vf, bridge, one, pod)
    bind_to_stub(vf)
    one.delete()
    assert (switchdev.vlans_shown(), vf.pf.shown()) == (before, table)
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


CONFIGURED = [{"id": 7}, {"minID": 200, "maxID": 201}]
"""What TRUNK is in the configuration."""


@pytest.mark.parametrize(
    "form",
    [{"trunk": CONFIGURED}, {"trunk": CONFIGURED, "trunk_vlan_list": TRUNK}],
    ids=["as configured", "trunk_vlan_list"],
)
def test_the_trunk_in_other_versions(
    form: dict[str, Any], nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach
) -> None:
    """Whichever way it is noted, all VLANs leave the uplink."""
    before, record = nic.snapshot(vf, bridge), go_record(nic, vf, bridge) | form
    one = attach(vf)
    attached_by_go(nic, vf, bridge, one, pod)
    written_by_go(one, record)
    one.delete()
    assert without_permanent_mac(nic.snapshot(vf, bridge)) == without_permanent_mac(before)
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


def test_a_record_from_before_the_last_boot(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """It does not say so, but its date does. What was set up since the boot is the administrator's, and stays."""
    rep, one = nic.representor(vf), attach(vf)
    HOST.batch(f"link set {rep} master {bridge}", f"link set {rep} up")
    HOST.batch(*(f"vlan add dev {name} vid {VLAN}" for name in (rep, nic.pf.name)), program=("bridge",))
    before = nic.snapshot(vf, bridge)
    path = written_by_go(one, go_record(nic, vf, bridge))
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    os.utime(path, (boot - 60, boot - 60))
    pod.delete()
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


def finished_by_go(one: Attachment, pod: Space) -> None:
    """Do what accelerated-bridge-cni does at DEL, from the fields of our record that it knows."""
    path = f"{disk.ACCELERATED_BRIDGE}/lab-{one.container_id}-net1"
    with open(path) as file:
        record = json.load(file)
    vf, rep, pf = record["orig_vf_state"], record["representor"], record["pf_name"]
    HOST.batch(
        f"link set {rep} nomaster", f"link set {rep} down", f"link set {rep} mtu {record['orig_rep_state']['mtu']}"
    )
    if record["setUplinkVlan"]:
        for vlan in {record["vlan"], *record["trunk"]} - {0}:
            net.run("bridge", "vlan", "del", "dev", pf, "vid", str(vlan))
    if not record["IsUserspaceDriver"]:
        ifname = record["cont_if_names"]
        pod.batch(f"link set {ifname} down", f"link set {ifname} mtu {vf['mtu']}")
    HOST.ip("link", "set", pf, "vf", str(record["vfid"]), "mac", vf["admin_mac"])
    if not record["IsUserspaceDriver"]:
        # Its order is the other way round, with which igb refuses the address that the VF had; and igbvf takes one from
        # the PF when it is reset.
        pod.batch(f"link set {ifname} up", f"link set {ifname} down")
        pod.ip("link", "set", ifname, "address", vf["effective_mac"])
        pod.ip("link", "set", ifname, "netns", "1", "name", vf["host_if_name"])
    os.unlink(path)


@pytest.mark.parametrize("driver", ["igbvf", "vfio-pci"])
def test_accelerated_bridge_cni_finishes_what_we_began(
    driver: str, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach
) -> None:
    """What our record tells it, in its own fields, is all it needs; our DEL after that has nothing to do."""
    vf.bind(driver) if driver != vf.driver else None
    before = nic.snapshot(vf, bridge)
    one = attach(vf, vlan=VLAN, trunk=CONFIGURED, setUplinkVlan=True, mac=MAC, mtu=1400)
    one.add()
    finished_by_go(one, pod)
    after = nic.snapshot(vf, bridge)
    assert without_permanent_mac(after) == without_permanent_mac(before)
    one.delete()
    assert nic.snapshot(vf, bridge) == after
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


def test_a_pod_of_accelerated_bridge_cni_keeps_its_vf(
    nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """Its record does not say where its VF is; that it is not on the host is enough. Nothing of it is changed."""
    pods = make_pod(), make_pod()
    theirs, ours = attach(vf, pods[0]), attach(vf, pods[1], vlan=300)
    before = nic.snapshot(vf, bridge)
    attached_by_go(nic, vf, bridge, theirs, pods[0])
    held = switchdev.vlans_shown(), HOST.settings(nic.representor(vf)), pods[0].settings("net1"), vf.table()
    assert ours.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    assert (switchdev.vlans_shown(), HOST.settings(nic.representor(vf)), pods[0].settings("net1"), vf.table()) == held
    pods[0].delete()
    wait_for(lambda: bool(vf.name), "link on the host")
    ours.add()
    assert set(switchdev.vlans(nic.representor(vf))) == {300}
    ours.delete()
    assert without_permanent_mac(nic.snapshot(vf, bridge)) == without_permanent_mac(before)
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


def test_vlans_are_shared_with_accelerated_bridge_cni(
    nic: Nic, vf: VF, other: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """What its attachment brought to the uplink goes with the last port that uses it, which is one of ours."""
    before = set(switchdev.vlans(nic.pf.name))
    pods = make_pod(), make_pod()
    theirs, ours = attach(vf, pods[0]), attach(other, pods[1], trunk=[{"id": 7}, {"id": 8}], setUplinkVlan=True)
    attached_by_go(nic, vf, bridge, theirs, pods[0])
    ours.add()
    assert set(switchdev.vlans(nic.pf.name)) == {1, 7, 8, 100, 200, 201}
    theirs.delete()
    assert set(switchdev.vlans(nic.pf.name)) == {1, 7, 8}
    ours.delete()
    assert set(switchdev.vlans(nic.pf.name)) == before


def test_gc_takes_back_what_accelerated_bridge_cni_attached(
    nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach
) -> None:
    """A record tells its owner by its file's name only: the valid one stays, the invalid one goes with its pod."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf)
    attached_by_go(nic, vf, bridge, one, pod)
    collect_garbage(one, one)
    assert pod.links() == ["net1"]
    assert len(disk.records(disk.ACCELERATED_BRIDGE)) == 1
    pod.delete()
    wait_for(lambda: bool(vf.name), "link on the host")
    collect_garbage(one)
    assert without_permanent_mac(nic.snapshot(vf, bridge)) == without_permanent_mac(before)
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


def test_our_record_is_one_of_accelerated_bridge_cni(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """Every field with its type and value; the file's name and mode."""
    expected = go_record(nic, vf, bridge)
    one = attach(
        vf,
        vlan=VLAN,
        trunk=CONFIGURED,
        setUplinkVlan=True,
        mac=MAC,
        mtu=1400,
        ipam={"type": "host-local", "subnet": "10.8.0.0/24"},
    )
    one.conf["cniVersion"] = "0.3.1"
    one.add()
    path = f"{disk.ACCELERATED_BRIDGE}/lab-{one.container_id}-net1"
    with open(path) as file:
        record = json.load(file)
    expected.pop("dns")
    expected.pop("runtimeConfig")
    assert {key: record.get(key) for key in expected} == expected
    assert {key: type(record[key]) for key in expected} == {key: type(value) for key, value in expected.items()}
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.path.exists(f"{disk.ACCELERATED_BRIDGE}/vlan-uplink.lock")
    one.delete()
    assert disk.records(disk.ACCELERATED_BRIDGE) == []
