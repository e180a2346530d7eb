"""What goes wrong on nodes between ADD and DEL: VF, representor, bridge and uplink are as before, whatever it was.

The stories are those of tests/lab/test_bad_luck.py, with bridge, uplink and representor in what must be as before, but
for those about allocations, which only sriov has; and those that only a representor has.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk, net, switchdev, vfs
from tests.support.bad_luck import (
    ANSWERS,
    NAMESPACES,
    bind_again,
    bind_to_none,
    bind_to_stub,
    bind_to_vfio,
    given_to_another,
    make_pool,
    plain_file,
    remove_vfs,
    renamed,
    wait_for_the_vf,
    without_mac,
)
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome
from tests.support.switchdev import NATIVE, Nic
from tests.support.vfs import VF, wait_for, without_permanent_mac

Attach = Callable[..., Attachment]
MakePod = Callable[[], Space]

MAC, OTHER_MAC = "02:00:00:00:00:2a", "02:00:00:00:00:2b"
IPAM = {"type": "host-local", "subnet": "10.6.0.0/24", "routes": [{"dst": "10.60.0.0/16"}]}
WITHOUT_MAC: dict[str, Any] = {
    **{"mtu": 1400, "trust": "on", "spoofchk": "off", "ipam": IPAM},
    **{"vlan": 100, "trunk": [{"id": 7}, {"minID": 200, "maxID": 203}], "setUplinkVlan": True},
}
SETTINGS: dict[str, Any] = {**WITHOUT_MAC, "mac": MAC}
OTHERS: dict[str, Any] = {"mac": OTHER_MAC, "vlan": 100, "setUplinkVlan": True, "ipam": IPAM}
"""What another pod asks for."""


def nothing_left() -> bool:
    """Return whether no record and no address is held."""
    return disk.records(disk.ACCELERATED_BRIDGE) == [] and disk.reserved("lab") == {}


@pytest.fixture
def nic(nic: Nic, vf: VF, bridge: str) -> Nic:
    """A NIC whose representor an administrator has set up: what was there has to be restored, not what is usual."""
    HOST.ip("link", "set", nic.representor(vf), "up", "mtu", "1700")
    return nic


def lives(_: Space, one: Attachment) -> None:
    """Nothing becomes of the namespace."""


@pytest.mark.parametrize("happens", [lives, *NAMESPACES], ids=lambda x: x.__name__)
def test_the_namespace(
    happens: Callable[[Space, Attachment], None], nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach
) -> None:
    """One DEL, wherever the namespace has got to; two more find nothing to do. Another pod keeps its link."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()
    assert switchdev.vlans(nic.representor(vf)).keys() == {7, 100, 200, 201, 202, 203}
    happens(pod, one)
    wait_for_the_vf(happens, vf)
    links = pod.json("link", "show") if happens is given_to_another else []
    for _ in range(3):
        one.delete()
        assert nic.snapshot(vf, bridge) == before
        assert nothing_left()
    if happens is given_to_another:
        assert pod.links() == ["other", "net1"]
        assert pod.json("link", "show") == links
    elif happens is plain_file:
        os.unlink(pod.path)


