"""Every parameter of accelerated-bridge, as the kernel shows it, and all as before after DEL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support import net, switchdev, udev
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import NATIVE, Nic
from tests.support.vfs import VF

TAGGED: set[str] = set()

VLANS: dict[str, tuple[dict[str, Any], dict[int, set[str]]]] = {
    "none": ({}, {1: NATIVE}),
    "vlan 0": ({"vlan": 0}, {1: NATIVE}),
    "empty trunk": ({"trunk": []}, {1: NATIVE}),
    "vlan 1": ({"vlan": 1}, {1: NATIVE}),
    "vlan 100": ({"vlan": 100}, {100: NATIVE}),
    "vlan 4094": ({"vlan": 4094}, {4094: NATIVE}),
    "trunk": ({"trunk": [{"id": 7}]}, {7: TAGGED}),
    "trunk of ranges": (
        {"trunk": [{"id": 42}, {"minID": 100, "maxID": 103}, {"id": 198, "minID": 200, "maxID": 202}]},
        dict.fromkeys((42, 100, 101, 102, 103, 198, 200, 201, 202), TAGGED),
    ),
    "range of one": ({"trunk": [{"minID": 9, "maxID": 9}]}, {9: TAGGED}),
    "overlapping": (
        {"trunk": [{"minID": 5, "maxID": 7}, {"minID": 6, "maxID": 8}, {"id": 5}]},
        dict.fromkeys((5, 6, 7, 8), TAGGED),
    ),
    "trunk with 1": ({"trunk": [{"id": 1}, {"id": 2}]}, {1: TAGGED, 2: TAGGED}),
    "vlan and trunk": ({"vlan": 5, "trunk": [{"id": 7}]}, {5: NATIVE, 7: TAGGED}),
    "vlan in the trunk": ({"vlan": 6, "trunk": [{"minID": 5, "maxID": 7}]}, {5: TAGGED, 6: NATIVE, 7: TAGGED}),
    "vlan 1 and trunk": ({"vlan": 1, "trunk": [{"id": 7}]}, {1: NATIVE, 7: TAGGED}),
}


@pytest.mark.parametrize(("given", "expected"), VLANS.values(), ids=VLANS.keys())
def test_vlans(
    given: dict[str, Any],
    expected: dict[int, set[str]],
    nic: Nic,
    vf: VF,
    bridge: str,
    attach: Callable[..., Attachment],
) -> None:
    """The port's VLANs, and nobody else's; CHECK agrees."""
    before, uplink = nic.snapshot(vf, bridge), switchdev.vlans(nic.pf.name)
    one = attach(vf, **given)
    one.add()
    assert switchdev.vlans(nic.representor(vf)) == expected
    assert switchdev.vlans(nic.pf.name) == uplink
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == before


def test_all_vlans(nic: Nic, vf: VF, bridge: str, attach: Callable[..., Attachment]) -> None:
    """The largest trunk there is, on the uplink, too."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, trunk=[{"minID": 1, "maxID": 4094}], setUplinkVlan=True)
    one.add()
    assert switchdev.vlans(nic.representor(vf)) == dict.fromkeys(range(1, 4095), TAGGED)
    assert switchdev.vlans(nic.pf.name) == {1: NATIVE, **dict.fromkeys(range(2, 4095), TAGGED)}
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == before


def test_another_default_vlan(nic: Nic, vf: VF, bridge: str, attach: Callable[..., Attachment]) -> None:
    """A bridge whose ports are in VLAN 30 at first: a port with VLANs of its own is not."""
    HOST.ip("link", "set", bridge, "type", "bridge", "vlan_default_pvid", "30")
    plain, own = attach(vf), attach(vf, trunk=[{"id": 7}])
    plain.add()
    assert switchdev.vlans(nic.representor(vf)) == {30: NATIVE}
    plain.delete()
    own.add()
    assert switchdev.vlans(nic.representor(vf)) == {7: TAGGED}
    own.delete()


@pytest.mark.parametrize("mtu", [1400, 2000])
def test_mtu(mtu: int, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Callable[..., Attachment]) -> None:
    """VF and representor get it; the bridge, which has the least of its ports, gets its own back."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, mtu=mtu)
    result = one.add()
    inside = pod.link("net1")
    assert inside is not None
    assert inside["mtu"] == switchdev.port(nic.representor(vf))["mtu"] == result["interfaces"][0]["mtu"] == mtu
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == before


def test_representor_gets_the_mtu_that_the_vf_has(
    nic: Nic, vf: VF, bridge: str, attach: Callable[..., Attachment]
) -> None:
    """Without `mtu`."""
    HOST.ip("link", "set", vf.name, "mtu", "1800")
    before = nic.snapshot(vf, bridge)
    one = attach(vf)
    one.add()
    assert switchdev.port(nic.representor(vf))["mtu"] == 1800
    one.delete()
    assert nic.snapshot(vf, bridge) == before


@pytest.mark.parametrize(
    ("conf", "args", "mac"),
    [
        ({"mac": "02:00:00:00:00:2a"}, None, "02:00:00:00:00:2a"),
        ({"mac": "02:00:00:00:00:2a"}, "IgnoreUnknown=1;MAC=02:00:00:00:00:2b", "02:00:00:00:00:2b"),
        (
            {"mac": "02:00:00:00:00:2a", "runtimeConfig": {"mac": "02-00-00-00-00-2C"}},
            "MAC=02:00:00:00:00:2b",
            "02:00:00:00:00:2c",
        ),
    ],
    ids=["configuration", "CNI_ARGS", "runtimeConfig"],
)
def test_mac(
    conf: dict[str, Any],
    args: str | None,
    mac: str,
    nic: Nic,
    vf: VF,
    bridge: str,
    pod: Space,
    attach: Callable[..., Attachment],
) -> None:
    """Set through the PF and on the VF; both are restored (accelerated-bridge-cni fails here on igb)."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **conf)
    one.args = args
    assert one.add()["interfaces"][0]["mac"] == mac
    inside = pod.link("net1")
    assert inside is not None
    assert inside["address"] == vf.table()["address"] == mac
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == before


