"""DEL comes to its end, and tells the truth: faults that an attack and a cluster found, chapter 3 and more.

| fault | tests |
| --- | --- |
| 3.1 what dead pods have left comes back with every later ADD and DEL | test_swept, test_swept_after_a_kill |
| 3.1 of living pods nothing is taken | test_not_swept_while_a_process_lives, test_not_swept_elsewhere |
| 3.1 a device on its way back | tests/lab/test_field_delete.py, test_ownership.py::test_dying_namespace |
| 3.2 a fixed MAC on two VFs | tests/lab/test_field_delete.py |
| 3.3 DEL with a stripped configuration | test_stripped, test_addresses_that_cannot_be_released |
| 3.4 a setting that cannot be restored wedges the device | test_what_cannot_be_restored |
| 3.5 a configuration that ADD takes and DEL cannot | test_field_door.py |
| 3.6 GC without the key | test_gc_without_the_key |
| 3.7 another network under the same name | test_another_network, test_another_network_of_a_dead_pod |
| 5.4 records are believed without bounds | test_a_record_that_cannot_be_believed |
| issue, 6: pods have names | test_the_pods_name |
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import disk, faults, net, node
from tests.support.net import HOST, Space
from tests.support.plugin import REFERENCE, Attachment

IPAM = {"type": "host-local", "subnet": "10.9.0.0/24"}
VALID_NONE: dict[str, Any] = {"cni.dev/valid-attachments": []}
MakeDevice = Callable[..., str]
MakePod = Callable[[], Space]


def attachment(pod: Space, device: str, args: str | None = None, **conf: Any) -> Attachment:
    """Return an attachment to be."""
    whole = {"cniVersion": "1.1.0", "name": "ends", "type": "host-device", "device": device, "ipam": IPAM, **conf}
    return Attachment(whole, net.unique("container"), pod.path, args=args)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    disk.clear()


def record(one: Attachment) -> str:
    """Return the path of an attachment's record."""
    return f"{disk.HOST_DEVICE}/{one.container_id}-{one.ifname}"


@pytest.mark.parametrize("command", ["ADD", "DEL", "GC", "GC of another network", "a refused ADD"])
def test_swept(command: str, make_pod: MakePod, make_device: MakeDevice) -> None:
    """A pod dies without DEL. Whatever comes next on this node forgets it and releases its address."""
    dead, pod = make_pod(), make_pod()
    one, device = attachment(dead, make_device()), make_device()
    one.add()
    dead.delete()
    next_one = attachment(pod, device)
    if command == "ADD":
        next_one.add()
        next_one.delete()
    elif command == "DEL":
        next_one.call("DEL").ok()
    elif command == "a refused ADD":
        pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "other")
        next_one.call("ADD").error(4)
    else:
        conf = {"name": "another"} if command != "GC" else {}
        attachment(pod, device, **conf).call("GC", **VALID_NONE).ok()
    assert disk.records() == []
    assert disk.reserved("ends") == {}


def test_swept_after_a_kill(make_pod: MakePod, make_device: MakeDevice) -> None:
    """An ADD is killed with the device still on the host, and its pod dies: the device is as it was."""
    dead, pod = make_pod(), make_pod()
    device = make_device()
    one = attachment(dead, device)
    HOST.ip("link", "set", device, "up")
    before = HOST.settings(device)
    call = next(call for call in faults.calls(one, "ADD", "sendto,clone,clone3") if call.name.startswith("clone"))
    one.delete()
    assert faults.inject(one, "ADD", "signal=SIGKILL", call).status == -9
    assert f"{one.container_id}-net1" in disk.records()
    dead.delete()
    attachment(pod, "nowhere7").call("DEL").ok()
    assert disk.records() == []
    assert HOST.settings(device) == before


def test_not_swept_while_a_process_lives(pod: Space, make_pod: MakePod, make_device: MakeDevice) -> None:
    """The path of the namespace is gone, and a process is in it still: the pod lives."""
    one = attachment(pod, make_device())
    one.add()
    holder = subprocess.Popen(["ip", "netns", "exec", str(pod.name), "sleep", "600"])
    try:
        while net.run("ip", "netns", "pids", str(pod.name)).split() != [str(holder.pid)]:
            assert holder.poll() is None
        pod.delete()
        next_one = attachment(make_pod(), make_device())
        next_one.add()
        next_one.delete()
        assert disk.records() == [f"{one.container_id}-net1"]
        assert len(disk.reserved("ends")) == 1
    finally:
        holder.kill()
        holder.wait()
    next_one.call("DEL").ok()
    assert disk.records() == []
    assert disk.reserved("ends") == {}


def test_not_swept_elsewhere(make_pod: MakePod, make_device: MakeDevice) -> None:
    """A caller that sees other files than the runtime, as in a container, sees no namespace of any pod: with a process
    in it, as every pod has, a pod lives.
    """
    pod = make_pod()
    one = attachment(pod, make_device())
    one.add()
    holder = subprocess.Popen(["ip", "netns", "exec", str(pod.name), "sleep", "600"])
    try:
        while net.run("ip", "netns", "pids", str(pod.name)).split() != [str(holder.pid)]:
            assert holder.poll() is None
        other = attachment(make_pod(), "nowhere7")
        hidden = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$0"')
        other.call("DEL", prefix=hidden).ok()
        assert disk.records() == [f"{one.container_id}-net1"]
        assert len(disk.reserved("ends")) == 1
        one.check().ok()
        one.delete()
    finally:
        holder.kill()
        holder.wait()


