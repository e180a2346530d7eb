"""`plumbline network` on real VFs: lists of sriov and tuning, added, checked and taken off; also half of them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk
from tests.support.command import BINARY, MODULE, plumbline
from tests.support.net import Space
from tests.support.plugin import DIST, REFERENCE, REPOSITORY
from tests.support.vfs import VF, wait_for

Write = Callable[..., str]
SYSCTL = "net/ipv4/conf/net1/arp_filter"
# Its CHECK does not know IFNAME, which its ADD replaces.
TUNING = {"type": "tuning", "sysctl": {"net.ipv4.conf.net1.arp_filter": "1"}}
HOST_LOCAL = {"type": "host-local", "subnet": "10.8.0.0/24"}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a network's list of plugins into a folder of its own, and returns the folder."""

    def written(*plugins: dict[str, Any]) -> str:
        whole = {"cniVersion": "1.0.0", "name": "blue", "plugins": plugins}
        (tmp_path / "10-blue.conflist").write_text(json.dumps(whole))
        return str(tmp_path)

    return written


def script(folder: Path, name: str, text: str) -> str:
    """Write a plugin that is a shell script; return the folders of plugins with this one."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"{DIST}:{REFERENCE}:{folder}"


def cached() -> list[str]:
    """Return the names of libcni's files."""
    return sorted(disk.files(f"{disk.CNI}/results"))


def arp_filter(pod: Space) -> str:
    """Return what tuning sets."""
    return pod.run("cat", f"/proc/sys/{SYSCTL}").strip()


def test_add_check_and_del(vf: VF, pod: Space, write: Write) -> None:
    """The result, what changed, and what is wrong later are said; DEL leaves nothing."""
    before, name = vf.snapshot(), str(pod.name)
    sriov = {"type": "sriov", "vlan": 100, "ipam": HOST_LOCAL, "capabilities": {"mac": True}}
    conf = write(sriov, TUNING)
    about = ("--ifname", "net1", "--conf-dir", conf)
    mac = {"CAP_ARGS": '{"mac": "02:00:00:00:00:2a", "bandwidth": {}}'}

    said = plumbline("network", "add", "blue", name, "--device", vf.address, *about, program=BINARY, **mac).ended(0)
    assert [line.split()[:2] for line in said.stdout.splitlines()[:2]] == [["ADD", "sriov"], ["ADD", "tuning"]]
    assert f"{vf.address} vlan: none -> 100" in said.stdout
    assert f"net1@{name}: new, mac 02:00:00:00:00:2a" in said.stdout
    [address] = disk.reserved("blue")
    assert f"{address}/24 gateway 10.8.0.1 on net1" in said.stdout
    assert (pod.links(), arp_filter(pod)) == (["net1"], "1")
    [file] = cached()

    again = plumbline("network", "add", "blue", name, "--device", vf.address, *about).ended(4)
    assert file in again.stderr

    plumbline("network", "check", "blue", name, *about, program=BINARY).ended(0)
    vf.pf.set(vf.index, "vlan", "5")
    failed = plumbline("network", "check", "blue", name, *about).ended(1)
    assert "sriov at CHECK" in failed.stderr
    assert "vlan 5" in failed.stderr

    os.unlink(f"{conf}/10-blue.conflist")  # the cache has it
    said = plumbline("network", "del", "blue", name, *about, program=BINARY).ended(0)
    assert [line.split()[:2] for line in said.stdout.splitlines()[:2]] == [["DEL", "tuning"], ["DEL", "sriov"]]
    assert (pod.links(), cached(), disk.reserved("blue"), disk.records(disk.SRIOV)) == ([], [], {}, [])
    assert vf.snapshot() == before


def test_a_plugin_fails(vf: VF, pod: Space, write: Write, tmp_path: Path) -> None:
    """What those before it did is undone, or stays to be looked at; `del` takes that back without a cached result."""
    before, name = vf.snapshot(), str(pod.name)
    error = '{"cniVersion": "1.0.0", "code": 105, "msg": "no luck", "details": "today"}'
    folders = script(tmp_path, "unlucky", f"[ $CNI_COMMAND != ADD ] || {{ echo '{error}'; exit 1; }}")
    conf = write({"type": "sriov", "deviceID": vf.address, "vlan": 100, "ipam": HOST_LOCAL}, {"type": "unlucky"})
    about = ("--ifname", "net1", "--conf-dir", conf, "--bin-dir", folders)

    failed = plumbline("network", "add", "blue", name, *about).ended(1)
    assert "unlucky at ADD: no luck; today (code 105)" in failed.stderr
    assert "undone" in failed.stderr
    assert (pod.links(), cached(), disk.reserved("blue")) == ([], [], {})
    assert vf.snapshot() == before

    plumbline("network", "add", "blue", name, "--keep", *about).ended(1)
    assert pod.links() == ["net1"]
    plumbline("network", "del", "blue", name, *about).ended(0)
    assert (pod.links(), cached(), disk.reserved("blue")) == ([], [], {})
    assert vf.snapshot() == before


def test_killed_in_the_middle(vf: VF, pod: Space, write: Write, tmp_path: Path) -> None:
    """Nothing is undone then, and nothing is cached; `del` finishes it."""
    before, name, reached = vf.snapshot(), str(pod.name), tmp_path / "reached"
    folders = script(tmp_path, "slow", f"[ $CNI_COMMAND != ADD ] || {{ touch {reached}; exec sleep 60; }}")
    conf = write({"type": "sriov", "deviceID": vf.address, "vlan": 100, "ipam": HOST_LOCAL}, {"type": "slow"})
    about = ("blue", name, "--ifname", "net1", "--conf-dir", conf, "--bin-dir", folders)
    with subprocess.Popen([*MODULE, "network", "add", *about], cwd=REPOSITORY, start_new_session=True) as adding:
        wait_for(reached.exists, "second plugin", 60)
        os.killpg(adding.pid, 9)
    assert (pod.links(), cached()) == (["net1"], [])
    plumbline("network", "del", *about).ended(0)
    assert (pod.links(), cached(), disk.reserved("blue"), disk.records(disk.SRIOV)) == ([], [], {}, [])
    assert vf.snapshot() == before


def test_gc_of_a_network(vf: VF, far_vf: VF, make_pod: Callable[[], Space], write: Write) -> None:
    """DEL goes to what is cached of a namespace that is gone; what lives stays."""
    before, (dying, living) = vf.snapshot(), (make_pod(), make_pod())
    conf = write({"type": "sriov", "ipam": HOST_LOCAL}, TUNING)
    for device, pod in ((vf, dying), (far_vf, living)):
        about = ("--ifname", "net1", "--conf-dir", conf, "--device", device.address)
        plumbline("network", "add", "blue", str(pod.name), "--json", *about).ended(0)
    dying.delete()
    found = plumbline("network", "gc", "blue", "--conf-dir", conf, "--dry-run", "--json").ended(0).json
    assert [x["netns"] for x in found["stale"]] == [dying.path]
    assert [x["netns"] for x in found["valid"]] == [living.path]
    assert len(cached()) == 2
    plumbline("network", "gc", "blue", "--conf-dir", conf).ended(0)
    assert (living.links(), len(cached()), len(disk.reserved("blue"))) == (["net1"], 1, 1)
    assert vf.snapshot() == before
    plumbline("network", "del", "blue", str(living.name), "--ifname", "net1", "--conf-dir", conf).ended(0)
    assert (living.links(), cached(), disk.reserved("blue")) == ([], [], {})
