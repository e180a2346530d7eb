"""A hostile pod: it does random things to the links in its namespace while plugins attach a device and give it back.

A round is an attachment, from ADD to the last DEL. What happens in it follows from the seed and the round's number
alone, as far as the kernel and the scheduler let it. After each round:

- no link of the pod's making is on the host: every link that the test makes on the host is known by its number of
  queues, which is set when a link is made, never again, and which the pod's links do not have;
- the device is on the host under its name, with all that the kernel tells of it as before ADD, or it is in one of the
  pod's namespaces and its record is on disk; or the pod has destroyed it;
- where it never left the pod's own namespace, a DEL that nobody disturbs has given it back;
- what other pods have, and what else is on the host, is as it was;
- no plugin took longer than it says it may take.

`python -m tests.support.hostile` runs as many rounds as one likes, from any seed, or a single round again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random
from typing import Any

from tests.support import disk, isolation, links, plugin
from tests.support.links import Link, Netns, attribute, differences

WALL_LIMIT_S = 75.0
"""How long a plugin may run: the lock of a device is waited for for 60 s."""

SETTLING_S = 5.0
"""How long a link may have another name than its own, in seconds: it has just arrived, and whoever renames it has
to get his turn on a busy machine.
"""

MOST_FAILURES = 40
"""After how many failures it is enough."""

NOT_DEMANDED: frozenset[str] = frozenset()
"""Kinds of failures that are counted, and no failures."""

QUEUES = range(11, 200)
"""Numbers of queues by which the test's own links on the host are known."""

Names = Sequence[str]


class Failure:
    """What was wrong after a round. kind: in a word or two, to count by; text: what was seen, and how it came to it."""

    def __init__(self, kind: str, number: int, text: str) -> None:
        self.kind = kind
        self.number = number
        self.text = text


class Report:
    """What became of an attack. counts: what happened how often, so that one sees that it was one."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rounds = 0
        self.counts: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.slowest_s = 0.0
        self.seconds = 0.0

    def summary(self) -> str:
        """Return what was done, on a few lines."""
        counts = ", ".join(f"{what} {count}" for what, count in sorted(self.counts.items()))
        return (
            f"attack: {self.rounds} rounds, seed {self.seed}, {self.seconds:.0f} s, "
            f"slowest plugin {self.slowest_s:.2f} s\n  {counts}"
        )

    def complaint(self) -> str:
        """Return what was wrong: how often each kind, and the first two of each with all that led to it."""
        kinds = Counter(failure.kind for failure in self.failures)
        lines = [f"{count} x {kind}" for kind, count in kinds.most_common()]
        for kind in kinds:
            for failure in [one for one in self.failures if one.kind == kind][:2]:
                again = f"python -m tests.support.hostile --seed {self.seed} --only {failure.number}"
                lines.append(f"\n== {kind}, round {failure.number} ({again})\n{failure.text}")
        return "\n".join(lines)


class World:
    """The host that all pods share: which of its links are the test's, and a pod that has nothing to do with it all."""

    def __init__(self) -> None:
        os.makedirs("/run/netns", exist_ok=True)
        self.host = Netns.own()
        self.programs = links.load_program(), links.load_program(links.PROGRAM_CLASSIFIER)
        self._names: dict[int, str] = {}
        self._free = deque(QUEUES)
        self._lock = threading.Lock()
        self._others = {(link.index, link.name) for link in self.host.links()}
        self.idle = self.veth("idle0", "idle-peer0")
        self.bystander = Netns.make("/run/netns/bystander")
        self.veth("aside0", "aside-peer0")
        conf = configuration("aside", "aside0", "10.99.0.0/24")
        self.aside = Call(conf, "bystander", self.bystander.path)
        status, answer = self.aside.run("ADD")
        assert status == 0, answer
        self._was = self._fixed()

    def register(self, *names: str) -> list[int]:
        """Return a number of queues for each name of a link on the host."""
        with self._lock:
            numbers = [self._free.popleft() for _ in names]
            self._names |= dict(zip(numbers, names, strict=True))
        return numbers

    def unregister(self, *numbers: int) -> None:
        """A link is gone for good."""
        with self._lock:
            for one in numbers:
                del self._names[one]
                self._free.append(one)

    def veth(self, name: str, peer: str) -> Link:
        """Make a veth pair that stays on the host, and return the first end."""
        numbers = self.register(name, peer)
        self.host.veth(name, peer, queues(numbers[0]), of_peer=[queues(numbers[1])])
        for link in self.host.links():
            if link.name in (name, peer):
                self.host.change(link.index, flags=links.UP, mask=links.UP)
        return next(link for link in self.host.links() if link.name == name)

    def _fixed(self) -> dict[str, object]:
        """Return what must never change."""
        idle = next((link for link in self.host.links() if link.queues == self.idle.queues), None)
        return {
            "a link of the host": idle and (idle.index, idle.state()),
            "the bystander's links": [(link.index, link.state()) for link in self.bystander.links()],
            "the bystander's addresses": addresses(self.bystander),
        }

    def strangers(self) -> list[str]:
        """Return the links on the host that nobody put there."""
        with self._lock:
            names = dict(self._names)
        return [
            told(link)
            for link in self.host.links()
            if names.get(link.queues) != link.name and (link.index, link.name) not in self._others
        ]

    def named(self, *names: str) -> list[str]:
        """Return the links on the host that have one of these names."""
        return [told(link) for link in self.host.links() if {link.name, *link.altnames} & {*names}]

    def disturbed(self) -> dict[str, tuple[object, object]]:
        """Return what has changed of that which must not."""
        return differences(self._was, self._fixed())

    def remove(self) -> None:
        """Take away all that is on the host still."""
        self.aside.run("DEL")
        self.bystander.forget()
        for link in self.host.links():
            if link.queues in self._names:
                remove(self.host, link.index)
        for program in self.programs:
            os.close(program)
        self.host.forget()