STRIPPED: dict[str, Any] = {
    "the type only": {"ipam": {"type": "host-local"}},
    "no ipam": {"ipam": None},
    "another dataDir": {"ipam": {**IPAM, "dataDir": "/var/lib/cni/networks"}},
    "another type": {"ipam": {"type": "static"}},
    "a type that nobody has": {"ipam": {"type": "nowhere7"}},
}


@pytest.mark.parametrize("stripped", STRIPPED.values(), ids=STRIPPED)
def test_stripped(stripped: dict[str, Any], pod: Space, device: str) -> None:
    """The record tells where the address is, whatever DEL's configuration says of IPAM by now."""
    with node.configured(dataDirs=["/run/stores"]):
        folder = f"/run/stores/{net.unique('blue')}"
        one = attachment(pod, device, ipam={**IPAM, "dataDir": folder})
        one.add()
        assert [x for x in os.listdir(f"{folder}/ends") if x.startswith("10.")] == ["10.9.0.2"]
        one.conf.update(stripped)
        outcome = one.call("DEL")
        assert [x for x in os.listdir(f"{folder}/ends") if x.startswith("10.")] == []
        if "nowhere7" not in json.dumps(stripped):
            outcome.ok()
        assert device in HOST.links()


def test_addresses_that_cannot_be_released(pod: Space, device: str) -> None:
    """The device comes back, and the record stays, for it alone tells the next DEL where the address is."""
    one = attachment(pod, device)
    one.add()
    with node.configured(builtinIPAM=5):
        one.call("DEL").error(7)
    assert device in HOST.links()
    assert disk.records() == [f"{one.container_id}-net1"]
    one.conf["ipam"] = None
    one.delete()
    assert disk.reserved("ends") == {}
    assert disk.records() == []


def test_addresses_that_cannot_be_released_of_a_pod_that_the_reference_attached_anew(
    pod: Space, make_device: MakeDevice
) -> None:
    """The same where the record's device is on the host already, and the pod has another without a record: DEL ends,
    the record stays for the addresses, and the next DEL gives the other device back.
    """
    first, second = make_device(), make_device()
    one = attachment(pod, first, cniVersion="1.0.0")
    one.add()
    one.delete(folder=REFERENCE)
    again = attachment(pod, second, cniVersion="1.0.0")
    again.container_id = one.container_id
    again.conf["ipam"] = one.conf["ipam"]
    again.add(folder=REFERENCE)
    with node.configured(builtinIPAM=5):
        again.call("DEL", prefix=("timeout", "30")).error(7)
    assert disk.records() == [f"{one.container_id}-net1"]
    again.delete()
    assert {first, second} <= set(HOST.links())
    assert (pod.links(), disk.records(), disk.reserved("ends")) == ([], [], {})


def test_what_cannot_be_restored(pod: Space, make_pod: MakePod, make_device: MakeDevice) -> None:
    """What a macvlan is upon has got too small for the MTU that it had: DEL says so and comes to its end."""
    lower, name = make_device(), net.unique("mv")
    HOST.batch(f"link set {lower} up", f"link add {name} link {lower} type macvlan")
    try:
        one = attachment(pod, name)
        one.add()
        pod.ip("link", "set", "net1", "mtu", "1300")
        HOST.ip("link", "set", lower, "mtu", "1400")
        outcome = one.call("DEL")
        outcome.ok()
        assert f'cannot restore mtu of {name} to "1500": ' in outcome.stderr
        assert disk.records() == []
        assert HOST.settings(name)["mtu"] == 1300
        next_one = attachment(make_pod(), name)
        next_one.add()
        next_one.delete()
    finally:
        net.delete_device(name)


@pytest.mark.parametrize("key", [{}, {"cni.dev/valid-attachments": None}], ids=["no key", "null"])
def test_gc_without_the_key(key: dict[str, Any], make_pod: MakePod, make_device: MakeDevice) -> None:
    """As `cnitool gc` asks: what belongs to nobody who lives goes, and nothing else."""
    dead, pod = make_pod(), make_pod()
    gone, here = attachment(dead, make_device()), attachment(pod, make_device())
    gone.add()
    here.add()
    dead.delete()
    here.call("GC", **key).ok()
    assert disk.records() == [f"{here.container_id}-net1"]
    assert len(disk.reserved("ends")) == 1
    here.check().ok()
    here.delete()


