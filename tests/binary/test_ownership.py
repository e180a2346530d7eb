"""Whose a device is, when paths, names and indexes are given anew: nothing is taken from an owner, nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import disk, net
from tests.support.bus import Bus
from tests.support.net import HOST, Space
from tests.support.plugin import REFERENCE, Attachment

PCI = "0000:03:02.6"
NOTHING_VALID: dict[str, Any] = {"cni.dev/valid-attachments": []}
IPAM = {"type": "host-local", "subnet": "10.9.0.0/24"}


@pytest.fixture
def bus() -> Iterator[Bus]:
    """A sysfs with devices of the test's own."""
    made = Bus()
    yield made
    made.remove()


def attachment(pod: Space, **conf: Any) -> Attachment:
    """Return an attachment to be."""
    whole = {"cniVersion": "1.1.0", "name": "owned", "type": "host-device", "ipam": IPAM, **conf}
    return Attachment(whole, net.unique("container"), pod.path)


def recreate(pod: Space) -> None:
    """Give the path of a namespace to a new one, as a node does with process IDs and runtimes with names."""
    pod.delete()
    net.run("ip", "netns", "add", str(pod.name))


def nothing_left() -> bool:
    """Return whether no record and no address is held."""
    return disk.records() == [] and disk.reserved("owned") == {}


def test_second_link_of_one_function(bus: Bus, make_pod: Callable[[], Space], make_device: Callable[..., str]) -> None:
    """The port that is still on the host is not the living pod's device: ADD for it leaves that pod alone."""
    port, other = make_device(), make_device()
    folder = bus.pci(PCI, port)
    os.makedirs(os.path.join(folder, "net", other))
    before = HOST.settings(other)
    first, pods = attachment(make_pod(), pciBusID=PCI), make_pod()
    first.add()
    os.rmdir(os.path.join(folder, "net", port))  # sysfs shows what is on the host

    second = attachment(pods, pciBusID=PCI)
    second.add()
    assert pods.link("net1") is not None
    first.check().ok()
    first.delete()
    second.delete()
    assert HOST.settings(other) == before
    assert nothing_left()


def test_path_and_name_of_a_living_pod(make_pod: Callable[[], Space], make_device: Callable[..., str]) -> None:
    """An old record names the path that a new pod has and a device of the same name that the new pod has, too."""
    pod, name = make_pod(), make_device()
    old = attachment(pod, device=name)
    old.add()
    recreate(pod)
    HOST.ip("link", "add", name, "type", "veth", "peer", "name", "again")
    try:
        new = attachment(pod, device=name)
        new.add()
        for netns in ("", pod.path):
            old.netns = netns
            old.delete()
            new.check().ok()
        new.delete()
        assert HOST.link(name) is not None
        assert nothing_left()
    finally:
        HOST.ip("link", "del", name, check=False)


def test_gc_at_a_path_given_anew(pod: Space, device: str) -> None:
    """GC takes nothing out of a pod whose namespace has the path of a dead one's, whatever the links are called."""
    old = attachment(pod, device=device)
    old.add()
    index = (pod.link("net1") or {})["ifindex"]
    recreate(pod)
    pod.ip("link", "add", "net1", "index", str(index), "type", "veth", "peer", "name", "other")
    old.call("GC", **NOTHING_VALID).ok()
    assert sorted(pod.links()) == ["net1", "other"]
    assert nothing_left()


