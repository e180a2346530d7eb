"""Whose link it is, told by what a pod cannot write: faults that an attack on the binaries found, chapter 1.

| fault | tests |
| --- | --- |
| 1.1 an impostor under the pod's name, with the mark | test_an_impostor, test_lo_under_the_name, test_the_same_index |
| 1.1 no match while the pod lives | test_hidden_from_us, test_hidden_and_back |
| 1.2 DEL without a record moves any link | test_no_record_and_a_link_of_the_pods, _of_a_bridge, _and_no_such_device |
| 1.2 what the reference plugin provably attached | test_no_record_of_the_reference |
| 1.1 the other end of a veth is given away, too | test_both_ends |
| 1.3 a failed move brings a link of the pod's | test_the_device_vanishes |
| 1.4 a MAC address of several links | test_hwaddr_of_a_bridge_and_its_port, _of_a_macvlan, _of_two |
| 1.5 a record that the facts contradict | test_attached_anew_by_the_reference |
| 1.6 two devices | test_two_devices; tests/unit/plugins has those of sriov and accelerated-bridge |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import disk, faults, net
from tests.support.net import HOST, Space
from tests.support.plugin import REFERENCE, Attachment

IPAM = {"type": "host-local", "subnet": "10.9.0.0/24"}
VALID_NONE: dict[str, Any] = {"cni.dev/valid-attachments": []}


def attachment(pod: Space, **conf: Any) -> Attachment:
    """Return an attachment to be."""
    whole = {"cniVersion": "1.1.0", "name": "whose", "type": "host-device", "ipam": IPAM, **conf}
    return Attachment(whole, net.unique("container"), pod.path)


def whole(name: str) -> dict[str, Any]:
    """Return all that ip(8) says of a link of the host, but for what comes and goes by itself."""
    link = HOST.link(name)
    assert link is not None, f"{name} is not on the host, which has {HOST.links()}"
    return {key: value for key, value in link.items() if key != "operstate"}


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    disk.clear()


def impostor(pod: Space, name: str, alias: str, index: int = 0) -> None:
    """Have the pod make a link of a name, and mark it as ADD marks the device."""
    at = ("index", str(index)) if index else ()
    pod.ip("link", "add", name, *at, "type", "veth", "peer", "name", net.unique("evil"))
    pod.ip("link", "set", name, "alias", alias)


def hide(pod: Space, name: str, cover: Space) -> None:
    """Have the pod move a link of it to a namespace of its own."""
    pod.ip("link", "set", name, "netns", str(cover.name))


@pytest.mark.parametrize("command", ["DEL", "GC"])
@pytest.mark.parametrize("alias", [True, False], ids=["alias", "no alias"])
def test_an_impostor(device: str, pod: Space, alias: bool, command: str) -> None:
    """The pod renames the device, takes the mark off, and makes a link with the name and the mark: that one stays."""
    before = whole(device)
    one = attachment(pod, device=device)
    one.add()
    pod.batch("link set net1 down", "link set net1 name mine", "link set mine alias ''")
    impostor(pod, "net1", device if alias else "")
    one.call(command, **(VALID_NONE if command == "GC" else {})).ok()
    assert whole(device) == before
    assert "net1" in pod.links()
    assert disk.records() == []


def test_lo_under_the_name(device: str, pod: Space) -> None:
    """A link that cannot be moved is never the device, whatever it is called."""
    before = whole(device)
    one = attachment(pod, device=device)
    one.add()
    pod.batch(
        *("link set net1 down", "link set net1 name mine", "link set mine alias ''", "link set lo down"),
        *("link set lo name net1", f"link set net1 alias {device}"),
    )
    one.delete()
    assert whole(device) == before
    assert disk.records() == []


@pytest.mark.parametrize("command", ["DEL", "GC"])
def test_the_same_index(device: str, pod: Space, make_pod: Callable[[], Space], command: str) -> None:
    """The pod hides the device in a namespace of its own, and gives name, mark, address and index to another link."""
    cover = make_pod()
    one = attachment(pod, device=device)
    one.add()
    shown = pod.link("net1")
    assert shown is not None
    hide(pod, "net1", cover)
    impostor(pod, "net1", device, shown["ifindex"])
    pod.ip("link", "set", "net1", "address", shown["address"])
    outcome = one.call(command, **(VALID_NONE if command == "GC" else {}))
    outcome.ok()
    assert device not in HOST.links()
    assert "net1" in pod.links()
    assert "tied to" in outcome.stderr
    assert disk.records() == [f"{one.container_id}-net1"]


def test_hidden_from_us(device: str, pod: Space, make_pod: Callable[[], Space]) -> None:
    """The pod lives and has not got the device any more: the record stays, and the message says what was seen."""
    cover = make_pod()
    one = attachment(pod, device=device)
    one.add()
    hide(pod, "net1", cover)
    impostor(pod, "other", "something")
    outcome = one.call("DEL")
    outcome.ok()
    assert f"{device} is neither on the host nor to be recognised in {pod.path}" in outcome.stderr
    assert "other (index" in outcome.stderr
    assert disk.records() == [f"{one.container_id}-net1"]
    assert disk.reserved("whose") == {}
    # Both namespaces die, and with them a virtual device: the next command of anybody forgets it.
    cover.delete()
    pod.delete()
    attachment(make_pod(), device="nowhere7").call("DEL").ok()
    assert disk.records() == []


def test_hidden_and_back(device: str, pod: Space, make_pod: Callable[[], Space]) -> None:
    """A device that comes back to the pod, under another index and another name, is the device."""
    before, cover = whole(device), make_pod()
    one = attachment(pod, device=device)
    one.add()
    shown = pod.link("net1")
    assert shown is not None
    hide(pod, "net1", cover)
    impostor(pod, "other", device, shown["ifindex"])
    cover.batch(f"link set net1 name back netns {pod.name}")
    one.delete()
    after = whole(device)
    assert {**after, "ifindex": 0} == {**before, "ifindex": 0}
    assert disk.records() == []


@pytest.mark.parametrize("selector", ["device", "hwaddr"])
def test_no_record_and_a_link_of_the_pods(pod: Space, selector: str) -> None:
    """Whatever the pod calls its own link, and whatever address it has, it stays with the pod."""
    impostor(pod, "net1", "eno9")
    pod.ip("link", "set", "net1", "address", "02:00:00:00:00:77")
    named = {"device": {"device": "eno9"}, "hwaddr": {"hwaddr": "02:00:00:00:00:77"}}[selector]
    outcome = attachment(pod, **named).call("DEL")
    outcome.ok()
    assert "eno9" not in HOST.links()
    assert "net1" in pod.links()
    assert "the pod may have made it" in outcome.stderr


def test_no_record_and_a_link_of_a_bridge(pod: Space) -> None:
    """The pod calls the link by which another plugin has connected it to a bridge what a device is called."""
    bridge, port = net.unique("br"), net.unique("port")
    HOST.batch(
        *(f"link add {bridge} type bridge", f"link add {port} type veth peer name eth0 netns {pod.name}"),
        f"link set {port} master {bridge}",
    )
    try:
        pod.batch("link set eth0 name net1", "link set net1 alias eno9")
        said = attachment(pod, device="eno9").call("DEL")
        said.ok()
        assert "eno9" not in HOST.links()
        assert pod.links() == ["net1"]
        assert f"its other end {port} is a port" in said.stderr
    finally:
        net.delete_device(bridge)
        net.delete_device(port)


@pytest.mark.parametrize(
    "selector",
    [
        {"hwaddr": "02:00:00:00:00:99"},
        {"pciBusID": "0000:03:02.6"},
        {"kernelpath": "/sys/devices/pci0000:00/0000:00:1f.6"},
        {"runtimeConfig": {"deviceID": "mlx5_core.sf.4"}},
        {},
    ],
    ids=["hwaddr", "pciBusID", "kernelpath", "deviceID", "nothing"],
)
def test_no_record_and_no_such_device(pod: Space, selector: dict[str, Any]) -> None:
    """The configuration names what nobody has: no link of the pod's is it."""
    impostor(pod, "net1", "eno9")
    attachment(pod, **selector).call("DEL").ok()
    assert "eno9" not in HOST.links()
    assert "net1" in pod.links()


