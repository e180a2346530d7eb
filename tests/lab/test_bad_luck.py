"""What goes wrong on nodes between ADD and DEL: no VF is lost, left configured, or taken from its owner."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import disk, net, vfs
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
    wait_for_the_vf,
    without_mac,
)
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, binary, environment
from tests.support.vfs import PF, VF

Attach = Callable[..., Attachment]
MakePod = Callable[[], Space]

MAC, OTHER_MAC = "02:00:00:00:00:2a", "02:00:00:00:00:2b"
IPAM = {"type": "host-local", "subnet": "10.6.0.0/24", "routes": [{"dst": "10.60.0.0/16"}]}
WITHOUT_MAC = {"vlan": 100, "vlanQoS": 3, "trust": "on", "spoofchk": "off", "mtu": 1400, "ipam": IPAM}
SETTINGS = {**WITHOUT_MAC, "mac": MAC}
OTHERS = {"vlan": 200, "mac": OTHER_MAC, "spoofchk": "off", "mtu": 1300, "ipam": IPAM}
"""What another pod asks for."""

NOBODY = "/run/netns/nobody"


@pytest.fixture
def vf(vf: VF) -> VF:
    """A VF that an administrator has set up: what was there has to be restored, not what is usual."""
    entry = f"link set {vf.pf.name} vf {vf.index}"
    HOST.batch(f"{entry} vlan 7 qos 2", f"link set {vf.name} mtu 1450", f"link set {vf.name} alias spare")
    return vf


@pytest.fixture
def neighbours(pfs: list[PF]) -> Iterator[list[VF]]:
    """Two more VFs of the same PF."""
    both = pfs[0].vfs[1:3]
    with vfs.lent(*both):
        yield both


def holds(vf: VF, pod: Space, ifname: str = "net1") -> dict[str, Any]:
    """Return what a pod has of a VF: its entry at the PF, the link, addresses and routes."""
    return {
        "table": vf.table(),
        "link": pod.settings(ifname),
        "addresses": pod.addresses(ifname),
        "routes": pod.routes(ifname),
    }


def is_set(vf: VF) -> bool:
    """Return whether the PF has for the VF what SETTINGS asks for."""
    table = vf.table()
    asked = ([{"vlan": 100, "qos": 3}], MAC, True, False)
    return (table["vlan_list"], table["address"], table["trust"], table["spoofchk"]) == asked


def nothing_left() -> bool:
    """Return whether no record, no allocation and no address is held."""
    return disk.records(disk.SRIOV) == [] and disk.reserved("lab") == {}


def die(pod: Space, *held: VF) -> None:
    """Delete a pod's namespace and wait until the kernel has saved its VFs."""
    pod.delete()
    for vf in held:
        vfs.wait_for(lambda vf=vf: bool(vf.name), f"a link of {vf.address} on the host")


@pytest.mark.parametrize("happens", NAMESPACES, ids=lambda x: x.__name__)
def test_the_namespace(happens: Callable[[Space, Attachment], None], vf: VF, pod: Space, attach: Attach) -> None:
    """Wherever the namespace has got to: after one DEL, PF and VF are as before ADD, and so is any other pod."""
    before = vf.snapshot()
    one = attach(vf, **SETTINGS)
    one.add()
    assert is_set(vf)
    happens(pod, one)
    wait_for_the_vf(happens, vf)
    links = pod.json("link", "show") if happens is given_to_another else []
    one.delete()
    assert vf.snapshot() == before
    assert nothing_left()
    if happens is given_to_another:
        assert pod.links() == ["other", "net1"]
        assert pod.json("link", "show") == links
    elif happens is plain_file:
        os.unlink(pod.path)


def test_a_process_keeps_the_namespace(vf: VF, make_pod: MakePod, attach: Attach) -> None:
    """Nobody can reach the link then. It keeps its VLAN and is nobody else's, and a DEL takes it back when it comes.

    The addresses are free at once.
    """
    before = vf.snapshot()
    pod = make_pod()
    one, two = attach(vf, pod, **SETTINGS), attach(vf, make_pod(), **OTHERS)
    one.add()
    with subprocess.Popen(["ip", "netns", "exec", str(pod.name), "sleep", "600"]) as holder:
        try:
            inside = os.stat(pod.path).st_ino
            vfs.wait_for(lambda: os.stat(f"/proc/{holder.pid}/ns/net").st_ino == inside, "process in the pod")
            pod.delete()
            one.delete()
            assert is_set(vf)
            assert disk.reserved("lab") == {}
            assert two.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
            assert is_set(vf)
        finally:
            holder.kill()
    vfs.wait_for(lambda: bool(vf.name), "link on the host")
    one.delete()
    assert vf.snapshot() == before
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
    bind: Callable[[VF], None], conf: dict[str, Any], vf: VF, pod: Space, attach: Attach
) -> None:
    """CHECK says it. The PF's table is restored, and the VF is usable on its driver."""
    before, table, name = vf.snapshot(), vf.pf.shown(), vf.name
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
        HOST.batch(f"link set {vf.name} mtu 1450", f"link set {vf.name} alias spare")
        assert vf.snapshot() == before
    again = attach(vf, **SETTINGS)
    with_link = vf.snapshot()
    again.add()
    assert is_set(vf)
    assert pod.link("net1") is not None
    again.delete()
    assert vf.snapshot() == with_link