def test_dying_namespace(bus: Bus, pod: Space, device: str) -> None:
    """A process keeps the deleted namespace alive: DEL succeeds, but the record stays until the device is back."""
    folder = bus.pci(PCI, device, driver="some-nic")
    one = attachment(pod, pciBusID=PCI)
    one.add()
    pod.ip("link", "set", "net1", "mtu", "1300")
    os.rmdir(os.path.join(folder, "net", device))
    holder = subprocess.Popen(["ip", "netns", "exec", str(pod.name), "sleep", "600"])
    try:
        while net.run("ip", "netns", "pids", str(pod.name)).split() != [str(holder.pid)]:
            assert holder.poll() is None
        pod.delete()
        one.delete()
        assert disk.reserved("owned") == {}
        assert disk.records() == [f"{one.container_id}-net1"]
        # What the kernel does when the namespace dies.
        net.run("nsenter", f"--net=/proc/{holder.pid}/ns/net", "ip", "link", "set", "net1", "netns", str(os.getpid()))
    finally:
        holder.kill()
        holder.wait()
    os.makedirs(os.path.join(folder, "net", "net1"))
    one.call("GC", **NOTHING_VALID).ok()
    assert HOST.settings(device)["mtu"] == 1500
    assert nothing_left()


def test_repeated_add_in_a_new_namespace(make_pod: Callable[[], Space], device: str) -> None:
    """The same container in another namespace: the device is fetched from the first, and there is one address."""
    before = HOST.settings(device)
    first, second = make_pod(), make_pod()
    one = attachment(first, device=device)
    one.add()
    one.netns = second.path
    one.add()
    assert first.links() == []
    assert second.links() == ["net1"]
    assert len(disk.reserved("owned")) == 1
    one.delete()
    assert HOST.settings(device) == before
    assert nothing_left()


@pytest.mark.parametrize("selector", [{}, {"device": "../x"}, {"hwaddr": "x"}, {"pciBusID": "x"}, {"device": "other"}])
def test_delete_needs_no_selector(selector: dict[str, str], pod: Space, device: str) -> None:
    """The configuration was edited, or lost what the runtime had put in: the record knows the device."""
    before = HOST.settings(device)
    one = attachment(pod, device=device)
    one.add()
    del one.conf["device"]
    one.conf.update(selector)
    one.delete()
    assert HOST.settings(device) == before
    assert nothing_left()


def test_settings_made_after_the_reference_gave_back(pod: Space, device: str) -> None:
    """The reference finishes our ADD and leaves our record: it must not undo what the administrator sets later."""
    one = attachment(pod, device=device, cniVersion="1.0.0")
    one.add()
    one.call("DEL", folder=REFERENCE).ok()
    HOST.ip("link", "set", device, "mtu", "1400", "address", "02:00:5e:00:00:99", "alias", "uplink")
    next_one = attachment(pod, device=device)
    next_one.add()
    assert (pod.link("net1") or {})["mtu"] == 1400
    next_one.delete()
    settings = HOST.settings(device)
    assert (settings["mtu"], settings["mac"], settings["alias"]) == (1400, "02:00:5e:00:00:99", "uplink")
    assert nothing_left()


def test_reference_attached_by_altname(pod: Space, device: str) -> None:
    """The reference notes the proper name in the alias, whatever name the configuration has."""
    HOST.ip("link", "property", "add", "dev", device, "altname", "enlong1")
    one = attachment(pod, device="enlong1", cniVersion="1.0.0")
    one.call("ADD", folder=REFERENCE).ok()
    one.delete()
    assert HOST.link(device) is not None
    assert disk.reserved("owned") == {}


def test_names_of_any_bytes(pod: Space, device: str) -> None:
    """An alias that is not UTF-8 is recorded and given back, byte for byte."""
    alias = b"caf\xe9"
    path = f"/sys/class/net/{device}/ifalias"
    with open(path, "wb") as file:
        file.write(alias)
    one = attachment(pod, device=device)
    one.add()
    pod.ip("link", "set", "net1", "mtu", "1300")
    one.delete()
    with open(path, "rb") as file:
        assert file.read().strip() == alias
    with open(f"/sys/class/net/{device}/mtu") as file:
        assert file.read() == "1500\n"
    assert nothing_left()