@pytest.mark.parametrize("where", ["on the host", "in another namespace"])
@pytest.mark.parametrize("kind", ["veth", "macvlan"])
def test_no_record_of_the_reference(
    pod: Space, make_pod: Callable[[], Space], make_device: Callable[..., str], kind: str, where: str
) -> None:
    """What the reference plugin attached is tied to something that the pod has not: it comes back."""
    device = make_device(None if where == "on the host" else make_pod())
    if kind == "macvlan":
        lower, device = device, net.unique("mv")
        HOST.ip("link", "add", device, "link", lower, "type", "macvlan")
    one = attachment(pod, device=device, cniVersion="1.0.0")
    one.add(folder=REFERENCE)
    one.delete()
    assert device in HOST.links()
    assert pod.links() == []
    net.delete_device(device)


def test_the_device_vanishes(pod: Space, device: str) -> None:
    """The device goes between the record and the move, and the pod has a link of its name: that one stays there."""
    impostor(pod, device, "")
    one = attachment(pod, device=device)
    stop = faults.calls(one, "ADD", "fsync")[0]
    one.delete()
    outcome, _ = faults.held(one, "ADD", stop, lambda: net.delete_device(device))
    outcome.error(999)
    assert device not in HOST.links()
    assert device in pod.links()
    assert "net1" not in pod.links()
    assert disk.records() == []
    assert disk.reserved("whose") == {}


