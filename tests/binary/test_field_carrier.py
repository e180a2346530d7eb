"""A link without carrier costs ADD nothing, and its addresses are announced when the carrier comes.

| FAULTS entry | test |
| --- | --- |
| 8, ADD waits 200 ms for carrier | test_add_does_not_wait, test_nothing_of_the_caller_is_kept |
| 8, carrier that comes later | test_announced_when_carrier_comes, test_after_duplicate_address_detection |
| 8, the same, where another node has the address | test_a_duplicate_is_not_announced |
| 8, the same, in a pod that works against it | test_a_link_of_the_same_name, test_another_address |
| 8, the same, with events without end | test_events_without_end |
| 8, it ends with the link, or the namespace | test_del_ends_it, test_the_link_goes, test_the_namespace_goes |
| 8, it ends in any case | test_it_does_not_wait_for_ever, test_sigterm_ends_it, test_terminated_when_it_has_begun |
| 8, at most 16 on a node | test_slots |
| 8, none can be had | test_no_folder, test_no_process |
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cni.attach.announcer import FOLDER
from cni.protocol.limits import ANNOUNCERS
from tests.support import announcers, disk
from tests.support.net import HOST, Space, run, unique
from tests.support.packets import Ear
from tests.support.plugin import Attachment
from tests.support.vfs import wait_for

IPV4, IPV6 = "10.9.0.2", "fd00:9::2"
_ids = itertools.count(1)


@pytest.fixture(autouse=True)
def adopted() -> Iterator[None]:
    with announcers.adopted():
        yield


class Wire:
    """A device without carrier and its other end, called peer, which is down."""

    def __init__(self, name: str) -> None:
        self.name = name
        link = HOST.link(name)
        assert link is not None
        self.mac, self.peer = link["address"], link["link"]
        self.plug(False)

    def plug(self, whether: bool = True) -> None:
        """Give the device carrier, or take it."""
        HOST.ip("link", "set", self.peer, "up" if whether else "down")


@pytest.fixture
def wire(device: str) -> Wire:
    return Wire(device)


def attachment(pod: Space, wire: Wire, *addresses: str, **conf: Any) -> Attachment:
    """Return an attachment to be, with these addresses."""
    ipam = {"type": "static", "addresses": [{"address": address} for address in addresses or (f"{IPV4}/24",)]}
    whole = {"cniVersion": "1.1.0", "name": unique("network"), "type": "host-device", "device": wire.name}
    return Attachment({**whole, "ipam": ipam, **conf}, f"carrier{next(_ids)}", pod.path)


class Canary:
    """A link in a pod that shows on the host whether the pod's namespace is alive."""

    def __init__(self, pod: Space) -> None:
        self.name = unique("canary")
        HOST.ip("link", "add", self.name, "type", "veth", "peer", "name", "canary", "netns", str(pod.name))

    def wait_for_end(self) -> None:
        wait_for(lambda: not os.path.exists(f"/sys/class/net/{self.name}"), "end of the namespace")


# What it does


def test_add_does_not_wait(pod: Space, wire: Wire) -> None:
    """ADD has ended, and the runtime has its result, while there is no carrier and a process waits for it, which is
    init's, whose place is ours here.
    """
    one = attachment(pod, wire, f"{IPV4}/24", f"{IPV6}/64")
    result = one.add()
    assert [ip["address"] for ip in result["ips"]] == [f"{IPV4}/24", f"{IPV6}/64"]
    announcers.the_one(pod)
    assert pod.link("net1")["operstate"] == "LOWERLAYERDOWN"  # type: ignore[index]
    one.check().ok()
    one.delete()


def test_announced_when_carrier_comes(pod: Space, wire: Wire) -> None:
    """As soon as there is carrier, neighbours hear of each address, and the process ends."""
    pod.without_dad()
    one = attachment(pod, wire, f"{IPV4}/24", "10.9.1.2/24", f"{IPV6}/64")
    one.add()
    process = announcers.the_one(pod)
    with Ear(wire.peer) as ear:
        wire.plug()
        assert announcers.end_of(process) == 0
        assert ear.announced() == {IPV4: wire.mac, "10.9.1.2": wire.mac, IPV6: wire.mac}
    one.check().ok()
    one.delete()


def test_after_duplicate_address_detection(pod: Space, wire: Wire) -> None:
    """With carrier, duplicate address detection begins: an IPv6 address is announced when it has ended well."""
    one = attachment(pod, wire, f"{IPV4}/24", f"{IPV6}/64")
    one.add()
    process = announcers.the_one(pod)
    with Ear(wire.peer) as ear:
        wire.plug()
        assert announcers.end_of(process) == 0
        assert ear.announced() == {IPV4: wire.mac, IPV6: wire.mac}
    assert "tentative" not in pod.ip("addr", "show", "dev", "net1", "scope", "global")
    one.delete()


