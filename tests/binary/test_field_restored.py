"""What a pod does to a device does not stay with it: faults that an attack on the binaries found, chapter 2.

| fault | tests |
| --- | --- |
| 2 each property that a pod changes, on veth and macvlan (a VF: tests/lab/test_field_restored.py) | test_each |
| 2 whatever else this kernel lets anybody change, and what a newer one adds | test_everything |
| 2 an attacker's program sees the host's packets | test_each[XDP], [classifier], test_a_program_that_a_link_holds |
| 2 XDP is detached at ADD | test_a_program_of_the_host |
| 2 what the pod put on top of the device stays connected | test_on_top, test_what_is_another_pods |
| 2 CHECK says nothing | test_check |
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import disk, links, net, properties
from tests.support.links import Netns
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment

MakeDevice = Callable[..., str]
VALID_NONE: dict[str, Any] = {"cni.dev/valid-attachments": []}


@pytest.fixture(params=["veth", "macvlan"])
def kind(request: pytest.FixtureRequest, device: str) -> Iterator[str]:
    """The name of a device of the host, of two kinds."""
    if request.param == "veth":
        yield device
        return
    name = net.unique("mv")
    HOST.batch(f"link set {device} up", f"link add {name} link {device} type macvlan mode bridge")
    yield name
    net.delete_device(name)


@pytest.fixture
def inside(pod: Space) -> Iterator[Netns]:
    """The pod, for requests of the kernel's own kind."""
    opened = Netns(os.open(pod.path, os.O_RDONLY | os.O_CLOEXEC))
    yield opened
    opened.forget()


@pytest.fixture(scope="module")
def host() -> Iterator[Netns]:
    """The host, likewise."""
    opened = Netns.own()
    yield opened
    opened.forget()


def attachment(pod: Space, device: str) -> Attachment:
    """Return an attachment to be."""
    conf = {"cniVersion": "1.1.0", "name": "restored", "type": "host-device", "device": device}
    return Attachment(conf, net.unique("container"), pod.path)


def shown(name: str) -> dict[str, Any]:
    """Return what ip(8) says of a link of the host, but for what comes and goes by itself."""
    link = HOST.link(name)
    assert link is not None
    return {key: value for key, value in link.items() if key != "operstate"}


def state(host: Netns, name: str) -> dict[str, Any]:
    """Return what the kernel says of it, and what rtnetlink does not tell."""
    index = shown(name)["ifindex"]
    found = {**properties.link(host, index).state(), "features": links.features(host, name)}
    return {**found, "classifiers": links.classifiers(host, index)}


def index_in(inside: Netns) -> int:
    """Return the index of the pod's net1."""
    return next(link.index for link in inside.links() if link.name == "net1")


@pytest.mark.parametrize("command", ["DEL", "GC", "the next ADD"])
@pytest.mark.parametrize("change", properties.CHANGES)
def test_each(change: str, command: str, kind: str, pod: Space, inside: Netns, host: Netns) -> None:
    """A property that the pod changed is as it was, whoever gives the device back."""
    if command != "DEL" and change not in ("promiscuous", "queue length", "XDP"):
        return  # what gives back is one piece of code: three properties of different kinds show that it is called
    before = shown(kind), state(host, kind)
    one = attachment(pod, kind)
    one.add()
    properties.CHANGES[change](inside, index_in(inside))
    if command == "DEL":
        one.delete()
    elif command == "GC":
        one.call("GC", **VALID_NONE).ok()
    else:
        one.add()
        one.delete()
    assert shown(kind) == before[0]
    assert state(host, kind) == before[1]
    disk.clear()


def test_everything(kind: str, pod: Space, inside: Netns, host: Netns) -> None:
    """All at once, and whatever else there is to be changed."""
    before = shown(kind), state(host, kind)
    one = attachment(pod, kind)
    one.add()
    index = index_in(inside)
    changed = properties.everything(inside, index)
    assert {"TXQLEN", "GROUP", "GSO_MAX_SEGS", "GRO_MAX_SIZE", "flag 0x80", "flag 0x100"} <= changed.keys()
    links.features(inside, "net1", 1 << 14)
    one.delete()
    assert links.differences(before[1], state(host, kind)) == {}, f"the pod changed {changed}"
    assert shown(kind) == before[0]
    disk.clear()


def test_a_program_that_a_link_holds(kind: str, pod: Space, inside: Netns, host: Netns) -> None:
    """An XDP program that its owner holds, as a process of the pod's may that lives on."""
    before = state(host, kind)
    one = attachment(pod, kind)
    one.add()
    held = links.link_program(inside, links.load_program(), index_in(inside))
    try:
        one.delete()
        assert state(host, kind) == before
    finally:
        os.close(held)
    disk.clear()


