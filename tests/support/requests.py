"""Requests that nobody would make: configurations, environments and streams, mutated at random, and what must hold.

A unit is a request, or a few that belong together, and follows from the seed and its number alone. After each request:
exit status 0 or 1, JSON or nothing on standard output, no fault of ours in the text, messages within their limits and
without control characters, nothing changed where it was refused, no file where none belongs, less than 2 s of CPU time.
After each unit, DEL of everything leaves the host as it was.

The plugins run in a host of their own: private namespaces, and an overlay over the whole file system, the upper layer
of which shows every file that was made, changed or removed. `python -m tests.support.requests` makes as many requests
as one likes, from any seed, or a single unit again.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import re
import select
import signal
import socket
import stat
import time
import traceback
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from random import Random
from typing import Any

from cni.protocol import limits
from tests.support import isolation, links, plugin
from tests.support.bus import Bus
from tests.support.hostile import addresses
from tests.support.links import Netns, attribute, differences
from tests.support.mutations import (
    BINARIES,
    COMMANDS,
    DEAF,
    IFNAMES,
    PCI,
    PF,
    USERSPACE_VF,
    VF,
    Generator,
    Request,
)
from tests.support.net import run

MESSAGE_CHARACTERS = getattr(limits, "MESSAGE_CHARACTERS", 1024)
DETAILS_CHARACTERS = getattr(limits, "DETAILS_CHARACTERS", 4096)
CPU_LIMIT_S = 2.0
WALL_LIMIT_S = 20.0
MOST_PROCESSES = 12
"""How many processes a request may have at a time: a plugin that starts a plugin, that starts a plugin..."""

MOST_FAILURES = 60
"""After how many failures it is enough."""

BELONGS = tuple(
    re.compile(pattern)
    for pattern in (
        r"var/lib/cni/networks/.+",
        r"var/lib/cni/(host-device|sriov|accelerated-bridge)/[^/]+",
        r"var/lib/cni/(host-device|accelerated-bridge)/lock/[^/]+",
        r"var/lib/cni/(sriov|accelerated-bridge)/pci/.+",
        r"run/k8s\.cni\.cncf\.io/devinfo/cni/.+",
        r"run/plumbline/.+",
        r"var/log/.+",
    )
)
"""Where plugins may make files."""

STAYS = re.compile(r"run/plumbline/.*|var/lib/cni/networks/.*/(lock|last_reserved_ip\.[^/]*)|.*\.lock|var/log/.*")
"""What stays behind: what host-local's format keeps for good, locks, logs."""


CLONE_NEWPID = 0x20000000
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Ended:
    """How a request ended. status: exit status, negative for a signal; cpu_s: CPU time; fault: why it was killed."""

    def __init__(self, status: int, stdout: bytes, stderr: bytes, cpu_s: float, wall_s: float, fault: str) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        self.cpu_s = cpu_s
        self.wall_s = wall_s
        self.fault = fault


def make(request: Request) -> Ended:
    """Make a request and wait for its end."""
    files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
    nothing: list[int] = []
    try:
        os.write(files[0], request.stdin) if request.stdin else 0
        os.lseek(files[0], 0, os.SEEK_SET)
        streams: list[int] = list(files)
        closed: set[int] = set()
        if request.streams in ("full", "folder", "null"):
            path = {"full": "/dev/full", "folder": "/", "null": "/dev/null"}[request.streams]
            nothing.append(os.open(path, os.O_WRONLY if request.streams == "full" else os.O_RDONLY))
            streams[1 if request.streams == "full" else 0] = nothing[0]
        closed |= {"no stdin": {0}, "no stdout": {1}, "no stderr": {2}, "none": {0, 1, 2}}.get(request.streams, set())
        actions = [
            (os.POSIX_SPAWN_CLOSE, fd) if fd in closed else (os.POSIX_SPAWN_DUP2, stream, fd)
            for fd, stream in enumerate(streams)
        ]
        path = plugin.binary(request.binary)
        command = ["/usr/bin/env", "--ignore-signal=CHLD", path] if request.no_children else [path]
        environment = {os.fsencode(key): os.fsencode(value) for key, value in request.variables.items()}
        began = time.monotonic()
        pid = os.posix_spawn(command[0], command, environment, file_actions=actions)
        fault = _watched(pid)
        if fault:
            _kill_all()
        _, status, usage = os.wait4(pid, 0)
        _reap()
        wall_s = time.monotonic() - began
        outputs = []
        for fd in files[1:]:
            os.lseek(fd, 0, os.SEEK_SET)
            outputs.append(os.read(fd, 1 << 24))
    finally:
        for fd in (*files, *nothing):
            os.close(fd)
    code = os.waitstatus_to_exitcode(status)
    return Ended(code, outputs[0], outputs[1], usage.ru_utime + usage.ru_stime, wall_s, fault)