@pytest.mark.parametrize("name", ["its name on the host", "another name"])
def test_a_name_that_the_pod_gives_meanwhile(pod: Space, device: str, name: str) -> None:
    """The pod gives the device another name while DEL is at work, at each of its requests: the host's own name for one,
    which is in the way then. It is on the host under its name, and with those that it had.
    """
    before = HOST.settings(device)
    one = attachment(pod, device=device)
    altname = device if name == "its name on the host" else "another7"
    one.add()
    stops = faults.calls(one, "DEL", "sendto")
    assert len(stops) >= 6
    given = 0
    for stop in stops:
        one.add()

        def give() -> None:
            nonlocal given
            pod.ip("link", "property", "add", "dev", "net1", "altname", altname, check=False)
            given += altname in ((pod.link("net1") or {}).get("altnames") or ())

        outcome, _ = faults.held(one, "DEL", stop, give)
        outcome.ok()
        assert HOST.settings(device) == before, stop
        assert (pod.links(), disk.records(), disk.reserved("whose")) == ([], [], {})
    assert given > 0


def test_a_name_that_the_pod_gave_is_never_one_of_the_host(
    pod: Space, make_pod: Callable[[], Space], device: str, make_device: Callable[..., str]
) -> None:
    """The pod gives its device the name of another pod's device, which comes back while the first is on its way: each
    is on the host under its own name, and nobody finds the one by the other's.
    """
    second = make_device()
    one, other = attachment(pod, device=device), attachment(make_pod(), device=second)
    one.add()
    stops = faults.calls(one, "DEL", "sendto")
    seen = 0
    for stop in stops:
        one.add()
        other.add()
        pod.ip("link", "property", "add", "dev", "net1", "altname", second)

        def give_back_the_other() -> None:
            nonlocal seen
            seen += device in HOST.links()
            assert HOST.link(second) is None
            other.delete()

        outcome, _ = faults.held(one, "DEL", stop, give_back_the_other)
        outcome.ok()
        assert {device, second} <= set(HOST.links()), stop
    assert seen > 0


def test_a_name_that_the_pod_gives_meanwhile_without_a_record(pod: Space, device: str) -> None:
    """The same for what the reference plugin attached."""
    one = attachment(pod, device=device, cniVersion="1.0.0")
    one.add(folder=REFERENCE)
    stops = faults.calls(one, "DEL", "sendto")
    assert len(stops) >= 6

    def give() -> None:
        pod.ip("link", "property", "add", "dev", "net1", "altname", device, check=False)

    for stop in stops:
        one.add(folder=REFERENCE)
        outcome, _ = faults.held(one, "DEL", stop, give)
        outcome.ok()
        assert device in HOST.links(), stop
        assert pod.links() == []


