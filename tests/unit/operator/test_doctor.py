"""The checks of `doctor`: each in its good and its bad case, in one table a theme."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from plumbline.doctor.checks import CHECKS, NOTHING, examine
from plumbline.doctor.document import document
from plumbline.doctor.facts import Bridge, Facts
from plumbline.doctor.finding import Finding, Level, listed
from plumbline.errors import Status, VerbError
from plumbline.lint.fault import Fault
from plumbline.node.binaries import Binary
from plumbline.node.capability import Capability
from plumbline.node.claims import NETPLAN, Claim
from plumbline.node.model import LinkState, Node, Owner, Pf, Pod, Settings, Source, State, Vdpa, Vf
from plumbline.node.nics import Nic
from plumbline.node.pfs_file import PfsFile
from plumbline.node.room import Bar, Room
from plumbline.node.runtime import Folders
from plumbline.node.storage import Storage
from plumbline.node.system import System
from plumbline.node.wish import Wish
from plumbline.verbs import findings
from tests.support import schemas

DOCS = Path(__file__).parents[3] / "docs/operator/doctor.md"
ADDRESS = "0000:03:00.0"
FAIL, WARN, PASS, SKIP = Level.FAIL, Level.WARN, Level.PASS, Level.SKIP
NOW = 1_800_000_000_000_000_000
POD = Owner(Source.RECORD, Pod("default", "web-0"), plugin="sriov", netns="/run/netns/a", alive=True)
BRIDGED = replace(POD, plugin="accelerated-bridge")
DEAD = replace(POD, alive=False)


def _link(name: str, mac: str = "02:00:00:00:00:01", **more: Any) -> LinkState:
    return LinkState(**{"name": name, "index": 3, "mac": mac, "mtu": 1500, "up": True, "carrier": True, **more})


def _vf(index: int = 0, **more: Any) -> Vf:
    return Vf(**{"pf": "ens3", "index": index, "address": f"0000:03:02.{index}", "driver": "iavf", **more})


def _settings(mac: str) -> Settings:
    return Settings(mac, 0, 0, "802.1Q", None, None, None, None, None)


def _node(*vfs: Vf, **more: Any) -> Node:
    """Return a node with one PF. more: of the PF."""
    pf = Pf(**{"name": "ens3", "address": ADDRESS, "bus": "pci", "link": _link("ens3"), "vfs": list(vfs), **more})
    return Node("node-1", "6.1.0", [pf])


def _facts(*vfs: Vf, pf: dict[str, Any] | None = None, **more: Any) -> Facts:
    """Return facts of such a node. pf: of the PF; more: of the facts."""
    return Facts(**{"node": _node(*vfs, **(pf or {})), **more})


def _nic(**more: Any) -> Facts:
    """Return facts of a node with one NIC. more: of the NIC, or of its room."""
    of_room = {name: more.pop(name) for name in Room.__slots__ if name in more}
    room = Room(**{"address": ADDRESS, "offset": 16, "stride": 1, **of_room})
    return _facts(nics=(Nic(**{"name": "ens3", "room": room, "possible": 8, "asked": 0, **more}),))


def _system(**more: Any) -> System:
    return System(**{"release": "6.1.0", "time_ns": NOW, "boot_id": "b", **more})


def _binary(path: str = "/opt/cni/bin/sriov", **more: Any) -> Binary:
    return Binary(**{"path": path, "version": "1.0.0, commit a", **more})


CAPABILITY = Capability(8, 8, True, (0, 3))
BAR_0, BAR_3 = Bar(0, 1 << 20, True), Bar(3, 1 << 14, True)
SWITCHDEV = {"eswitch": "switchdev"}
BRIDGE_NETWORK = {"type": "accelerated-bridge", "name": "blue", "bridge": "br0, br1"}

WISHED = PfsFile("/etc/plumbline/pfs.json", (Wish(ADDRESS, 1, mode="legacy"),))

Case = tuple[str, Level, str, Facts]
"""The check, what it is to find, words of what it measures, and of what."""

PORT_0 = Nic("ens3f0", Room("0000:03:00.0", CAPABILITY), possible=8)
PORT_1 = Nic("ens3f1", Room("0000:03:00.1", replace(CAPABILITY, ari=False)), possible=8)

PCI: list[Case] = [
    ("firmware", PASS, "8 VFs possible", _nic()),
    ("firmware", FAIL, "sriov_totalvfs is 0", _nic(possible=0)),
    ("firmware", FAIL, "capability with 0 VFs", _nic(possible=None, capability=replace(CAPABILITY, total=0))),
    ("firmware", FAIL, "with 8 VFs, and no sriov_totalvfs", _nic(possible=None, capability=CAPABILITY)),
    ("firmware", WARN, "no SR-IOV capability", _nic(possible=None, vendor="15b3")),
    ("firmware", SKIP, "no NIC on the PCI bus has SR-IOV", _nic(possible=None, vendor="8086")),
    ("iommu", PASS, "on: dmar0", _facts(system=_system(iommus=("dmar0",)))),
    ("iommu", WARN, "off", _nic()),
    ("iommu", FAIL, "off, and 0000:03:02.0 bound to vfio-pci", _facts(_vf(driver="vfio-pci"))),
    ("iommu", SKIP, "no NIC here has VFs", _facts()),
    ("bar-room", PASS, "1 MiB for 8 VFs", _nic(bars=(BAR_0, BAR_3))),
    ("bar-room", PASS, "16 KiB", _nic(bars=(BAR_3,))),
    ("bar-room", FAIL, "no address for VF BAR 3", _nic(bars=(BAR_0, replace(BAR_3, assigned=False)))),
    ("bar-room", FAIL, "no address for VF BAR 0, 3", _nic(bars=(Bar(0, 0, False), Bar(3, 0, False)))),
    ("bar-room", SKIP, "neither sysfs nor the NIC tells", _nic()),
    ("bus-room", PASS, "the last of 8 VFs is on bus 03, the root bus passes on up to ff", _nic()),
    ("bus-room", PASS, "on bus 04, 00:1c.0 passes on up to 04", _nic(possible=300, bridge="00:1c.0", last_bus=4)),
    ("bus-room", WARN, "up to 03: 240 VFs fit", _nic(possible=300, bridge="00:1c.0", last_bus=3)),
    ("bus-room", FAIL, "up to 03: 0 VFs fit", _nic(offset=256, bridge="00:1c.0", last_bus=3)),
    ("bus-room", SKIP, "once it has some", _nic(offset=0)),
    ("ari", PASS, "on", _nic(capability=CAPABILITY)),
    ("ari", PASS, "on", _facts(nics=(PORT_0, PORT_1))),
    ("ari", PASS, "off, and all VFs have room without", _nic(capability=replace(CAPABILITY, ari=False))),
    ("ari", WARN, "off", _nic(capability=replace(CAPABILITY, ari=False), possible=300, last_bus=3)),
    ("ari", SKIP, "cannot be read", _nic()),
    ("vfs-made", PASS, "4 VFs", _nic(asked=4, made=4)),
    ("vfs-made", FAIL, "3 VFs of 4", _nic(asked=4, made=3)),
    ("vfs-made", SKIP, "no VFs were made", _nic()),
    ("pf-file", PASS, "as /etc/plumbline/pfs.json says", _facts(_vf(), pf_file=WISHED, pf={"eswitch": "legacy"})),
    ("pf-file", FAIL, "0 VFs, /etc/plumbline/pfs.json says 1", _facts(pf_file=WISHED)),
    ("pf-file", FAIL, "mode switchdev, /etc", _facts(_vf(), pf_file=WISHED, pf=SWITCHDEV)),
    ("pf-file", FAIL, "no such PF, and", Facts(Node("n", "6.1"), pf_file=WISHED)),
    ("pf-file", FAIL, "cannot be used: x", _facts(pf_file=replace(WISHED, pfs=(), error="x"))),
    ("pf-file", SKIP, NOTHING.measured, _facts()),
    ("autoprobe", PASS, "on", _facts(pf={"autoprobe": True})),
    ("autoprobe", WARN, "off", _facts(pf={"autoprobe": False})),
    ("vf-driver", PASS, "iavf, vfio-pci", _facts(_vf(), _vf(1, driver="vfio-pci"))),
    ("vf-driver", WARN, "1 of 2 VFs (index 1)", _facts(_vf(), _vf(1, driver="", state=State.UNBOUND))),
    ("vf-module", PASS, "iavf", _facts(drivers={"0000:03:02.0": "iavf"})),
    ("vf-module", FAIL, "no module of this kernel is for 0000:03:02.0", _facts(drivers={"0000:03:02.0": ""})),
    ("vf-module", SKIP, "no VF is without a driver", _facts()),
    ("vf-link", PASS, "has one", _facts(_vf(), nics=(Nic("ens3", Room(ADDRESS)),))),
    ("vf-link", FAIL, "1 of 2 VFs (index 1)", _facts(_vf(), _vf(1), nics=(Nic("ens3", Room(ADDRESS), linkless=(1,)),))),
]

REPRESENTOR, IN_BRIDGE = _link("rep0"), _link("rep0", master="br0")
IN_POD = _vf(link=_link("net1", "02:00:00:00:00:09", mtu=9000, netns="/run/netns/a"), owner=POD, state=State.POD)
JUMBO = {"type": "sriov", "name": "blue", "mtu": 9000}

IN_VLAN, IN_TRUNK = {**BRIDGE_NETWORK, "vlan": 3}, {**BRIDGE_NETWORK, "trunk": [{"id": 3}]}

LINKS: list[Case] = [
    ("pf-up", PASS, "up", _facts()),
    ("pf-up", WARN, "down", _facts(pf={"link": _link("ens3", up=False)})),
    ("pf-up", FAIL, "down, with 1 VFs", _facts(_vf(), pf={"link": _link("ens3", up=False)})),
    ("pf-up", FAIL, "no link on the host, no driver", _facts(pf={"link": None})),
    ("pf-carrier", PASS, "10000 Mbit/s", _facts(pf={"speed": 10000})),
    ("pf-carrier", WARN, "no carrier", _facts(pf={"link": _link("ens3", carrier=False)})),
    ("pf-carrier", SKIP, "not up", _facts(pf={"link": _link("ens3", up=False, carrier=False)})),
    ("pf-mtu", PASS, "MTU 1500", _facts()),
    ("pf-mtu", PASS, "MTU 9000, 9000 is asked for", _facts(pf={"link": _link("ens3", mtu=9000)}, networks=(JUMBO,))),
    ("pf-mtu", FAIL, "MTU 1500, below 9000 of network blue", _facts(networks=(JUMBO,))),
    ("pf-mtu", FAIL, "below 9000 of ens3:0 in default/web-0", _facts(IN_POD)),
    ("pf-mtu", PASS, "MTU 1500", _facts(networks=({**JUMBO, "deviceID": "0000:05:02.0"},))),  # another PF's VF
    ("same-mac", PASS, "2 addresses, each once", _facts(IN_POD)),
    ("same-mac", PASS, "1 addresses", _facts(_vf(settings=_settings("00:00:00:00:00:00")))),
    ("same-mac", FAIL, "of ens3:0, ens3:1", _facts(IN_POD, _vf(1, settings=_settings("02:00:00:00:00:09")))),
    ("same-mac", FAIL, "of ens3, ens3:0", _facts(_vf(settings=_settings("02:00:00:00:00:01")))),
    ("representor", PASS, "1 representors", _facts(_vf(representor=REPRESENTOR), pf=SWITCHDEV)),
    ("representor", FAIL, "no representor of VF 1", _facts(_vf(representor=REPRESENTOR), _vf(1), pf=SWITCHDEV)),
    ("representor", SKIP, NOTHING.measured, _facts(_vf(), pf={"eswitch": "legacy"})),
    ("representor-bridge", PASS, "in br0", _facts(_vf(representor=IN_BRIDGE, owner=BRIDGED, state=State.POD))),
    ("representor-bridge", FAIL, "in no bridge", _facts(_vf(representor=REPRESENTOR, owner=BRIDGED, state=State.POD))),
    ("representor-bridge", WARN, "in no bridge", _facts(_vf(representor=REPRESENTOR, owner=POD, state=State.POD))),
    ("representor-bridge", SKIP, NOTHING.measured, _facts(_vf(representor=REPRESENTOR))),  # nobody has the VF
    ("uplink-bridge", PASS, "in br0", _facts(_vf(representor=IN_BRIDGE), pf={"link": _link("ens3", master="br0")})),
    ("uplink-bridge", WARN, "in no bridge", _facts(_vf(representor=IN_BRIDGE))),
    ("uplink-bridge", WARN, "in br9", _facts(_vf(representor=IN_BRIDGE), pf={"link": _link("ens3", master="br9")})),
    ("bridge", PASS, "br1 is there", _facts(networks=(BRIDGE_NETWORK,), bridges={"br1": Bridge("br1", True)})),
    ("bridge", FAIL, "no bridge br0, br1", _facts(networks=(BRIDGE_NETWORK,), bridges={"br2": Bridge("br2", True)})),
    ("bridge", FAIL, "no bridge cni0", _facts(networks=({"type": "accelerated-bridge"},))),
    (
        "bridge-vlans",
        PASS,
        "on",
        _facts(networks=({**BRIDGE_NETWORK, "vlan": 3},), bridges={"br0": Bridge("br0", True)}),
    ),
    (
        "bridge-vlans",
        FAIL,
        "off, and network blue asks for VLANs",
        _facts(networks=({**BRIDGE_NETWORK, "trunk": [{"id": 3}]},), bridges={"br0": Bridge("br0", False)}),
    ),
    ("bridge-vlans", WARN, "off, and rep", _facts(_vf(representor=IN_BRIDGE), bridges={"br0": Bridge("br0", False)})),
    ("bridge-vlans", SKIP, NOTHING.measured, _facts(bridges={"docker0": Bridge("docker0", False)})),
]  # fmt: skip

STATE = Storage("/var/lib/cni")
OTHERS = Node("node-1", "6.1.0", others=[("eth9", DEAD)])
ANOTHER_PLUGINS = Node("node-1", "6.1.0", others=[("eth9", replace(POD, plugin="host-device"))])
ELSEWHERE = _vf(link=_link("x", netns="/proc/7/ns/net"), state=State.FOREIGN)
UNSEEN = _vf(state=State.FOREIGN)
TWO_VFS = (_vf(), _vf(1))
FIRST_ONLY = frozenset(("0000:03:02.0",))
AN_HOUR_AHEAD = replace(STATE, newest_ns=NOW + 3600 * 10**9)

RECORDS: list[Case] = [
    ("dead", PASS, "no device", _facts(IN_POD)),
    ("dead", WARN, "1 devices of dead pods: 0000:03:02.0 of default/web-0", _facts(_vf(owner=DEAD, state=State.DEAD))),
    ("dead", WARN, "eth9 of default/web-0", Facts(OTHERS)),
    ("stray", PASS, "no VF", _facts(IN_POD)),
    ("stray", WARN, "(kubelet: uid-1)", _facts(_vf(owner=Owner(Source.KUBELET, Pod(uid="uid-1")), state=State.STRAY))),
    ("foreign", PASS, "every VF", _facts(IN_POD)),
    ("foreign", WARN, "0000:03:02.0 in /proc/7/ns/net", _facts(ELSEWHERE)),
    ("foreign", WARN, "0000:03:02.0 in a namespace that cannot be seen from here", _facts(UNSEEN)),
    ("record-damaged", PASS, "every record", _facts()),
    ("record-damaged", FAIL, "record /x is damaged", Facts(Node("n", "6.1", damaged=["record /x is damaged"]))),
    ("record-gone", PASS, "every recorded VF", Facts(ANOTHER_PLUGINS)),
    ("record-gone", WARN, "1 recorded VFs are not on this node", Facts(OTHERS)),
    ("state-writable", PASS, "writable", _facts()),
    ("state-writable", FAIL, "not writable", _facts(storage=replace(STATE, is_writable=False))),
    ("state-room", PASS, "1048576 MiB left", _facts()),
    ("state-room", WARN, "32 MiB left", _facts(storage=replace(STATE, free_bytes=32 << 20))),
    ("state-room", WARN, "and 10 files left", _facts(storage=replace(STATE, free_files=10))),
    ("state-room", FAIL, "0 MiB left", _facts(storage=replace(STATE, free_bytes=4096))),
    ("state-room", FAIL, "and 0 files left", _facts(storage=replace(STATE, free_files=0))),
    ("state-lasting", PASS, "on ext4", _facts()),
    ("state-lasting", WARN, "on overlay", _facts(storage=replace(STATE, file_system="overlay"))),
    ("state-lasting", SKIP, "does not tell", _facts(storage=replace(STATE, file_system=""))),
    ("clock", PASS, "no record", _facts(system=_system(), storage=replace(STATE, newest_ns=NOW + 1))),
    ("clock", WARN, "a record is 3600 s from the future", _facts(system=_system(), storage=AN_HOUR_AHEAD)),
    ("clock", FAIL, "100 s since 1970: never set", _facts(system=_system(time_ns=100 * 10**9))),
    ("boot-id", PASS, "b", _facts(system=_system())),
    ("boot-id", FAIL, "cannot be read", _facts(system=_system(boot_id=""))),
    ("device-plugin", PASS, "the kubelet knows all 1 VFs", _facts(_vf(), registered=FIRST_ONLY)),
    ("device-plugin", WARN, "1 of 2 VFs are known to the kubelet", _facts(*TWO_VFS, registered=FIRST_ONLY)),
    ("device-plugin", SKIP, "no device plugin", _facts(_vf(), registered=frozenset())),
    ("device-plugin", SKIP, "no kubelet", _facts(_vf())),
]  # fmt: skip

REFUSED = Fault("/etc/cni/net.d/10.conf", 3, "vlan", "vlan: 5000 is not allowed")

CONFIGURATION: list[Case] = [
    ("network-config", PASS, "2 files in /etc/cni/net.d", _facts(checked_files=2)),
    ("network-config", PASS, "1 files", _facts(checked_files=1, faults=(replace(REFUSED, is_error=False),))),
    ("network-config", FAIL, "vlan: 5000 is not allowed", _facts(checked_files=1, faults=(REFUSED,))),
    ("network-config", SKIP, "no configuration", _facts()),
    ("network-member", PASS, "every member", _facts(checked_files=1)),
    ("network-member", WARN, "vlan: 5000", _facts(checked_files=1, faults=(replace(REFUSED, is_error=False),))),
    ("network-plugin", PASS, "1 networks", _facts(networks=(JUMBO,), binaries=(_binary(),))),
    (
        "network-plugin",
        FAIL,
        "sriov is not in /opt/cni/bin",
        _facts(networks=(JUMBO,), binaries=(_binary("/x/sriov"),)),
    ),
    ("manager", PASS, "nobody else", _facts(claims=(Claim(NETPLAN, "/etc/netplan/1", frozenset(("ens4",))),))),
    ("manager", WARN, "netplan claims it in /etc/netplan/1", _facts(claims=(Claim(NETPLAN, "/etc/netplan/1"),))),
]

AN_OLD_ONE = _binary("/usr/bin/sriov", version="0.9, commit b")

INSTALLATION: list[Case] = [
    ("kernel", PASS, "4.18.0-553.el8", _facts(system=_system(release="4.18.0-553.el8"))),
    ("kernel", FAIL, "4.4.0", _facts(system=_system(release="4.4.0"))),
    ("kernel", FAIL, "3.10.0-1160.el7", _facts(system=_system(release="3.10.0-1160.el7"))),
    ("modules", PASS, "bridge, vfio_pci, vhost_vdpa", _facts()),
    ("modules", SKIP, "nothing here needs it", _facts(system=_system(lacking=("bridge",)))),
    ("modules", FAIL, "missing, and", _facts(system=_system(lacking=("bridge",)), networks=(BRIDGE_NETWORK,))),
    ("modules", FAIL, "through vfio", _facts(_vf(state=State.BUSY), system=_system(lacking=("vfio_pci",)))),
    ("modules", FAIL, "vDPA", _facts(_vf(vdpa=Vdpa("v", "", "")), system=_system(lacking=("vhost_vdpa",)))),
    ("udev", PASS, "runs", _facts()),
    ("udev", WARN, "does not run", _facts(system=_system(has_udev=False))),
    ("plugin-folder", PASS, "sriov in /opt/cni/bin", _facts(binaries=(_binary(),))),
    (
        "plugin-folder",
        FAIL,
        "plugins are in /opt/cni/bin; the runtime looks in /x, as /etc/crio/crio.conf says",
        _facts(binaries=(_binary(),), folders=Folders(("/x",), by="/etc/crio/crio.conf")),
    ),
    ("plugin-folder", FAIL, "no plugin of Plumbline in", _facts(binaries=(_binary(version=""),))),
    ("plugin-executable", PASS, "executable", _facts(binaries=(_binary(),))),
    ("plugin-executable", FAIL, "not executable", _facts(binaries=(_binary(is_executable=False),))),
    ("plugin-noexec", PASS, "allows", _facts(binaries=(_binary(),))),
    ("plugin-noexec", FAIL, "noexec", _facts(binaries=(_binary(noexec=True),))),
    ("plugin-architecture", PASS, "x86_64", _facts(binaries=(_binary(),))),
    ("plugin-architecture", FAIL, "for aarch64, this node is x86_64", _facts(binaries=(_binary(machine="aarch64"),))),
    ("plugin-architecture", FAIL, "no ELF file", _facts(binaries=(_binary(machine=""),))),
    ("plugin-version", PASS, "1.0.0, commit a", _facts(binaries=(_binary(), _binary("/opt/cni/bin/static")))),
    ("plugin-version", WARN, "2 versions", _facts(binaries=(_binary(), AN_OLD_ONE))),
    ("plugin-version", SKIP, "another project's", _facts(binaries=(_binary(version=""),))),
]  # fmt: skip

CASES = [*PCI, *LINKS, *RECORDS, *CONFIGURATION, *INSTALLATION]


def _of(check: str, facts: Facts) -> list[Finding]:
    return [finding for finding in examine(facts) if finding.id == check]


@pytest.mark.parametrize(("check", "level", "words", "facts"), CASES, ids=[f"{x[0]}-{x[1]}-{x[2]}" for x in CASES])
def test_check(check: str, level: Level, words: str, facts: Facts) -> None:
    """What is found is of that level alone, says what was measured, and, where it is bad, what to do."""
    found = _of(check, facts)
    assert {finding.level for finding in found} == {level}
    assert words in found[0].measured
    assert all(finding.remedy for finding in found) or level in (PASS, SKIP)


@pytest.mark.parametrize("check", [check.id for check in CHECKS])
def test_each_check_can_be_good_and_bad(check: str) -> None:
    """In the table above."""
    levels = {level for id_, level, *_ in CASES if id_ == check}
    assert PASS in levels
    assert levels & {FAIL, WARN}


def test_ids() -> None:
    """There are enough, each once, and docs/operator/doctor.md has a line for each, with its levels."""
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids)) > 20
    documented = dict(re.findall(r"^\| `([a-z-]+)` \| ([a-z, ]+) \|", DOCS.read_text(), re.MULTILINE))
    bad = {
        check: ", ".join(level for level in (FAIL, WARN) if any(x[:2] == (check, level) for x in CASES))
        for check in ids
    }
    assert documented == bad


def test_two_networks_of_one_bridge() -> None:
    """Findings of one check keep their subjects apart."""
    found = _of("bridge", _facts(networks=(BRIDGE_NETWORK, {**BRIDGE_NETWORK, "name": "red", "bridge": "br1"})))
    assert [finding.subject for finding in found] == ["network blue", "network red"]


def test_only_one_pf() -> None:
    """A PF, or a NIC that is none as yet; the node's own state stays."""
    node = _node(_vf())
    node.pfs.append(Pf("ens4", "0000:04:00.0", "pci"))
    facts = Facts(node, nics=(Nic("ens3", Room(ADDRESS), possible=8), Nic("ens9", Room("0000:09:00.0"))))
    assert [pf.name for pf in facts.only("ens3").node.pfs] == ["ens3"]
    assert [pf.name for pf in facts.only("ens4").node.pfs] == ["ens4"]
    assert facts.only("ens9").node.pfs == []
    assert [nic.name for nic in facts.only("0000:09:00.0").nics] == ["ens9"]
    with pytest.raises(VerbError) as caught:
        facts.only("ens7")
    assert caught.value.status == Status.NO_DEVICE


