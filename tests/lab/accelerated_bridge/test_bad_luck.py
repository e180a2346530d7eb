"""What goes wrong on nodes between ADD and DEL: VF, representor, bridge and uplink are as before, whatever it was.

What concerns the VF alone is in tests/lab/test_bad_luck.py, since both plugins share that code; here is what has to do
with the representor, and one story each of the rest.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import disk, net, switchdev, vfs
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome
from tests.support.switchdev import NATIVE, Nic
from tests.support.vfs import VF, wait_for

Attach = Callable[..., Attachment]
MakePod = Callable[[], Space]

MAC, OTHER_MAC = "02:00:00:00:00:2a", "02:00:00:00:00:2b"
IPAM = {"type": "host-local", "subnet": "10.6.0.0/24", "routes": [{"dst": "10.60.0.0/16"}]}
SETTINGS: dict[str, Any] = {
    **{"mac": MAC, "mtu": 1400, "trust": "on", "spoofchk": "off", "ipam": IPAM},
    **{"vlan": 100, "trunk": [{"id": 7}, {"minID": 200, "maxID": 203}], "setUplinkVlan": True},
}
OTHERS: dict[str, Any] = {"mac": OTHER_MAC, "vlan": 100, "setUplinkVlan": True, "ipam": IPAM}
"""What another pod asks for."""


def records() -> list[str]:
    """Return the names of the records."""
    return [name for name in os.listdir(disk.ACCELERATED_BRIDGE) if not name.endswith(".lock") and name != "pci"]


def nothing_left() -> bool:
    """Return whether no record and no address is held."""
    return records() == [] and disk.reserved("lab") == {}


@pytest.fixture
def nic(nic: Nic, vf: VF, bridge: str) -> Nic:
    """A NIC whose representor an administrator has set up: what was there has to be restored, not what is usual."""
    HOST.ip("link", "set", nic.representor(vf), "up", "mtu", "1700")
    return nic


# What becomes of the namespace. Each gets pod and attachment, after ADD.


def lives(pod: Space, one: Attachment) -> None:
    """Nothing."""


def deleted(pod: Space, one: Attachment) -> None:
    """The runtime was not asked."""
    pod.delete()


def not_named(pod: Space, one: Attachment) -> None:
    """Only the record says where the VF is (accelerated-bridge-cni leaves everything then)."""
    one.netns = ""


def plain_file(pod: Space, one: Attachment) -> None:
    """The mount has gone, the file that was mounted on is still there."""
    pod.delete()
    with open(pod.path, "x"):
        pass


@pytest.mark.parametrize("happens", [lives, deleted, not_named, plain_file], ids=lambda x: x.__name__)
def test_the_namespace(
    happens: Callable[[Space, Attachment], None], nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach
) -> None:
    """One DEL, and two more, which find nothing to do."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()
    assert switchdev.vlans(nic.representor(vf)).keys() == {7, 100, 200, 201, 202, 203}
    happens(pod, one)
    for _ in range(3):
        one.delete()
        assert nic.snapshot(vf, bridge) == before
        assert nothing_left()
    if happens is plain_file:
        os.unlink(pod.path)


