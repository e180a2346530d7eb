"""No file descriptor is left, at any point of an ADD or a DEL: what these do besides their own work is no reason to
fail, and nothing of anybody is lost.

Besides, that is to complete the file of device information, and to give back what dead pods have left. So each command
is given on a quiet node, where there is nothing of that to do, and on a restless one, and may fail at the same calls.

| when no descriptor is left | test |
| --- | --- |
| at one call | test_at_one_call, test_at_one_call_with_the_device_of_the_dead |
| from some call on | test_from_a_call_on |
| when so many are open (RLIMIT_NOFILE) | test_with_so_many |
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.support import disk, faults, net
from tests.support.bus import Bus
from tests.support.faults import Call
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome
from tests.support.untouched import left_on_disk

COMMANDS = ("ADD", "DEL")
LIMITS = range(6, 16)
OPENING = "openat,socket"
PF, VF = "0000:03:00.0", "0000:03:00.2"
INFORMATION = "/var/run/k8s.cni.cncf.io/devinfo/cni/exhausted.json"
HELD = {"type": "pci", "version": "1.0.0", "pci": {"rdma-device": "mlx5_3"}}
"""What a device plugin knows."""

WHOLE = ("rdma-device", "pci-address", "pf-pci-address", "representor-device")
"""What there is to be known, in order."""


class Node:
    """A VF in switchdev mode, an attachment of it, and two attachments of others to the same network.

    left: what the others have on disk. said: by all trials, to standard error.
    """

    def __init__(self, bus: Bus) -> None:
        self.network = net.unique("exhausted")
        self.device, self._peer = net.new_device()
        self.pod = net.new_space()
        self.one = self.attachment(self.pod, pciBusID=_make_vf(bus, self.device))
        self.before = HOST.settings(self.device)
        self.neighbour, self.other = net.new_device(), net.new_device()
        HOST.ip("link", "set", self.other[0], "mtu", "1400", "up")
        self.others_before = HOST.settings(self.other[0])
        self.neighbours_pod, self.others_pod = net.new_spaces(2)
        self.attachment(self.neighbours_pod, device=self.neighbour[0]).add()
        self.others = self.attachment(self.others_pod, device=self.other[0])
        self.others.add()
        self.left = left_on_disk()
        self.said = ""

    def attachment(self, pod: Space, **conf: object) -> Attachment:
        """Return an attachment to be."""
        whole = {"cniVersion": "1.1.0", "name": self.network, "type": "host-device", **conf}
        ipam = {"type": "host-local", "subnet": "10.67.0.0/24"}
        return Attachment({**whole, "ipam": ipam}, net.unique("container"), pod.path)

    def remove(self) -> None:
        """Delete all of it."""
        for space in (self.pod, self.neighbours_pod, self.others_pod):
            space.delete()
        for peer in (self._peer, self.neighbour[1], self.other[1]):
            net.delete_device(peer)

    def disturb(self) -> None:
        """Have work to be done besides a command: none."""

    def assert_as_before(self) -> None:
        """Assert that the others have what they had, and that nothing is left of the attachment."""
        assert HOST.settings(self.device) == self.before
        assert self.pod.links() == []
        assert left_on_disk() == self.left

    def prepare(self, command: str) -> None:
        """Make what a command is for."""
        self.disturb()
        if command == "DEL":
            self.one.add()

    def calls(self, command: str) -> list[Call]:
        """Return the calls that need a descriptor."""
        self.prepare(command)
        outcome, found = faults.traced(self.one, command, OPENING)
        outcome.ok()
        self.put_right()
        return found

    def put_right(self) -> None:
        """DEL as it is given when there are descriptors again, after which everything is in order."""
        self.one.delete()
        self.assert_as_before()

    def trial(self, command: str, *injections: str, limit: int = 0) -> Outcome:
        """Give a command without descriptors, and see that nothing is lost. limit: how many it may have open, 0 for as
        usual.
        """
        self.prepare(command)
        limited = ("prlimit", f"--nofile={limit}") if limit else ()
        outcome = self.one.call(command, prefix=(*faults.strace(OPENING, *injections), *limited))
        self.said += outcome.stderr
        if outcome.status:
            outcome.error()
        elif command == "ADD":
            self.one.result = outcome.json
            assert f"{self.one.container_id}-net1" in disk.records()
            self.one.check().ok()
        self.put_right()
        return outcome


class RestlessNode(Node):
    """With device information to be completed, a pod that lives though its path is gone, and a dead one, whose device
    is on the host under another name.
    """

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.one.conf["runtimeConfig"] = {"CNIDeviceInfoFile": INFORMATION}
        self.others.delete()
        self.holder = subprocess.Popen(["ip", "netns", "exec", str(self.neighbours_pod.name), "sleep", "3600"])
        while net.run("ip", "netns", "pids", str(self.neighbours_pod.name)).split() != [str(self.holder.pid)]:
            assert self.holder.poll() is None
        self.neighbours_pod.delete()
        self.neighbours_pod.path = f"/proc/{self.holder.pid}/ns/net"
        self.left = left_on_disk()

    def remove(self) -> None:
        """See `Node`."""
        self.holder.kill()
        self.holder.wait()
        super().remove()

    def disturb(self) -> None:
        """See `Node`."""
        self.leave_astray(self.other[0])
        os.makedirs(os.path.dirname(INFORMATION), exist_ok=True)
        with open(INFORMATION, "w") as file:
            json.dump(HELD, file)

    def leave_astray(self, device: str) -> None:
        """Leave a device on the host as a pod does that dies when DEL has moved it and was killed then."""
        pod = net.new_space()
        self.attachment(pod, device=device).add()
        aside = net.unique("astray")
        pod.batch("link set net1 down", f"link set net1 netns {os.getpid()} name {aside} alias {device}")
        pod.delete()

    def assert_as_before(self) -> None:
        """See `Node`; the device of the dead pod is as it was, and device information is there, whole or as it was."""
        super().assert_as_before()
        assert HOST.settings(self.other[0]) == self.others_before
        assert self.neighbours_pod.links() == ["net1"]
        assert os.listdir(os.path.dirname(INFORMATION)) == [os.path.basename(INFORMATION)]
        with open(INFORMATION) as file:
            told = json.load(file)
        assert told == HELD or tuple(told["pci"]) == WHOLE


class NodeOfTheDead(RestlessNode):
    """The same, where the dead one had the very device that is wanted, which has no bus."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.one = self.attachment(self.pod, device=self.device)

    def leave_astray(self, device: str) -> None:
        """See `RestlessNode`."""
        super().leave_astray(self.device)