def test_the_vfs_were_removed(far_vf: VF, pod: Space, attach: Attach) -> None:
    """DEL succeeds where the VF is gone. Where it has been made anew, nothing is left set on it, and it is usable."""
    pf, name, fresh = far_vf.pf, far_vf.name, without_mac(far_vf)
    one = attach(far_vf, **SETTINGS)
    try:
        one.add()
        remove_vfs(pf)
        settings = HOST.settings(pf.name)
        one.delete()
        assert nothing_left()
        assert (pf.table(), HOST.settings(pf.name)) == ([], settings)
        pf.make_vfs(1)
        assert (far_vf.name, without_mac(far_vf)) == (name, fresh)
        one.add()
        assert is_set(far_vf)
        pf.make_vfs(2)
        one.delete()
        assert nothing_left()
        assert (far_vf.name, without_mac(far_vf)) == (name, fresh)
        before = far_vf.snapshot()
        one.add()
        assert is_set(far_vf)
        one.delete()
        assert far_vf.snapshot() == before
    finally:
        pf.make_vfs()
        vfs.reset(*pf.vfs)


@pytest.mark.parametrize("gone", [False, True], ids=["living", "gone"])
@pytest.mark.parametrize("conf", [SETTINGS, WITHOUT_MAC], ids=["mac", "without mac"])
def test_the_pod_changed_everything(conf: dict[str, Any], gone: bool, vf: VF, pod: Space, attach: Attach) -> None:
    """Name, address, MTU, alias, alternative name, addresses: DEL finds the link and restores it all.

    The name is that of the PF, so that the kernel cannot let the link keep it on the host.
    """
    before, links = vf.snapshot(), sorted(HOST.links())
    one = attach(vf, **conf)
    one.add()
    name = vf.pf.name
    pod.batch(
        "link set net1 down",
        f"link set net1 name {name}",
        f"link set {name} mtu 1280",
        f"link set {name} alias mine",
        f"link property add dev {name} altname mine-too",
        f"link set {name} up",
        f"addr add 10.77.0.9/16 dev {name}",
        f"addr add fd00:77::9/64 dev {name}",
        "route add 10.78.0.0/16 via 10.77.0.1",
    )
    # igb refuses it to a VF that was given an address through the PF.
    pod.ip("link", "set", name, "address", OTHER_MAC, check="mac" not in conf)
    if "mac" not in conf:
        assert vf.table()["address"] == OTHER_MAC
    if gone:
        die(pod, vf)
    one.delete()
    assert vf.snapshot() == before
    assert sorted(HOST.links()) == links
    assert nothing_left()


@pytest.mark.parametrize("gone", [False, True], ids=["living", "gone"])
@pytest.mark.parametrize("as_altname", [False, True], ids=["name", "altname"])
def test_the_host_name_is_taken(as_altname: bool, gone: bool, vf: VF, pod: Space, attach: Attach) -> None:
    """DEL succeeds and says what the VF is called now, which is not what it was called in the pod; all else is as it
    was, and so is the link that has the name.
    """
    before, name = vf.snapshot(), vf.name
    one = attach(vf, **SETTINGS)
    one.add()
    taker = "taker" if as_altname else name
    HOST.ip("link", "add", taker, "type", "veth", "peer", "name", "takers-peer")
    try:
        if as_altname:
            HOST.ip("link", "property", "add", "dev", taker, "altname", name)
        vfs.settle()
        taken = HOST.settings(taker)
        if gone:
            die(pod, vf)
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
    assert vf.snapshot() == before