def test_long_name_of_many_bytes_is_taken(pod: Space, make_device: Callable[..., str]) -> None:
    """A free name is cut between characters, not through one."""
    device = make_device()
    name = "日本語日本"
    HOST.ip("link", "set", device, "name", name)
    one = attachment(pod, device=name)
    one.add()
    HOST.ip("link", "add", name, "type", "veth", "peer", "name", "taken")
    try:
        one.delete()
        assert [link for link in HOST.links() if link.startswith("日本語") and link != name] == ["日本語_0"]
    finally:
        HOST.ip("link", "del", name)


def test_port_of_a_bridge(pod: Space, device: str) -> None:
    """A device that was in a bridge is in it again afterwards."""
    HOST.ip("link", "add", "br9", "type", "bridge")
    try:
        HOST.ip("link", "set", device, "master", "br9", "up")
        one = attachment(pod, device=device)
        outcome = one.call("ADD")
        outcome.ok()
        assert f"{device} is a port of br9" in outcome.stderr
        one.delete()
        link = HOST.link(device) or {}
        assert link["master"] == "br9"
        assert "UP" in link["flags"]
    finally:
        HOST.ip("link", "del", "br9")


def test_error_names_the_owner(make_pod: Callable[[], Space], device: str) -> None:
    """Who looks for a device that is in a pod is told in which."""
    owner, pod = make_pod(), make_pod()
    one, other = attachment(owner, device=device), attachment(pod, device=device)
    one.add()
    details = other.call("ADD").error(7)["details"]
    assert f"attached to container {one.container_id}, which has it as net1 in {owner.path}" in details
    one.delete()


@pytest.mark.parametrize("selector", ["device", "altname", "hwaddr", "pciBusID", "nothing"])
def test_status_while_attached(selector: str, bus: Bus, pod: Space, device: str) -> None:
    """A device in a pod is no reason for a node to be unready, however the configuration names it."""
    folder = bus.pci(PCI, device)
    HOST.ip("link", "property", "add", "dev", device, "altname", "enlong2")
    named = {
        "device": {"device": device},
        "altname": {"device": "enlong2"},
        "hwaddr": {"hwaddr": HOST.settings(device)["mac"]},
        "pciBusID": {"pciBusID": PCI},
        "nothing": {"device": device},
    }
    one = attachment(pod, **named[selector])
    one.add()
    os.rmdir(os.path.join(folder, "net", device))
    if selector == "nothing":  # the runtime sends no runtimeConfig with STATUS
        del one.conf["device"]
        one.conf["capabilities"] = {"deviceID": True}
    one.call("STATUS").ok()
    one.delete()


def test_status_on_a_read_only_disk(pod: Space, device: str) -> None:
    """Where no record could be kept, ADD could not work."""
    one = attachment(pod, device=device)
    net.run("mount", "-o", "remount,ro", "/var/lib/cni")
    try:
        del one.conf["ipam"]
        error = one.call("STATUS").error(50)
        assert "cannot keep records in /var/lib/cni/host-device" in error["msg"]
    finally:
        net.run("mount", "-o", "remount,rw", "/var/lib/cni")


def test_status_without_what_the_runtime_sends(pod: Space, device: str) -> None:
    """Ranges that come with ADD, in runtimeConfig, are not missed by STATUS, to which no runtimeConfig is sent."""
    one = attachment(pod, device=device, capabilities={"ipRanges": True}, ipam={"type": "host-local"})
    one.call("STATUS").ok()
    del one.conf["capabilities"]
    assert "no IP ranges specified" in one.call("STATUS").error(7)["msg"]


def test_status_without_the_ipam_executable(pod: Space, device: str) -> None:
    """An IPAM plugin that is not installed makes the plugin unavailable."""
    one = attachment(pod, device=device, ipam={"type": "nowhere"})
    assert "nowhere" in one.call("STATUS").error(50)["msg"]