def test_a_program_of_the_host(kind: str, pod: Space, host: Netns) -> None:
    """What the last pod, which another plugin cleaned up after, has left does not see this pod's packets."""
    index = shown(kind)["ifindex"]
    properties.CHANGES["XDP"](host, index)
    properties.CHANGES["classifier"](host, index)
    one = attachment(pod, kind)
    outcome = one.call("ADD")
    outcome.ok()
    assert "xdp" not in (pod.link("net1") or {})
    assert "detached the XDP program" in outcome.stderr
    assert "classifier" in outcome.stderr
    one.delete()
    disk.clear()


@pytest.mark.parametrize("nested", [False, True], ids=["in the pod", "in a namespace of the pod's"])
def test_on_top(nested: bool, device: str, pod: Space) -> None:
    """A macvlan upon the device would go on hearing what the device hears on the host."""
    one = attachment(pod, device)
    one.add()
    pod.ip("link", "add", "top", "link", "net1", "type", "macvlan")
    # In a namespace that has no name, as a pod makes them.
    cover = subprocess.Popen(["ip", "netns", "exec", str(pod.name), "unshare", "--net", "sleep", "600"])
    try:
        own = os.stat(pod.path).st_ino
        while os.stat(f"/proc/{cover.pid}/ns/net").st_ino in (own, os.stat("/proc/self/ns/net").st_ino):
            assert cover.poll() is None
        if nested:
            pod.ip("link", "set", "top", "netns", str(cover.pid))
        outcome = one.call("DEL")
        outcome.ok()
        assert device in HOST.links()
        left = net.run("nsenter", f"--net=/proc/{cover.pid}/ns/net", "ip", "-br", "link", "show")
        assert (pod.links(), "top" in left) == ([], False)
        assert "deleted top" in outcome.stderr
    finally:
        cover.kill()
        cover.wait()
    disk.clear()


def test_what_is_another_pods(device: str, pod: Space, make_pod: Callable[[], Space], make_device: MakeDevice) -> None:
    """A macvlan of another pod, upon a link that has the device's index there, which the pod knows by number."""
    one, other = attachment(pod, device), make_pod()
    one.add()
    index = str((pod.link("net1") or {})["ifindex"])
    lower = make_device()
    HOST.ip("link", "set", lower, "netns", str(other.name))
    other.batch(
        *(f"link set {lower} name lower", f"link add low index {index} type veth peer name end"),
        *("link add victim link low type macvlan", "link add shared link lower type macvlan"),
        f"link set shared netns {pod.name}",
    )
    one.delete()
    assert device in HOST.links()
    assert "victim" in other.links()
    assert pod.links() == ["shared"]
    disk.clear()


def test_a_neighbour_is_not_on_top(kind: str, pod: Space, make_pod: Callable[[], Space]) -> None:
    """A veth whose other end has the device's index elsewhere, and a pod's other links, are left alone."""
    one, other = attachment(pod, kind), make_pod()
    one.add()
    index = str((pod.link("net1") or {})["ifindex"])
    pod.ip("link", "add", "mine", "type", "veth", "peer", "name", "there", "netns", str(other.name), "index", index)
    pod.ip("link", "add", "second", "type", "veth", "peer", "name", "third")
    one.delete()
    assert sorted(pod.links()) == ["mine", "second", "third"]
    assert other.links() == ["there"]
    disk.clear()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ARP off", "ARP"),
        ("multicast off", "multicast"),
        ("broadcast address", "broadcast address"),
        ("link mode", "link mode"),
    ],
)
def test_check(change: str, said: str, device: str, pod: Space, inside: Netns) -> None:
    """CHECK tells what keeps a link from working and no plugin of a chain changes."""
    one = attachment(pod, device)
    one.add()
    one.check().ok()
    properties.CHANGES[change](inside, index_in(inside))
    error = one.check().error(999)
    assert said in error["msg"]
    one.delete()
    disk.clear()


@pytest.mark.parametrize(
    "change", ["promiscuous", "all-multicast", "queue length", "alias", "XDP", "classifier", "group"]
)
def test_check_is_tolerant(change: str, device: str, pod: Space, inside: Netns) -> None:
    """What the tuning plugin sets, and a program in the pod for its own packets, is the pod's affair."""
    one = attachment(pod, device)
    one.add()
    properties.CHANGES[change](inside, index_in(inside))
    one.check().ok()
    one.delete()
    disk.clear()