def test_del_three_times(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """The first gives all back. The others leave alone what an administrator has done with it since."""
    rep, before = nic.representor(vf), nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    vf.pf.set(vf.index, "vlan", "9")
    HOST.batch(f"link set {vf.name} mtu 1350", f"link set {rep} master {bridge} mtu 1600")
    net.run("bridge", "vlan", "add", "dev", rep, "vid", "100", "pvid", "untagged")
    net.run("bridge", "vlan", "add", "dev", nic.pf.name, "vid", "100")
    changed = nic.snapshot(vf, bridge)
    for _ in range(2):
        one.delete()
        assert nic.snapshot(vf, bridge) == changed
    assert nothing_left()


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
    with renamed(bridge, "renamed7"):
        one.check().ok()
        one.delete()
    wait_for(lambda: nic.snapshot(vf, bridge) == before, "snapshot as before")
    assert nothing_left()


@pytest.mark.parametrize("is_back", [False, True], ids=["gone", "new ones"])
def test_the_representors_are_gone(is_back: bool, nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """The switch was set to legacy mode, and back after DEL or before it: uplink and VF are as before; the
    representors are new ones. DEL knows the new one by its name, and makes it what the old one was: up, with its MTU,
    and in no bridge, though somebody has put it in again.
    """
    rep, before = nic.representor(vf), (vf.snapshot(), switchdev.vlans(vf.pf.name))
    was = HOST.settings(rep)
    one = attach(vf, **SETTINGS)
    one.add()
    try:
        set_mode(nic, "legacy")
        assert HOST.link(rep) is None
        assert rep in one.check().error()["msg"]
        if is_back:
            set_mode(nic, "switchdev")
            assert rep in one.check().error()["msg"]
            HOST.ip("link", "set", rep, "master", bridge)
            net.run("bridge", "vlan", "add", "dev", rep, "vid", "100", "pvid", "untagged")
        one.delete()
        assert (vf.snapshot(), switchdev.vlans(vf.pf.name)) == before
        assert nothing_left()
        if is_back:
            assert "master" not in switchdev.port(rep)
            assert {**HOST.settings(rep), "mac": was["mac"]} == was
    finally:
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
            assert (vf.name, len(disk.records(disk.ACCELERATED_BRIDGE))) == ("", 1)
            port = switchdev.port(rep)
            assert ("master" in port, "UP" in port["flags"]) == (False, False)
            assert set(switchdev.vlans(nic.pf.name)) == {1}
        finally:
            holder.kill()
    wait_for(lambda: bool(vf.name), "link on the host")
    one.delete()
    assert nic.snapshot(vf, *bridges) == before
    assert nothing_left()


@pytest.mark.parametrize("ifname", ["net1", "net2"], ids=["another pod", "the same pod"])
def test_the_vf_of_a_living_pod(
    ifname: str, nic: Nic, vf: VF, bridge: str, pod: Space, make_pod: MakePod, attach: Attach
) -> None:
    """ADD is refused in the words users know, for other pods and for the one that has it; the DEL after it is idle."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()

    def held() -> tuple[Any, ...]:
        rep = HOST.settings(nic.representor(vf))
        return (
            switchdev.vlans_shown(),
            rep,
            vf.table(),
            pod.settings("net1"),
            disk.records(disk.ACCELERATED_BRIDGE),
            disk.reserved("lab"),
        )

    now = held()
    other = pod if ifname == "net2" else make_pod()
    two = attach(vf, other, one.container_id if ifname == "net2" else "", ifname, **OTHERS)
    assert two.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    two.delete()
    assert held() == now
    assert other.links() == (["net1"] if other is pod else [])
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


def test_a_refused_add_changes_nothing(nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """The owner has put its VF into a namespace within its own: nobody sees it, and it is the owner's all the same."""
    pods = make_pod(), make_pod()
    one, two = attach(vf, pods[0], **SETTINGS), attach(vf, pods[1], **OTHERS)
    before = nic.snapshot(vf, bridge)
    one.add()
    inner = net.new_space("inner")
    pods[0].ip("link", "set", "net1", "netns", str(inner.name))
    held = (
        switchdev.vlans_shown(),
        HOST.settings(nic.representor(vf)),
        vf.table(),
        disk.records(disk.ACCELERATED_BRIDGE),
    )
    assert two.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    assert (
        switchdev.vlans_shown(),
        HOST.settings(nic.representor(vf)),
        vf.table(),
        disk.records(disk.ACCELERATED_BRIDGE),
    ) == held
    inner.ip("link", "set", "net1", "netns", str(pods[0].name))
    one.delete()
    inner.delete()
    assert nic.snapshot(vf, bridge) == before


@pytest.mark.parametrize("left", [None, "", '"vlans": {"x": 1}'], ids=["no record", "empty", "damaged"])
def test_del_without_a_record(left: str | None, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """CHECK says it. The VF comes back, and its representor leaves the bridge: the next pod can have both."""
    one, name = attach(vf, **SETTINGS), vf.name
    one.add()
    (record,) = disk.records(disk.ACCELERATED_BRIDGE)
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
    (record,) = disk.records(disk.ACCELERATED_BRIDGE)
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
    (record,) = disk.records(disk.ACCELERATED_BRIDGE)
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
    """It is known by its index, and given back."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()
    with renamed(nic.representor(vf), "renamed7"):
        one.check().ok()
        one.delete()
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


@pytest.mark.parametrize(
    ("bind", "conf"),
    [
        *((bind_to_none, SETTINGS), (bind_to_none, WITHOUT_MAC), (bind_again, WITHOUT_MAC)),
        *((bind_to_vfio, SETTINGS), (bind_to_stub, SETTINGS)),
    ],
    ids=["unbound", "unbound, no mac", "bound again", "vfio-pci", "pci-stub"],
)
def test_the_driver_was_unbound(
    bind: Callable[[VF], None], conf: dict[str, Any], nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach
) -> None:
    """CHECK says it. Representor, uplink and the PF's table are as before, and the next pod can have the VF."""
    before, table, name = nic.snapshot(vf, bridge), vf.pf.shown(), vf.name
    one = attach(vf, **conf)
    one.add()
    bind(vf)
    driver = vf.driver
    assert one.check().error(999)["msg"] == f"net1 is missing in {pod.path}"
    one.delete()
    assert vf.pf.shown() == table
    assert nothing_left()
    assert vf.driver == driver
    if bind is bind_again:
        assert vf.name == name
    else:
        vf.bind("igbvf")
    again = nic.snapshot(vf, bridge)
    assert without_permanent_mac(again) == without_permanent_mac(before)  # igbvf makes one up each time
    one.add()
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == again


def test_the_vfs_were_removed(nics: list[Nic], bridges: tuple[str, str], far_vf: VF, attach: Attach) -> None:
    """The representor leaves the bridge, its VLANs the uplink, the last time though the representor has gone as well.
    Where the VF has been made anew, it is usable.
    """
    nic, pf, name = nics[1], far_vf.pf, far_vf.name
    rep, fresh = nic.representor(far_vf), without_mac(far_vf)
    before = switchdev.vlans_shown(), HOST.settings(rep)
    one = attach(far_vf, bridge=bridges[1], **SETTINGS)
    try:
        one.add()
        remove_vfs(pf)
        one.delete()
        assert (switchdev.vlans_shown(), HOST.settings(rep)) == before
        assert "master" not in switchdev.port(rep)
        assert nothing_left()
        pf.make_vfs(1)
        one.add()
        pf.make_vfs(2)
        one.delete()
        assert (switchdev.vlans_shown(), HOST.settings(rep)) == before
        assert "master" not in switchdev.port(rep)
        assert nothing_left()
        assert (far_vf.name, without_mac(far_vf)) == (name, fresh)
        one.add()
        remove_vfs(pf)
        set_mode(nic, "legacy")
        assert HOST.link(rep) is None
        one.delete()
        assert switchdev.vlans_shown() == before[0]
        assert nothing_left()
        set_mode(nic, "switchdev")
        pf.make_vfs(2)
        for link in (pf.name, bridges[1]):  # making VFs resets the PF, whose carrier comes back some time later
            wait_for(lambda name=link: "LOWER_UP" in (HOST.link(name) or {})["flags"], f"carrier of {link}")
        anew = nic.snapshot(far_vf, bridges[1])
        one.add()
        one.check().ok()
        one.delete()
        assert nic.snapshot(far_vf, bridges[1]) == anew
    finally:
        set_mode(nic, "switchdev")
        pf.make_vfs()
        for each in pf.vfs:
            each.reset()


@pytest.mark.parametrize("is_gone", [False, True], ids=["living", "gone"])
@pytest.mark.parametrize("conf", [SETTINGS, WITHOUT_MAC], ids=["mac", "without mac"])
def test_the_pod_changed_everything(
    conf: dict[str, Any], is_gone: bool, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach
) -> None:
    """Name, address, MTU, alias, alternative name, addresses: DEL finds the link and restores it all.

    The name is that of its representor, so that the kernel cannot let the link keep it on the host.
    """
    before, links = nic.snapshot(vf, bridge), sorted(HOST.links())
    one = attach(vf, **conf)
    one.add()
    name = nic.representor(vf)
    pod.batch(
        "link set net1 down",
        f"link set net1 name {name}",
        f"link set {name} mtu 1280",
        f"link set {name} alias mine",
        f"link property add dev {name} altname mine-too",
        f"link set {name} up",
        f"addr add 10.77.0.9/16 dev {name}",
        "route add 10.78.0.0/16 via 10.77.0.1",
    )
    # igb refuses it to a VF that was given an address through the PF.
    pod.ip("link", "set", name, "address", OTHER_MAC, check="mac" not in conf)
    if "mac" not in conf:
        assert vf.table()["address"] == OTHER_MAC
    if is_gone:
        pod.delete()
        wait_for(lambda: bool(vf.name), "link on the host")
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert sorted(HOST.links()) == links
    assert nothing_left()


@pytest.mark.parametrize("is_gone", [False, True], ids=["living", "gone"])
@pytest.mark.parametrize("as_altname", [False, True], ids=["name", "altname"])
def test_the_host_name_is_taken(
    as_altname: bool, is_gone: bool, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach
) -> None:
    """The VF gets another name on the host, which is logged; representor, uplink and all else are as before."""
    before, name = nic.snapshot(vf, bridge), vf.name
    one = attach(vf, **SETTINGS)
    one.add()
    taker = "taker" if as_altname else name
    HOST.ip("link", "add", taker, "type", "dummy")
    try:
        if as_altname:
            HOST.ip("link", "property", "add", "dev", taker, "altname", name)
        vfs.settle()
        taken = HOST.settings(taker)
        if is_gone:
            pod.delete()
            wait_for(lambda: bool(vf.name), "link on the host")
        outcome = one.call("DEL")
        outcome.ok()
        assert vf.name not in ("", name, "net1")
        assert any(name in line and vf.name in line for line in outcome.stderr.splitlines())
        assert HOST.settings(taker) == taken
        assert nothing_left()
    finally:
        vfs.settle()  # udev, which wants to give the VF the name as well, must not meet it free while we do
        HOST.ip("link", "del", taker)
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


@pytest.mark.parametrize(
    ("path", "is_recorded"), [("its own", False), ("its own", True), ("the new pod's", True), ("none", True)]
)
def test_a_late_del(
    path: str, is_recorded: bool, nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """The VF went from a pod that was killed to another: the first pod's DELs change nothing for the second.

    The first pod's record may still be there, and its path may be the second pod's.
    """
    before = nic.snapshot(vf, bridge)
    pods = [make_pod(), make_pod()]
    one = attach(vf, pods[0], **SETTINGS)
    one.add()
    (name,) = disk.records(disk.ACCELERATED_BRIDGE)
    record = f"{disk.ACCELERATED_BRIDGE}/{name}"
    content, written = disk.files(disk.ACCELERATED_BRIDGE)[name], os.stat(record).st_mtime_ns
    assert attach(vf, pods[1], **OTHERS).call("ADD").error(11)["msg"] == (
        f"pci address {vf.address} is already allocated"
    )
    pods[0].delete()
    wait_for(lambda: bool(vf.name), "link on the host")
    if path == "the new pod's":
        net.run("ip", "netns", "add", str(pods[0].name))
        pods[1] = pods[0]
    two = attach(vf, pods[1], **OTHERS)
    two.add()
    held = vf.table(), pods[1].settings("net1"), pods[1].addresses("net1"), switchdev.vlans_shown()
    assert switchdev.vlans(nic.representor(vf)) == {100: NATIVE}
    assert set(switchdev.vlans(nic.pf.name)) == {1, 100}
    if is_recorded:
        with open(record, "wb") as file:
            file.write(content)
        os.utime(record, ns=(written, written))
    if path == "none":
        one.netns = ""
    for _ in range(2):
        one.delete()
        now = vf.table(), pods[1].settings("net1"), pods[1].addresses("net1"), switchdev.vlans_shown()
        assert now == held
        assert list(disk.reserved("lab").values()) == [f"{two.container_id}\r\nnet1"]
    two.check().ok()
    two.delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


@pytest.mark.parametrize("answer", ANSWERS)
def test_add_fails_late(answer: str, nic: Nic, vf: VF, bridge: str, pod: Space, tmp_path: Path, attach: Attach) -> None:
    """IPAM that is executed, after VF, representor and uplink were set: all is undone, and IPAM is told."""
    log = make_pool(tmp_path, answer)
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **{**SETTINGS, "ipam": {"type": "pool"}})
    one.path = str(tmp_path)
    _, code, message = ANSWERS[answer]
    error = one.call("ADD").error(code)
    assert message in error["msg"] + error.get("details", "")
    assert log.read_text().split() == ["ADD", "DEL"]
    assert nic.snapshot(vf, bridge) == before
    assert pod.links() == []
    assert nothing_left()
    one.delete()
    assert nic.snapshot(vf, bridge) == before


def test_the_pod_has_such_a_link(nic: Nic, vf: VF, bridge: str, pod: Space, attach: Attach) -> None:
    """CNI_IFNAME is taken in the pod: nothing is changed, here or there."""
    before = nic.snapshot(vf, bridge)
    pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "other")
    there = pod.json("link", "show")
    one = attach(vf, **SETTINGS)
    assert "net1" in one.call("ADD").error(4)["msg"]
    assert nothing_left()
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert pod.json("link", "show") == there
    assert nothing_left()


@pytest.mark.parametrize("where", ["the same", "another", "another, the first gone"])
def test_add_is_repeated(where: str, nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """The runtime has forgotten the first ADD. Only what the second asks for is set; DEL restores what was before the
    first.
    """
    before = nic.snapshot(vf, bridge)
    pods = make_pod(), make_pod()
    one = attach(vf, pods[0], **SETTINGS)
    one.add()
    target = pods[0]
    if where != "the same":
        one.netns, target = pods[1].path, pods[1]
    if where == "another, the first gone":
        pods[0].delete()
        wait_for(lambda: bool(vf.name), "link on the host")
    one.conf.update(vlan=300, mtu=1300)
    del one.conf["trunk"], one.conf["trust"], one.conf["mac"]
    result = one.add()
    table, link, rep = vf.table(), target.settings("net1"), nic.representor(vf)
    assert (table["trust"], table["spoofchk"]) == (False, False)
    assert table["address"] == link["mac"] != MAC
    assert (link["mtu"], switchdev.port(rep)["mtu"]) == (1300, 1300)
    assert switchdev.vlans(rep) == {300: NATIVE}
    assert set(switchdev.vlans(nic.pf.name)) == {1, 300}
    assert target.addresses("net1") == [result["ips"][0]["address"]]
    assert len(disk.reserved("lab")) == len(disk.records(disk.ACCELERATED_BRIDGE)) == 1
    if where == "another":
        assert pods[0].links() == []
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


@pytest.mark.at_once
def test_two_adds_at_once(nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """One gets VF and representor, the other is told, and its DEL, which the runtime gives then, takes nothing away."""
    before = nic.snapshot(vf, bridge)
    pods = make_pod(), make_pod()
    both = [attach(vf, pod, **conf) for pod, conf in zip(pods, (SETTINGS, OTHERS), strict=True)]
    with ThreadPoolExecutor(2) as crowd:
        outcomes: list[Outcome] = list(crowd.map(lambda one: one.call("ADD"), both))
    assert sorted(outcome.status for outcome in outcomes) == [0, 1]
    winner, loser = sorted((0, 1), key=lambda number: outcomes[number].status)
    assert outcomes[loser].error(11)["msg"] == f"pci address {vf.address} is already allocated"
    held = nic.snapshot(vf, bridge), pods[winner].settings("net1")
    assert switchdev.port(nic.representor(vf))["master"] == bridge
    both[loser].delete()
    assert (nic.snapshot(vf, bridge), pods[winner].settings("net1")) == held
    both[winner].result = outcomes[winner].ok()
    both[winner].check().ok()
    both[winner].delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


@pytest.fixture
def before_reboot(nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> Attachment:
    """An attachment of before a reboot: its files are there, all that they tell of is as the boot has made it."""
    one = attach(vf, make_pod(), **SETTINGS)
    one.add()
    (name,) = disk.records(disk.ACCELERATED_BRIDGE)
    content = disk.files(disk.ACCELERATED_BRIDGE)[name].decode()
    one.delete()
    with open("/proc/sys/kernel/random/boot_id") as file:
        now = file.read().strip()
    assert now in content
    with open(f"{disk.ACCELERATED_BRIDGE}/{name}", "w") as file:
        file.write(content.replace(now, "00000000-0000-0000-0000-000000000000"))
    HOST.ip("link", "set", nic.representor(vf), "mtu", "1650")
    return one


def test_del_after_a_reboot(before_reboot: Attachment, nic: Nic, vf: VF, bridge: str) -> None:
    """DEL forgets the attachment, and changes nothing."""
    before = nic.snapshot(vf, bridge)
    assert len(disk.records(disk.ACCELERATED_BRIDGE)) == 1
    before_reboot.delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


def test_add_after_a_reboot(
    before_reboot: Attachment, nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """A new pod gets the VF, and DEL gives it back as it was after the boot and not as it was before."""
    before = nic.snapshot(vf, bridge)
    two = attach(vf, make_pod(), **SETTINGS)
    two.add()
    held = switchdev.vlans_shown(), HOST.settings(nic.representor(vf)), vf.table()
    before_reboot.delete()
    assert (switchdev.vlans_shown(), HOST.settings(nic.representor(vf)), vf.table()) == held
    two.check().ok()
    two.delete()
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
    assert len(disk.records(disk.ACCELERATED_BRIDGE)) == len(disk.reserved("lab")) == 1
    valid.check().ok()
    collect_garbage(valid)
    assert [nic.snapshot(x, bridge) for x in three] == before
    assert nothing_left()


def collect_garbage(one: Attachment, *valid: dict[str, str]) -> None:
    """GC of the attachment's network, with these attachments as the valid ones."""
    Attachment({**one.conf, "cni.dev/valid-attachments": list(valid)}, "", "").call("GC").ok()