def test_a_duplicate_is_not_announced(pod: Space, wire: Wire) -> None:
    """An IPv6 address that another node turns out to have is not taken from it."""
    HOST.ip("addr", "add", f"{IPV6}/64", "dev", wire.peer, "nodad")
    one = attachment(pod, wire, f"{IPV4}/24", f"{IPV6}/64")
    one.add()
    process = announcers.the_one(pod)
    with Ear(wire.peer) as ear:
        wire.plug()
        assert announcers.end_of(process) == 0
        # The other one defends its address, to all nodes.
        assert ear.announced() == {IPV4: wire.mac, IPV6: HOST.link(wire.peer)["address"]}  # type: ignore[index]
    assert "dadfailed" in pod.ip("addr", "show", "dev", "net1")
    one.delete()


def test_nothing_of_the_caller_is_kept(pod: Space, wire: Wire) -> None:
    """It has its slot, and no stream, other descriptor, session or folder of the caller, no blocked or ignored signal.

    This caller has more descriptors than the usual; that all its streams are closed is why `call` returns.
    """
    one = attachment(pod, wire)
    caller = ("sh", "-c", 'cd /tmp; trap "" CHLD HUP; exec "$@" 7>&2 8</etc/passwd', "sh")
    one.call("ADD", prefix=caller).ok()
    process = announcers.the_one(pod)
    wait_for(lambda: len(os.listdir(f"/proc/{process}/fd")) == 6, "process that waits")
    opened = [os.readlink(f"/proc/{process}/fd/{fd}") for fd in os.listdir(f"/proc/{process}/fd")]
    assert sorted(path.split(":")[0] for path in opened) == [*["/dev/null"] * 3, f"{FOLDER}/0", "socket", "socket"]
    assert os.getsid(process) == process
    assert os.readlink(f"/proc/{process}/cwd") == "/"
    with open(f"/proc/{process}/status") as file:
        status = dict(line.split(":\t", 1) for line in file)
    termination = 1 << (signal.SIGTERM - 1) | 1 << (signal.SIGINT - 1)
    assert int(status["SigBlk"], 16) == 0
    assert not (int(status["SigCgt"], 16) | int(status["SigIgn"], 16)) & termination
    one.delete()
    assert announcers.end_of(process) == 0


def test_slot_files(pod: Space, wire: Wire) -> None:
    """Slots are root's alone, whatever the caller's umask is."""
    run("rm", "-rf", os.path.dirname(FOLDER))
    one = attachment(pod, wire)
    one.call("ADD", prefix=("sh", "-c", 'umask 0; exec "$@"', "sh")).ok()
    announcers.the_one(pod)
    for path, mode in ((os.path.dirname(FOLDER), 0o700), (FOLDER, 0o700), (f"{FOLDER}/0", 0o600)):
        assert os.stat(path).st_mode & 0o777 == mode, path
    one.delete()


# How it ends


def test_del_ends_it(pod: Space, wire: Wire) -> None:
    """DEL takes the link away: the process ends, and so does the namespace when the runtime lets go of it."""
    canary = Canary(pod)
    one = attachment(pod, wire)
    one.add()
    process = announcers.the_one(pod)
    one.delete()
    assert announcers.end_of(process) == 0
    pod.delete()
    canary.wait_for_end()


def test_the_link_goes(pod: Space, wire: Wire) -> None:
    """A link that is deleted takes the process with it."""
    one = attachment(pod, wire)
    one.add()
    process = announcers.the_one(pod)
    HOST.ip("link", "del", wire.peer)
    assert announcers.end_of(process) == 0
    one.delete()


def let_go(pod: Space) -> None:
    """Delete the namespace as the runtime does."""
    pod.delete()


def let_go_and_make_another(pod: Space) -> None:
    """The same, and the path is another pod's at once."""
    pod.delete()
    run("ip", "netns", "add", str(pod.name))


@pytest.mark.parametrize("give_up", [let_go, let_go_and_make_another])
def test_the_namespace_goes(pod: Space, wire: Wire, give_up: Callable[[Space], None]) -> None:
    """A namespace that is given up without DEL dies, though the process has been in it."""
    canary = Canary(pod)
    one = attachment(pod, wire)
    one.add()
    process = announcers.the_one(pod)
    give_up(pod)
    assert announcers.end_of(process) == 0
    canary.wait_for_end()
    one.delete()


def test_it_does_not_wait_for_ever(pod: Space, wire: Wire) -> None:
    """Without carrier the process is ended by the kernel, whatever it is doing then."""
    one = attachment(pod, wire)
    one.add()
    process = announcers.the_one(pod)
    with Ear(wire.peer) as ear:
        assert announcers.end_of(process) == -signal.SIGALRM
        wire.plug()
        assert ear.announced() == {}
    one.delete()


def test_sigterm_ends_it(pod: Space, wire: Wire) -> None:
    """Told to end, it ends, and the attachment stands."""
    one = attachment(pod, wire)
    one.add()
    process = announcers.the_one(pod)
    os.kill(process, signal.SIGTERM)
    assert announcers.end_of(process) == -signal.SIGTERM
    one.check().ok()
    one.delete()


