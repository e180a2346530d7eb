"""A report holds what an issue needs, and nothing secret, wherever that was planted."""

from __future__ import annotations

import base64
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from plumbline.node.look import look
from plumbline.node.model import Node, Pf, Vf
from plumbline.node.roots import Roots
from plumbline.report import logs, redact, sysfs
from plumbline.report.archive import MOST_BYTES, Archive
from plumbline.verbs.report import collected
from tests.support import sysfstree
from tests.support.sysfstree import folder

SECRET = "hunter2Kx9"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6Ing.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl"
KUBECONFIG = f"""apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {SECRET}
users:
- user:
    token: {JWT}
    client-key-data: "{SECRET}"
"""
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        f'{{"password": "{SECRET}", "vlan": 100}}',
        f'{{"auth": {{"apiKey": {{"is": "{SECRET}"}}}}, "vlan": 100}}',
        f'{{"args": ["--token={SECRET}", "vlan"]}}',
        json.dumps({"spec": json.dumps({"x": {"bindPassword": SECRET}, "vlan": 1})}),
        json.dumps({"config": base64.b64encode(json.dumps({"psk": SECRET, "vlan": 1}).encode()).decode()}),
        json.dumps({"note": PEM, "vlan": 100}),
        f'broken JSON {{"vlan": 1, "secret": "{SECRET} {SECRET}", ',
        f"vlan 100 password={SECRET} user=x",
        f"vlan secret_key : '{SECRET} {SECRET}'",
        f'time="..." msg="vlan, Authorization: Bearer {SECRET}"',
        f'level=info msg="vlan {{\\"registryToken\\":\\"{SECRET} {SECRET}\\"}}"',
        f"vlan https://user:{SECRET}@registry.example/path",
        f"vlan {JWT} is one",
        f"vlan\n{PEM}\nafter",
        f"vlan -----BEGIN PRIVATE KEY-----\n{SECRET} without an end",
        f"vlan {SECRET}\n-----END PRIVATE KEY-----\nafter vlan",
        KUBECONFIG.replace("v1", "vlan"),
        f'{{"env": [{{"name": "DB_PASSWORD", "value": "{SECRET}"}}], "vlan": 100}}',
        f'{{"env": [{{"value": "{SECRET}", "name": "dbPass"}}], "vlan": 100}}',
        f'{{"args": ["--password", "{SECRET}", "vlan"]}}',
        f'{{"pass": "{SECRET}", "pwd": "{SECRET}", "registryAuth": "{SECRET}", "vlan": 100}}',
        f'{{"presharedKey": "{SECRET}", "encryptionKey": "{SECRET}", "someKey": "{SECRET}{SECRET}", "vlan": 1}}',
        f'{{"url": "https://:{SECRET}@host", "vlan": "https://{SECRET}@host", "u": "https://a/?sv=1&sig={SECRET}"}}',
        f"vlan DB_PASS={SECRET} dbPass={SECRET} x.pwd: '{SECRET}'",
        f"vlan preshared-key = {SECRET}, wg_key={SECRET}{SECRET}",
        f"vlan --password {SECRET} --auth-pass '{SECRET} {SECRET}'",
        f"vlan https://:{SECRET}@host/ https://{SECRET}@host https://host/?a=b&sig={SECRET}&c X-Amz-Signature={SECRET}",
        f'broken JSON {{"vlan": [{{"name": "DB_PASSWORD", "value": "{SECRET}"}}, "--token", "{SECRET}", ',
        f"vlan:\n- name: DB_PASSWORD\n  value: {SECRET}\n",
        f'msg="vlan {{\\"name\\":\\"A_TOKEN\\",\\"value\\":\\"{SECRET}\\"}}"',
    ],
)
def test_redacted(text: str) -> None:
    """By the name that it stands under, or by its form; the rest stays."""
    clean = redact.text(text)
    assert SECRET not in clean
    assert JWT[:20] not in clean
    assert base64.b64encode(SECRET.encode()).decode()[:8] not in clean
    assert "vlan" in clean
    assert redact.REDACTED in clean