def test_the_bridge_is_gone(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """Representor and VF are as before all the same; CHECK says it."""
    one = attach(vf, **SETTINGS)
    HOST.ip("link", "del", bridge)
    before = nic.snapshot(vf)
    HOST.batch(f"link add {bridge} type bridge vlan_filtering 1", f"link set {nic.pf.name} master {bridge}")
    one.add()
    HOST.ip("link", "del", bridge)
    assert bridge in one.check().error()["msg"]
    one.delete()
    assert nic.snapshot(vf) == before
    assert nothing_left()


def test_the_bridge_was_renamed(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """It is known by its index, too."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()
    HOST.ip("link", "set", bridge, "down")
    HOST.batch(f"link set {bridge} name renamed7", "link set renamed7 up")
    one.check().ok()
    one.delete()
    HOST.ip("link", "set", "renamed7", "down")
    HOST.batch(f"link set renamed7 name {bridge}", f"link set {bridge} up")
    wait_for(lambda: nic.snapshot(vf, bridge) == before, "snapshot as before")
    assert nothing_left()


def test_the_representors_are_gone(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """The switch was set to legacy mode, and back: uplink and VF are as before; the representors are new ones."""
    before = vf.snapshot(), switchdev.vlans(vf.pf.name)
    one = attach(vf, **SETTINGS)
    one.add()
    set_mode(nic, "legacy")
    assert HOST.link(nic.representor(vf)) is None
    assert nic.representor(vf) in one.check().error()["msg"]
    one.delete()
    assert (vf.snapshot(), switchdev.vlans(vf.pf.name)) == before
    assert nothing_left()
    set_mode(nic, "switchdev")
    again = nic.snapshot(vf, bridge)
    one.add()
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == again


def set_mode(nic: Nic, mode: str) -> None:
    """Set the mode of the NIC's switch."""
    net.run("devlink", "dev", "eswitch", "set", f"netdevsim/{nic.switch}", "mode", mode)
    vfs.settle()


def test_the_representor_was_put_elsewhere(
    nic: Nic, vf: VF, bridge: str, bridges: tuple[str, str], attach: Attach
) -> None:
    """An administrator's decision: it stays there; all else is as before."""
    rep = nic.representor(vf)
    one = attach(vf, **SETTINGS)
    before = vf.snapshot(), switchdev.vlans(vf.pf.name)
    one.add()
    HOST.ip("link", "set", rep, "master", bridges[1])
    one.delete()
    assert switchdev.port(rep)["master"] == bridges[1]
    assert (vf.snapshot(), switchdev.vlans(vf.pf.name)) == before
    assert nothing_left()


@pytest.mark.parametrize("number", [0, 1], ids=["the same bridge", "another bridge"])
def test_the_representor_was_in_a_bridge_before(
    number: int, nic: Nic, vf: VF, bridge: str, bridges: tuple[str, str], attach: Attach
) -> None:
    """It goes back there, into the VLANs that it had."""
    rep = nic.representor(vf)
    HOST.ip("link", "set", rep, "master", bridges[number])
    net.run("bridge", "vlan", "add", "dev", rep, "vid", "55")
    net.run("bridge", "vlan", "add", "dev", rep, "vid", "66", "pvid", "untagged")
    before = nic.snapshot(vf, *bridges)
    one = attach(vf, **SETTINGS)
    one.add()
    assert switchdev.port(rep)["master"] == bridge
    assert switchdev.vlans(rep)[100] == NATIVE
    one.check().ok()
    for _ in range(2):  # the second has no record, and leaves the port alone
        one.delete()
        assert nic.snapshot(vf, *bridges) == before


@pytest.mark.parametrize("number", [0, 1], ids=["the same bridge", "another bridge"])
def test_a_process_keeps_the_namespace(
    number: int, nic: Nic, vf: VF, bridge: str, bridges: tuple[str, str], pod: Space, attach: Attach
) -> None:
    """As long as the pod can send, its representor is in no bridge, and not where it was before either."""
    rep = nic.representor(vf)
    HOST.ip("link", "set", rep, "master", bridges[number])
    before = nic.snapshot(vf, *bridges)
    one = attach(vf, **SETTINGS)
    one.add()
    with subprocess.Popen(["ip", "netns", "exec", str(pod.name), "sleep", "600"]) as holder:
        try:
            inside = os.stat(pod.path).st_ino
            wait_for(lambda: os.stat(f"/proc/{holder.pid}/ns/net").st_ino == inside, "process in the pod")
            pod.delete()
            one.delete()
            assert (vf.name, len(records())) == ("", 1)
            port = switchdev.port(rep)
            assert ("master" in port, "UP" in port["flags"]) == (False, False)
            assert set(switchdev.vlans(nic.pf.name)) == {1}
        finally:
            holder.kill()
    wait_for(lambda: bool(vf.name), "link on the host")
    one.delete()
    assert nic.snapshot(vf, *bridges) == before
    assert nothing_left()


def test_a_refused_add_changes_nothing(nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """The owner has put its VF into a namespace within its own: nobody sees it, and it is the owner's all the same."""
    pods = make_pod(), make_pod()
    one, two = attach(vf, pods[0], **SETTINGS), attach(vf, pods[1], **OTHERS)
    before = nic.snapshot(vf, bridge)
    one.add()
    inner = net.new_space("inner")
    pods[0].ip("link", "set", "net1", "netns", str(inner.name))
    held = switchdev.vlans_shown(), HOST.settings(nic.representor(vf)), vf.table(), records()
    assert two.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    assert (switchdev.vlans_shown(), HOST.settings(nic.representor(vf)), vf.table(), records()) == held
    inner.ip("link", "set", "net1", "netns", str(pods[0].name))
    one.delete()
    inner.delete()
    assert nic.snapshot(vf, bridge) == before


@pytest.mark.parametrize("left", [None, "", '"vlans": {"x": 1}'], ids=["no record", "empty", "damaged"])
def test_del_without_a_record(left: str | None, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """CHECK says it. The VF comes back, and its representor leaves the bridge: the next pod can have both."""
    one, name = attach(vf, **SETTINGS), vf.name
    one.add()
    (record,) = records()
    path = f"{disk.ACCELERATED_BRIDGE}/{record}"
    with open(path) as file:
        content = file.read()
    os.unlink(path)
    if left is not None:
        with open(path, "w") as file:
            file.write(left and content.replace('"vlans":{}', left))
    assert left is None or '"vlans":{}' in content
    assert one.check().error(999)["msg"].endswith(f"has no usable record in {disk.ACCELERATED_BRIDGE}")
    outcome = one.call("DEL")
    outcome.ok()
    assert "has no record" in outcome.stderr
    assert pod.links() == []
    assert vf.name not in ("", "net1")
    assert "master" not in switchdev.port(nic.representor(vf))
    assert nothing_left()
    if vf.name != name:
        HOST.batch(f"link set {vf.name} down", f"link set {vf.name} name {name}")


@pytest.mark.parametrize(
    ("driver", "left"), [("vfio-pci", None), ("vfio-pci", ""), ("igbvf", None)], ids=["DPDK", "DPDK, damaged", "link"]
)
def test_del_without_a_record_of_a_pod_that_is_gone(
    driver: str, left: str | None, nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """No link tells that there was an attachment: a damaged record does, or the VLANs of the port."""
    name = vf.name
    if driver != "igbvf":
        vf.bind(driver)
    pod = make_pod()
    one = attach(vf, pod, **SETTINGS)
    one.add()
    (record,) = records()
    os.unlink(f"{disk.ACCELERATED_BRIDGE}/{record}")
    if left is not None:
        with open(f"{disk.ACCELERATED_BRIDGE}/{record}", "w") as file:
            file.write(left)
    # A late DEL of another attachment tells the same, but for the VF's link: that is in a pod which it is not about.
    if driver == "igbvf":
        attach(vf, make_pod(), **SETTINGS).delete()
        assert switchdev.port(nic.representor(vf))["master"] == bridge
    pod.delete()
    wait_for(lambda: driver != "igbvf" or bool(vf.name), "link on the host")
    one.netns = ""
    one.delete()
    port = switchdev.port(nic.representor(vf))
    assert ("master" in port, "UP" in port["flags"]) == (False, False)
    assert nothing_left()
    if vf.name not in ("", name):  # the pod's
        vf.bind(driver)


def test_a_record_of_another_boot_blocks_nobody(
    nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """A VF without a link, whose record names a namespace that lives: the path was given to another pod since."""
    vf.bind("vfio-pci")
    one, two = attach(vf, make_pod(), ipam=IPAM), attach(vf, make_pod(), vlan=100)
    one.add()
    (record,) = records()
    path = f"{disk.ACCELERATED_BRIDGE}/{record}"
    with open(path) as file:
        content = file.read()
    with open("/proc/sys/kernel/random/boot_id") as file:
        now = file.read().strip()
    assert two.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    with open(path, "w") as file:
        file.write(content.replace(now, "00000000-0000-0000-0000-000000000000"))
    two.add()
    assert switchdev.vlans(nic.representor(vf)) == {100: NATIVE}
    two.delete()
    one.delete()
    assert nothing_left()


def test_the_representor_was_renamed(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """By udev, for instance, late."""
    rep = nic.representor(vf)
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()
    HOST.ip("link", "set", rep, "name", "renamed7")
    one.check().ok()
    one.delete()
    vfs.settle()
    HOST.ip("link", "property", "del", "dev", "renamed7", "altname", rep, check=False)  # udev's
    HOST.ip("link", "set", "renamed7", "name", rep)
    vfs.settle()
    HOST.ip("link", "property", "del", "dev", rep, "altname", "renamed7", check=False)
    assert nic.snapshot(vf, bridge) == before


def test_the_uplink_left_the_bridge(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """Its VLANs have gone with it: nothing to give back."""
    one = attach(vf, **SETTINGS)
    HOST.ip("link", "set", nic.pf.name, "nomaster")
    before = nic.snapshot(vf, bridge)
    HOST.ip("link", "set", nic.pf.name, "master", bridge)
    one.add()
    HOST.ip("link", "set", nic.pf.name, "nomaster")
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


def test_the_driver_was_unbound(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """Representor, uplink and the PF's table are as before."""
    before, table = nic.snapshot(vf, bridge), vf.pf.shown()
    one = attach(vf, **SETTINGS)
    one.add()
    vf.bind("")
    one.delete()
    assert vf.pf.shown() == table
    assert nothing_left()
    vf.bind("igbvf")
    assert nic.snapshot(vf, bridge) == before


def test_the_vf_was_removed(nics: list[Nic], bridges: tuple[str, str], far_vf: VF, attach: Attach) -> None:
    """Its representor leaves the bridge, its VLANs the uplink."""
    nic = nics[1]
    rep, pf = nic.representor(far_vf), far_vf.pf
    before = switchdev.vlans_shown(), HOST.settings(rep)
    one = attach(far_vf, bridge=bridges[1], **SETTINGS)
    one.add()
    try:
        with open(f"{pf.folder}/sriov_numvfs", "w") as file:
            file.write("0")
        one.delete()
        assert (switchdev.vlans_shown(), HOST.settings(rep)) == before
        assert "master" not in switchdev.port(rep)
        assert nothing_left()
    finally:
        pf.make_vfs()
        for each in pf.vfs:
            each.reset()


@pytest.mark.parametrize("is_gone", [False, True], ids=["living", "gone"])
def test_the_pod_changed_everything(is_gone: bool, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """Name, address and MTU of the VF's link, the name being that of its representor: all is restored."""
    before, links = nic.snapshot(vf, bridge), sorted(HOST.links())
    one = attach(vf, **{key: value for key, value in SETTINGS.items() if key != "mac"})  # igb refuses another then
    one.add()
    name = nic.representor(vf)
    pod.batch(
        "link set net1 down",
        f"link set net1 name {name}",
        f"link set {name} mtu 1280 address {OTHER_MAC}",
        f"link set {name} up",
    )
    assert vf.table()["address"] == OTHER_MAC
    if is_gone:
        pod.delete()
        wait_for(lambda: bool(vf.name), "link on the host")
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert sorted(HOST.links()) == links
    assert nothing_left()


@pytest.mark.parametrize("is_gone", [False, True], ids=["living", "gone"])
def test_the_host_name_is_taken(is_gone: bool, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """The VF gets another name on the host, which is logged; representor, uplink and all else are as before."""
    before, name = nic.snapshot(vf, bridge), vf.name
    one = attach(vf, **SETTINGS)
    one.add()
    HOST.ip("link", "add", name, "type", "dummy")
    try:
        vfs.settle()
        taken = HOST.settings(name)
        if is_gone:
            pod.delete()
            wait_for(lambda: bool(vf.name), "link on the host")
        outcome = one.call("DEL")
        outcome.ok()
        assert vf.name not in ("", name, "net1")
        assert any(name in line and vf.name in line for line in outcome.stderr.splitlines())
        assert HOST.settings(name) == taken
        assert nothing_left()
    finally:
        vfs.settle()  # udev, which wants to give the VF the name as well, must not meet it free while we do
        HOST.ip("link", "del", name)
        if vf.name not in ("", name):
            HOST.ip("link", "set", vf.name, "name", name)
    assert nic.snapshot(vf, bridge) == before


def test_del_without_add(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """An administrator has put the representor into the very bridge that the network names: nothing changes."""
    rep = nic.representor(vf)
    HOST.ip("link", "set", rep, "master", bridge)
    net.run("bridge", "vlan", "add", "dev", rep, "vid", "100", "pvid", "untagged")
    net.run("bridge", "vlan", "add", "dev", nic.pf.name, "vid", "100")
    before = nic.snapshot(vf, bridge)
    attach(vf, **SETTINGS).delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


def test_a_late_del(nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """The VF went from a pod that was killed to another: the first pod's DELs change nothing for the second."""
    before = nic.snapshot(vf, bridge)
    pods = make_pod(), make_pod()
    one, two = attach(vf, pods[0], **SETTINGS), attach(vf, pods[1], **OTHERS)
    one.add()
    (record,) = records()
    path = f"{disk.ACCELERATED_BRIDGE}/{record}"
    with open(path, "rb") as file:
        content = file.read()
    written = os.stat(path).st_mtime_ns
    assert two.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    pods[0].delete()
    wait_for(lambda: bool(vf.name), "link on the host")
    two.add()
    held = vf.table(), pods[1].settings("net1"), switchdev.vlans_shown()
    assert switchdev.vlans(nic.representor(vf)) == {100: NATIVE}
    assert set(switchdev.vlans(nic.pf.name)) == {1, 100}
    for is_recorded in (False, True):
        if is_recorded:
            with open(path, "wb") as file:
                file.write(content)
            os.utime(path, ns=(written, written))
        one.delete()
        assert (vf.table(), pods[1].settings("net1"), switchdev.vlans_shown()) == held
    two.check().ok()
    two.delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


def test_add_fails_late(nic: Nic, vf: VF, bridge: str, pod: Space, tmp_path: Any, attach: Attach) -> None:
    """IPAM that is executed, after VF, representor and uplink were set: all is undone."""
    path = tmp_path / "broken"
    path.write_text('#!/bin/sh\necho \'{"cniVersion": "1.0.0", "code": 77, "msg": "no more"}\'\nexit 1\n')
    path.chmod(0o755)
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **{**SETTINGS, "ipam": {"type": "broken"}})
    one.path = str(tmp_path)
    assert one.call("ADD").error(77)["msg"] == "no more"
    assert nic.snapshot(vf, bridge) == before
    assert pod.links() == []
    assert nothing_left()


def test_add_is_repeated(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """A runtime that does not know that ADD was done gets what it asks for."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()
    one.add()
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


def test_two_adds_at_once(nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """One gets VF and representor, the other is told."""
    from concurrent.futures import ThreadPoolExecutor

    before = nic.snapshot(vf, bridge)
    both = [attach(vf, make_pod(), **conf) for conf in (SETTINGS, OTHERS)]
    with ThreadPoolExecutor(2) as crowd:
        outcomes: list[Outcome] = list(crowd.map(lambda one: one.call("ADD"), both))
    assert sorted(outcome.status for outcome in outcomes) == [0, 1]
    loser = outcomes[0] if outcomes[0].status else outcomes[1]
    assert loser.error(11)["msg"] == f"pci address {vf.address} is already allocated"
    for one, outcome in zip(both, outcomes, strict=True):
        if outcome is loser:
            one.delete()
    for one in both:
        one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


def test_after_a_reboot(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """The records are there, and nothing of what they tell: DEL forgets it, and changes nothing."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()
    (record,) = records()
    path = f"{disk.ACCELERATED_BRIDGE}/{record}"
    with open(path) as file:
        content = file.read()
    one.delete()
    with open("/proc/sys/kernel/random/boot_id") as file:
        now = file.read().strip()
    assert now in content
    with open(path, "w") as file:
        file.write(content.replace(now, "00000000-0000-0000-0000-000000000000"))
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


def test_gc(nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """What is valid stays, what is not is given back, other networks' attachments are no matter."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, make_pod(), **SETTINGS)
    one.add()
    collect_garbage(one, {"containerID": one.container_id, "ifname": "net1"})
    collect_garbage(attach(vf, name="others", ipam=IPAM))
    one.check().ok()
    collect_garbage(one)
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


def test_gc_among_three(three: list[VF], nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """VFs that share VLANs on the uplink: one is valid, one is not though it lives, the pod of one is dead. The uplink
    keeps what the valid one needs, until a GC for which nothing is valid.
    """
    before = [nic.snapshot(x, bridge) for x in three]
    vlans = [
        {"vlan": 100, "trunk": [{"id": 7}]},
        {"vlan": 7, "trunk": [{"id": 200}]},
        {"vlan": 100, "trunk": [{"id": 200}]},
    ]
    pods = [make_pod() for _ in three]
    valid, invalid, dead = (
        attach(x, pod, ipam=IPAM, setUplinkVlan=True, **conf) for x, pod, conf in zip(three, pods, vlans, strict=True)
    )
    for one in (dead, invalid, valid):
        one.add()
    assert set(switchdev.vlans(nic.pf.name)) == {1, 7, 100, 200}
    pods[2].delete()
    wait_for(lambda: bool(three[2].name), "link on the host")
    collect_garbage(valid, {"containerID": valid.container_id, "ifname": "net1"})
    assert set(switchdev.vlans(nic.pf.name)) == {1, 7, 100}
    assert [bool(x.name) for x in three] == [False, True, True]
    assert len(records()) == len(disk.reserved("lab")) == 1
    valid.check().ok()
    collect_garbage(valid)
    assert [nic.snapshot(x, bridge) for x in three] == before
    assert nothing_left()


def collect_garbage(one: Attachment, *valid: dict[str, str]) -> None:
    """GC of the attachment's network, with these attachments as the valid ones."""
    Attachment({**one.conf, "cni.dev/valid-attachments": list(valid)}, "", "").call("GC").ok()