def _watched(pid: int) -> str:
    """Wait for a process to end. Return why it has to be killed, or nothing."""
    deadline = time.monotonic() + WALL_LIMIT_S
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not poll.poll(20):
            if len(_others()) > MOST_PROCESSES:
                return f"more than {MOST_PROCESSES} processes"
            if time.monotonic() > deadline:
                return f"not over after {WALL_LIMIT_S:g} s"
    finally:
        os.close(descriptor)
    return ""


def _others() -> list[int]:
    """Return all processes of this PID namespace but ourselves, who are its first. What they start is in it, too."""
    assert os.getpid() == 1, "not in a PID namespace of our own"
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _is_dead(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return True


def _kill_all() -> None:
    """Kill all processes of this PID namespace but ourselves, until none is left: they may be starting others."""
    while living := [pid for pid in _others() if not _is_dead(pid)]:
        for pid in living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _reap() -> None:
    """Forget the dead whose parents are dead: they are ours."""
    with suppress(ChildProcessError):
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG) is not None:
            pass


class Failure:
    """What was wrong. kind: in a word or two; unit: its number; text: what was seen; requests: all of the unit's."""

    def __init__(self, kind: str, unit: int, text: str, requests: list[str]) -> None:
        self.kind = kind
        self.unit = unit
        self.text = text
        self.requests = requests