def test_link_that_cannot_be_moved(pod: Space) -> None:
    """A bridge stays where it is, with its routes: it is refused before anything is done to it."""
    HOST.ip("link", "add", "br8", "type", "bridge")
    try:
        HOST.ip("addr", "add", "192.0.2.2/24", "dev", "br8")
        HOST.ip("link", "set", "br8", "up")
        HOST.ip("route", "add", "203.0.113.0/24", "via", "192.0.2.1")
        before = (HOST.settings("br8"), HOST.routes("br8"))
        error = attachment(pod, device="br8").call("ADD").error()
        assert "br8" in error["msg"]
        assert (HOST.settings("br8"), HOST.routes("br8")) == before
        assert nothing_left()
    finally:
        HOST.ip("link", "del", "br8")


def test_failed_add_of_a_device_in_use(pod: Space, device: str) -> None:
    """Up, in a bridge, with an alternative name that is in the way: after a failed ADD all of it is as before."""
    HOST.ip("link", "add", "br7", "type", "bridge")
    try:
        HOST.ip("link", "property", "add", "dev", device, "altname", "net1")
        HOST.ip("link", "set", device, "master", "br7", "up")
        before = (HOST.settings(device), (HOST.link(device) or {})["master"])
        ipam = {
            "type": "static",
            "addresses": [{"address": "10.1.0.5/24"}],
            "routes": [{"dst": "10.7.0.0/16", "gw": "10.9.9.9"}],
        }
        details = attachment(pod, device=device, ipam=ipam).call("ADD").error(999)["details"]
        assert f"give {device} back: done" in details
        assert (HOST.settings(device), (HOST.link(device) or {})["master"]) == before
        assert nothing_left()
    finally:
        HOST.ip("link", "del", "br7")


@pytest.mark.parametrize("alias", ["primary", "other cni: pod link/1"])
def test_delete_leaves_the_links_of_other_plugins(alias: str, bus: Bus, pod: Space, device: str) -> None:
    """DEL after an ADD that was refused, in a pod whose interface of that name is another plugin's, with an alias."""
    bus.pci(PCI, device)
    pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "elsewhere")
    pod.ip("link", "set", "net1", "alias", alias)
    one = attachment(pod, pciBusID=PCI)
    one.call("ADD").error(4)
    one.delete()
    assert pod.link("net1") is not None


@pytest.mark.parametrize("selector", [{}, {"hwaddr": "x"}, {"pciBusID": "x"}])
def test_delete_of_what_was_refused(selector: dict[str, str], pod: Space) -> None:
    """What ADD refuses for its selector has no device to give back, and the pod can be torn down."""
    one = attachment(pod, **selector)
    one.call("ADD").error(7)
    one.delete()


def test_delete_was_killed_and_the_name_is_taken(pod: Space, device: str) -> None:
    """The device is on the host already, under another name and not yet restored: it is found by its mark."""
    before = HOST.settings(device)
    one = attachment(pod, device=device)
    one.add()
    pod.ip("link", "set", "net1", "mtu", "1300")
    pod.ip("link", "set", "net1", "down", "name", "other7")
    pod.ip("link", "set", "other7", "netns", str(os.getpid()))
    one.delete()
    assert HOST.settings(device) == before
    assert nothing_left()


def test_records_of_the_dead_answer_for_nothing(pod: Space, device: str) -> None:
    """A virtual device that died with its pod is not there, and nobody has it."""
    one = attachment(pod, device=device)
    one.add()
    pod.delete()
    one.call("STATUS").error(50)
    other = Attachment(one.conf, net.unique("container"), "/proc/1/ns/net")
    assert "attached to" not in other.call("ADD").stdout
    one.delete()
    assert nothing_left()


def test_device_was_given_to_a_program(bus: Bus, pod: Space, device: str) -> None:
    """Rebound to a driver without links, it has nothing to come back: DEL forgets it, and a new link is not its own."""
    folder = bus.pci(PCI, device, driver="some-nic")
    one = attachment(pod, pciBusID=PCI)
    one.add()
    os.rmdir(os.path.join(folder, "net", device))
    os.unlink(os.path.join(folder, "driver"))
    os.symlink("/sys/bus/pci/drivers/vfio-pci", os.path.join(folder, "driver"))
    pod.delete()
    one.delete()
    assert nothing_left()