@pytest.mark.parametrize(
    ("path", "recorded"), [("its own", False), ("its own", True), ("the new pod's", True), ("none", True)]
)
def test_a_late_del(path: str, recorded: bool, vf: VF, make_pod: MakePod, attach: Attach) -> None:
    """The VF went from a pod that was killed to another: the first pod's DELs change nothing for the second.

    The first pod's record may still be there, and its path may be the second pod's.
    """
    before = vf.snapshot()
    pods = [make_pod(), make_pod()]
    one = attach(vf, pods[0], **SETTINGS)
    one.add()
    record = f"{disk.SRIOV}/{one.container_id}-net1"
    content, written = disk.files(disk.SRIOV)[os.path.basename(record)], os.stat(record).st_mtime_ns
    die(pods[0], vf)
    if path == "the new pod's":
        net.run("ip", "netns", "add", str(pods[0].name))
        pods[1] = pods[0]
    two = attach(vf, pods[1], **OTHERS)
    two.add()
    held, owned = holds(vf, pods[1]), disk.records(disk.SRIOV)
    assert (held["link"]["mac"], held["link"]["mtu"]) == (OTHER_MAC, 1300)
    assert held["table"]["vlan_list"] == [{"vlan": 200}]
    if recorded:
        with open(record, "wb") as file:
            file.write(content)
        os.utime(record, ns=(written, written))
    if path == "none":
        one.netns = ""
    for _ in range(2):
        one.delete()
        assert holds(vf, pods[1]) == held
        assert list(disk.reserved("lab").values()) == [f"{two.container_id}\r\nnet1"]
        assert disk.records(disk.SRIOV) == owned
    two.check().ok()
    two.delete()
    assert vf.snapshot() == before
    assert nothing_left()


@pytest.mark.at_once
def test_two_adds_at_once(vf: VF, make_pod: MakePod, attach: Attach) -> None:
    """One gets the VF, the other is told who has it, and its DEL, which the runtime gives then, takes nothing away."""
    before = vf.snapshot()
    pods = make_pod(), make_pod()
    for _ in range(2):
        both = [attach(vf, pod, **SETTINGS) for pod in pods]
        started = [start(one, "ADD") for one in both]
        for one, process in zip(both, started, strict=True):
            assert process.stdin is not None
            process.stdin.write(json.dumps(one.conf).encode())
        for process in started:
            assert process.stdin is not None
            process.stdin.close()
        outputs = [json.loads(process.stdout.read()) for process in started if process.stdout is not None]
        assert sorted(process.wait() for process in started) == [0, 1]
        winner, loser = sorted((0, 1), key=lambda number: started[number].returncode)
        assert outputs[loser]["code"] == 11
        assert outputs[loser]["msg"] == f"pci address {vf.address} is already allocated"
        assert pods[loser].links() == []
        held = holds(vf, pods[winner])
        assert held["addresses"] == [outputs[winner]["ips"][0]["address"]]
        assert [f"{address}/24" for address in disk.reserved("lab")] == held["addresses"]
        assert is_set(vf)
        both[loser].delete()
        assert holds(vf, pods[winner]) == held
        both[winner].delete()
        assert vf.snapshot() == before
        assert nothing_left()


def start(one: Attachment, command: str) -> subprocess.Popen[bytes]:
    """Start a command of an attachment, which begins when it has read its input."""
    variables = environment(command, one.container_id, one.netns, one.ifname, one.args, one.path)
    pipe = subprocess.PIPE
    return subprocess.Popen([binary(one.conf["type"])], env=variables, stdin=pipe, stdout=pipe, bufsize=0)


@pytest.mark.parametrize("ifname", ["net1", "net2"], ids=["another pod", "the same pod"])
def test_the_vf_of_a_living_pod(ifname: str, vf: VF, pod: Space, make_pod: MakePod, attach: Attach) -> None:
    """ADD is refused in the words users know, for other pods and for the one that has it."""
    before = vf.snapshot()
    one = attach(vf, **SETTINGS)
    one.add()
    held, owned, reserved = holds(vf, pod), disk.records(disk.SRIOV), disk.reserved("lab")
    other = pod if ifname == "net2" else make_pod()
    container_id = one.container_id if ifname == "net2" else ""
    two = attach(vf, other, container_id, ifname, **OTHERS)
    assert two.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    two.delete()
    assert (holds(vf, pod), disk.records(disk.SRIOV), disk.reserved("lab")) == (held, owned, reserved)
    assert other.links() == (["net1"] if other is pod else [])
    one.check().ok()
    one.delete()
    assert vf.snapshot() == before
    assert nothing_left()


def test_del_without_add(vf: VF, attach: Attach) -> None:
    """Nothing is changed, not even with a configuration that asks for much."""
    before = vf.snapshot()
    attach(vf, **SETTINGS).delete()
    assert vf.snapshot() == before
    assert nothing_left()