class Report:
    """What became of all requests. counts: how often what."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.requests = 0
        self.counts: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.most_cpu_s = 0.0
        self.seconds = 0.0

    def add(self, other: Report) -> None:
        """Take in what another worker found."""
        self.requests += other.requests
        self.counts += other.counts
        self.failures += other.failures
        self.most_cpu_s = max(self.most_cpu_s, other.most_cpu_s)

    def summary(self) -> str:
        """Return what was done, on a few lines."""
        counts = ", ".join(f"{what} {count}" for what, count in sorted(self.counts.items()))
        return (
            f"requests: {self.requests}, seed {self.seed}, {self.seconds:.0f} s, "
            f"most CPU time {self.most_cpu_s:.2f} s\n  {counts}"
        )

    def complaint(self) -> str:
        """Return what was wrong: how often each kind, and the first two of each with the requests that led to it."""
        kinds = Counter(failure.kind for failure in self.failures)
        lines = [f"{count} x {kind}" for kind, count in kinds.most_common()]
        for kind in kinds:
            for failure in [one for one in self.failures if one.kind == kind][:2]:
                again = f"python -m tests.support.requests --seed {self.seed} --only {failure.unit}"
                lines.append(f"\n== {kind}, unit {failure.unit} ({again})\n{failure.text}")
                lines += [f"  $ {request}" for request in failure.requests]
        return "\n".join(lines)


class Scene:
    """A host with devices and pods, in private namespaces of this process, with an overlay for its root."""

    DEVICES = ("ens5", "ens6", "pf0")
    QUEUES = 11
    """How many queues the first of them has, the next one more: by that they are known in a pod."""

    def __init__(self) -> None:
        self._upper = _own_root()
        self.bus = Bus()
        self.host = Netns.own()
        self._set_defaults()
        self.host.change(1, flags=links.UP, mask=links.UP)
        self.host.create("bridge", "cni0", attribute(links.ADDRESS, bytes((2, 0, 0, 0, 1, 0))), up=True)
        self.bus.pci(PCI, "ens6", driver="some-nic")
        vf = self.bus.pci(VF, driver="some-vf")  # and no link: what is made up in sysfs does not go when a link goes
        userspace = self.bus.pci(USERSPACE_VF, driver="vfio-pci")
        pf = self.bus.pci(PF, "pf0", driver="some-nic")
        for index, folder in enumerate((vf, userspace)):
            os.symlink(pf, f"{folder}/physfn")
            os.symlink(folder, f"{pf}/virtfn{index}")
        for name, text in (("sriov_numvfs", "2"), ("sriov_totalvfs", "8")):
            with open(f"{pf}/{name}", "w") as file:
                file.write(text)
        for folder_made in ("/run/netns", "/var/lib/cni", "/var/log", "/tmp", "/run/k8s.cni.cncf.io/devinfo/cni"):
            os.makedirs(folder_made, exist_ok=True)
        os.mkfifo("/run/fifo")
        with open("/run/plain", "w") as plain:
            plain.write("nameserver 10.0.0.53\n")
        os.symlink("/etc", "/var/log/outside")
        os.chdir("/tmp")
        self.pods: list[Netns] = []
        for number in range(2):
            self.pods.append(self._new_pod(number))
        self.begin()

    def _set_defaults(self) -> None:
        """No IPv6 unless it is asked for, and no waiting for duplicates: both are known to nobody here."""
        for name, value in (("disable_ipv6", 1), ("accept_dad", 0)):
            with suppress(OSError), open(f"/proc/sys/net/ipv6/conf/default/{name}", "w") as file:
                file.write(str(value))

    def _new_pod(self, number: int) -> Netns:
        pod = Netns.make(f"/run/netns/pod{number}")
        links.within(pod.fd, self._set_defaults)
        return pod

    def kill_pod(self, number: int) -> None:
        """Delete a pod's namespace, and make a new one at its path. What was in it is dead when this returns."""
        queues = range(self.QUEUES, self.QUEUES + len(self.DEVICES))
        lost = [self.DEVICES[link.queues - self.QUEUES] for link in self.pods[number].links() if link.queues in queues]
        self.pods[number].forget()
        for name in lost:
            links.settled(lambda peer=f"peer-{name}": self._is_gone(peer), 10)  # type: ignore[misc]
        self.pods[number] = self._new_pod(number)

    def mend(self) -> None:
        """Make devices that died with a pod. Their addresses are always the same."""
        there = {link.name: link for link in self.host.links()}
        for number, name in enumerate(self.DEVICES):
            if name in there:
                continue
            if f"peer-{name}" in there:  # the device is nobody knows where
                self.host.delete(there[f"peer-{name}"].index)
            macs = [attribute(links.ADDRESS, bytes((2, 0, 0, 0, end, number))) for end in (1, 2)]
            queues = attribute(links.NUM_TX_QUEUES, self.QUEUES + number)
            self.host.veth(name, f"peer-{name}", macs[0], queues, of_peer=[macs[1]])
            peer = next(link for link in self.host.links() if link.name == f"peer-{name}")
            self.host.change(peer.index, flags=links.UP, mask=links.UP)

    def _is_gone(self, name: str) -> bool:
        return all(link.name != name for link in self.host.links())

    def state(self) -> dict[str, object]:
        """Return what links, addresses, routes and files there are."""
        state: dict[str, object] = {}
        for where, space in (("host", self.host), ("pod0", self.pods[0]), ("pod1", self.pods[1])):
            for link in space.links():
                told = link.state()
                for unsteady in ("qdisc", "link", "link_netnsid", "master"):  # the others are numbers that change
                    told.pop(unsteady, None)
                state[f"{where}: {link.name}"] = told
            state[f"{where}: addresses"] = sorted(address.hex() for address in addresses(space))
            routes = [message for message in space.dump(links.GETROUTE) if message[0] == socket.AF_INET]
            state[f"{where}: routes"] = sorted(message.hex() for message in routes)
        self._seen = list(self.files())
        for path, what in self._seen:
            if not STAYS.fullmatch(path) and not stat.S_ISDIR(what[0]):
                state[f"file /{path}"] = what
        return state

    def files(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        """Return what was made, changed or removed in the file system: path, and mode, size and time."""
        pending = [self._upper]
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    path = os.path.relpath(entry.path, self._upper)
                    try:
                        seen = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if path.startswith("run/netns"):
                        continue
                    if stat.S_ISDIR(seen.st_mode):
                        pending.append(entry.path)
                        yield path, (seen.st_mode, 0, 0)
                    else:
                        yield path, (seen.st_mode, seen.st_size, seen.st_mtime_ns)

    def strays(self) -> list[str]:
        """Return files and folders that were there, where none belong, when `state` looked last."""
        known = {path for path, _ in self._at_first}
        return [path for path, (mode, _, _) in self._seen if path not in known and not _belongs(path, mode)]

    def clear(self) -> None:
        """Make all as it was, whatever it takes."""
        for number in range(2):
            self.kill_pod(number)
        known = {path for path, _ in self._at_first}
        for path, (mode, _, _) in sorted(self.files(), reverse=True):
            if path not in known and (not stat.S_ISDIR(mode) or path.startswith(("var/lib/cni/", "run/", "tmp/"))):
                with suppress(OSError):
                    (os.rmdir if stat.S_ISDIR(mode) else os.unlink)(f"/{path}")
        for link in self.host.links():
            if link.name not in ("lo", "cni0"):
                with suppress(OSError):
                    self.host.delete(link.index)
        self.begin()

    def begin(self) -> None:
        """Remember what all is like, with all devices there."""
        self.mend()
        self._at_first = list(self.files())
        self.original = self.state()


def _belongs(path: str, mode: int) -> bool:
    """Return whether plugins may make a file or a folder."""
    if stat.S_ISDIR(mode):
        return path.startswith(("var/lib/cni", "var/log", "run")) or path in ("var", "var/lib")
    return any(pattern.fullmatch(path) for pattern in BELONGS)


def _own_root() -> str:
    """Put this process into namespaces of its own, with an overlay over all files for its root; return where the upper
    layer is, which is out of the plugins' way.
    """
    if _libc.unshare(isolation.CLONE_NEWNS | isolation.CLONE_NEWNET) != 0:
        raise SystemExit(f"cannot make private namespaces: {os.strerror(ctypes.get_errno())}")
    run("mount", "--make-rprivate", "/")
    # The session's own empty folders would hide what is below them.
    aside = "/run/layers"
    os.makedirs(aside, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", aside)
    for name in ("upper", "work", "root"):
        os.mkdir(f"{aside}/{name}")
    layers = f"lowerdir=/,upperdir={aside}/upper,workdir={aside}/work"
    run("mount", "-t", "overlay", "-o", layers, "overlay", f"{aside}/root")
    root = f"{aside}/root"
    run("mount", "--rbind", "/dev", f"{root}/dev")
    run("mount", "-t", "proc", "proc", f"{root}/proc")  # of our own PID namespace
    run("mount", "-t", "sysfs", "sysfs", f"{root}/sys")
    upper = os.open(f"{aside}/upper", os.O_RDONLY | os.O_DIRECTORY)
    if not os.path.isdir(f"{root}{plugin.DIST}"):  # on a file system of its own
        run("mount", "--rbind", plugin.REPOSITORY, f"{root}{plugin.REPOSITORY}")
    os.chroot(root)
    os.chdir("/")
    return f"/proc/self/fd/{upper}"


class Worker:
    """Makes units of requests in a scene of its own. number, of: which of all units are its own."""

    def __init__(self, scene: Scene, seed: int, report: Report) -> None:
        self.scene = scene
        self.report = report
        self.seed = seed
        self.unit = 0
        self.said: list[str] = []
        self._failed = False
        self._living: dict[tuple[str, str, str], Request] = {}
        self._pods_died = False
        self._state: dict[str, object] | None = None

    def fail(self, kind: str, text: str) -> None:
        """Note that something is wrong."""
        self._failed = True
        self.report.failures.append(Failure(kind, self.unit, text, list(self.said)))

    def run(self, unit: int) -> None:
        """Make the requests of a unit, and DEL of everything; compare with what was before."""
        self.unit = unit
        self.said, self._failed, self._living, self._pods_died = [], False, {}, False
        generator = Generator(Random(f"{self.seed}/{unit}"))
        how = generator.random.random()
        if how < 0.65:
            self.single(generator)
        elif how < 0.85:
            self.real(generator)
        else:
            self.sequence(generator)
        if not self._failed and (left := self.left()):
            self.fail("left behind", _shown(left))
        if self._failed:
            self.scene.clear()
            self._state = None

    def left(self) -> dict[str, tuple[object, object]]:
        """Return in what the host differs from what it was, with devices that died with a pod made anew."""
        if self._pods_died:
            self.scene.mend()
            self._state = None
        return differences(self.scene.original, self._state or self.scene.state())

    # The three kinds of units

    def single(self, generator: Generator) -> None:
        """A mutated request, and the DEL that a runtime makes after it."""
        random = generator.random
        binary = random.choices(BINARIES, (45, 15, 12, 16, 12))[0]
        command = random.choices(COMMANDS, (52, 16, 8, 10, 9, 5))[0]
        conf = generator.conf(binary)
        request = generator.mutated(generator.request(binary, command, conf), conf)
        ended = self.make(request)
        attached = ended.status == 0 or request.streams in DEAF
        if request.command == "ADD" and not ended.fault and (attached or generator.chance(0.3)):
            after = self.make(request.again("DEL"))
            if ended.status == 0 and after.status != 0:
                self.fail("DEL refuses what ADD took", _text(after))
            if ended.status == 1 and after.status != 0 and _code(ended) == 7 and self.is_reference_free(request):
                self.fail("DEL refuses after ADD did", _text(after))

    def is_reference_free(self, request: Request) -> bool:
        """Return whether no executable of others was asked."""
        return b"dhcp" not in request.stdin and b"bridge" not in request.stdin and b"nope" not in request.stdin

    def real(self, generator: Generator) -> None:
        """A real attachment; mutated requests for it, with what ADD answered as prevResult; DEL."""
        random = generator.random
        binary = random.choices(
            ("host-device", "sriov", "accelerated-bridge", "host-local", "static"), (6, 1, 1, 1, 1)
        )[0]
        conf = generator.conf(binary)
        for key in ("dns", "runtimeConfig", "args", "logFile", "vlan", "mtu", "mac", "trust", "spoofchk"):
            conf.pop(key, None)
        ended = self.make(generator.request(binary, "ADD", conf))
        self.report.counts[f"real {binary} {'attached' if ended.status == 0 else 'refused'}"] += 1
        result = _json(ended.stdout)
        for _ in range(random.choice((1, 2, 3))):
            command = random.choices(COMMANDS[:5], (1, 2, 6, 2, 1))[0]
            whole = {**conf, "cniVersion": random.choice(("1.1.0", conf["cniVersion"])), "prevResult": result}
            if command == "GC":
                whole["cni.dev/valid-attachments"] = random.choice(([], [{"containerID": "c0", "ifname": "net1"}]))
            self.make(generator.mutated(generator.request(binary, command, whole), whole))
        self.make(generator.request(binary, "DEL", conf), must=True)

    def sequence(self, generator: Generator) -> None:
        """Commands in any order, for a few attachments; namespaces die in between; in the end, DEL of everything."""
        random = generator.random
        binary = random.choices(("host-device", "host-local"), (8, 2))[0]
        used: dict[tuple[int, str], dict[str, Any]] = {}
        strange: list[Request] = []  # mutated ADDs that were done: for other containers, perhaps
        for _ in range(random.choice((3, 4, 6, 8))):
            if generator.chance(0.12):
                number = random.randrange(2)
                self.said.append(f"# pod{number} dies, and its path is given to another")
                self.scene.kill_pod(number)
                self._pods_died = True
                self._state = None
                self._living.clear()
                continue
            where, ifname = random.randrange(2), random.choice(IFNAMES)
            command = random.choices(COMMANDS[:5], (6, 4, 2, 1, 1))[0]
            conf = {
                "cniVersion": "1.1.0",
                "name": "base",
                "type": binary,
                "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"},
            }
            if binary == "host-device":
                conf["device"] = random.choice(("ens5", "ens6"))
            conf = used.get((where, ifname), conf) if generator.chance(0.8) else conf
            used.setdefault((where, ifname), conf)
            request = generator.request(binary, command, conf, where)
            request.variables["CNI_IFNAME"] = ifname
            if is_mutated := generator.chance(0.15):
                request = generator.mutated(request, conf, 1)
            if self.make(request).status == 0 and is_mutated and request.command == "ADD":
                strange.append(request)
        for request in strange:
            self.make(request.again("DEL"))
        for (where, ifname), conf in used.items():
            request = generator.request(binary, "DEL", conf, where)
            request.variables["CNI_IFNAME"] = ifname
            self.make(request, must=True)

    # One request

    def make(self, request: Request, must: bool = False) -> Ended:
        """Make a request and look at what became of it. must: whether it has to succeed."""
        before = self._state or self.scene.state()
        self.said.append(request.shell())
        ended = make(request)
        self.report.requests += 1
        self.report.most_cpu_s = max(self.report.most_cpu_s, ended.cpu_s)
        command = request.command if request.command in COMMANDS else "other"
        self.report.counts[f"{command} {'done' if ended.status == 0 else 'refused'}"] += 1
        for kind, text in wrong(request, ended):
            self.fail(kind, text)
        if must and ended.status != 0:
            self.fail("DEL refused", _text(ended))
        key = (request.binary, request.variables.get("CNI_CONTAINERID", ""), request.variables.get("CNI_IFNAME", ""))
        refused = ended.status == 1 and command == "ADD"
        # An ADD of what stands already takes the earlier one back first, and one after a pod's death what that left.
        excused = key in self._living or self._pods_died or request.streams in DEAF
        after = self._state = self.scene.state()
        if (refused and not excused) or (command in ("CHECK", "STATUS", "VERSION", "other")):
            changed = differences(before, after)
            if changed:
                self.fail(
                    f"changed by {command}" if ended.status == 0 else "changed after a refusal",
                    f"{_shown(changed)}\n{_text(ended)}",
                )
        if command == "ADD" and (ended.status == 0 or request.streams in DEAF):
            self._living[key] = request
        if strays := self.scene.strays():
            self.fail("file where none belongs", ", ".join(f"/{path}" for path in strays[:9]))
        return ended


def wrong(request: Request, ended: Ended) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with how a request ended: what kind of fault, and what was seen."""
    if ended.fault:
        yield "killed", f"{ended.fault}; {_text(ended)}"
        return
    if ended.status not in (0, 1):
        yield "exit status", _text(ended)
    if ended.cpu_s > CPU_LIMIT_S:
        yield "too slow", f"{ended.cpu_s:.2f} s of CPU time; {_text(ended)}"
    for sign in (b"has a fault", b"Traceback", b"Fatal Python error"):
        if sign in ended.stdout or sign in ended.stderr:
            yield "a fault of ours", _text(ended)
            break
    yield from wrong_answer(request, ended)
    if found := control_characters(ended.stderr.decode(errors="surrogateescape").replace("\n", "")):
        yield "control characters on stderr", f"{found}; {_text(ended)}"


def wrong_answer(request: Request, ended: Ended) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with standard output."""
    answer = _json(ended.stdout)
    if ended.stdout and not isinstance(answer, dict):
        yield "no JSON", _text(ended)
        return
    if not ended.stdout:
        said_nothing = request.streams in DEAF or request.command in ("", "DEL", "CHECK", "GC", "STATUS")
        if not said_nothing or (ended.status == 1 and request.streams not in DEAF):
            yield "no answer", _text(ended)
        return
    if ended.status == 0:
        if request.command not in ("ADD", "VERSION"):
            yield "answer of a command that has none", _text(ended)
        return
    assert isinstance(answer, dict)
    if not {"cniVersion", "code", "msg"} <= answer.keys() or type(answer["code"]) is not int or not answer["msg"]:
        yield "no error object", _text(ended)
    for key, most in (("msg", MESSAGE_CHARACTERS), ("details", DETAILS_CHARACTERS)):
        text = answer.get(key, "")
        if not isinstance(text, str):
            yield "no error object", _text(ended)
            continue
        if len(text) > most:
            yield f"{key} too long", f"{len(text)} characters; {_text(ended)}"
        if found := control_characters(text):
            yield f"control characters in {key}", f"{found}; {_text(ended)}"


def control_characters(text: str) -> list[str]:
    """Return the characters in a text that a terminal or a log takes for something else than a character: controls,
    formats (among them those that change the direction), lone surrogates, and separators of lines and paragraphs.
    """
    bad = {x for x in text if unicodedata.category(x) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return [f"U+{ord(x):04X}" for x in sorted(bad)[:9]]


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _code(ended: Ended) -> int:
    answer = _json(ended.stdout)
    return int(answer["code"]) if isinstance(answer, dict) and type(answer.get("code")) is int else 0


def _text(ended: Ended) -> str:
    """Return how a request ended, for a message."""
    out, err = (ascii(data.decode(errors="surrogateescape"))[1:-1][:400] for data in (ended.stdout, ended.stderr))
    return f"exit status {ended.status}, {ended.wall_s:.2f} s: {out} | {err}"


def _shown(changes: dict[str, tuple[object, object]]) -> str:
    """Return differences of two states, for a message."""
    lines = []
    for where, (was, now) in changes.items():
        if isinstance(was, dict) and isinstance(now, dict):
            lines.append(f"{where}: {differences(was, now)}")
        else:
            lines.append(f"{where}: {str(was)[:200]} -> {str(now)[:200]}")
    return "\n".join(lines[:12])


def attempt(seed: int, requests: int, workers: int = 2, only: int | None = None, most: int = MOST_FAILURES) -> Report:
    """Make requests, in processes side by side, each with a host of its own; return what became of it.

    only: the number of a single unit. most: after how many failures of one process it is enough.
    """
    began = time.monotonic()
    report = Report(seed)
    context = multiprocessing.get_context("fork")
    started = []
    for number in range(workers):
        ours, theirs = context.Pipe(duplex=False)
        units = (only, only + 1, 1) if only is not None else (number, 1 << 40, workers)
        arguments = (theirs, seed, range(*units), requests // workers, most)
        process = context.Process(target=_work, args=arguments)
        process.start()
        theirs.close()
        started.append((process, ours))
    for process, ours in started:
        try:
            report.add(ours.recv())
        except EOFError:
            report.failures.append(Failure("the test itself", 0, f"worker {process.name} died", []))
        process.join()
    report.seconds = time.monotonic() - began
    return report


def _work(answer: Connection, seed: int, units: range, requests: int, most: int) -> None:
    """Go through units in a PID namespace: whatever a plugin starts, and whoever is killed, all of it ends with us."""
    _die_with_parent()
    if _libc.unshare(CLONE_NEWPID) != 0:
        raise SystemExit(f"cannot make a PID namespace: {os.strerror(ctypes.get_errno())}")
    child = os.fork()
    if child:
        answer.close()
        os.waitpid(child, 0)
        return
    try:
        _die_with_parent()
        report = Report(seed)
        worker = Worker(Scene(), seed, report)
        for unit in units:
            if report.requests >= requests or len(report.failures) >= most:
                break
            worker.run(unit)
        answer.send(report)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """Make requests from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.requests")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, help="a single unit, by its number")
    parser.add_argument("--most", type=int, default=MOST_FAILURES, help="after how many failures it is enough")
    options = parser.parse_args()
    isolation.enter()
    workers = 1 if options.only is not None else options.workers
    report = attempt(options.seed, options.requests, workers, options.only, options.most)
    print(report.summary())
    if report.failures:
        print(report.complaint())
    return 1 if report.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