def _make_vf(bus: Bus, netdev: str) -> str:
    """Make a PF with a VF that has a netdev and a representor; return the VF's address."""
    pf, vf = bus.pci(PF, "ens2f0"), bus.pci(VF, netdev)
    os.symlink(pf, f"{vf}/physfn")
    os.symlink(vf, f"{pf}/virtfn0")
    for name, port in (("ens2f0", "p0"), ("ens2f0_0", "pf0vf0")):
        os.makedirs(f"{pf}/net/{name}", exist_ok=True)
        for attribute, value in (("phys_port_name", port), ("phys_switch_id", "5e1001")):
            with open(f"{pf}/net/{name}/{attribute}", "w") as file:
                file.write(f"{value}\n")
    return VF


MakeNode = Callable[[type[Node]], Node]


@pytest.fixture
def make_node() -> Iterator[MakeNode]:
    """A function that makes a node of a kind; one after the other, all gone after the test."""
    made: list[tuple[Node, Bus]] = []

    def remove() -> None:
        while made:
            node, bus = made.pop()
            node.remove()
            bus.remove()
        disk.clear()

    def make(kind: type[Node]) -> Node:
        remove()
        bus = Bus()
        made.append((kind(bus), bus))
        return made[0][0]

    yield make
    remove()


def kind_of(call: Call) -> str:
    """Return what a call opens, the same for all names of a kind."""
    return re.sub(r"[0-9]+", "N", call.text.rpartition(" = ")[0])


def failing(node: Node, command: str, injections: Callable[[list[Call], int], list[str]]) -> list[str]:
    """Return the kinds of the calls at which a command fails. injections: gives the faults for one of these calls."""
    calls = node.calls(command)
    outcomes = [node.trial(command, *injections(calls, index)) for index in range(len(calls))]
    return [kind_of(call) for call, outcome in zip(calls, outcomes, strict=True) if outcome.status]


def at(calls: list[Call], index: int) -> list[str]:
    """Have no descriptor for one of the calls."""
    return [f"{calls[index].name}:error=EMFILE:when={calls[index].number}"]


def from_then_on(calls: list[Call], index: int) -> list[str]:
    """Have no descriptor for one of the calls and all after it."""
    before = Counter(call.name for call in calls[:index])
    return [f"{name}:error=EMFILE:when={before[name] + 1}+" for name in OPENING.split(",")]


@pytest.mark.parametrize("command", COMMANDS)
def test_at_one_call(command: str, make_node: MakeNode) -> None:
    """It fails at no other call, and says what it has left undone."""
    quiet = Counter(failing(make_node(Node), command, at))
    node = make_node(RestlessNode)
    restless = Counter(failing(node, command, at))
    assert quiet.total() >= 15
    assert restless - quiet == Counter()
    assert ", is not given back yet: " in node.said
    assert "what dead pods have left is not looked for: " in node.said
    assert ("is not published: " in node.said) is (command == "ADD")


def test_at_one_call_with_the_device_of_the_dead(make_node: MakeNode) -> None:
    """It is taken over, or not, and nothing of it is lost."""
    assert failing(make_node(NodeOfTheDead), "ADD", at)


@pytest.mark.parametrize("command", COMMANDS)
def test_from_a_call_on(command: str, make_node: MakeNode) -> None:
    """The last call at which it fails is the same."""
    quiet, restless = (failing(make_node(kind), command, from_then_on) for kind in (Node, RestlessNode))
    assert len(quiet) >= 15
    assert restless[-1] == quiet[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_with_so_many(command: str, make_node: MakeNode) -> None:
    """As many are enough."""
    nodes = (make_node(kind) for kind in (Node, RestlessNode))
    quiet, restless = ([node.trial(command, limit=limit).status == 0 for limit in LIMITS] for node in nodes)
    assert restless == quiet
    assert (quiet[0], quiet[-1]) == (False, True)