def test_terminated_when_it_has_begun(pod: Space, wire: Wire) -> None:
    """ADD is told to end while it starts the process: ADD undoes all, once, and the process ends with the link."""
    before = HOST.settings(wire.name)
    one = attachment(pod, wire)
    inject = ("-e", "trace=clone,fork", "-e", "inject=clone,fork:signal=SIGTERM")
    one.call("ADD", prefix=("strace", "-qq", "-o", os.devnull, *inject)).error(11)
    assert HOST.settings(wire.name) == before
    assert pod.links() == []
    assert disk.records() == []
    for process in announcers.of(pod):
        assert announcers.end_of(process) == 0


# A pod that works against it


def test_a_link_of_the_same_name(pod: Space, wire: Wire) -> None:
    """The link is known by its index: one that has got its name is not announced on, and is not waited for."""
    one = attachment(pod, wire)
    one.add()
    process = announcers.the_one(pod)
    pod.batch("link set net1 name elsewhere", "link add net1 type veth peer name decoy")
    pod.batch("link set net1 up", "link set decoy up")
    with Ear(wire.peer) as ear:
        wire.plug()
        assert announcers.end_of(process) == 0
        assert ear.announced() == {IPV4: wire.mac}
    one.delete()


def test_another_address(pod: Space, wire: Wire) -> None:
    """What is announced is the link's address when it is announced; an IP address that was taken away is not."""
    pod.without_dad()
    one = attachment(pod, wire, f"{IPV4}/24", f"{IPV6}/64")
    one.add()
    process = announcers.the_one(pod)
    pod.ip("addr", "del", f"{IPV6}/64", "dev", "net1")
    pod.ip("link", "set", "net1", "address", "02:00:5e:00:00:77")
    with Ear(wire.peer) as ear:
        wire.plug()
        assert announcers.end_of(process) == 0
        assert ear.announced() == {IPV4: "02:00:5e:00:00:77"}
    one.delete()


def test_events_without_end(pod: Space, wire: Wire) -> None:
    """More events than there is room for keep the process from nothing."""
    one = attachment(pod, wire)
    one.add()
    process = announcers.the_one(pod)
    ended = threading.Event()
    commands = [f"link set dev lo alias {number}" for number in range(2000)]

    def make_events() -> None:
        while not ended.is_set():
            pod.batch(*commands)

    storm = threading.Thread(target=make_events)
    storm.start()
    try:
        with Ear(wire.peer) as ear:
            wire.plug()
            assert announcers.end_of(process) == 0
            assert ear.announced() == {IPV4: wire.mac}
    finally:
        ended.set()
        storm.join()
    one.delete()


# Where none can be had


def test_slots(make_pod: Callable[[], Space], make_device: Callable[..., str]) -> None:
    """When as many wait as may, ADD goes on without, and says so; who ends makes room."""
    pods, wires = [make_pod() for _ in range(3)], [Wire(make_device()) for _ in range(3)]
    first, second, third = (attachment(pod, wire) for pod, wire in zip(pods, wires, strict=True))
    with announcers.slots_taken(free=1):
        assert "will not be announced" not in first.call("ADD").stderr
        process = announcers.the_one(pods[0])
        outcome = second.call("ADD")
        outcome.ok()
        assert f"net1 has no carrier, and {IPV4} will not be announced when it gets some" in outcome.stderr
        assert f"{ANNOUNCERS} processes wait for carrier already" in outcome.stderr
        assert announcers.of(pods[1]) == []
        first.delete()
        assert announcers.end_of(process) == 0
        third.call("ADD").ok()
        announcers.the_one(pods[2])
    second.delete()
    third.delete()


@pytest.mark.parametrize("obstacle", ["file", "symlink", "read-only"])
def test_no_folder(pod: Space, wire: Wire, obstacle: str) -> None:
    """Where there is no room for slots, nothing is announced, nothing is written elsewhere, and ADD succeeds."""
    parent = os.path.dirname(FOLDER)
    run("rm", "-rf", parent)
    one = attachment(pod, wire, logLevel="debug")
    try:
        if obstacle == "file":
            open(parent, "w").close()
        elif obstacle == "symlink":
            os.makedirs(FOLDER)
            os.symlink("/run/target", f"{FOLDER}/0")
        else:
            os.makedirs(parent)
            run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", parent)
        outcome = one.call("ADD")
        outcome.ok()
        assert f"{IPV4} will not be announced when it gets some: cannot " in outcome.stderr
        assert announcers.of(pod) == []
        assert not os.path.exists("/run/target")
        one.delete()
    finally:
        run("umount", parent, check=False)
        run("rm", "-rf", parent)


def test_no_process(pod: Space, wire: Wire) -> None:
    """Where the kernel gives no process, ADD succeeds without, and says so."""
    one = attachment(pod, wire)
    inject = ("-e", "trace=clone,clone3,fork", "-e", "inject=clone,fork:error=EAGAIN")
    outcome = one.call("ADD", prefix=("strace", "-qq", "-o", os.devnull, *inject))
    outcome.ok()
    assert "cannot start a process for it: Resource temporarily unavailable" in outcome.stderr
    assert announcers.of(pod) == []
    one.delete()