def told(link: Link) -> str:
    """Return what a link is, for a message."""
    altnames = f", also {', '.join(link.altnames)}" if link.altnames else ""
    return f"{link.name} ({link.kind}, index {link.index}, alias {link.alias!r}, queues {link.queues}{altnames})"


def queues(number: int) -> bytes:
    """Return the attribute by which a link is known."""
    return attribute(links.NUM_TX_QUEUES, number)


def addresses(space: Netns) -> list[bytes]:
    """Return the addresses of a namespace, without their ages. (The attribute with those comes last.)"""
    told = [links.attributes(message[8:]) for message in space.dump(links.GETADDR)]
    return [b"".join(value for kind, value in sorted(one.items()) if kind in (1, 2)) for one in told]


def remove(space: Netns, index: int) -> bool:
    """Delete a link, if the kernel lets it be deleted."""
    try:
        space.delete(index)
    except OSError:
        return False
    return True


def configuration(network: str, device: str, subnet: str) -> dict[str, Any]:
    """Return a configuration of host-device with addresses."""
    ipam = {"type": "host-local", "subnet": subnet}
    return {"cniVersion": "1.1.0", "name": network, "type": "host-device", "device": device, "ipam": ipam}


class Call:
    """An attachment, and the plugin called for it. slowest_s: the longest that a plugin took, in seconds."""

    def __init__(self, conf: dict[str, Any], container_id: str, netns: str, ifname: str = "net1") -> None:
        self.conf = conf
        self.container_id = container_id
        self.netns = netns
        self.ifname = ifname
        self.slowest_s = 0.0
        self.said: list[str] = []
        self.bad: list[tuple[str, str]] = []

    def start(self, command: str, **extra: Any) -> Running:
        """Start the plugin; `extra` goes on top of the configuration."""
        path = f"{plugin.DIST}:{plugin.REFERENCE}"
        variables = plugin.environment(command, self.container_id, self.netns, self.ifname, path=path)
        return Running(self, command, plugin.binary(self.conf["type"]), variables, {**self.conf, **extra})

    def run(self, command: str, **extra: Any) -> tuple[int, str]:
        """Run the plugin; return its exit status and what it wrote to standard output."""
        return self.start(command, **extra).wait()


