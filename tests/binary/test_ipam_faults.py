"""host-local when it is killed, when the disk is full, when the input is wrong: no address is lost or half-written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipam.host_local.index import WORTHWHILE
from tests.support import faults, node
from tests.support.plugin import Attachment

DUAL = [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00:1::/64"}]]


@pytest.fixture(autouse=True)
def allowed(tmp_path: Path) -> Iterator[None]:
    """The node's administrator allows stores, and a resolv.conf, in the folder of the test."""
    with node.configured(dataDirs=[str(tmp_path)], resolvConfDirs=[str(tmp_path)]):
        yield


def attachment(data_dir: Path, container_id: str = "c1", **ipam: Any) -> Attachment:
    """Return one that calls host-local itself, as another plugin does."""
    ipam = {"type": "host-local", "ranges": DUAL, "dataDir": str(data_dir), **ipam}
    conf = {"cniVersion": "1.1.0", "name": "net", "type": "host-local", "ipam": ipam}
    return Attachment(conf, container_id, "/run/netns/pod")


def owners(data_dir: Path) -> dict[str, str]:
    """Return whose each address is; a file that is not whole fails the test."""
    found = {}
    for name in os.listdir(data_dir / "net"):
        if name != "lock" and not name.startswith(("last_reserved_ip.", ".tmp-")):
            content = (data_dir / "net" / name).read_bytes()
            assert content.endswith(b"\r\nnet1"), (name, content)
            found[name] = content.partition(b"\r\n")[0].decode()
    return found


@pytest.mark.parametrize("command", ["ADD", "DEL"])
def test_killed_between_any_two_operations(tmp_path: Path, command: str) -> None:
    """Every file is whole or absent, DEL releases what was taken, and nothing of the killed run stays."""
    trial = attachment(tmp_path / "trial")
    attachment(tmp_path / "trial", "other").add()
    if command == "DEL":
        trial.add()
    steps = faults.calls(trial, command)
    assert len(steps) > 3, steps
    for number, step in enumerate(steps):
        data_dir = tmp_path / str(number)
        victim, other = attachment(data_dir), attachment(data_dir, "other")
        other.add()
        if command == "DEL":
            victim.add()
        assert faults.inject(victim, command, "signal=SIGKILL", step).status == -9, step
        assert set(owners(data_dir).values()) <= {"c1", "other"}, step

        victim.delete()
        assert set(owners(data_dir).values()) == {"other"}, step
        victim.add()
        assert sorted(owners(data_dir).values()) == ["c1", "c1", "other", "other"], step
        assert [name for name in os.listdir(data_dir / "net") if name.startswith(".")] == [], step


@pytest.mark.parametrize("command", ["ADD", "DEL"])
def test_killed_with_an_index(tmp_path: Path, command: str) -> None:
    """Of a large store, too: the index of before is not believed, or tells what the files tell."""
    victim, other = attachment(tmp_path), attachment(tmp_path, "other")
    victim.add()
    for number in range(WORTHWHILE):
        (tmp_path / "net" / f"10.1.0.{number + 100}").write_bytes(f"old{number}\r\nnet1".encode())
    victim.delete()
    is_read = faults.traced(other, "ADD", "openat")[1]
    assert not any("10.1.0.100" in call.text for call in is_read), "there is no index"
    if command == "DEL":
        victim.add()
    steps = faults.calls(victim, command)
    assert any("/run/plumbline/" in step.text for step in steps), steps
    victim.delete()
    for step in steps:
        if command == "DEL":
            victim.add()
        assert faults.inject(victim, command, "signal=SIGKILL", step).status == -9, step
        before = owners(tmp_path)
        if "c1" in before.values():
            assert "duplicate allocation" in victim.call("ADD").error(999)["msg"], step
        victim.delete()
        assert set(owners(tmp_path).values()) == set(before.values()) - {"c1"}, step
        other.delete()
        assert not {"c1", "other"} & set(owners(tmp_path).values()), step
        other.add()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few pages."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)], check=True)
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_full_disk(small_disk: Path) -> None:
    """Of two addresses the first can be written and the second cannot: neither is taken, and DEL still works."""
    one, other = attachment(small_disk), attachment(small_disk, "c2")
    one.add()
    error = other.call("ADD").error(5)
    assert f"{small_disk}/net/" in error["msg"]
    assert "No space left on device" in error["msg"]
    assert set(owners(small_disk).values()) == {"c1"}
    assert [name for name in os.listdir(small_disk / "net") if name.startswith(".")] == []
    other.delete()
    one.delete()
    other.add()
    assert set(owners(small_disk).values()) == {"c2"}


def test_read_only_disk(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)], check=True)
    try:
        assert "Read-only file system" in attachment(tmp_path).call("ADD").error(5)["msg"]
        assert "cannot be written" in attachment(tmp_path).call("STATUS").error(50)["msg"]
        attachment(tmp_path).delete()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("ipam", "field", "value"),
    [
        pytest.param({"ranges": "x"}, "ipam.ranges", '"x"', id="ranges"),
        pytest.param({"ranges": [{}]}, "ipam.ranges[0]", "{}", id="range set"),
        pytest.param({"ranges": [[{}]]}, "ipam.ranges[0][0]", "{}", id="range without subnet"),
        pytest.param({"ranges": [[{"subnet": True}]]}, "ipam.ranges[0][0].subnet", "true", id="subnet"),
        pytest.param({"ranges": [], "subnet": 1}, "ipam.subnet", "1", id="single subnet"),
        pytest.param({"subnet": "10.9.0.0/24", "rangeStart": {}}, "ipam.rangeStart", "{}", id="rangeStart"),
        pytest.param({"subnet": "10.9.0.0/24", "rangeEnd": []}, "ipam.rangeEnd", "[]", id="rangeEnd"),
        pytest.param({"subnet": "10.9.0.0/24", "gateway": 1.5}, "ipam.gateway", "1.5", id="gateway"),
        pytest.param({"routes": {}}, "ipam.routes", "{}", id="routes"),
        pytest.param({"routes": [1]}, "ipam.routes[0]", "1", id="route"),
        pytest.param({"routes": [{"dst": "x"}]}, "ipam.routes[0].dst", '"x"', id="dst"),
        pytest.param({"routes": [{"dst": "::/0", "mtu": -1}]}, "ipam.routes[0].mtu", "-1", id="mtu"),
        pytest.param({"dataDir": 1}, "ipam.dataDir", "1", id="dataDir"),
        pytest.param({"resolvConf": 1}, "ipam.resolvConf", "1", id="resolvConf"),
    ],
)
def test_wrong_field(tmp_path: Path, ipam: dict[str, Any], field: str, value: str) -> None:
    """Code 7 with field and value, and no file is left."""
    error = attachment(tmp_path / "data", **ipam).call("ADD").error(7)
    assert f"{field}: {value}" in error["msg"]
    assert not os.path.exists(tmp_path / "data")