def test_json_output() -> None:
    """Of all cases above, by the schema."""
    every = list(chain.from_iterable(examine(facts) for _, _, _, facts in CASES))
    whole = document(_node(), every)
    schemas.check(whole)
    assert whole["counts"]["fail"] == sum(finding.level is FAIL for finding in every) > 0


def _lines(found: list[Finding]) -> Iterator[str]:
    console = Console(width=100, no_color=True)
    with console.capture() as capture:
        console.print(findings.table(found))
    yield from capture.get().splitlines()


def test_the_worst_comes_first() -> None:
    """With its remedy below; what is good of one check shares a line."""
    found = [
        Finding(PASS, "ens3", "up", "", "pf-up"),
        Finding(PASS, "ens4", "up", "", "pf-up"),
        Finding(WARN, "ens5", "down", "ip link set ens5 up", "pf-up"),
        Finding(FAIL, "", "off", "VT-d on", "iommu"),
        replace(NOTHING, id="bridge"),
        replace(NOTHING, id="ari"),
    ]
    assert list(_lines(found)) == [
        "fail  iommu     off",
        "                VT-d on",
        "warn  pf-up     ens5: down",
        "                ip link set ens5 up",
        "pass  pf-up     ens3, ens4: up",
        "skip  (others)  nothing here that it is about: bridge, ari",
    ]
    assert findings.summary(found) == "1 fail, 1 warn, 2 pass, 2 skip"


def test_nothing_speaks_to_the_terminal() -> None:
    """Names that others have chosen are shown, not obeyed."""
    (line,) = _lines([Finding(PASS, "eth\x1b[2J", "up\x07", "", "pf-up")])
    assert line == "pass  pf-up  eth\\x1b[2J: up\\x07"


def test_many_names() -> None:
    """The first ones, and how many more there are."""
    assert listed(range(3)) == "0, 1, 2"
    assert listed(range(9), 2) == "0, 1 and 7 more"