@pytest.mark.parametrize(
    "text",
    [
        '{"vlan": 100,\n\n  "name": "blue"}\n',
        "igb 0000:01:00.0: 7 VFs allocated",
        "no secrets here",
        '{"token": null, "passwordRequired": true, "secrets": []}',
        "/var/run/secrets/kubernetes.io is a path",
        '{"counts": {"fail": 1, "pass": 31}, "key": "0000:03:02.6", "bypass": "on", "hostKey": "short"}',
        '{"name": "blue", "value": "vlan", "args": ["--vlan", "100", "-p"]}',
        "vlan bypass: on, authored=yes, monkey: 1, https://host/a@b --vlan 100",
    ],
)
def test_left_as_it_is(text: str) -> None:
    """To the last space, so that line numbers hold."""
    assert redact.text(text) == text


def _members(data: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read().decode() for name, file in files.items() if file is not None}


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """A node with a secret in every place that a report reads, or passes by."""
    secret = {"vlan": 100, "password": SECRET}
    cached = {"kind": "cniCacheV1", "config": base64.b64encode(json.dumps(secret).encode()).decode()}
    allocated = {"PodUID": "uid-1", "ResourceName": "a/vfs", "DeviceIDs": ["0000:03:02.0"], "AllocResp": SECRET}
    net_d = tmp_path / "etc/cni/net.d"
    files: dict[str, Any] = {
        "etc/containerd/config.toml": f'[plugins.cri]\nregistry.auth = "{SECRET}"\ncni.conf_dir = "{net_d}"\n',
        "etc/cni/net.d/10-blue.conf": {"name": "blue", "type": "sriov", **secret, "mac": "x"},
        "etc/cni/net.d/20-broken.conf": f'{{"name": "broken", "token": "{SECRET}", ',
        "etc/cni/net.d/multus.d/multus.kubeconfig": KUBECONFIG,
        "etc/cni/net.d/multus.kubeconfig": KUBECONFIG,
        "etc/plumbline/node.json": {"builtinIPAM": True, **secret},
        "etc/plumbline/key.pem": PEM,
        "etc/netplan/1.yaml": f"network:\n ethernets:\n  ens3:\n   virtual-function-count: 4\n   password: {SECRET}\n",
        "state/sriov/c0ffee-net1": {"containerID": "c0ffee", "NetConf": secret},
        "state/sriov/lock/0000:03:02.0": SECRET,
        "state/networks/blue/10.1.2.3": f"c0ffee\r\nnet1\ntoken={SECRET}",
        "state/other/secret": SECRET,
        "results/blue-c0ffee-net1": cached,
        "checkpoint": {"Data": {"PodDeviceEntries": [allocated], "RegisteredDevices": {"a/vfs": ["0000:03:02.0"]}}},
        "proc/cmdline": f"root=/dev/sda1 intel_iommu=on rd.luks.key={SECRET} vfio.x=1",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    sysfstree.build(tmp_path / "sys", sysfstree.pf("0000:03:00.0", {0: "0000:03:02.0", 1: "0000:03:02.1"}))
    (tmp_path / "state/sriov/link").symlink_to(tmp_path / "state/other/secret")
    names = {name: str(tmp_path / name) for name in ("proc", "etc", "state", "checkpoint")}
    return Roots(**names, sysfs=str(tmp_path / "sys"), run=str(tmp_path / "run"), results=(str(tmp_path / "results"),))


def test_nothing_secret(roots: Roots) -> None:
    """Of all that was planted, nothing; of what stands beside it, everything."""
    members = _members(collected("report", look(roots), roots).packed())
    whole = "\n".join([*members, *members.values()])
    encoded = (base64.b64encode(SECRET.encode()).decode()[:-3], JWT[:20])
    assert [word for word in (SECRET, *encoded) if word in whole] == []
    assert [value for value in (os.environ["PATH"], *os.environ.values()) if len(value) > 20 and value in whole] == []
    unwanted = ("kubeconfig", "pem", "netplan", "lock", "sriov/link", "other")
    assert [name for name in members if any(word in name for word in unwanted)] == []
    base = os.path.dirname(roots.etc)
    recorded = json.loads(members["report/records/sriov/c0ffee-net1"])
    assert recorded == {"containerID": "c0ffee", "NetConf": {"vlan": 100, "password": redact.REDACTED}}
    assert json.loads(members[f"report/configurations{base}/etc/cni/net.d/10-blue.conf"])["vlan"] == 100
    assert '"name": "broken"' in members[f"report/configurations{base}/etc/cni/net.d/20-broken.conf"]
    assert json.loads(members[f"report/results{base}/results/blue-c0ffee-net1"])["config"]["base64 of"]["vlan"] == 100
    assert json.loads(members["report/kubelet.json"])["PodDeviceEntries"][0]["DeviceIDs"] == ["0000:03:02.0"]
    assert json.loads(members["report/system.json"])["parameters"] == ["intel_iommu=on", "vfio.x=1"]
    assert "10.1.2.3" in "".join(members)
    assert "netplan" in members["report/installation.json"]


def test_what_is_in_it(roots: Roots) -> None:
    """What the README in it names, and what the verbs print."""
    members = _members(collected("report", look(roots), roots).packed())
    for line in members["report/README.txt"].splitlines():
        name = line.partition(" ")[0]
        if name.endswith((".json", "/")):
            assert [x for x in members if x.startswith(f"report/{name}")], name
    assert "stray" in members["report/tree.txt"]
    # The PF and the VF that the kubelet gave away; not the one that nobody has.
    assert [f"report/show/0000:03:0{x}.txt" in members for x in ("0.0", "2.0", "2.1")] == [True, True, False]
    assert "uid-1, told by the kubelet" in members["report/show/0000:03:02.0.txt"]
    assert json.loads(members["report/node.json"])["schema"] == "plumbline/node/1"
    assert json.loads(members["report/lint.json"])["faults"][0]["level"] == "error"
    assert {x["id"] for x in json.loads(members["report/doctor.json"])["findings"]} >= {"kernel", "manager"}


def test_what_cannot_be_read_is_noted(tmp_path: Path) -> None:
    """And the rest is there."""
    archive = Archive("report")
    archive.file("a", str(tmp_path / "missing"))
    archive.file("b", str(tmp_path))
    archive.text("c", "here")
    members = _members(archive.packed())
    assert members.keys() == {"report/c", "report/errors.txt"}
    assert "No such file" in members["report/errors.txt"]
    assert "Is a directory" in members["report/errors.txt"]


def test_of_a_long_file_the_end(tmp_path: Path) -> None:
    """What a log says last matters most."""
    path = tmp_path / "log"
    path.write_text("first\n" + "x" * MOST_BYTES + "\nlast\n")
    archive = Archive("report")
    archive.file("log", str(path))
    whole = _members(archive.packed())["report/log"]
    assert whole.endswith("last\n")
    assert "first" not in whole


def test_of_a_long_line_nothing(tmp_path: Path) -> None:
    """Where it begins, it may have been said that what follows is secret."""
    path = tmp_path / "log"
    path.write_text("first\npassword=" + SECRET * (MOST_BYTES // len(SECRET)) + "\nlast\n")
    archive = Archive("report")
    archive.file("log", str(path))
    assert _members(archive.packed())["report/log"] == "last\n"


@pytest.mark.parametrize("indent", [None, 1])
def test_of_long_json_nothing(tmp_path: Path, indent: int | None) -> None:
    """A part of it is no JSON, and what is in it in base64 could not be seen; it is said that it is not there."""
    config = base64.b64encode(json.dumps({"psk": SECRET * 20}).encode()).decode()
    path = tmp_path / "result"
    path.write_text(json.dumps({"filler": "x" * MOST_BYTES, "config": config}, indent=indent))
    archive = Archive("report")
    archive.file("result", str(path))
    members = _members(archive.packed())
    assert members.keys() == {"report/errors.txt"}
    assert f"{path}: it is JSON of " in members["report/errors.txt"]


def test_of_a_long_log_of_json_the_end(tmp_path: Path) -> None:
    """An object in each line is a log."""
    path = tmp_path / "log"
    path.write_text('{"level": "info"}\n' * (MOST_BYTES // 10))
    archive = Archive("report")
    archive.file("log", str(path))
    assert _members(archive.packed())["report/log"].endswith('{"level": "info"}\n')


def test_members_are_for_their_owner(tmp_path: Path) -> None:
    """Unpacked, nobody else can read them."""
    archive = Archive("report")
    archive.text("/etc/x", "")
    with tarfile.open(fileobj=io.BytesIO(archive.packed())) as tar:
        assert [(member.name, member.mode) for member in tar.getmembers()] == [("report/etc/x", 0o600)]


KMSG = (
    "6,339,5140900,-;igb 0000:01:00.0: 7 VFs allocated\n SUBSYSTEM=pci\n"
    "6,340,5140999,-;wlan0: associated with secret-network\n"
)


def test_kernel_log(tmp_path: Path) -> None:
    """Lines about the node's NICs, as dmesg shows them; nobody else's."""
    (tmp_path / "kmsg").write_text(KMSG.splitlines(keepends=True)[0])
    node = Node("n", "6.1", [Pf("enp1s0", "0000:01:00.0", "pci", driver="igb")])
    assert logs.kernel(node, str(tmp_path / "kmsg")) == "[    5.140900] igb 0000:01:00.0: 7 VFs allocated\n"
    (tmp_path / "kmsg").write_text(KMSG.splitlines(keepends=True)[2])
    assert logs.kernel(node, str(tmp_path / "kmsg")) == ""


def test_journal(tmp_path: Path) -> None:
    """Lines about plugins, and none where there is no journal, or nothing in it."""
    program = tmp_path / "journalctl"
    program.write_text("#!/bin/sh\necho kubelet: password; echo containerd: type sriov failed; echo $*\n")
    program.chmod(0o755)
    assert logs.journal(str(program)).splitlines()[0] == "containerd: type sriov failed"
    assert "-u kubelet" in logs.journal(str(program))
    assert logs.journal(str(tmp_path / "missing")) == ""


def test_log_files(tmp_path: Path) -> None:
    """Below the folder of logs, without links on the way: a configuration is not to name any file of the node."""
    (tmp_path / "log/plugins").mkdir(parents=True)
    for name in ("log/plugins/sriov.log", "shadow"):
        (tmp_path / name).write_text("")
    (tmp_path / "log/link").symlink_to("../shadow")
    named = ("log/plugins/sriov.log", "log/missing", "log/link", "shadow", "log/../shadow", "log/plugins", "logs")
    networks: list[dict[str, object]] = [{"logFile": str(tmp_path / name)} for name in named]
    assert logs.of_plugins([*networks, {}], str(tmp_path / "log")) == [str(tmp_path / "log/plugins/sriov.log")]


def test_sysfs_attributes(tmp_path: Path) -> None:
    """Of PF, VF and the bridge above, known ones only."""
    pf, vf = "0000:03:00.0", "0000:03:02.0"
    tree = {
        **sysfstree.pf(pf, {0: vf}),
        **sysfstree.netdev(folder(pf), "ens3"),
        f"{sysfstree.PORT}/subordinate_bus_number": "4",
        folder(pf, "unknown"): "x",
    }
    root = sysfstree.build(tmp_path, tree)
    node = Node("n", "6.1", [Pf("ens3", pf, "pci", vfs=[Vf("ens3", 0, vf)])])
    found = sysfs.attributes(node, root)
    assert found[pf] == {"sriov_totalvfs": "127", "driver": "mlx5_core", "net/ens3/dev_port": "0"}
    assert found[vf] == {"driver": "mlx5_core", "physfn": pf}
    assert found["0000:00:1c.0"] == {"subordinate_bus_number": "4"}