class Running:
    """A plugin that runs."""

    def __init__(self, call: Call, command: str, binary: str, variables: dict[str, str], conf: dict[str, Any]) -> None:
        self._call = call
        self._command = command
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables
        )
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as stdin:  # it may die before it has read all
            stdin.write(json.dumps(conf).encode())
        self._process.stdin = None

    def over(self) -> bool:
        """Return whether it has ended, or has run for too long."""
        return self._process.poll() is not None or time.monotonic() - self._began > WALL_LIMIT_S

    def wait(self) -> tuple[int, str]:
        """Wait for its end; return its exit status and what it wrote to standard output."""
        call, command = self._call, self._command
        try:
            out, err = self._process.communicate(timeout=max(0.1, self._began + WALL_LIMIT_S - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            out, err = self._process.communicate()
            call.bad.append(("too slow", f"{command} was killed after {WALL_LIMIT_S:g} s"))
        call.slowest_s = max(call.slowest_s, time.monotonic() - self._began)
        status, answer = self._process.returncode, out.decode(errors="replace")
        call.said.append(f"{command}: {status} {' '.join(answer.split())[:400]} {err.decode(errors='replace').strip()}")
        if status not in (0, 1):
            call.bad.append(("exit status", call.said[-1]))
        for sign in ("has a fault", "Traceback"):
            if sign in answer or sign in err.decode(errors="replace"):
                call.bad.append(("a fault of ours", call.said[-1]))
                break
        return status, answer


class Device:
    """A device of the host that goes into pods. kind: one of KINDS."""

    KINDS = ("veth", "far", "macvlan")

    def __init__(self, world: World, name: str, kind: str, far: Netns, random: Random) -> None:
        self.world = world
        self.name = name
        self.kind = kind
        self.peer = f"p-{name}"
        self._far = far
        self._numbers = world.register(name, self.peer)
        self.queues = self._numbers[0]
        host = world.host
        mtu = random.choice((1500, 1500, 1400))
        parts = [queues(self.queues), attribute(links.MTU, mtu)]
        parts += [attribute(links.TXQLEN, 500)] if random.random() < 0.2 else []
        if kind == "macvlan":
            lower = f"l-{name}"
            self._numbers += world.register(lower)
            self._veth(lower, queues(self._numbers[2]), of_peer=[queues(self._numbers[1])])
            below = self._index_of(lower)
            host.change(below, flags=links.UP, mask=links.UP)
            host.create("macvlan", name, attribute(links.LINK, below), *parts, data=attribute(1, 4))  # MODE_BRIDGE
        else:
            self._veth(name, *parts, of_peer=[queues(self._numbers[1]), attribute(links.MTU, mtu)])
        peer = self._index_of(self.peer)
        if kind == "far":
            host.change(peer, attribute(links.NET_NS_FD, far.fd))
            far.change(next(x.index for x in far.links() if x.name == self.peer), flags=links.UP, mask=links.UP)
        else:
            host.change(peer, flags=links.UP, mask=links.UP)
        index = self._index_of(name)
        if random.random() < 0.3:
            host.change(index, attribute(links.IFALIAS, "of the administrator"))
        if random.random() < 0.3:
            host.altname(index, f"alt-{name}")
        if random.random() < 0.15:
            host.change(index, attribute(links.GROUP, 7), flags=links.PROMISC, mask=links.PROMISC)
        if random.random() < 0.4:
            host.change(index, flags=links.UP, mask=links.UP)
        self.index = index
        self.mac = ""
        self.before = self.seen() or {}
        assert self.before, f"{name} was not made"

    def _veth(self, name: str, *parts: bytes, of_peer: Iterable[bytes]) -> None:
        """Make a pair on the host. A pod that gives its device this name as an alternative one, while DEL takes it to
        the host, has taken it for the moment until DEL drops it. Raises AssertionError if it stays taken.
        """

        def made() -> bool:
            try:
                self.world.host.veth(name, self.peer, *parts, of_peer=of_peer)
            except FileExistsError:
                return False
            return True

        taken = f"{name} or {self.peer} is the name of another link of the host"
        assert links.settled(made, SETTLING_S), f"{taken}: {self.world.named(name, self.peer)}"

    def _index_of(self, name: str) -> int:
        return next(link for link in self.world.host.links() if link.name == name).index

    def at(self, space: Netns) -> Link | None:
        """Return the device if it is in a namespace, whatever it is called there."""
        return next((link for link in space.links() if link.queues == self.queues), None)

    def seen(self) -> dict[str, object] | None:
        """Return what the kernel tells of the device on the host, None when it is not there."""
        found = self.at(self.world.host)
        if found is None:
            return None
        self.index = found.index
        self.mac = found.all[links.ADDRESS].hex(":")
        state = found.state()
        state["qdisc"] = None  # is chosen when a link comes up for the first time
        # What no dump of links tells, and yet stays with a link that moves:
        state["classifiers"] = links.classifiers(self.world.host, found.index)
        state["offloads"] = f"{links.features(self.world.host, found.name):#x}"
        return state

    def changed(self) -> dict[str, tuple[object, object]]:
        """Return in what the device on the host differs from what it was."""
        return differences(self.before, self.seen() or {})

    def remove(self) -> None:
        """Take away what is left of it. In a dying namespace the kernel deletes it some time, and the peer then."""
        for space in (self.world.host, self._far):
            for link in space.links():
                if link.queues in self._numbers:
                    remove(space, link.index)
        self.world.unregister(*self._numbers)


class Pod:
    """A pod's namespace, and namespaces that it makes for itself. made: how many links it has made."""

    def __init__(self, path: str, world: World) -> None:
        self.space = Netns.make(path)
        self.nested: list[Netns] = []
        self.world = world
        self._held: list[int] = []
        self._links = itertools.count()

    @property
    def spaces(self) -> list[Netns]:
        """All its namespaces."""
        return [self.space, *self.nested]

    def where(self, device: Device) -> Netns | None:
        """Return the namespace that a device is in."""
        return next((space for space in self.spaces if device.at(space)), None)

    def die(self) -> None:
        """Go, with all namespaces."""
        for fd in self._held:
            os.close(fd)
        for space in self.spaces:
            space.forget()

    # The things that a hostile pod does. Each returns what it did, or raises OSError where the kernel lets it not.

    def nest(self) -> Netns:
        """Return a namespace of its own making."""
        if len(self.nested) < 2:
            self.nested.append(Netns.make())
        return self.nested[-1]

    def hold(self, fd: int) -> None:
        """Keep a descriptor until death."""
        self._held.append(fd)

    def fresh_name(self) -> str:
        """Return a name that it has not used yet."""
        return f"h{next(self._links)}"


class Choice:
    """What an action chooses from. target: a link in `space`; names: those that matter; index: the device's on the
    host.
    """

    def __init__(self, random: Random, pod: Pod, device: Device, names: Names) -> None:
        self.random = random
        self.pod = pod
        self.device = device
        self.names = names
        spaces = [space for space in pod.spaces if device.at(space)] or [pod.space]
        self.space = spaces[0]
        everything = self.space.links()
        wanted = random.random()
        ours = [link for link in everything if link.queues == device.queues]
        others = [link for link in everything if link.queues != device.queues and link.name != "lo"]
        low = [link for link in everything if link.flags & links.LOOPBACK]
        order = (ours, others, low) if wanted < 0.65 else (others, ours, low) if wanted < 0.9 else (low, ours, others)
        self.target = next(random.choice(group) for group in (*order, everything) if group)

    @property
    def is_device(self) -> bool:
        """Whether the target is the device."""
        return self.target.queues == self.device.queues

    def name(self) -> str:
        """Return a name that matters, or one of no importance."""
        return self.pod.fresh_name() if self.random.random() < 0.3 else self.random.choice(self.names)

    def change(self, *parts: bytes, flags: int = 0, mask: int = 0) -> None:
        """Change the target."""
        self.space.change(self.target.index, *parts, flags=flags, mask=mask)


def _rename(c: Choice) -> str:
    name = c.name()
    c.change(attribute(links.IFNAME, name))
    return f"name {name}"


def _alias(c: Choice) -> str:
    alias = c.random.choice((*c.names, "", "x" * 250, "a\nb\x1b[2J"))
    c.change(attribute(links.IFALIAS, alias))
    return f"alias {alias[:20]!r}"


def _altname(c: Choice) -> str:
    name = c.random.choice((c.name(), "alternative-name-of-many-bytes"))
    c.space.altname(c.target.index, name)
    return f"altname {name}"


def _drop_altname(c: Choice) -> str:
    names = c.target.altnames
    if names:
        c.space.altname(c.target.index, names[0], add=False)
    return f"no altname {names[:1]}"


FLAGS = {
    "up": links.UP,
    "promisc": links.PROMISC,
    "allmulti": links.ALLMULTICAST,
    "noarp": links.NOARP,
    "multicast": links.MULTICAST,
    "dynamic": 0x8000,
    "debug": 4,
    "notrailers": 0x20,
    "portsel": 0x2000,
}


def _flags(c: Choice) -> str:
    name = c.random.choice(("up", *FLAGS))
    on = c.random.random() < 0.6
    c.change(flags=FLAGS[name] if on else 0, mask=FLAGS[name])
    return f"flag {name} {'on' if on else 'off'}"


def _mac(c: Choice) -> str:
    mac = c.random.choice((bytes((2, *c.random.randbytes(5))), bytes.fromhex(c.device.mac.replace(":", ""))))
    c.change(attribute(links.ADDRESS, mac))
    return f"MAC {mac.hex(':')}"


def _numbers(c: Choice) -> str:
    kind, values = c.random.choice(
        (
            (links.MTU, (68, 1300, 1280, 1501, 9000, 65535)),
            (links.MTU, (1300, 576)),
            (links.GROUP, (1, 7, 0xFFFFFFFF)),
            (links.TXQLEN, (0, 1, 77, 100000)),
            (links.GSO_MAX_SIZE, (1500, 30000)),
            (links.GSO_MAX_SEGS, (1, 100)),
            (links.GRO_MAX_SIZE, (2000, 30000)),
            (links.GSO_IPV4_MAX_SIZE, (1500, 30000)),
            (links.GRO_IPV4_MAX_SIZE, (2000, 30000)),
        )
    )
    value = c.random.choice(values)
    c.change(attribute(kind, value))
    return f"{links.ATTRIBUTES[kind].lower()} {value}"


def _link_mode(c: Choice) -> str:
    mode = c.random.choice((0, 1, 1))
    c.change(attribute(links.LINKMODE, bytes([mode])))
    return f"link mode {mode}"


def _broadcast(c: Choice) -> str:
    c.change(attribute(links.BROADCAST, bytes((3, *c.random.randbytes(5)))))
    return "broadcast address"


def _kind_data(c: Choice) -> str:
    """A macvlan's mode, and its flag `nopromisc`."""
    if c.target.kind != "macvlan":
        return "no macvlan"
    flag = c.random.choice((0, 1)).to_bytes(2, sys.byteorder)
    data = attribute(1, c.random.choice((1, 2, 4))) + attribute(2, flag)
    info = attribute(links.INFO_KIND, c.target.kind.encode()) + attribute(links.INFO_DATA | links.NESTED, data)
    c.space.change(c.target.index, attribute(links.LINKINFO | links.NESTED, info), kind=links.NEWLINK)
    return "mode of the macvlan"


def _create(c: Choice) -> str:
    name = c.name()
    kind = c.random.choice(("veth", "veth", "macvlan", "bridge"))
    index = c.random.choice((0, 0, 0, c.device.index, c.device.index, c.random.randrange(2, 60)))
    parts = []
    if c.random.random() < 0.5:
        parts.append(attribute(links.IFALIAS, c.random.choice(c.names)))
    if c.random.random() < 0.3:
        parts.append(attribute(links.ADDRESS, bytes.fromhex(c.device.mac.replace(":", ""))))
    if kind == "veth":
        other = [attribute(links.NET_NS_FD, c.pod.nest().fd)] if c.random.random() < 0.3 else []
        c.space.veth(name, c.pod.fresh_name(), *parts, of_peer=other, index=index)
    elif kind == "macvlan":
        parts.append(attribute(links.LINK, c.target.index))
        c.space.create(kind, name, *parts, data=attribute(1, 4), index=index)
    else:
        c.space.create(kind, name, *parts, index=index)
    made = next((link for link in c.space.links() if link.name == name), None)
    if made is None:  # upon the device, which DEL is fetching, and so deleted
        return f"new {kind} {name}, deleted at once"
    if parts and c.random.random() < 0.7:  # what a new link's message does not always set
        c.space.change(made.index, attribute(links.IFALIAS, c.random.choice(c.names)))
    if c.random.random() < 0.3:
        c.space.altname(made.index, c.name())
    return f"new {kind} {name}, index {made.index}, alias {made.alias!r}"


def _delete(c: Choice) -> str:
    others = [link for link in c.space.links() if link.queues != c.device.queues and link.kind]
    if not others:
        return "nothing to delete"
    victim = c.random.choice(others)
    c.space.delete(victim.index)
    return f"delete {victim.name}"


def _destroy(c: Choice) -> str:
    if c.random.random() < 0.7:
        return "nothing destroyed"
    c.space.delete(c.target.index)
    return "delete"


def _away(c: Choice) -> str:
    inside = c.pod.nest() if c.space is c.pod.space else c.pod.space
    parts = [attribute(links.NET_NS_FD, inside.fd)]
    if c.random.random() < 0.6:
        parts.append(attribute(links.IFNAME, c.name()))
    if c.random.random() < 0.3:
        parts.append(attribute(links.NEW_IFINDEX, c.random.randrange(2, 60)))
    c.change(*parts)
    return "to a nested namespace" if c.space is c.pod.space else "back from a nested namespace"


def _enslave(c: Choice) -> str:
    bridges = [link for link in c.space.links() if link.kind == "bridge"]
    if not bridges:
        c.space.create("bridge", c.pod.fresh_name())
        bridges = [link for link in c.space.links() if link.kind == "bridge"]
    c.change(attribute(links.MASTER, c.random.choice((bridges[0].index, bridges[0].index, 0))))
    return "port of a bridge"


def _xdp(c: Choice) -> str:
    program = c.random.choice((c.pod.world.programs[0], c.pod.world.programs[0], -1))
    mode = c.random.choice((links.XDP_SKB, links.XDP_SKB, links.XDP_DRIVER))
    inner = attribute(links.XDP_FD, program) + attribute(links.XDP_FLAGS, mode)
    c.change(attribute(links.XDP | links.NESTED, inner))
    return "XDP program" if program >= 0 else "no XDP program"


def _xdp_link(c: Choice) -> str:
    c.pod.hold(links.link_program(c.space, c.pod.world.programs[0], c.target.index))
    return "XDP program by a bpf_link"


def _classifier(c: Choice) -> str:
    links.classify(c.space, c.pod.world.programs[1], c.target.index)
    return "classifier"


def _offloads(c: Choice) -> str:
    links.features(c.space, c.target.name, c.random.choice((1, 1 << 11, 1 << 14)))
    return "offloads off"


ACTIONS: dict[Callable[[Choice], str], int] = {
    _rename: 12,
    _alias: 8,
    _altname: 5,
    _drop_altname: 2,
    _flags: 12,
    _mac: 5,
    _numbers: 10,
    _link_mode: 2,
    _broadcast: 2,
    _kind_data: 2,
    _create: 14,
    _delete: 3,
    _destroy: 1,
    _away: 4,
    _enslave: 2,
    _xdp: 6,
    _xdp_link: 1,
    _classifier: 2,
    _offloads: 2,
}
"""What a pod does to its links, and how often, compared with the others."""


class Worker:
    """Goes through rounds, with a pod at a time and three devices of its own."""

    def __init__(self, number: int, world: World, report: Report) -> None:
        self.number = number
        self.world = world
        self.report = report
        self.far = Netns.make(f"/run/netns/far{number}")
        self.devices: dict[str, Device] = {}
        self.pod: Pod | None = None
        self._pods = itertools.count()
        self.network = f"attack{number}"
        self.dead: list[str] = []

    def device(self, kind: str, random: Random) -> Device:
        """Return the device of a kind, made anew where it is gone."""
        found = self.devices.get(kind)
        if found is None:
            name = f"{kind[0]}dev{self.number}"
            found = self.devices[kind] = Device(self.world, name, kind, self.far, random)
        return found

    def drop(self, kind: str) -> None:
        """Take a device away: the next round makes a new one."""
        self.devices.pop(kind).remove()

    def new_pod(self) -> Pod:
        """Return a new pod."""
        self.pod = Pod(f"/run/netns/pod{self.number}-{next(self._pods)}", self.world)
        return self.pod

    def kill_pod(self) -> None:
        """Kill the pod that there is, if there is one."""
        if self.pod is not None:
            self.pod.die()
        self.pod = None

    def remove(self) -> None:
        """Take all away."""
        self.kill_pod()
        for kind in list(self.devices):
            self.drop(kind)
        self.far.forget()

    def conf(self, device: Device, random: Random) -> dict[str, Any]:
        """Return the configuration for a device."""
        conf = configuration(self.network, device.name, f"10.{100 + self.number}.0.0/16")
        if random.random() < 0.2:
            del conf["device"]
            conf["hwaddr"] = device.mac
        return conf


class Round:
    """One attachment, from ADD to the last DEL."""

    def __init__(self, number: int, worker: Worker) -> None:
        self.number = number
        self.worker = worker
        self.world = worker.world
        self.report = worker.report
        self.random = random = Random(f"{self.report.seed}/{number}")
        self.kind = random.choice(Device.KINDS)
        self.device = worker.device(self.kind, Random(f"{self.report.seed}/{number}/device"))
        self.is_new = worker.pod is None
        self.pod = worker.pod or worker.new_pod()
        self.call = Call(worker.conf(self.device, random), f"c{worker.number}-{number}", self.pod.space.path)
        self.log = self.call.said
        self.names = ("net1", "net1", self.device.name, self.device.name, "lo", "eth0", "aside0", "mdev0", "vdev1")
        self.left = False
        self.destroyed = False
        self.linked = False
        self._phases = itertools.count()

    def fail(self, kind: str, text: str) -> None:
        """Note that something is wrong."""
        if kind in NOT_DEMANDED:
            self.report.counts[f"({kind})"] += 1
            return
        story = "\n  ".join((f"{self.kind} {self.device.name}: {text}", *self.log))
        self.report.failures.append(Failure(kind, self.number, story))

    def act(self, random: Random) -> None:
        """Let the pod do one thing."""
        (action,) = random.choices(list(ACTIONS), list(ACTIONS.values()))
        what = action.__name__.strip("_")
        try:
            chosen = Choice(random, self.pod, self.device, self.names)
            # The kernel may move a link, and then say that it cannot give it its name.
            self.left |= action is _away and chosen.is_device
            done = action(chosen)
        except OSError as e:
            self.log.append(f"  pod: {what} refused: {e.strerror}")
            return
        self.report.counts["actions"] += 1
        if chosen.is_device:
            self.destroyed |= action is _destroy and done == "delete"
            self.linked |= action is _xdp_link
        target = "the device" if chosen.is_device else chosen.target.name
        self.log.append(f"  pod: {target}: {done}")

    def acts(self, count: int) -> None:
        """Let the pod do some things while nobody looks."""
        phase = next(self._phases)
        for one in range(count):
            self.act(Random(f"{self.report.seed}/{self.number}/{phase}/{one}"))

    def beside(self, *running: Running, most: int = 60) -> None:
        """Let the pod do things while plugins run."""
        phase = next(self._phases)
        self.log.append("  meanwhile:")
        for one in range(most):
            if all(process.over() for process in running):
                break
            random = Random(f"{self.report.seed}/{self.number}/{phase}/{one}")
            time.sleep(random.choice((0, 0, 0.001, 0.004)))
            self.act(random)

    def run(self) -> None:
        """Go through the round, and see what became of it."""
        random, call = self.random, self.call
        quiet = random.random() < 0.3
        before = 0 if quiet else random.choice((0, 1, 2, 6))
        self.acts(before)
        beside = not quiet and random.random() < 0.4
        adding = call.start("ADD")
        others = [call.start(random.choice(("GC", "DEL")), **self.valid(True))] if random.random() < 0.05 else []
        if beside:
            self.beside(adding)
        status, answer = adding.wait()
        for one in others:
            one.wait()
        self.report.counts["ADD done" if status == 0 else "ADD refused"] += 1
        if status != 0 and not before and not beside and not others and self.is_new:
            self.fail("ADD refused", answer)
        self.acts(random.choice((0, 1, 2, 3, 6)))
        if status == 0 and random.random() < 0.4:
            self.check(json.loads(answer))
        if random.random() < 0.1:
            self.collect_others()
        if random.random() < 0.05:
            self.report.counts["ADD again"] += 1
            call.run("ADD")
            self.acts(1)
        self.end()
        self.look()

    def valid(self, ours: bool) -> dict[str, Any]:
        """Return what GC is told; ours: whether the attachment is among what is valid."""
        attachment = {"containerID": self.call.container_id, "ifname": self.call.ifname}
        return {"cni.dev/valid-attachments": [attachment] if ours else []}

    def check(self, result: dict[str, Any]) -> None:
        checking = self.call.start("CHECK", prevResult=result)
        if self.random.random() < 0.3:
            self.beside(checking)
        self.report.counts["CHECK good" if checking.wait()[0] == 0 else "CHECK bad"] += 1

    def collect_others(self) -> None:
        """GC that does not mean this attachment leaves it alone."""
        found = self.pod.where(self.device)
        self.call.run("GC", **self.valid(True))
        self.report.counts["GC of others"] += 1
        if found is not None and self.pod.where(self.device) is not found:
            self.fail("GC took what is valid", "the device is not where it was")

    def end(self) -> None:
        """Give the device back, in one way or another, and in the end by a DEL that nobody disturbs."""
        call, random = self.call, self.random
        way = random.choices(("quiet", "beside", "twice", "with GC", "GC", "killed"), (40, 28, 8, 5, 9, 10))[0]
        self.report.counts[f"DEL {way}"] += 1
        running: list[Running] = []
        if way == "killed":
            self.destroyed |= self.pod.where(self.device) is not None
            self.worker.kill_pod()
            if random.random() < 0.3:
                return  # nobody comes: the next one has to see to it
        elif way == "GC":
            running = [call.start("GC", **self.valid(False))]
        elif way != "quiet":
            running = [call.start("DEL")]
        if way in ("twice", "with GC"):
            running.append(call.start(*("DEL",)) if way == "twice" else call.start("GC", **self.valid(False)))
        if way in ("beside", "twice", "GC") and random.random() < 0.8:
            self.beside(*running)
        for one in running:
            one.wait()
        status, _ = call.run("DEL")
        self.report.counts["last DEL done" if status == 0 else "last DEL refused"] += 1
        if status == 0:
            self.finished()

    def finished(self) -> None:
        """After a DEL that says that it is done, nothing is on disk, unless the pod has the device still."""
        if self.device.at(self.world.host) is None:
            return
        if self.recorded():
            self.fail("record left", "the device is on the host, DEL said 0, and there is a record")
        if self.call.container_id in "".join(disk.reserved(self.worker.network).values()):
            self.fail("address left", "DEL said 0")

    def recorded(self) -> bool:
        """Return whether there is a record of the attachment."""
        return f"{self.call.container_id}-{self.call.ifname}" in disk.records()

    def look(self) -> None:
        """Compare everything with what it should be, and make good what is not."""
        worker, device, pod = self.worker, self.device, worker_pod(self.worker)
        self.report.rounds += 1
        self.report.slowest_s = max(self.report.slowest_s, self.call.slowest_s)
        for kind, text in self.call.bad:
            self.fail(kind, text)
        failed = len(self.report.failures)
        on_host = device.at(self.world.host)
        if on_host is not None:
            changed = device.changed()
            for what, (was, now) in changed.items():
                kind = "changed: xdp by a bpf_link" if what == "xdp" and self.linked else f"changed: {what}"
                self.fail(kind, f"{what} was {was}, is {now}")
            if pod is not None:
                self.look_for_stacked(pod, device.index)
        else:
            self.look_in(pod)
        strangers = self.world.strangers()
        if strangers and not links.settled(lambda: not self.world.strangers(), SETTLING_S):
            self.fail("the pod's link on the host", ", ".join(strangers))
            for link in self.world.host.links():
                if any(text.startswith(f"{link.name} (") for text in strangers) and link.name != "lo":
                    remove(self.world.host, link.index)
        disturbed = self.world.disturbed()
        if disturbed:
            self.fail("others disturbed", str(disturbed))
        bad = len(self.report.failures) > failed
        if bad or on_host is None:
            self.worker.kill_pod()
            worker.drop(self.kind)
        elif worker.pod is not None and (self.random.random() < 0.4 or len(worker.pod.space.links()) > 12):
            worker.kill_pod()

    def look_in(self, pod: Pod | None) -> None:
        """The device is not on the host: it is in the pod and has a record, or is destroyed."""
        found = pod.where(self.device) if pod is not None else None
        if found is None:
            self.report.counts["device destroyed"] += 1
            if not self.destroyed:
                self.fail("device lost", "it is nowhere, and the pod did not delete it")
            return
        self.report.counts["device kept by the pod"] += 1
        if not self.recorded():
            self.fail("lost in the pod", "the device is in the pod, and has no record")
        if not self.left:
            self.fail("not fetched", "the device never left the pod's namespace, and DEL did not give it back")

    def look_for_stacked(self, pod: Pod, index: int) -> None:
        """No link of the pod is on top of the device: frames of the next pod would be its own."""
        for space in pod.spaces:
            host = space.nsid(self.world.host)
            for link in space.links():
                below = link.integer(links.LINK), links.number(link.all.get(links.LINK_NETNSID, b""))
                if below == (index, host) and links.LINK_NETNSID in link.all and link.kind != "veth":
                    nested = "" if space is pod.space else " nested"
                    self.fail(f"stacked{nested}", f"{link.name} of the pod is on top of the device on the host")


def worker_pod(worker: Worker) -> Pod | None:
    """Return the pod of a worker, None when it was killed."""
    return worker.pod


def attack(seed: int, rounds: int, workers: int = 2, only: int | None = None, most: int = MOST_FAILURES) -> Report:
    """Go through rounds, several pods at a time; return what became of it.

    only: the number of a single round. most: after how many failures it is enough.

    The calling thread is in the namespace that plays the host.
    """
    report = Report(seed)
    began = time.monotonic()
    world = World()
    numbers = itertools.count() if only is None else itertools.count(only)
    last = rounds if only is None else only + rounds

    def go(number: int) -> None:
        worker = Worker(number, world, report)
        try:
            for one in numbers:
                if one >= last or len(report.failures) >= most:
                    break
                Round(one, worker).run()
        finally:
            worker.remove()

    try:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(go, range(workers)))
        _leave(world, report, workers)
    finally:
        world.remove()
        disk.clear()
    report.seconds = time.monotonic() - began
    return report


def _leave(world: World, report: Report, workers: int) -> None:
    """All pods are dead: one more attachment of another network is made and given back, and nothing is left of them."""
    for number in range(workers):  # some have died just now, and nobody has come since
        worker = Worker(number, world, report)
        for kind in Device.KINDS:
            device, pod = worker.device(kind, Random(kind)), worker.new_pod()
            Call(worker.conf(device, Random(kind)), f"c{number}-{kind}", pod.space.path).run("ADD")
            worker.kill_pod()
        worker.remove()
    worker = Worker(workers, world, report)
    try:
        last = Round(report.rounds, worker)
        for command in ("ADD", "DEL"):
            status, answer = last.call.run(command)
            if status != 0:
                last.fail(f"{command} at the end", answer)
        left = [record for record in disk.records() if not record.startswith("bystander-")]
        if left:
            last.fail("records of the dead", f"{len(left)} records: {left[:5]}")
        held = [f"{key} {owner!r}" for number in range(workers + 1) for key, owner in _reserved(number)]
        if held:
            last.fail("addresses of the dead", f"{len(held)} addresses: {held[:5]}")
        if world.disturbed():
            last.fail("others disturbed", str(world.disturbed()))
    finally:
        worker.remove()


def _reserved(number: int) -> list[tuple[str, str]]:
    return list(disk.reserved(f"attack{number}").items())


def main() -> int:
    """Run an attack from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.hostile", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, help="a single round, by its number")
    parser.add_argument("--most", type=int, default=MOST_FAILURES, help="after how many failures it is enough")
    options = parser.parse_args()
    isolation.enter()
    single = options.only is not None
    rounds, workers = (1, 1) if single else (options.rounds, options.workers)
    report = attack(options.seed, rounds, workers, options.only, options.most)
    print(report.summary())
    if report.failures:
        print(report.complaint())
    return 1 if report.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