def test_del_three_times(vf: VF, pod: Space, attach: Attach) -> None:
    """The first gives the VF back. The others leave alone what has been done with it since."""
    before = vf.snapshot()
    one = attach(vf, **SETTINGS)
    one.add()
    one.delete()
    assert vf.snapshot() == before
    vf.pf.set(vf.index, "vlan", "9")
    HOST.ip("link", "set", vf.name, "mtu", "1350")
    changed = vf.snapshot()
    one.delete()
    pod.delete()
    one.delete()
    assert vf.snapshot() == changed
    assert nothing_left()


@pytest.mark.parametrize("left", [None, b"{", b""], ids=["no record", "damaged", "empty"])
def test_del_without_a_record(left: bytes | None, vf: VF, pod: Space, attach: Attach) -> None:
    """The allocation tells whose the VF is: it comes back to the host, with the settings that nobody remembers, and the
    next pod can have it. Another pod's DEL does not take it.
    """
    one, name = attach(vf, **SETTINGS), vf.name
    one.add()
    path = f"{disk.SRIOV}/{one.container_id}-net1"
    if left is None:
        os.unlink(path)
    else:
        with open(path, "wb") as file:
            file.write(left)
    other = attach(vf, container_id="another", **SETTINGS)
    other.netns = NOBODY
    other.delete()
    assert pod.links() == ["net1"]
    outcome = one.call("DEL")
    outcome.ok()
    assert "has no record" in outcome.stderr
    assert vf.name not in ("", "net1")
    assert nothing_left()
    one.add()
    assert is_set(vf)
    one.delete()
    assert nothing_left()
    HOST.batch(f"link set {vf.name} down", f"link set {vf.name} name {name}") if vf.name != name else None


@pytest.fixture
def before_reboot(vf: VF, pod: Space, attach: Attach) -> Attachment:
    """An attachment of before a reboot: its files are there, its namespace is not, and the VF is a new one, on which
    the administrator has set something else this time.
    """
    one = attach(vf, **SETTINGS)
    one.add()
    path = f"{disk.SRIOV}/{one.container_id}-net1"
    with open(path) as file:
        record = json.load(file)
    record["plumbline"]["bootID"] = "0f0f0f0f-0000-4000-8000-00000000000a"
    with open(path, "w") as file:
        json.dump(record, file)
    pod.delete()
    vf.bind("")
    vf.pf.set(vf.index, "mac", vfs.NO_MAC)
    vf.reset()
    HOST.batch(f"link set {vf.pf.name} vf {vf.index} vlan 9", f"link set {vf.name} mtu 1350")
    return one


def test_del_after_a_reboot(before_reboot: Attachment, vf: VF) -> None:
    """The boot has reset the VF: DEL changes nothing at it, and forgets the attachment."""
    before = vf.snapshot()
    assert disk.records(disk.SRIOV) == [f"{before_reboot.container_id}-net1", f"pci/{vf.address}"]
    before_reboot.delete()
    assert vf.snapshot() == before
    assert nothing_left()


def test_add_after_a_reboot(before_reboot: Attachment, vf: VF, make_pod: MakePod, attach: Attach) -> None:
    """A new pod gets the VF, and DEL gives it back as it was after the boot and not as it was before."""
    before = vf.snapshot()
    pod = make_pod()
    two = attach(vf, pod, **SETTINGS)
    two.add()
    assert is_set(vf)
    held = holds(vf, pod)
    before_reboot.delete()
    assert holds(vf, pod) == held
    two.delete()
    assert vf.snapshot() == before
    assert nothing_left()


def valid(*attached: Attachment) -> dict[str, Any]:
    """Return the member of GC's configuration that names the valid attachments."""
    named = [{"containerID": one.container_id, "ifname": one.ifname} for one in attached]
    return {"cni.dev/valid-attachments": named}


