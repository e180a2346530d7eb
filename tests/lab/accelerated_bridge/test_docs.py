"""What the accelerated-bridge page says, on VFs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from tests.support import disk, examples, net, switchdev, vdpa, vf_page
from tests.support.bad_luck import remove_vfs
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import NATIVE, Nic
from tests.support.vf_page import Described, Page, Place, asked_mac
from tests.support.vfs import VF, settle, wait_for

PAGE = Page("docs/accelerated-bridge.md", {"type": "accelerated-bridge", "bridge": "br1"})
BRIDGES = ("cni0", "br1", "br2")


@pytest.fixture
def prepared(nic: Nic, vf: VF) -> Iterator[None]:
    """The bridges that the page speaks of, the uplink in one of them."""
    rep, making = nic.representor(vf), []
    for number, name in enumerate(BRIDGES):
        making += [
            # Without an address of its own, a bridge has that of one of its ports, until udev gives it another.
            f"link add {name} address 02:00:00:00:b1:0{number} type bridge vlan_filtering 1 forward_delay 0",
            f"link set {name} addrgenmode none type bridge mcast_snooping 0",
            f"link set {name} up",
        ]
    # With a port, a bridge has a carrier: when that comes and goes, the kernel tells a little later.
    for bridge in ("cni0", "br2"):
        making += [f"link add {bridge}port type dummy", f"link set {bridge}port master {bridge} up"]
    try:
        HOST.batch(*making, f"link set {nic.pf.name} master br1")
        settle()
        for name in BRIDGES:
            wait_for(lambda name=name: switchdev.port(name)["operstate"] == "UP", f"carrier of {name}")
        yield
    finally:
        HOST.batch(
            *(f"link del {name}" for name in (*BRIDGES, "cni0port", "br2port")),
            *(f"link set {nic.pf.name} nomaster", f"link set {rep} nomaster", f"link set {rep} down mtu 1500"),
            check=False,
        )


@pytest.fixture
def fresh(nic: Nic) -> Iterator[None]:
    """Have a PF that is down, in legacy mode and without VFs; all of it is undone afterwards."""
    remove_vfs(nic.pf)
    HOST.ip("link", "set", nic.pf.name, "down")
    net.run("devlink", "dev", "eswitch", "set", f"netdevsim/{nic.switch}", "mode", "legacy")
    settle()
    yield
    nic.pf.make_vfs()
    for each in nic.pf.vfs:
        each.reset()


def test_the_readme_from_the_nic_to_the_pod(nic: Nic, fresh: None, pod: Space) -> None:
    """Its commands, its network, and what bridge(8) shows then, but for the names. Its VF is the third one."""
    (switchdev_mode,) = (block for block in examples.blocks("README.md", "sh") if "mode switchdev" in block)
    (bridging,) = (block for block in examples.blocks("README.md", "sh") if "type bridge" in block)
    commands = switchdev_mode + bridging
    for theirs, ours in (
        *(("ens4f0", nic.pf.name), ("pci/0000:41:00.0", f"netdevsim/{nic.switch}"), ("0000:41:00.0", nic.pf.address)),
        *(("mlx5_core", "igbvf"), ("2>/dev/null ", "2>/dev/null || true ")),  # grep fails for links that have no port
    ):
        assert theirs in commands
        commands = commands.replace(theirs, ours)
    (shown,) = (block for block in examples.blocks("README.md", "text") if "vlan-id" in block)
    (conf,) = (param.values[0] for param in examples.networks("accelerated-bridge") if "README" in str(param.id))

    def lines(text: str) -> list[list[str]]:
        return [line.split() for line in text.splitlines() if line]

    vf = nic.pf.vfs[2]
    rep = nic.representor(vf)
    try:
        assert ":pf0vf2\n" in net.run("sh", "-ec", commands)
        wait_for(lambda: bool(vf.name), "link of the VF")
        settle()
        before = switchdev.vlans_shown()
        one = Attachment({**conf, "deviceID": vf.address}, net.unique("docs"), pod.path)
        one.add()
        assert lines(switchdev.vlans_shown()) == lines(shown.replace("ens4f0_2", rep).replace("ens4f0", nic.pf.name))
        one.delete()
        assert switchdev.vlans_shown() == before
    finally:
        HOST.batch("link del br1", f"link set {rep} down mtu 1500", check=False)


def test_the_device_information_of_the_page(nic: Nic, vf: VF, bridge: str, pod: Space, device_info: str) -> None:
    """A device plugin's file, and what ADD makes of it, but for the names."""
    (block,) = (x for x in examples.blocks("docs/device-info.md", "text") if "parent-device" in x)
    with vdpa.on(vf, "vhost") as device:
        for theirs, ours in (
            *(('"vdpa2"', f'"{device.name}"'), ("vhost-vdpa-2", device.made), ("ens2f0_6", nic.representor(vf))),
            *(("0000:03:02.6", vf.address), ("0000:03:00.0", vf.pf.address)),
        ):
            assert theirs in block
            block = block.replace(theirs, ours)
        before, after = block.strip().split("\n\n")
        os.makedirs(os.path.dirname(device_info), exist_ok=True)
        with open(device_info, "w") as file:
            file.write(before)
        conf: dict[str, Any] = {"cniVersion": "1.0.0", "name": "docs", "type": "accelerated-bridge", "bridge": bridge}
        conf |= {"deviceID": vf.address, "runtimeConfig": {"CNIDeviceInfoFile": device_info}}
        one = Attachment(conf, net.unique("docs"), pod.path)
        one.add()
        with open(device_info) as file:
            assert json.load(file) == json.loads(after)
        one.delete()


