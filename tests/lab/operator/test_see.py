"""What the operator's command shows of a node on which everything occurs (tests/support/scene.py)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plumbline.errors import Status, VerbError
from tests.support import disk, net, scene, schemas
from tests.support.command import MODULE
from tests.support.inprocess import document, run
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, binary
from tests.support.scene import Scene
from tests.support.vfs import PF
from tests.support.watching import watching

INFORMATION = "/var/run/k8s.cni.cncf.io/devinfo"


@pytest.fixture(scope="module")
def there(pfs: list[PF]) -> Iterator[Scene]:
    """The scene, for all tests of this module."""
    with scene.made(pfs) as made:
        yield made


@pytest.fixture(autouse=True)
def empty_disk() -> None:
    """Keep what is on the disk: the scene's records."""


@pytest.fixture(scope="module")
def told(there: Scene) -> dict[str, Any]:
    """What the built binary prints with `vfs --json`."""
    done = subprocess.run([binary("plumbline"), "vfs", "--json"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


STATES: dict[str, tuple[str, ...]] = {
    "enp1s0:0": ("pod", "record", "default", "router-0", "11111111-aaaa", "net1", "blue"),
    "enp1s0:1": ("dead", "record", "default", "router-1", "22222222-bbbb", "net1", "blue"),
    "enp1s0:2": ("busy", "vfio"),
    "enp1s0:3": ("foreign",),
    "enp1s0:4": ("stray", "kubelet", "default", "waiting", "33333333-cccc"),
    "enp1s0:5": ("unbound",),
    "enp1s0:6": ("free",),
    "enp2s0:0": ("pod", "record", "default", "legacy", "55555555-eeee", "net1", "lab"),
    "enp2s0:1": ("pod", "record", "kube-system", "probe", "44444444-dddd", "net1", "lab"),
    "enp2s0:2": ("pod", "record", "eth0", "green"),
    "enp2s0:3": ("free",),
}
"""Of each VF its state, and of its owner the source, namespace, name and UID, interface, and network."""


def test_states_and_owners(told: dict[str, Any]) -> None:
    """Each VF is in its state, and the pod, its interface and its network are named, whoever knows them."""
    schemas.check(told)
    members = ("source", "namespace", "pod", "uid", "interface", "network")
    found = {}
    for vf in (vf for pf in told["pfs"] for vf in pf["vfs"]):
        owner = vf["owner"] or {}
        known = tuple(owner[member] for member in members if owner.get(member) is not None)
        found[f"{vf['pf']}:{vf['index']}"] = (vf["state"], *known)
    assert {key: found[key] for key in STATES} == STATES
    assert told["unknown"] == []


def test_where_everything_is(told: dict[str, Any], there: Scene) -> None:
    """The link in its pod, settings at the PF, the program, the container, the representors and their bridge."""
    near, far, simulated = told["pfs"]
    pod, dead, busy, foreign = near["vfs"][:4]
    assert (pod["link"]["name"], pod["link"]["netns"]) == ("net1", there.pods["living"].path)
    assert (pod["settings"]["vlan"], pod["owner"]["alive"], pod["driver"]) == (100, True, "igbvf")
    assert (dead["link"]["netns"], dead["owner"]["alive"]) == (None, False)
    assert (busy["driver"], busy["link"], busy["owner"]["program"].split()[0]) == ("vfio-pci", None, str(os.getpid()))
    assert foreign["link"]["netns"] == there.pods["strange"].path
    assert far["vfs"][0]["owner"]["containerID"] == "gogogo0"
    assert far["vfs"][2]["owner"]["containerID"] == "default-scene"
    assert far["vfs"][2]["settings"]["trust"] is True
    assert (near["vfsUsed"], near["vfsMade"], near["vfsPossible"]) == (5, 7, 7)
    assert (near["eswitch"], simulated["eswitch"]) == ("legacy", "switchdev")
    stand_ins = [vf["representor"] for vf in simulated["vfs"]]
    assert [stand_in["master"] for stand_in in stand_ins] == [scene.BRIDGE, scene.BRIDGE, None, None]
    assert simulated["link"]["master"] == scene.BRIDGE


def test_tables(there: Scene) -> None:
    """A line a device; what is told of a VF of one PF is not told of the others."""
    lines = run("vfs", "enp1s0").splitlines()
    assert [line.split()[0] for line in lines] == ["VF", *(f"enp1s0:{index}" for index in range(7))]
    assert "default/router-0" in lines[1]
    assert "net1@living" in lines[1]
    status = run("status")
    assert "4 pod, 1 dead, 1 busy, 1 foreign, 1 stray, 1 unbound, 9 free" in status
    assert " 5/7/7 " in status


@pytest.mark.parametrize("name", ["address", "link", "index"])
def test_show_by_any_name(there: Scene, name: str) -> None:
    """A VF by its address, its link's name, or its index: all of it is shown."""
    vf = there.pfs[0].vfs[1]
    text = {"address": vf.address, "link": vf.name, "index": f"enp1s0:{vf.index}"}[name]
    assert document("show", text)["vf"]["address"] == vf.address


def test_show_a_pods_vf(there: Scene) -> None:
    """The record with what was before and what was asked for, addresses in the pod, and the device-information file."""
    vf = there.pfs[0].vfs[0]
    path = f"{INFORMATION}/dp/intel-vfs.json"
    content = {"type": "pci", "version": "1.0.0", "pci": {"pci-address": vf.address}}
    scene.write(path, json.dumps(content))
    found = document("show", vf.address)
    os.unlink(path)
    assert found["kind"] == "vf"
    assert [x for x in found["addresses"] if not x.startswith("fe80")] == ["10.20.0.2/24"]
    (record,) = found["records"]
    assert record["path"] == f"{disk.SRIOV}/sandbox0-net1"
    assert (record["byUs"], record["ofThisBoot"], record["asked"]["vlan"]) == (True, True, 100)
    assert record["before"]["link"]["name"] == "enp1s0v0"
    assert record["before"]["settings"]["vlan"] == 0
    assert [owner["source"] for owner in found["owners"]] == ["record", "allocation"]
    assert [info["content"] for info in found["deviceInfo"]] == [content]
    shown = run("show", vf.address)
    for text in ("default/router-0", "vlan 100", "10.20.0.2/24", record["path"], there.pods["living"].path):
        assert text in shown


def test_show_what_others_attached(there: Scene) -> None:
    """A Go plugin's record lacks the pod, which the runtime's cache and the kubelet know."""
    found = document("show", there.pfs[1].vfs[0].address)
    assert [owner["source"] for owner in found["owners"]] == ["record", "cache", "allocation"]
    assert found["records"][0]["byUs"] is False
    assert found["records"][0]["before"]["link"]["up"] is None
    found = document("show", there.pfs[1].vfs[1].address)
    assert [owner["source"] for owner in found["owners"]] == ["record", "kubelet", "allocation"]
    assert found["owners"][1]["pod"] == "probe"


def test_show_pf_busy_vf_and_simulated_one(there: Scene) -> None:
    """A PF comes with its VFs, a VF in a program with that, a simulated VF with its representor."""
    assert document("show", "enp1s0")["pf"]["address"] == there.pfs[0].address
    busy = document("show", "enp1s0:2")
    assert (busy["link"], busy["addresses"], busy["owners"][0]["source"]) == (None, None, "vfio")
    assert document("show", "eni1np1:0")["vf"]["representor"]["master"] == scene.BRIDGE


def test_show_a_device_that_is_no_vf(there: Scene, make_device: Callable[..., str], pod: Space) -> None:
    """What host-device has moved is found by its name on the host, and shown where it is now."""
    name = make_device()
    conf = {"cniVersion": "1.0.0", "name": "red", "type": "host-device", "device": name}
    one = Attachment(conf, net.unique("sandbox"), pod.path, args=scene.kubelet_args("default", "mover", "1"))
    one.add()
    try:
        found = document("show", name)
        assert (found["kind"], found["link"]["name"], found["link"]["netns"]) == ("other", "net1", pod.path)
        assert found["owners"][0]["pod"] == "mover"
        assert [other["device"] for other in document("status")["others"]] == [name]
        assert "default/mover" in run("tree")
    finally:
        one.delete()


def test_no_such_device(there: Scene) -> None:
    """The built binary says what there is, and ends with 10."""
    done = subprocess.run([binary("plumbline"), "show", "enp9s0:1"], capture_output=True, text=True)
    assert done.returncode == Status.NO_DEVICE
    assert 'there is no device "enp9s0:1" on this node' in done.stderr
    assert "enp1s0" in done.stderr
    with pytest.raises(VerbError, match="no PF and no VF"):
        run("show", "lo")


def test_tree(there: Scene) -> None:
    """Each pod is below its VF, what is free is counted, a representor is in its bridge."""
    lines = [line.strip("│├└─ ") for line in run("tree").splitlines()]
    at = lines.index(next(line for line in lines if line.startswith("enp1s0:0  pod")))
    assert lines[at + 1].startswith("pod  default/router-0  net1  network blue")
    assert "enp2s0:3-6  4 free" in lines
    assert any("representor" in line and f"in {scene.BRIDGE}" in line for line in lines)
    assert any(line.startswith("eni1np1 ") and f"in {scene.BRIDGE}" in line for line in lines)
    everything = run("tree", "--all")
    assert all(f"enp2s0:{index} " in everything for index in range(7))


def test_pictures(there: Scene) -> None:
    """Graphviz's text joins pod, VF and PF; the SVG is XML with the same in it, and fetches nothing."""
    dot = run("tree", "--dot")
    assert '"pod default/router-0" -- "vf enp1s0:0"' in dot
    assert f'"vf enp1s0:0" -- "pf {there.pfs[0].address}"' in dot
    svg = run("tree", "--svg")
    texts = {text.strip() for text in ElementTree.fromstring(svg).itertext()}
    assert {"default/router-0", "enp1s0:0", "enp1s0", scene.BRIDGE} <= texts
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")


WATCH = ("vfs", "enp1s0", "--watch", "--json")


def vf_of(document: dict[str, Any], index: int) -> dict[str, Any]:
    """Return a VF of the first PF of a document."""
    found = document["pfs"][0]["vfs"][index]
    assert isinstance(found, dict)
    return found


def test_watch(there: Scene) -> None:
    """Shown are a setting at the PF, which rtnetlink tells, a driver, which udev tells, and a record; then Ctrl-C."""
    vf = there.pfs[0].vfs[6]
    with watching(*MODULE, *WATCH) as watch:
        assert vf_of(watch.next(), 6)["state"] == "free"
        there.pfs[0].set(6, "trust", "on")
        assert vf_of(watch.until(lambda x: vf_of(x, 6)["settings"]["trust"]), 6)["state"] == "free"
        vf.bind("")
        assert vf_of(watch.until(lambda x: vf_of(x, 6)["state"] == "unbound"), 6)["link"] is None
        vf.bind("igbvf")
        watch.until(lambda x: vf_of(x, 6)["state"] == "free")
        there.attachments[0].delete()
        assert vf_of(watch.until(lambda x: vf_of(x, 0)["state"] == "free"), 0)["owner"] is None
        there.attachments[0].add()
        owner = vf_of(watch.until(lambda x: vf_of(x, 0)["state"] == "pod"), 0)["owner"]
        assert owner["pod"] == "router-0"
        watch.interrupt(signal.SIGINT)
        assert watch.end() == (0, b"")


def test_watch_ends_with_its_reader(there: Scene) -> None:
    """The built binary ends when nobody reads any more, though nothing has changed."""
    with watching(binary("plumbline"), *WATCH) as watch:
        watch.next()
        watch.close()
        assert watch.end() == (0, b"")


def test_other_names_are_plain_text(there: Scene) -> None:
    """A pod calls its link by what moves a cursor, and by bytes that are no text: it is shown, escaped."""
    space = there.pods["strange"]
    (name,) = space.links()
    evil = b"a\x1b[2J\xff"
    net.run("ip", "-n", str(space.name), "link", "set", name, "name", os.fsdecode(evil))
    try:
        assert vf_of(document("vfs", "enp1s0"), 3)["link"]["name"] == os.fsdecode(evil)
        shown = run("vfs", "enp1s0")
        assert "a\\x1b[2J\\udcff@strange" in shown
        assert "\x1b" not in shown
    finally:
        net.run("ip", "-n", str(space.name), "link", "set", os.fsdecode(evil), "name", name)
    assert HOST.links()
