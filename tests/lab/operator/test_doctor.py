"""`plumbline doctor`, `lint`, `status` and `report` on real NICs: of a node that is well, and of one that is not."""

from __future__ import annotations

import json
import shutil
import struct
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk, net, schemas, vfs
from tests.support.command import BINARY, plumbline
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import PF

CONTAINERD, NET_D = Path("/etc/containerd/config.toml"), Path("/etc/cni/net.d")
NETPLAN = Path("/etc/netplan/50-lab.yaml")
CHECKPOINT = Path("/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint")
NOEXEC = Path("/run/lab-noexec")
SECRET = "hunter2Kx9"
SIMULATED = "eni1np1"
SHARED_MAC = "02:00:00:00:00:77"

Findings = dict[str, list[dict[str, Any]]]


def _said(status: int, *words: str) -> str:
    """Return what the built command prints, and nothing else. status: with which it has to end."""
    said = plumbline(*words, program=BINARY).ended(status)
    assert said.stderr == ""
    return said.stdout


def _doctor(status: int, *words: str) -> Findings:
    """Return what doctor finds, by the ids of the checks."""
    whole = json.loads(_said(status, "doctor", "--json", *words))
    schemas.check(whole)
    found: Findings = defaultdict(list)
    for finding in whole["findings"]:
        found[finding["id"]].append(finding)
    return found


def _levels(found: Findings) -> dict[str, str]:
    """Return the worst level of each check."""
    order = ("fail", "warn", "pass", "skip")
    return {id_: min((x["level"] for x in findings), key=order.index) for id_, findings in found.items()}


@pytest.fixture
def runtime() -> Iterator[Path]:
    """The configuration of the runtime, which looks for plugins where the lab has them."""
    before = CONTAINERD.read_text() if CONTAINERD.exists() else None
    CONTAINERD.parent.mkdir(parents=True, exist_ok=True)
    CONTAINERD.write_text('version = 2\n[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "/opt/cni/bin"\n')
    shutil.rmtree(NET_D, ignore_errors=True)
    NET_D.mkdir(parents=True)
    yield CONTAINERD
    shutil.rmtree(NET_D)
    NET_D.mkdir()
    CONTAINERD.unlink()
    if before is not None:
        CONTAINERD.write_text(before)


def test_a_node_that_is_well(pfs: list[PF], runtime: Path, pod: Space, attach: Callable[..., Attachment]) -> None:
    """Nothing fails with a pod that has a VF, and what was measured is what the NICs have."""
    HOST.ip("link", "set", SIMULATED, "up")
    network = {"cniVersion": "1.0.0", "name": "blue", "plugins": [{"type": "sriov", "vlan": 100}]}
    (NET_D / "10-blue.conflist").write_text(json.dumps(network))
    attachment = attach(pfs[0].vfs[0])
    attachment.add()
    found = _doctor(0)
    attachment.delete()
    HOST.ip("link", "set", SIMULATED, "down")
    assert [id_ for id_, level in _levels(found).items() if level == "fail"] == []
    measured = {id_: [x["measured"] for x in findings if x["level"] == "pass"] for id_, findings in found.items()}
    assert measured["firmware"] == ["7 VFs possible"] * 2
    assert measured["vfs-made"] == ["7 VFs"] * 2
    assert measured["bar-room"] == ["256 KiB for 7 VFs"] * 2
    assert all("the last of 7 VFs is on bus 0" in text for text in measured["bus-room"])
    assert measured["iommu"][0].startswith("on: dmar0")
    assert measured["vf-driver"][:2] == ["igbvf"] * 2
    passing = {id_ for id_, texts in measured.items() if texts}
    assert passing >= {"ari", "autoprobe", "vf-link", "pf-up", "pf-carrier", "pf-mtu", "same-mac", "dead", "stray"}
    assert passing >= {"foreign", "record-damaged", "record-gone", "state-writable", "state-room", "clock", "boot-id"}
    assert passing >= {"network-config", "network-member", "network-plugin", "manager", "kernel", "udev"}
    assert passing >= {"plugin-folder", "plugin-executable", "plugin-noexec", "plugin-architecture", "plugin-version"}