def vlans(conf: dict[str, Any]) -> dict[int, set[str]]:
    """Return the VLANs that an example asks for."""
    found: dict[int, set[str]] = {}
    for item in conf.get("trunk", []):
        ids = [item["id"]] if "id" in item else []
        ids += range(item["minID"], item["maxID"] + 1) if "minID" in item else []
        found |= {vlan: set() for vlan in ids}
    return {**found, **({conf["vlan"]: NATIVE} if conf.get("vlan") else {})}


@contextmanager
def legacy(vf: VF) -> Iterator[None]:
    """Have the PF without a switch."""
    with _written(f"/sys/class/net/{vf.pf.name}/phys_switch_id", ""):
        yield


@contextmanager
def another_switch(vf: VF) -> Iterator[None]:
    """Have the PF on a switch that has no representors."""
    with _written(f"/sys/class/net/{vf.pf.name}/phys_switch_id", "0123456789abcdef\n"):
        yield


@contextmanager
def _written(path: str, content: str) -> Iterator[None]:
    with open(switchdev.cover(path)) as file:
        before = file.read()
    try:
        with open(switchdev.cover(path), "w") as file:
            file.write(content)
        yield
    finally:
        with open(switchdev.cover(path), "w") as file:
            file.write(before)


@contextmanager
def uplink_elsewhere(vf: VF) -> Iterator[None]:
    """Have the uplink in no bridge."""
    HOST.ip("link", "set", vf.pf.name, "nomaster")
    try:
        yield
    finally:
        HOST.ip("link", "set", vf.pf.name, "master", "br1")


BY_CONFIGURATION: dict[str, dict[str, Any]] = {
    **vf_page.BY_CONFIGURATION,
    "there is no such link": {"bridge": "nowhere7"},
    "it is <kind>, not a bridge": {"bridge": "lo"},
    "bridges of which one has the uplink": {"bridge": "br2,nowhere7"},
    "or several with commas between them": {"bridge": "br1,,br2"},
    "at most maxID": {"trunk": [{"minID": 9, "maxID": 8}]},
    "or neither": {"trunk": [{"minID": 9}]},
    'an object with "id"': {"trunk": [{}]},
    "<parameter>: ": {"trust": "yes"},
}
"""A part of a message on the page, and the configuration that provokes it."""

BY_STATE: dict[str, Place] = {
    **vf_page.BY_STATE,
    "is already allocated": PAGE.attached,
    "cannot set <parameters>": vf_page.without_pf,
    "not in switchdev mode": legacy,
    "no link of the switch": another_switch,
    "cannot set VLANs on the uplink": uplink_elsewhere,
}
"""The same, with the state of the VF that provokes it."""