def test_gc(vf: VF, neighbours: list[VF], far_vf: VF, make_pod: MakePod, attach: Attach) -> None:
    """VFs and addresses of invalid attachments come back, of living and of dead pods. A valid one and one of another
    network stay, and so does a VF that nobody has attached.
    """
    before = [each.snapshot() for each in (vf, far_vf)]
    tables = [each.table() for each in neighbours]
    names = [each.name for each in neighbours]
    pods = [make_pod() for _ in range(4)]
    stays, living, dead = (attach(x, pod, **WITHOUT_MAC) for x, pod in zip((vf, *neighbours), pods, strict=False))
    foreign = attach(far_vf, pods[3], **{**SETTINGS, "name": "another"})
    results = [one.add() for one in (stays, living, dead, foreign)]
    held = [holds(vf, pods[0]), holds(far_vf, pods[3])]
    die(pods[2], neighbours[1])

    living.call("GC", **valid(stays)).ok()
    assert pods[1].links() == []
    assert [each.name for each in neighbours] == names
    assert [each.table() for each in neighbours] == tables
    assert [holds(vf, pods[0]), holds(far_vf, pods[3])] == held
    assert [f"{address}/24" for address in disk.reserved("lab")] == [results[0]["ips"][0]["address"]]
    assert len(disk.reserved("another")) == 1
    records = [f"{one.container_id}-net1" for one in (stays, foreign)]
    assert disk.records(disk.SRIOV) == sorted([*records, f"pci/{vf.address}", f"pci/{far_vf.address}"])
    stays.check().ok()

    living.call("GC", **valid()).ok()
    foreign.call("GC", **valid()).ok()
    assert [each.snapshot() for each in (vf, far_vf)] == before
    assert nothing_left()
    assert disk.reserved("another") == {}


def test_gc_sweeps_allocations(vf: VF, neighbours: list[VF], pod: Space, attach: Attach) -> None:
    """Without a record, an allocation counts as long as its namespace is there."""
    before = vf.snapshot()
    folder = f"{disk.SRIOV}/pci"
    os.makedirs(folder)
    zeros = (vf.pf.vfs[3], "\0" * 40)  # a power cut's
    for each, owner in ((vf, NOBODY), (neighbours[0], pod.path), (neighbours[1], ""), zeros):
        with open(f"{folder}/{each.address}", "w") as file:
            file.write(owner)
    attach(vf).call("GC", **valid()).ok()
    assert disk.records(disk.SRIOV) == [f"pci/{neighbours[0].address}"]
    pod.delete()
    attach(vf).call("GC", **valid()).ok()
    assert disk.records(disk.SRIOV) == []
    assert vf.snapshot() == before


@pytest.mark.parametrize("where", ["the same", "another", "another, the first gone"])
def test_add_is_repeated(where: str, vf: VF, make_pod: MakePod, attach: Attach) -> None:
    """The runtime has forgotten the first ADD. Only what the second asks for is set; DEL restores what was before the
    first.
    """
    before = vf.snapshot()
    pods = make_pod(), make_pod()
    one = attach(vf, pods[0], **SETTINGS)
    one.add()
    target = pods[0]
    if where != "the same":
        one.netns, target = pods[1].path, pods[1]
    if where == "another, the first gone":
        die(pods[0], vf)
    one.conf.update(vlan=200, vlanQoS=0, mtu=1300)
    del one.conf["trust"], one.conf["mac"]
    result = one.add()
    table, link = vf.table(), target.settings("net1")
    assert (table["vlan_list"], table["trust"], table["spoofchk"]) == ([{"vlan": 200}], False, False)
    assert table["address"] == link["mac"] != MAC
    assert (link["mtu"], target.links()) == (1300, ["net1"])
    assert target.addresses("net1") == [result["ips"][0]["address"]]
    assert len(disk.reserved("lab")) == 1
    if where == "another":
        assert pods[0].links() == []
    one.check().ok()
    one.delete()
    assert vf.snapshot() == before
    assert nothing_left()


@pytest.mark.parametrize("answer", ANSWERS)
def test_add_fails_late(answer: str, vf: VF, pod: Space, tmp_path: Any, attach: Attach) -> None:
    """IPAM is asked when the VF is in the pod and configured. All of that is undone, and IPAM is told."""
    log = make_pool(tmp_path, answer)
    before = vf.snapshot()
    one = attach(vf, **{**SETTINGS, "ipam": {"type": "pool"}})
    one.path = str(tmp_path)
    _, code, message = ANSWERS[answer]
    error = one.call("ADD").error(code)
    assert message in error["msg"] + error.get("details", "")
    assert log.read_text().split() == ["ADD", "DEL"]
    assert vf.snapshot() == before
    assert pod.links() == []
    assert nothing_left()
    one.delete()
    assert vf.snapshot() == before


def test_the_pod_has_such_a_link(vf: VF, pod: Space, attach: Attach) -> None:
    """CNI_IFNAME is taken in the pod: nothing is changed, here or there."""
    before = vf.snapshot()
    pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "other")
    there = pod.json("link", "show")
    one = attach(vf, **SETTINGS)
    assert "net1" in one.call("ADD").error(4)["msg"]
    one.delete()
    assert vf.snapshot() == before
    assert pod.json("link", "show") == there
    assert nothing_left()