@pytest.fixture
def ill(
    pfs: list[PF], runtime: Path, make_pod: Callable[[], Space], attach: Callable[..., Attachment]
) -> Iterator[None]:
    """A node with much that is wrong, and a secret in its files."""
    near, far = pfs
    one, two, three, four, stray, moved = near.vfs[:6]
    _configure(runtime)
    for vf in (three, four):
        near.set(vf.index, "mac", SHARED_MAC)
    dying, other = make_pod(), make_pod()
    attachment = attach(one, dying, container_id="dead")
    attachment.add()
    dying.delete()
    two.bind("")
    HOST.batch(
        f"link set {far.name} down",
        f"link set {moved.name} netns {other.name}",
        "link add br-lab type bridge vlan_filtering 0",
    )
    Path(far.folder, "sriov_drivers_autoprobe").write_text("0")
    Path(disk.SRIOV, "pci").mkdir(exist_ok=True)
    Path(disk.SRIOV, "pci", stray.address).write_text("/run/netns/nobody")
    Path(disk.SRIOV, "damaged-net1").write_text('{"password": "' + SECRET)
    CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
    registered = {"example.com/vfs": [vf.address for vf in near.vfs[:3]]}
    entry = {"PodUID": "uid-1", "DeviceIDs": [], "AllocResp": SECRET}
    CHECKPOINT.write_text(json.dumps({"Data": {"PodDeviceEntries": [entry], "RegisteredDevices": registered}}))
    yield
    CHECKPOINT.unlink()
    NETPLAN.unlink()
    net.run("umount", str(NOEXEC))
    Path(far.folder, "sriov_drivers_autoprobe").write_text("1")
    disk.clear()
    attachment.delete()
    other.delete()
    HOST.batch("link del br-lab", f"link set {far.name} up")
    vfs.wait_for(lambda: bool(moved.name), f"a link of {moved.address} on the host")
    vfs.reset(*near.vfs)


def _configure(runtime: Path) -> None:
    """Write configurations, of which the most make no sense, and plugins that cannot run."""
    bad = {"cniVersion": "1.0.0", "name": "bad", "plugins": [{"type": "sriov", "vlan": 5000, "token": SECRET}]}
    (NET_D / "10-bad.conflist").write_text(json.dumps(bad, indent=1))
    jumbo = {"name": "jumbo", "type": "sriov", "mtu": 9000, "vlam": 3}
    (NET_D / "20-jumbo.conf").write_text(json.dumps(jumbo))
    bridge = {"name": "bridged", "type": "accelerated-bridge", "bridge": "br-lab", "vlan": 7}
    (NET_D / "30-bridged.conf").write_text(json.dumps(bridge))
    (NET_D / "40-lost.conf").write_text(json.dumps({**bridge, "bridge": "br-missing"}))
    (NET_D / "multus.d").mkdir()
    (NET_D / "multus.d/multus.kubeconfig").write_text(f"token: {SECRET}\n")
    NETPLAN.parent.mkdir(exist_ok=True)
    NETPLAN.write_text(f"network:\n  ethernets:\n    {HOST_PF}:\n      virtual-function-count: 4\n      x: {SECRET}\n")
    NOEXEC.mkdir(exist_ok=True)
    net.run("mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", str(NOEXEC))
    (NOEXEC / "static").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, 183))
    (NOEXEC / "host-local").write_bytes(b"0.0.1, commit 0123456789ab, CPython")
    folders = f'bin_dirs = ["{NOEXEC}", "/opt/cni/bin"]\n'
    runtime.write_text("version = 3\n[plugins.'io.containerd.cri.v1.runtime'.cni]\n" + folders)


HOST_PF = "enp1s0"

