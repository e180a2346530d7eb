"""Moving links between namespaces: names that are taken, alternative names, and others who are faster."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from cni.attach import move
from cni.linux import netns
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError
from tests.support.log import Lines
from tests.support.net import HOST, Space, unique

NETLINK_KOBJECT_UEVENT = 15  # linux/netlink.h


class Sides:
    """The two namespaces, opened, and a log."""

    def __init__(self, host: NetNS, pod: NetNS, space: Space) -> None:
        self.host = host
        self.pod = pod
        self.space = space
        self.log = Lines()

    def into_pod(self, device: Link, ifname: str = "net1") -> None:
        """Move a link into the pod."""
        move.into_pod(self.host, self.pod, device, ifname, move.free_index(self.pod, device.index), self.log)

    def onto_host(self, device: Link, name: str) -> str:
        """Move a link onto the host; return its name there."""
        back = move.onto_host(self.host, self.pod, device, name, self.log)
        assert back is not None
        return back.name


@pytest.fixture
def sides(pod: Space) -> Iterator[Sides]:
    """Host and pod."""
    with netns.of_pod(pod.path) as inside, netns.own() as host:
        yield Sides(host, inside, pod)


def seen(netns: NetNS, name: str) -> Link:
    """Return a link that is there."""
    found = link.get(netns.netlink, name=name)
    assert found is not None
    return found


def altname(name: str, *altnames: str, space: Space = HOST) -> None:
    """Give a link alternative names."""
    for other in altnames:
        space.ip("link", "property", "add", "dev", name, "altname", other)


def test_there_and_back(sides: Sides, device: str) -> None:
    """The link keeps its settings on the way there, and has its name on the way back."""
    HOST.ip("link", "set", device, "mtu", "1400", "address", "02:00:5e:10:00:01")
    sides.into_pod(seen(sides.host, device))
    assert (sides.space.links(), device in HOST.links()) == (["net1"], False)
    assert sides.space.settings("net1") == {
        **{"name": "net1", "mac": "02:00:5e:10:00:01", "mtu": 1400},
        **{"up": False, "alias": "", "altnames": []},
    }
    assert sides.onto_host(seen(sides.pod, "net1"), device) == device
    assert (sides.space.links(), device in HOST.links()) == ([], True)


def test_a_link_that_is_up(sides: Sides, device: str) -> None:
    """A move takes a link down by itself: the rename in the same message works on any kernel."""
    HOST.ip("link", "set", device, "up")
    sides.into_pod(seen(sides.host, device))
    sides.space.ip("link", "set", "net1", "up")
    assert sides.onto_host(seen(sides.pod, "net1"), device) == device


def test_the_name_is_taken_in_the_pod(sides: Sides, device: str) -> None:
    """The kernel moves before it renames: after the refusal the link is fetched back, marked, else as it was."""
    sides.space.ip("link", "add", "net1", "type", "veth", "peer", "name", "other")
    before = HOST.settings(device)
    with pytest.raises(CniError) as caught:
        sides.into_pod(seen(sides.host, device))
    assert caught.value.code == GENERIC
    assert f"cannot move {device} into {sides.space.path} as net1: File exists" in caught.value.msg
    assert f"{device} is on the host" in caught.value.details
    # The mark, by which the caller knows it again, is the caller's to take off.
    assert HOST.settings(device) == {**before, "alias": device}
    assert sorted(sides.space.links()) == ["net1", "other"]


def test_the_new_name_is_the_links_own_alternative_name(sides: Sides, device: str) -> None:
    """It is dropped, and said; the other alternative names go along."""
    ifname, other = unique("alt"), unique("other")
    altname(device, ifname, other)
    sides.into_pod(seen(sides.host, device), ifname)
    assert sides.space.settings(ifname)["altnames"] == [other]
    assert f"dropped the alternative name {ifname}" in sides.log.text("info")


def test_an_alternative_name_is_taken_in_the_pod(sides: Sides, device: str) -> None:
    """Only the one in the way is dropped."""
    taken, free = unique("taken"), unique("free")
    altname(device, taken, free)
    sides.space.ip("link", "add", taken, "type", "veth", "peer", "name", "other")
    sides.into_pod(seen(sides.host, device))
    assert sides.space.settings("net1")["altnames"] == [free]


def test_an_alternative_name_is_an_alternative_name_in_the_pod(sides: Sides, device: str) -> None:
    """Alternative names of two links collide as well."""
    taken = unique("an-alternative-name-longer-than-fifteen-")
    altname(device, taken)
    sides.space.ip("link", "add", "other", "type", "veth", "peer", "name", "peer")
    altname("other", taken, space=sides.space)
    sides.into_pod(seen(sides.host, device))
    assert sides.space.settings("net1")["altnames"] == []


@pytest.mark.parametrize("who", ["the name", "an alternative name"])
def test_the_host_name_is_taken(sides: Sides, device: str, make_device: Callable[..., str], who: str) -> None:
    """The link comes home under a free name that begins with its own, with a warning."""
    sides.into_pod(seen(sides.host, device))
    usurper = make_device()
    if who == "the name":
        HOST.ip("link", "set", usurper, "name", device)
    else:
        altname(usurper, device)
    assert sides.onto_host(seen(sides.pod, "net1"), device) == f"{device}_0"
    assert f"{device}_0" in HOST.links()
    assert f"the name {device} is taken on the host" in sides.log.text("warning")


def announced(listener: socket.socket) -> list[str]:
    """Return the names under which the kernel has told udev of new links since the last time."""
    names = []
    with contextlib.suppress(BlockingIOError):
        while True:
            message = dict(line.partition("=")[::2] for line in listener.recv(1 << 16).decode().split("\0"))
            if (message.get("ACTION"), message.get("SUBSYSTEM")) == ("add", "net"):
                names.append(message["INTERFACE"])
    return names


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that hears on the host what udev hears."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as made:
        made.bind((0, 1))
        made.setblocking(False)
        yield made


def test_the_host_hears_the_host_name(sides: Sides, device: str, listener: socket.socket) -> None:
    """udev never hears of the pod's name, which nothing on the host has."""
    sides.into_pod(seen(sides.host, device))
    announced(listener)
    sides.onto_host(seen(sides.pod, "net1"), device)
    assert announced(listener) == [device]


