"""DEL comes to its end, and tells the truth, with a VF: faults that an attack and a cluster found, chapter 3 and more.

| fault | tests |
| --- | --- |
| 3.1 a VF whose namespace dies while DEL runs | test_the_namespace_dies_while_del_runs |
| 3.1 DEL before the kernel has brought the VF back | test_not_back_yet |
| 3.1 two DELs at once | test_two_dels_at_once |
| 3.1 what dead pods have left comes back with every later ADD and DEL, addresses too | test_nobody_comes_again |
| 3.2 a fixed MAC on two VFs | test_a_fixed_mac, and those whose names begin so |
| 3.4 the PF is down, or gone, at DEL | test_the_pf_is_down, test_the_pf_is_gone |
| 3.7 another network under the same name | test_another_network, test_another_network_of_a_dead_pod |
| 5.4 records are believed without bounds | test_a_record_that_cannot_be_believed |
| issue, 6: pods have names | test_the_pods_name |

tests/lab/accelerated_bridge/test_field_faults.py has the same of the other plugin, as far as it is other code.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

from tests.support import disk, field, vfs
from tests.support.bad_luck import renamed
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import PF, VF

Attach = Callable[..., Attachment]
MakePod = Callable[[], Space]

MAC = "02:00:00:00:00:2a"
IPAM = {"type": "host-local", "subnet": "10.6.0.0/24"}
SETTINGS = {"vlan": 100, "vlanQoS": 3, "trust": "on", "spoofchk": "off", "mtu": 1400, "mac": MAC, "ipam": IPAM}
VALID_NONE: dict[str, Any] = {"cni.dev/valid-attachments": []}
ROUNDS = 20


@pytest.fixture
def neighbours(pfs: list[PF]) -> Iterator[list[VF]]:
    """Two more VFs of the same PF."""
    both = pfs[0].vfs[1:3]
    with vfs.lent(*both):
        yield both


@pytest.fixture
def neighbour(neighbours: list[VF]) -> VF:
    """One of them."""
    return neighbours[0]


def left() -> list[str]:
    """Return what is recorded, allocated or reserved."""
    return [*disk.records(disk.SRIOV), *disk.reserved("lab")]


@pytest.mark.at_once
def test_the_namespace_dies_while_del_runs(vf: VF, neighbour: VF, make_pod: MakePod, attach: Attach) -> None:
    """At random moments of a DEL. It ends; and after one DEL more, or an ADD of another pod, all is as before."""
    seed = int.from_bytes(os.urandom(4), "little")
    random, before = Random(seed), vf.snapshot()
    print(f"seed {seed}")
    other = attach(neighbour, make_pod(), ipam=IPAM)
    longest, failed = 0.0, 0
    for number in range(ROUNDS):
        pod = make_pod()
        one = attach(vf, pod, **SETTINGS)
        one.add()
        with ThreadPoolExecutor(1) as beside:
            began = time.monotonic()
            running = beside.submit(one.call, "DEL")
            time.sleep(random.uniform(0, longest))
            pod.delete()
            outcome = running.result()
            longest = longest or time.monotonic() - began
        if outcome.status:
            failed += 1
            outcome.error()
        if number % 2:
            one.delete()
        else:
            vfs.wait_for(lambda: bool(vf.name), "link on the host")
            other.add()
            other.delete()
        assert (left(), vf.snapshot()) == ([], before), f"round {number} of seed {seed}: {outcome!r}"
    print(f"{failed} of {ROUNDS} DELs failed")


@pytest.mark.parametrize("next_one", ["DEL", "DEL of another", "ADD of another"])
@pytest.mark.parametrize("is_held", [False, True], ids=["at once", "much later"])
def test_not_back_yet(is_held: bool, next_one: str, vf: VF, neighbour: VF, make_pod: MakePod, attach: Attach) -> None:
    """DEL comes right after the namespace was deleted. It waits; if the VF does not come then, the record stays, and
    whoever comes next puts it right.
    """
    before, name, pod = vf.snapshot(), vf.name, make_pod()
    one, other = attach(vf, pod, **SETTINGS), attach(neighbour, make_pod(), ipam=IPAM)
    one.add()
    if is_held:
        with field.held(pod):
            outcome = one.call("DEL")
            outcome.ok()
            assert (
                f"{name} ({vf.address}, driver igbvf) has no link on the host yet; its record stays" in outcome.stderr
            )
            assert f"{one.container_id}-net1" in disk.records(disk.SRIOV)
            assert disk.reserved("lab") == {}
        vfs.wait_for(lambda: bool(vf.name), "link on the host")
    else:
        pod.delete()
        outcome = one.call("DEL")
        outcome.ok()
        if left():
            assert "its record stays" in outcome.stderr
        else:
            assert vf.snapshot() == before
    if next_one == "DEL":
        one.delete()
    else:
        other.call(next_one.split()[0]).ok()
        other.delete()
    assert (left(), vf.snapshot()) == ([], before)


@pytest.mark.at_once
@pytest.mark.parametrize("dead", [False, True], ids=["living", "just deleted"])
def test_two_dels_at_once(dead: bool, vf: VF, make_pod: MakePod, attach: Attach) -> None:
    """As a runtime that stops a sandbox twice: both succeed."""
    before = vf.snapshot()
    for _ in range(3):
        pod = make_pod()
        one = attach(vf, pod, **SETTINGS)
        one.add()
        if dead:
            pod.delete()
        with ThreadPoolExecutor(2) as both:
            for outcome in both.map(one.call, ["DEL"] * 2):
                outcome.ok()
        assert (left(), vf.snapshot()) == ([], before)


@pytest.mark.parametrize("command", ["ADD", "DEL", "GC of another network", "a refused ADD"])
def test_nobody_comes_again(command: str, vf: VF, neighbour: VF, make_pod: MakePod, attach: Attach) -> None:
    """A pod is deleted by force, and its DEL never comes: the next command for any other gives back what it had."""
    before, dead, pod = vf.snapshot(), make_pod(), make_pod()
    one, other = attach(vf, dead, **SETTINGS), attach(neighbour, pod, ipam=IPAM)
    one.add()
    dead.delete()
    vfs.wait_for(lambda: bool(vf.name), "link on the host")
    if command == "a refused ADD":
        pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "other")
        other.call("ADD").error(4)
    elif command.startswith("GC"):
        other.call("GC", name="another", **VALID_NONE).ok()
    else:
        other.call(command).ok()
        other.delete()
    assert (left(), vf.snapshot()) == ([], before)


def macs(pf: PF) -> list[str]:
    """Return the addresses of VFs in the table of their PF, and of the links of the host."""
    links = HOST.json("link", "show")
    return [*(entry["address"] for entry in pf.table()), *(link["address"] for link in links if "address" in link)]


def test_a_fixed_mac(vf: VF, neighbour: VF, make_pod: MakePod, attach: Attach) -> None:
    """A pod with a fixed address dies without DEL, and comes again on another VF of the PF, which has it then alone."""
    before, own, table = vf.snapshot(), HOST.settings(vf.name), vf.table()
    dead, pod = make_pod(), make_pod()
    attach(vf, dead, **SETTINGS).add()
    dead.delete()
    vfs.wait_for(lambda: bool(vf.name), "link on the host")
    two = attach(neighbour, pod, mac=MAC, ipam=IPAM)
    two.add()
    assert (vf.table(), HOST.settings(vf.name)) == (table, own)
    assert (neighbour.table()["address"], pod.settings("net1")["mac"]) == (MAC, MAC)
    assert macs(vf.pf).count(MAC) == 1
    two.delete()
    assert (left(), vf.snapshot()) == ([], before)


@pytest.mark.parametrize("command", ["ADD", "DEL", "GC of another network"])
def test_a_fixed_mac_that_is_not_back_yet(
    command: str, vf: VF, neighbours: list[VF], make_pod: MakePod, attach: Attach
) -> None:
    """The same when the kernel has not brought the VF back at that ADD, which waits, and then takes the address from it
    at the PF. All else comes back with whoever comes next.
    """
    before, own, table = vf.snapshot(), HOST.settings(vf.name), vf.table()
    dead, pod = make_pod(), make_pod()
    attach(vf, dead, **SETTINGS).add()
    two, other = attach(neighbours[0], pod, mac=MAC, ipam=IPAM), attach(neighbours[1], make_pod(), ipam=IPAM)
    with field.held(dead):
        two.add()
        assert [vf.table()["address"], neighbours[0].table()["address"]] == [table["address"], MAC]
    vfs.wait_for(lambda: bool(vf.name), "link on the host")
    if command.startswith("GC"):
        other.call("GC", name="another", **VALID_NONE).ok()
    else:
        other.call(command).ok()
    assert (vf.table(), HOST.settings(vf.name)) == (table, own)
    assert (neighbours[0].table()["address"], pod.settings("net1")["mac"]) == (MAC, MAC)
    assert macs(vf.pf).count(MAC) == 1
    two.check().ok()
    two.delete()
    other.delete()
    assert (left(), vf.snapshot()) == ([], before)


def test_a_fixed_mac_at_once(vf: VF, neighbour: VF, make_pod: MakePod, attach: Attach) -> None:
    """The same when the next pod comes the moment the old one has gone, also when a process in it takes a moment more
    to end. It has the address alone when its ADD has ended.
    """
    before, own, table = vf.snapshot(), HOST.settings(vf.name), vf.table()
    for seconds in (0, 0, 1):
        dead, pod = make_pod(), make_pod()
        one, two = attach(vf, dead, **SETTINGS), attach(neighbour, pod, mac=MAC, ipam=IPAM)
        one.add()
        process = subprocess.Popen(["ip", "netns", "exec", str(dead.name), "sleep", str(seconds)]) if seconds else None
        dead.delete()
        two.add()
        assert (vf.table(), HOST.settings(vf.name)) == (table, own)
        assert macs(vf.pf).count(MAC) == 1
        two.check().ok()
        two.delete()
        if process is not None:
            process.wait()
        assert (left(), vf.snapshot()) == ([], before)


def test_a_fixed_mac_that_a_living_pod_has(vf: VF, neighbour: VF, make_pod: MakePod, attach: Attach) -> None:
    """Nothing is taken from a pod that lives: the second one is attached, and the log says who has the address, too."""
    one, two = attach(vf, make_pod(), **SETTINGS), attach(neighbour, make_pod(), mac=MAC, ipam=IPAM)
    one.add()
    outcome = two.call("ADD", logLevel="warning")
    two.result = outcome.ok()
    assert f"{one.container_id} asked for it" in outcome.stderr
    one.check().ok()
    two.check().ok()
    one.delete()
    two.delete()
    assert left() == []


def test_a_fixed_mac_that_the_pf_keeps(vf: VF, neighbour: VF, make_pod: MakePod, attach: Attach) -> None:
    """The VF of a dead pod is not back, and had the address before that pod: the next one does not get it twice."""
    dead, pod = make_pod(), make_pod()
    one, two = attach(vf, dead, **SETTINGS), attach(neighbour, pod, mac=MAC, ipam=IPAM)
    one.add()
    changed = field.recorded(one)
    changed["OrigVfState"]["AdminMAC"] = MAC
    with open(field.record(one), "w") as file:
        json.dump(changed, file)
    before = neighbour.snapshot()
    with field.held(dead):
        error = two.call("ADD").error(11)
    assert f"VF {vf.address} of {vf.pf.name} has it" in error["msg"]
    assert one.container_id in error["details"]
    assert (pod.links(), neighbour.snapshot()) == ([], before)
    vfs.wait_for(lambda: bool(vf.name), "link on the host")
    one.delete()
    two.delete()
    vf.pf.set(vf.index, "mac", "00:00:00:00:00:00")
    assert left() == []


def quiet(pod: Space) -> None:
    """Have the pod take the VF down: when the PF goes down, igbvf begins to reset a VF that is up, and a VF that is
    taken down while it does hangs in the kernel now and then, with the lock of all links (Linux 6.12,
    igbvf_reinit_locked waits in napi_disable for what igbvf_close has disabled). No plugin can help that.
    """
    pod.ip("link", "set", "net1", "down")


@pytest.mark.parametrize("dead", [False, True], ids=["living", "dead"])
def test_the_pf_is_down(dead: bool, vf: VF, pod: Space, attach: Attach) -> None:
    """All is as before when it is up again."""
    before = vf.snapshot()
    one = attach(vf, **SETTINGS)
    one.add()
    quiet(pod)
    HOST.ip("link", "set", vf.pf.name, "down")
    try:
        if dead:
            pod.delete()
        outcome = one.call("DEL")
    finally:
        field.set_up_with_carrier(vf.pf.name)
    outcome.ok()
    assert (left(), vf.snapshot()) == ([], before)


@pytest.mark.parametrize("dead", [False, True], ids=["living", "dead"])
@pytest.mark.parametrize("where", ["renamed", "in another namespace"])
def test_the_pf_is_gone(where: str, dead: bool, vf: VF, pod: Space, make_pod: MakePod, attach: Attach) -> None:
    """Under another name it is found. Where it has no link on the host, nobody can restore what it holds of the VF: DEL
    says so and comes to its end.
    """
    before, own, pf = vf.snapshot(), HOST.settings(vf.name), vf.pf.name
    one = attach(vf, **SETTINGS)
    one.add()
    quiet(pod)
    if where == "renamed":
        with renamed(pf, "uplink7"):
            if dead:
                pod.delete()
            outcome = one.call("DEL")
        field.set_up_with_carrier(pf)
        outcome.ok()
        assert (left(), vf.snapshot()) == ([], before)
        return
    cover = make_pod()
    HOST.ip("link", "set", pf, "netns", str(cover.name))
    try:
        if dead:
            pod.delete()
        outcome = one.call("DEL")
    finally:
        cover.batch(f"link set {pf} netns 1")
        vfs.settle()
        field.set_up_with_carrier(pf)
    outcome.ok()
    assert f"cannot reset VF {vf.address}: its PF {pf} has no link on the host" in outcome.stderr
    assert left() == []
    assert HOST.settings(vf.name) == own


def test_another_network(vf: VF, neighbour: VF, pod: Space, attach: Attach) -> None:
    """ADD to another network under the name that is taken changes nothing of the live attachment."""
    before = vf.snapshot()
    one = attach(vf, **SETTINGS)
    one.add()
    field.assert_other_network_is_refused(one, attach(neighbour, None, one.container_id, name="other", ipam=IPAM))
    one.delete()
    assert (left(), vf.snapshot()) == ([], before)


def test_another_network_of_a_dead_pod(vf: VF, neighbour: VF, make_pod: MakePod, attach: Attach) -> None:
    """The pod of the earlier attachment is gone: nobody can have it any more, and its address is released."""
    before, dead, pod = vf.snapshot(), make_pod(), make_pod()
    one = attach(vf, dead, **SETTINGS)
    one.add()
    dead.delete()
    other = attach(neighbour, pod, one.container_id, name="other", ipam=IPAM)
    other.add()
    assert disk.reserved("lab") == {}
    other.delete()
    assert (left(), vf.snapshot()) == ([], before)


BAD: dict[str, tuple[tuple[str, ...], Any]] = {
    "VFID": (("VFID",), 1 << 32),
    "negative VFID": (("VFID",), -1),
    "VFID of a text": (("VFID",), "../x"),
    "MTU": (("MTU",), 1 << 40),
    "MTU before": (("OrigVfState", "MTU"), 1 << 40),
    "device": (("deviceID",), "../x"),
    "name": (("OrigVfState", "HostIFName"), "../x"),
    "PF": (("Master",), "../x"),
    "MAC": (("OrigVfState", "EffectiveMAC"), "zz"),
    "VLAN": (("OrigVfState", "Vlan"), 1 << 40),
    "link state": (("OrigVfState", "LinkState"), 3),
    "pod index": (("plumbline", "podIndex"), -1),
    "property": (("plumbline", "properties", "group"), 1 << 32),
    "parent": (("plumbline", "parent"), "../x"),
    "master": (("plumbline", "master"), "../x"),
    "types": (("OrigVfState",), 5),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_record_that_cannot_be_believed(bad: str, vf: VF, neighbour: VF, pod: Space, attach: Attach) -> None:
    """It counts as none, and that is said; nothing is done by what it says. The allocation tells whose the VF is."""
    one, name, table = attach(vf, vlan=100, mtu=1400), vf.name, neighbour.table()
    one.add()
    field.falsify(one, *BAD[bad])
    decoys = field.make_decoys()
    attach(neighbour).call("DEL").ok()
    assert field.record(one)
    outcome = one.call("DEL")
    outcome.ok()
    assert "not used: " in outcome.stderr
    assert "fault" not in outcome.stderr
    field.assert_untouched(decoys)
    assert pod.links() == []
    assert vf.name not in ("", "net1")
    assert neighbour.table() == table
    assert left() == []
    if vf.name != name:
        HOST.batch(f"link set {vf.name} down", f"link set {vf.name} name {name}")


def test_the_pods_name(vf: VF, attach: Attach) -> None:
    """The record keeps what CNI_ARGS says of the pod, and every line of the log names it."""
    one = attach(vf)
    field.assert_named(one)
    one.delete()