@pytest.mark.parametrize(
    "conf",
    [
        {"trust": "on"},
        {"spoofchk": "off"},
        {"trust": "on", "spoofchk": "off"},
        {"trust": "off", "spoofchk": "on"},
    ],
    ids=lambda conf: ", ".join(f"{key} {value}" for key, value in conf.items()),
)
def test_switches(conf: dict[str, str], nic: Nic, vf: VF, bridge: str, attach: Callable[..., Attachment]) -> None:
    """`trust` and `spoofchk` do what they say, where accelerated-bridge-cni ignores them; DEL restores the opposite,
    which an administrator has set.
    """
    for key, value in conf.items():
        vf.pf.set(vf.index, key, "off" if value == "on" else "on")
    before, table = nic.snapshot(vf, bridge), vf.table()
    assert all(table[key] == (value == "off") for key, value in conf.items())
    one = attach(vf, **conf)
    one.add()
    now = vf.table()
    for key in ("trust", "spoofchk"):
        assert now[key] == (conf[key] == "on" if key in conf else table[key])
    one.check().ok()
    key, value = next(iter(conf.items()))
    vf.pf.set(vf.index, key, "off" if value == "on" else "on")
    assert "ADD set" in one.check().error()["msg"]
    one.delete()
    assert nic.snapshot(vf, bridge) == before


@pytest.fixture
def pf_without_a_table(vf: VF) -> Iterator[str]:
    """A dummy link in the place of the VF's PF: its driver knows no settings of VFs, as some in switchdev mode."""
    name = net.unique("uplink")
    pf, switch = os.path.realpath(vf.pf.folder), f"/sys/class/net/{name}/phys_switch_id"
    with ExitStack() as stack:
        HOST.ip("link", "add", name, "type", "dummy")
        stack.callback(HOST.ip, "link", "del", name)
        HOST.ip("link", "set", name, "up")
        shutil.copyfile(f"/sys/class/net/{vf.pf.name}/phys_switch_id", "/run/switch-of-dummy")
        net.run("mount", "--bind", "/run/switch-of-dummy", switch)
        stack.callback(net.run, "umount", switch)
        stack.enter_context(udev.waiting())
        net.run("mount", "-t", "tmpfs", "tmpfs", pf)
        stack.callback(net.run, "umount", pf)
        os.symlink(os.path.realpath(vf.folder), f"{pf}/virtfn{vf.index}")
        os.mkdir(f"{pf}/net")
        os.symlink(os.path.realpath(f"/sys/class/net/{name}"), f"{pf}/net/{name}")
        yield name


def test_a_driver_without_switches(
    nic: Nic, vf: VF, bridge: str, pf_without_a_table: str, attach: Callable[..., Attachment]
) -> None:
    """EOPNOTSUPP for `trust` and `spoofchk` is logged; ADD, CHECK and DEL go on without. A MAC address is needed."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, trust="on", spoofchk="off")
    outcome = one.call("ADD")
    one.result = outcome.ok()
    for setting in ("trust", "spoofchk"):
        assert f"{pf_without_a_table} does not support {setting}: VF {vf.index} goes without" in outcome.stderr
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    error = attach(vf, mac="02:00:00:00:00:2a").call("ADD").error(999)
    assert "cannot set mac 02:00:00:00:00:2a" in error["msg"]
    assert nic.snapshot(vf, bridge) == before


def test_default_bridge(nic: Nic, vf: VF, attach: Callable[..., Attachment]) -> None:
    """cni0."""
    one = attach(vf)
    del one.conf["bridge"]
    HOST.ip("link", "add", "cni0", "type", "bridge")
    try:
        one.add()
        assert switchdev.port(nic.representor(vf))["master"] == "cni0"
        one.delete()
    finally:
        HOST.ip("link", "del", "cni0")


def test_debug(vf: VF, attach: Callable[..., Attachment]) -> None:
    """`debug` is the log level debug, unless there is a `logLevel`."""
    said = {}
    cases: dict[str, dict[str, Any]] = {
        "plain": {},
        "debug": {"debug": True},
        "both": {"debug": True, "logLevel": "error"},
    }
    for name, conf in cases.items():
        one = attach(vf, **conf)
        said[name] = "debug [" in one.call("ADD").stderr
        one.delete()
    assert said == {"plain": False, "debug": True, "both": False}


def test_log_file(vf: VF, attach: Callable[..., Attachment]) -> None:
    """It gets the lines, each with attachment and level, and standard error none."""
    path = f"/var/log/{net.unique('accelerated-bridge')}.log"
    one = attach(vf, debug=True, logFile=path)
    try:
        assert one.call("ADD").stderr == one.call("DEL").stderr == ""
        with open(path) as file:
            lines = file.readlines()
    finally:
        os.unlink(path)
    assert len(lines) > 2
    assert all(f" debug [{one.container_id} net1] " in line for line in lines)


def test_bridge_without_filtering(nic: Nic, vf: VF, bridge: str, attach: Callable[..., Attachment]) -> None:
    """The VLANs are set, and have no effect: that is said."""
    HOST.ip("link", "set", bridge, "type", "bridge", "vlan_filtering", "0")
    one = attach(vf, vlan=100)
    outcome = one.call("ADD")
    outcome.ok()
    assert f"bridge {bridge} does not filter VLANs" in outcome.stderr
    assert switchdev.vlans(nic.representor(vf)) == {100: NATIVE}
    one.delete()