def test_the_host_hears_the_free_name(
    sides: Sides, device: str, make_device: Callable[..., str], listener: socket.socket
) -> None:
    """When the host name is taken, the kernel moves the link under the free one at once."""
    sides.into_pod(seen(sides.host, device))
    HOST.ip("link", "set", make_device(), "name", device)
    announced(listener)
    sides.onto_host(seen(sides.pod, "net1"), device)
    assert announced(listener) == [f"{device}_0"]


@pytest.mark.parametrize("who", ["the name", "an alternative name"])
def test_the_host_name_is_taken_in_the_pod(sides: Sides, device: str, who: str) -> None:
    """Another link of the pod is called as the device on the host: the device still comes home under its name."""
    sides.into_pod(seen(sides.host, device))
    sides.space.ip("link", "add", "other", "type", "veth", "peer", "name", "peer")
    if who == "the name":
        sides.space.ip("link", "set", "other", "name", device)
    else:
        altname("other", device, space=sides.space)
    theirs = sides.space.links()
    assert sides.onto_host(seen(sides.pod, "net1"), device) == device
    assert sides.space.links() == [name for name in theirs if name != "net1"]
    assert sides.log.text("warning") == ""


def test_the_mark_comes_with_the_name(sides: Sides, device: str) -> None:
    """Killed after that, DEL leaves a link that is known by its alias; it moves with it."""
    sides.into_pod(seen(sides.host, device))
    move.onto_host(sides.host, sides.pod, seen(sides.pod, "net1"), device, sides.log, alias=f"was {device}")
    assert HOST.settings(device)["alias"] == f"was {device}"