EXPECTED = {
    "pf-up": ("fail", "down, with 7 VFs"),
    "pf-mtu": ("fail", "MTU 1500, below 9000 of network jumbo"),
    "same-mac": ("fail", "of enp1s0:2, enp1s0:3"),
    "autoprobe": ("warn", "off"),
    "vf-driver": ("warn", "1 of 7 VFs (index 1)"),
    "vf-module": ("pass", "igbvf"),
    "dead": ("warn", "1 devices of dead pods: 0000:01:10.0 of"),
    "stray": ("warn", "0000:01:11.0 (allocation: /run/netns/nobody)"),
    "foreign": ("warn", "0000:01:11.2 in /run/netns/"),
    "record-damaged": ("fail", f"record {disk.SRIOV}/damaged-net1 is damaged"),
    "bridge": ("fail", "no bridge br-missing"),
    "bridge-vlans": ("fail", "off, and network bridged asks for VLANs"),
    "network-config": ("fail", "in plugins[0], vlan: 5000 is not allowed"),
    "network-member": ("warn", 'member "vlam" is not known and has no effect; did you mean vlan?'),
    "manager": ("warn", f"netplan claims it in {NETPLAN}"),
    "device-plugin": ("warn", "3 of 7 VFs are known to the kubelet"),
    "plugin-noexec": ("fail", "on a mount with noexec"),
    "plugin-executable": ("fail", "not executable"),
    "plugin-architecture": ("fail", "for aarch64, this node is x86_64"),
    "plugin-version": ("warn", "2 versions: "),
    "plugin-folder": ("pass", f" in {NOEXEC}, /opt/cni/bin, as {CONTAINERD} says"),
    "network-plugin": ("pass", "4 networks, each has its plugin"),
    "firmware": ("pass", "7 VFs possible"),
}


@pytest.mark.usefixtures("ill")
def test_a_node_that_is_ill(tmp_path: Path) -> None:
    """Each check finds what was done to the node, says what it measured, and what to do; status shows it, too; a report
    has all of it, and none of the secrets.
    """
    found = _doctor(1)
    levels = _levels(found)
    assert {id_: levels[id_] for id_ in EXPECTED} == {id_: level for id_, (level, _) in EXPECTED.items()}
    for id_, (level, words) in EXPECTED.items():
        told = [x["measured"] for x in found[id_] if x["level"] == level]
        assert any(words in text for text in told), (id_, told)
    assert all(x["remedy"] for findings in found.values() for x in findings if x["level"] in ("fail", "warn"))
    shown = _said(0, "status")
    assert "fail  pf-up " in shown
    assert "ip link set enp2s0 up" in shown
    path = tmp_path / "report.tar.gz"
    _said(0, "report", "-o", str(path))
    with tarfile.open(path) as tar:
        members = {m.name.partition("/")[2]: tar.extractfile(m) for m in tar.getmembers()}
        whole = {name: file.read().decode() for name, file in members.items() if file is not None}
    assert [name for name, text in whole.items() if SECRET in text or "kubeconfig" in name] == []
    assert '"vlan": 5000' in whole[f"configurations{NET_D}/10-bad.conflist"]
    assert json.loads(whole["sysfs.json"])["0000:01:00.0"]["sriov_numvfs"] == "7"
    assert "igb 0000:01:00.0" in whole["logs/kernel.txt"]
    assert "records/sriov/lab-dead-net1" in whole or "records/sriov/dead-net1" in whole
    assert {x["id"] for x in json.loads(whole["doctor.json"])["findings"]} == found.keys()


def test_one_pf(pfs: list[PF], runtime: Path) -> None:
    """Findings of another one are not shown; what is no PF is said, with those that there are."""
    found = _doctor(0, pfs[1].name)
    assert {x["subject"] for x in found["firmware"]} == {pfs[1].name}
    unknown = plumbline("doctor", "enp9s0", program=BINARY).ended(10)
    assert "PFs: enp1s0, enp2s0, eni1np1" in unknown.stderr