BY_SITUATION = (
    "has no representor: its physical function",
    *("there is no bridge", "which is a <kind>, not a bridge"),
)
"""The same, with what the tests below make."""

BY_REFUSAL = (
    *("with MTU <n>", "on representor <representor>", "on uplink <uplink>", "cannot set MAC address"),
    "cannot look up <what>",
)
"""The same, with a kernel that refuses one step of ADD: in test_refused.py."""

NOT_PROVOKED = (
    *("cannot lock", "IPAM plugin returned", "a port of bridge <bridge>: <reason>", "again: <reason>"),
    *("has no usable record", "cannot list <what>", "ADD left it <value>"),
    *("of an earlier ADD has not come back", "is attached to network"),
)
"""What takes a minute, another IPAM plugin, or a kernel that refuses what it takes; a message that is one of BY_REFUSAL
but for the MTU; CHECK's, of which one is in test_bad_luck.py; one that a kernel short of memory gives; and what is said
where there is an attachment already."""


class Rig(vf_page.Rig):
    """A VF, its representor, and the bridges of the page."""

    page = PAGE
    folder = disk.ACCELERATED_BRIDGE
    by_configuration = BY_CONFIGURATION
    by_state = BY_STATE
    others = (*BY_SITUATION, *BY_REFUSAL, *NOT_PROVOKED)
    asked: ClassVar = {"vlan": 5, "setUplinkVlan": True, "trust": "on"}

    def __init__(self, vf: VF, pod: Space, nic: Nic) -> None:
        super().__init__(vf, pod)
        self.nic = nic
        self._uplink: set[int] = set()

    def snapshot(self) -> object:
        """See `Rig`."""
        self._uplink = set(switchdev.vlans(self.nic.pf.name))
        return self.nic.snapshot(self.vf, *BRIDGES)

    def assert_attached(self, conf: dict[str, Any]) -> None:
        """See `Rig`. The uplink keeps the VLANs that it had."""
        rep, wanted = self.nic.representor(self.vf), vlans(conf)
        shown, table = switchdev.port(rep), self.vf.table()
        assert shown["master"] == conf.get("bridge", "cni0").partition(",")[0]
        assert shown["mtu"] == conf.get("mtu", 1500)
        assert switchdev.vlans(rep) == (wanted or {1: NATIVE})
        uplink = self._uplink | (set(wanted) if conf.get("setUplinkVlan") else set())
        assert set(switchdev.vlans(self.nic.pf.name)) == uplink
        assert table["address"] == asked_mac(conf, table["address"])
        assert all(table[key] == (conf[key] == "on") for key in ("trust", "spoofchk") if key in conf)


@pytest.fixture
def rig(nic: Nic, vf: VF, prepared: None, pod: Space) -> Rig:
    """A VF of the first PF, and the bridges."""
    return Rig(vf, pod, nic)


class TestPage(Described):
    """All of it."""

    rigs = Rig


def test_a_representor_that_is_not_to_be_seen_in_a_virtual_machine(
    nic: Nic, vf: VF, prepared: None, pod: Space
) -> None:
    """Without parameters that need the PF, it is the representor that is missing; STATUS names a missing bridge."""
    with vf_page.without_pf(vf):
        PAGE.assert_listed("has no representor: its physical function", PAGE.answer(vf, pod))
    conf = {"cniVersion": "1.1.0", "name": "docs", "type": "accelerated-bridge", "bridge": "nowhere7"}
    PAGE.assert_listed("there is no bridge", Attachment(conf, "", "").call("STATUS"))


def test_a_representor_in_a_bond(nic: Nic, vf: VF, prepared: None, pod: Space) -> None:
    """DEL could not put it back, so it is not taken out."""
    rep = nic.representor(vf)
    HOST.batch("link add bond7 type bond mode active-backup", f"link set {rep} down", f"link set {rep} master bond7")
    try:
        before = nic.snapshot(vf, "br1")
        PAGE.assert_listed("which is a <kind>, not a bridge", PAGE.answer(vf, pod))
        assert switchdev.port(rep)["master"] == "bond7"
        assert nic.snapshot(vf, "br1") == before
    finally:
        HOST.batch(f"link set {rep} nomaster", "link del bond7")