def test_another_network(pod: Space, make_device: MakeDevice) -> None:
    """ADD to another network under the name that is taken changes nothing of the live attachment."""
    first, second = make_device(), make_device()
    one = attachment(pod, first)
    one.add()
    before = disk.files(disk.CNI)
    other = attachment(pod, second, name="other")
    other.container_id = one.container_id
    error = other.call("ADD").error(4)
    assert '"ends"' in error["msg"]
    assert disk.files(disk.CNI) == before
    one.check().ok()
    # The runtime cleans up after the ADD that was refused.
    outcome = other.call("DEL")
    outcome.ok()
    assert 'is attached to network "ends"' in outcome.stderr
    assert disk.files(disk.CNI) == before
    one.check().ok()
    one.delete()


def test_another_network_of_a_dead_pod(make_pod: MakePod, make_device: MakeDevice) -> None:
    """The pod of the earlier attachment is gone: nobody can have it any more, and its address is released."""
    dead, pod = make_pod(), make_pod()
    one = attachment(dead, make_device())
    one.add()
    dead.delete()
    other = attachment(pod, make_device(), name="other")
    other.container_id = one.container_id
    other.add()
    assert disk.reserved("ends") == {}
    other.delete()
    assert disk.records() == []


BAD: dict[str, tuple[tuple[str, ...], Any]] = {
    "mtu": (("original", "mtu"), 1 << 40),
    "negative mtu": (("original", "mtu"), -1),
    "index": (("original", "index"), 1 << 31),
    "name": (("original", "name"), "../x"),
    "key": (("key",), "../../x"),
    "key of another": (("key",), "other"),
    "key of a folder": (("key",), ".."),
    "path": (("devicePath",), "/sys/../etc"),
    "mac": (("original", "mac"), "zz"),
    "long mac": (("original", "mac"), ":".join(["00"] * 33)),
    "alias": (("original", "alias"), "x" * 256),
    "altnames": (("original", "altNames"), ["x" * 128]),
    "cookie": (("netnsCookie",), 1 << 64),
    "netns": (("netns",), "/" + "x" * 5000),
    "pod index": (("plumbline", "podIndex"), -1),
    "property": (("plumbline", "properties", "group"), 1 << 32),
    "flags": (("plumbline", "properties", "flags"), 1 << 33),
    "features": (("plumbline", "properties", "features"), "../"),
    "types": (("original",), 5),
}


@pytest.mark.parametrize("command", ["DEL", "GC", "ADD of another", "DEL of another"])
@pytest.mark.parametrize("bad", BAD)
def test_a_record_that_cannot_be_believed(bad: str, command: str, make_pod: MakePod, make_device: MakeDevice) -> None:
    """It counts as none, and that is said; nothing is done by what it says."""
    pod, device = make_pod(), make_device()
    one = attachment(pod, device)
    one.add()
    with open(record(one)) as file:
        written = json.load(file)
    where, value = BAD[bad]
    inner = written
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with open(record(one), "w") as file:
        json.dump(written, file)
    with open(f"{disk.CNI}/x", "w"):
        pass
    other = attachment(make_pod(), make_device())
    if command == "GC":
        outcome = one.call("GC", **VALID_NONE)
    else:
        subject = one if command == "DEL" else other
        outcome = subject.call(command.split()[0])
    outcome.ok()
    assert "damaged and not used" in outcome.stderr
    assert "fault" not in outcome.stderr
    assert os.path.exists(f"{disk.CNI}/x")
    if command != "DEL":
        assert os.path.exists(record(one))
    else:  # it may be known without the record, as what the reference plugin attached
        assert (device in HOST.links()) is (pod.links() == [])


ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=router-0;K8S_POD_UID=5e3f;K8S_POD_INFRA_CONTAINER_ID=x"


def test_the_pods_name(pod: Space, device: str) -> None:
    """The record keeps what CNI_ARGS says of the pod, and every line of the log names it."""
    one = attachment(pod, device, args=ARGS, logLevel="debug")
    outcome = one.call("ADD")
    outcome.ok()
    with open(record(one)) as file:
        ours = json.load(file)["plumbline"]
    assert (ours["K8S_POD_NAMESPACE"], ours["K8S_POD_NAME"], ours["K8S_POD_UID"]) == ("default", "router-0", "5e3f")
    lines = outcome.stderr.splitlines()
    assert lines
    assert all(f"[{one.container_id} net1 default/router-0]" in line for line in lines), lines
    # Another pod that wants the device is told by name who has it.
    error = attachment(pod, device).call("ADD").error()
    assert "CNI_IFNAME" in error["msg"]
    one.ifname = "net2"
    other = attachment(pod, device)
    other.ifname = "net3"
    assert "default/router-0" in other.call("ADD").error(7)["details"]
    one.ifname = "net1"
    one.delete()


@pytest.mark.parametrize("args", [None, "", "K8S_POD_NAME", "K8S_POD_NAME=a\nb;IgnoreUnknown=1", "x=y;;;"])
def test_without_a_name(args: str | None, pod: Space, device: str) -> None:
    """What makes no sense is left out, and is no reason to fail for a plugin that has no use for it."""
    one = attachment(pod, device, args=args, ipam=None)
    one.add()
    with open(record(one)) as file:
        assert not [key for key in json.load(file)["plumbline"] if key.startswith("K8S")]
    one.delete()