def test_hwaddr_of_a_bridge_and_its_port(pod: Space, device: str) -> None:
    """A bridge has the address of its port: the port is meant, and the bridge keeps what it has."""
    bridge = net.unique("br")
    mac = HOST.settings(device)["mac"]
    HOST.batch(f"link add {bridge} type bridge", f"link set {device} master {bridge}")
    try:
        assert HOST.settings(bridge)["mac"] == mac
        one = attachment(pod, hwaddr=mac)
        one.add()
        assert bridge in HOST.links()
        assert device not in HOST.links()
        one.delete()
        assert whole(device)["master"] == bridge
    finally:
        net.delete_device(bridge)


def test_hwaddr_of_a_macvlan(pod: Space, device: str) -> None:
    """A macvlan in passthru mode has the address of what it is upon: the one that is upon is meant."""
    upper, mac = net.unique("mv"), HOST.settings(device)["mac"]
    HOST.ip("link", "add", upper, "link", device, "type", "macvlan", "mode", "passthru")
    try:
        assert HOST.settings(upper)["mac"] == mac
        one = attachment(pod, hwaddr=mac)
        one.add()
        assert device in HOST.links()
        assert upper not in HOST.links()
        one.delete()
    finally:
        net.delete_device(upper)


def test_hwaddr_of_two(pod: Space, make_device: Callable[..., str]) -> None:
    """Nothing tells which one is meant: none is taken, and both are named."""
    first, second = make_device(), make_device()
    for name in (first, second):
        HOST.ip("link", "set", name, "address", "02:00:00:00:00:66")
    error = attachment(pod, hwaddr="02:00:00:00:00:66").call("ADD").error(7)
    assert first in error["msg"]
    assert second in error["msg"]
    assert {first, second} <= set(HOST.links())
    assert disk.records() == []


@pytest.mark.parametrize("other_index", [False, True], ids=["same index", "another index"])
def test_attached_anew_by_the_reference(pod: Space, device: str, other_index: bool) -> None:
    """Our record was left by the reference's DEL, and the reference has attached the device again: it comes back."""
    one = attachment(pod, device=device, cniVersion="1.0.0")
    one.add()
    one.delete(folder=REFERENCE)
    assert disk.records() == [f"{one.container_id}-net1"]
    if other_index:
        shown = HOST.link(device)
        assert shown is not None
        pod.ip("link", "add", "other", "index", str(shown["ifindex"]), "type", "veth", "peer", "name", "another")
    one.add(folder=REFERENCE)
    one.delete()
    assert device in HOST.links()
    assert "net1" not in pod.links()
    assert disk.records() == []


@pytest.mark.parametrize("first", [0, 1])
def test_both_ends(first: int, make_pod: Callable[[], Space]) -> None:
    """Both ends of a veth are given to pods: neither is where it was when the other was attached."""
    device, far = net.new_device()
    try:
        before = [HOST.settings(name)["mac"] for name in (device, far)]
        HOST.batch(f"link set {far} down")
        attached = [attachment(make_pod(), device=name) for name in (device, far)]
        for one in attached:
            one.add()
        attached[first].delete()
        attached[1 - first].delete()
        assert [HOST.settings(name)["mac"] for name in (device, far)] == before
        assert disk.records() == []
    finally:
        net.delete_device(device)


@pytest.mark.parametrize("command", ["ADD", "CHECK"])
def test_two_devices(pod: Space, command: str) -> None:
    """The runtime allotted one device to the pod, the network's definition names another: neither is taken."""
    conf = {"pciBusID": "0000:03:02.6", "runtimeConfig": {"deviceID": "0000:03:02.7"}}
    error = attachment(pod, **conf).call(command, prevResult={"cniVersion": "1.1.0"}).error(7)
    assert "0000:03:02.6" in error["msg"]
    assert "0000:03:02.7" in error["msg"]