def test_several_free_names_are_taken(sides: Sides, device: str, make_device: Callable[..., str]) -> None:
    """The first that is free is used, and no name is longer than the kernel allows."""
    long = unique("longest-name-")[:13].ljust(15, "x")
    sides.into_pod(seen(sides.host, device))
    for name in (long, f"{long[:11]}_0"):
        HOST.ip("link", "set", make_device(), "name", name)
    assert sides.onto_host(seen(sides.pod, "net1"), long) == f"{long[:11]}_1"


def test_the_host_name_became_an_alternative_name_in_the_pod(sides: Sides, device: str) -> None:
    """udev keeps an old name as an alternative one; on the way back it is dropped rather than in the way."""
    sides.into_pod(seen(sides.host, device))
    altname("net1", device, space=sides.space)
    assert sides.onto_host(seen(sides.pod, "net1"), device) == device
    assert HOST.settings(device)["altnames"] == []


def test_an_alternative_name_is_taken_on_the_host(sides: Sides, device: str, make_device: Callable[..., str]) -> None:
    """The pod gave the link an alternative name that the host uses: it is dropped, the device comes home."""
    usurper = make_device()
    sides.into_pod(seen(sides.host, device))
    altname("net1", usurper, space=sides.space)
    assert sides.onto_host(seen(sides.pod, "net1"), device) == device
    assert HOST.settings(device)["altnames"] == []


def test_a_vanished_link(sides: Sides, device: str) -> None:
    """A link that goes away in between is an error that says so, either way."""
    entry = seen(sides.host, device)
    HOST.ip("link", "del", device)
    with pytest.raises(CniError, match=rf"cannot move {device} into .*: No such device; .*no longer on the host"):
        sides.into_pod(entry)


def test_a_link_that_vanished_from_the_pod(sides: Sides, device: str) -> None:
    """The same on the way back."""
    sides.into_pod(seen(sides.host, device))
    entry = seen(sides.pod, "net1")
    sides.space.ip("link", "del", "net1")
    with pytest.raises(CniError, match=r"cannot move net1 of .* to the host as .*; it is gone"):
        sides.onto_host(entry, device)


def test_two_links_race_for_one_name(sides: Sides, make_device: Callable[..., str]) -> None:
    """Both want to be net1: one is, the other is on the host as it was."""
    for _ in range(10):
        devices = [make_device(), make_device()]
        errors: list[CniError] = []

        def attach(name: str, errors: list[CniError] = errors) -> None:
            with netns.of_pod(sides.space.path) as pod, netns.own() as host:
                try:
                    device = seen(host, name)
                    move.into_pod(host, pod, device, "net1", move.free_index(pod, device.index), Lines())
                except CniError as e:
                    errors.append(e)

        threads = [threading.Thread(target=attach, args=(name,)) for name in devices]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(errors) == 1
        assert sides.space.links() == ["net1"]
        assert len([name for name in devices if name in HOST.links()]) == 1
        sides.space.ip("link", "del", "net1")


@pytest.mark.parametrize("named_in_pod", [True, False], ids=["named in the pod", "named on the host"])
def test_two_links_race_home(
    named_in_pod: bool, make_pod: Callable[[], Space], make_device: Callable[..., str]
) -> None:
    """Two devices that want one name on the host both come home, one under the next free name, also from pods in which
    another link has the name.
    """
    for _ in range(10):
        wanted = unique("home")
        pods = [make_pod(), make_pod()]
        for space in pods:
            name = make_device()
            HOST.ip("link", "set", name, "netns", str(space.name))
            space.ip("link", "set", name, "name", "net1")
            if not named_in_pod:
                space.ip("link", "add", wanted, "type", "veth", "peer", "name", "other")
        names: list[str] = []

        def detach(space: Space, names: list[str] = names, wanted: str = wanted) -> None:
            with netns.of_pod(space.path) as pod, netns.own() as host:
                back = move.onto_host(host, pod, seen(pod, "net1"), wanted, Lines())
                names.append(back.name if back is not None else "")

        threads = [threading.Thread(target=detach, args=(space,)) for space in pods]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(names) == [wanted, f"{wanted}_0"]
        assert {wanted, f"{wanted}_0"} <= set(HOST.links())
