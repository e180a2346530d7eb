"""Faults: killed at any step, refused by the kernel at any step, told to end, out of disk, damaged records, races."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support import disk, faults, net, sweep
from tests.support.faults import MOVE_FIRST, MOVE_LAST, THREAD_END, THREAD_ENDS, Call
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome, binary, environment
from tests.support.untouched import left_on_disk, links, untouched

WORKERS = 2


class Rig:
    """A device with settings of its own, a pod, and their attachment to a network of its own."""

    def __init__(self) -> None:
        self.make()

    def make(self) -> None:
        """Make all of it, anew."""
        self.device, self._peer = net.new_device()
        self.pod = net.new_space()
        HOST.ip("link", "set", self.device, "mtu", "1400", "up")
        HOST.ip("link", "property", "add", "dev", self.device, "altname", f"{self.device}-by-another-name")
        self.original = HOST.settings(self.device)
        self.network = net.unique("faults")
        conf = {
            **{"cniVersion": "1.1.0", "name": self.network, "type": "host-device", "device": self.device},
            "ipam": {"type": "host-local", "subnet": "10.66.0.0/24"},
        }
        self.attachment = Attachment(conf, net.unique("container"), self.pod.path)

    def __repr__(self) -> str:
        return self.device

    def repair(self) -> None:
        """See `sweep.Rig`."""
        self.pod.ip("link", "del", "net1", check=False)
        self.remove()
        self.make()

    def remove(self) -> None:
        """Delete all."""
        self.pod.delete()
        net.delete_device(self._peer)

    def tamper(self) -> None:
        """Do in the pod what pods do: another address and another MTU."""
        self.pod.ip("link", "set", "net1", "mtu", "1300", "address", "02:00:5e:66:66:66")

    def state(self) -> str:
        """Return what a next command finds of the attachment, in kernel and files, without what is this rig's own."""
        ours = (self.attachment.container_id, self.device, self.network)
        files = {path: text for path, text in left_on_disk().items() if any(name in path for name in ours)}
        for name in (*ours, str(self.pod.name)):
            files = {path.replace(name, "N"): text.replace(name.encode(), b"N") for path, text in files.items()}
        content = {
            re.sub(r"\d+", "0", path): re.sub(rb"(?:\w\w:)+\w\w|\d+", b"0", text) for path, text in files.items()
        }
        inside = {name: {**link, "index": 0, "mac": ""} for name, link in links(self.pod).items()}
        shown = repr((sorted(content.items()), HOST.settings(self.device) == self.original, inside))
        return re.sub(r"10\.66\.0\.\d+", "10.66.0.0", shown.replace(self.device, "N"))

    def assert_clean(self) -> None:
        """Assert that the device is back as it was, and that nothing of the attachment is left on disk."""
        assert HOST.settings(self.device) == self.original
        assert self.pod.links() == []
        ours = (self.attachment.container_id, self.device, self.network)
        assert [path for path in left_on_disk() if any(name in path for name in ours)] == []

    def assert_attached(self) -> None:
        """Assert that the device is in the pod, with one address, for which there is one reservation."""
        assert self.device not in HOST.links()
        addresses = self.pod.addresses("net1")
        owner = f"{self.attachment.container_id}\r\nnet1"
        assert {f"{address}/24": owner for address, owner in disk.reserved(self.network).items()} == {
            address: owner for address in addresses
        }
        assert len(addresses) == 1


@pytest.fixture
def make_rig() -> Iterator[Callable[[], Rig]]:
    """A function that makes rigs, all removed after the test."""
    rigs: list[Rig] = []

    def make() -> Rig:
        rigs.append(Rig())
        # The folders are there, as on any node but at the very first attachment.
        rigs[-1].attachment.add()
        rigs[-1].attachment.delete()
        rigs[-1].assert_clean()
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.remove()


@pytest.fixture
def rig(make_rig: Callable[[], Rig]) -> Rig:
    """One rig."""
    return make_rig()


@pytest.fixture
def rigs(make_rig: Callable[[], Rig]) -> list[Rig]:
    """Rigs to work side by side."""
    return [make_rig() for _ in range(WORKERS)]


Case = tuple[Call, str]
"""A call at which something happens, and the order of the two threads."""


def go_through(rigs: list[Rig], cases: Iterable[Case], trial: Callable[[Rig, Call, str], None]) -> None:
    """Try every case, each on a rig that is free; assert that none failed, listing those that did."""
    assert sweep.go_through(rigs, cases, lambda rig, case: trial(rig, *case))
    assert left_on_disk() == {}


def both_orders(calls: list[Call]) -> list[Case]:
    """Return every call as it comes; those that run beside the move, with the move before and after them too."""
    cases = [(call, "") for call in calls]
    start = next(index for index, call in enumerate(calls) if call.name.startswith("clone"))
    end = next(index for index, call in enumerate(calls) if index > start and call.name == "sendto")
    beside = calls[start + 1 : end + 1]
    return [*cases, (THREAD_END, THREAD_ENDS), *((call, order) for order in (MOVE_FIRST, MOVE_LAST) for call in beside)]


def that_leave_a_mark(cases: list[Case]) -> list[Case]:
    """Return the cases at which a kill finds another state than at the one before."""
    return [case for case in cases if case[0].leaves_a_mark]


def recorded(rig: Rig) -> tuple[list[Call], list[Call]]:
    """Return the calls of an ADD and of the DEL after it."""
    return faults.calls(rig.attachment, "ADD"), faults.calls(rig.attachment, "DEL")


def killed(outcome: Outcome) -> None:
    """Assert that the fault has struck: a case that did not would prove nothing."""
    assert outcome.status == -9, f"was not killed: {outcome!r}"


def test_the_recording_sees_every_step(rig: Rig) -> None:
    """The sweeps below stand on it: the calls that change things are all among those that are gone through."""
    add, delete = recorded(rig)
    names = [call.name for call in add]
    assert {"openat", "write", "fsync", "flock", "setns", "sendto"} <= set(names)
    assert any(call.name.startswith("rename") for call in add)
    assert any(call.name.startswith("unlink") for call in delete)
    assert names.count("sendto") >= 5
    assert len(add) >= 30
    assert len(delete) >= 20
    marks = [call.name for call in (*add, *delete) if call.leaves_a_mark]
    assert {"openat", "write", "sendto", "unlink"} <= set(marks)
    assert len(marks) >= 20


def test_add_killed(rigs: list[Rig]) -> None:
    """SIGKILL before each step of ADD that leaves a mark: one DEL puts everything right. From each state that a kill
    has left, the next ADD works and holds one address, and its DEL puts everything right.
    """
    places: set[tuple[str, bool]] = set()
    states: dict[str, Case] = {}

    def kill(rig: Rig, call: Call, order: str) -> None:
        killed(faults.inject(rig.attachment, "ADD", "signal=SIGKILL", call, order))

    def then_delete(rig: Rig, call: Call, order: str) -> None:
        kill(rig, call, order)
        places.add((order, rig.device in HOST.links()))
        state = rig.state()
        if order or state not in states:  # with a forced order it can be had again
            states[state] = (call, order)
        rig.attachment.delete()
        rig.assert_clean()

    def then_add(rig: Rig, call: Call, order: str) -> None:
        kill(rig, call, order)
        rig.attachment.add()
        rig.assert_attached()
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, that_leave_a_mark(both_orders(recorded(rigs[0])[0])), then_delete)
    assert {(MOVE_FIRST, False), (MOVE_LAST, True)} <= places, "the two orders are what they say"
    assert len(states) >= 12, states
    go_through(rigs, states.values(), then_add)


def test_delete_killed(rigs: list[Rig]) -> None:
    """SIGKILL before each step of DEL that leaves a mark: the next DEL finishes."""

    def trial(rig: Rig, call: Call, order: str) -> None:
        rig.attachment.add()
        rig.tamper()
        killed(faults.inject(rig.attachment, "DEL", "signal=SIGKILL", call))
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, that_leave_a_mark([(call, "") for call in recorded(rigs[0])[1]]), trial)


def test_delete_killed_then_another_pod(rigs: list[Rig], make_pod: Callable[[], Space]) -> None:
    """SIGKILL before each of these steps, and then the namespace goes: the next pod gets the device as it was, if it is
    still there, and the late DEL of the first leaves it alone.
    """

    def trial(rig: Rig, call: Call, order: str) -> None:
        rig.attachment.add()
        killed(faults.inject(rig.attachment, "DEL", "signal=SIGKILL", call))
        if rig.device not in HOST.links():
            rig.attachment.delete()
            return
        pod = make_pod()
        other = Attachment(rig.attachment.conf, net.unique("container"), pod.path)
        other.add()
        before = pod.settings("net1")
        rig.attachment.delete()
        assert pod.settings("net1") == before
        assert other.check().status == 0
        other.delete()
        rig.assert_clean()

    go_through(rigs, that_leave_a_mark([(call, "") for call in recorded(rigs[0])[1]]), trial)


def test_first_add_of_a_node_killed(rig: Rig) -> None:
    """The same where no folder exists yet: SIGKILL between the folders that the first ADD makes."""

    def forget() -> None:
        for folder in (disk.HOST_DEVICE, disk.NETWORKS):
            shutil.rmtree(folder, ignore_errors=True)

    forget()
    folders = [call for call in faults.calls(rig.attachment, "ADD") if call.name in ("mkdir", "mkdirat")]
    rig.attachment.delete()
    assert len(folders) >= 4
    for call in folders:
        forget()
        killed(faults.inject(rig.attachment, "ADD", "signal=SIGKILL", call))
        rig.attachment.delete()
        rig.assert_clean()


def test_what_is_kept_is_for_root_alone(rig: Rig) -> None:
    """Folders of our own are 0700 and files 0600, whatever the umask, from the first ADD of a node on."""
    shutil.rmtree(disk.HOST_DEVICE)
    rig.attachment.add(prefix=("sh", "-c", 'umask 0; exec "$@"', "sh"))
    folders = {
        folder: (folder, *(os.path.join(folder, name) for name in names))
        for folder, _, names in os.walk(disk.HOST_DEVICE)
    }
    modes = {path: stat.S_IMODE(os.stat(path).st_mode) for paths in folders.values() for path in paths}
    assert {path: 0o700 if path in folders else 0o600 for path in modes} == modes
    assert len(modes) == 4
    rig.attachment.delete()


ERRORS = {
    **{"sendto": "EBUSY", "setns": "EPERM", "socket": "EMFILE", "flock": "EIO", "clone": "EAGAIN", "clone3": "EAGAIN"},
    "unlink": "EIO",
}
"""What a call fails with; ENOSPC where nothing else is said."""


def test_add_refused(rigs: list[Rig]) -> None:
    """An error from the kernel at each step of ADD: it succeeds nevertheless, or fails with everything undone."""
    outcomes: list[str] = []

    def trial(rig: Rig, call: Call, order: str) -> None:
        outcome = faults.inject(rig.attachment, "ADD", f"error={ERRORS.get(call.name, 'ENOSPC')}", call)
        if outcome.status == 0 or call.text.startswith("write(1,"):
            outcomes.append("success")
            rig.assert_attached()
            rig.attachment.delete()
        else:
            outcomes.append("failure")
            assert outcome.error()["msg"]
            if call.name == "flock":  # a lock that cannot be taken may be somebody's: its file is swept by DEL
                rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, [(call, "") for call in recorded(rigs[0])[0]], trial)
    assert outcomes.count("failure") > outcomes.count("success")


@pytest.mark.parametrize("error", ["EBUSY", "EAGAIN", "ENOBUFS"])
def test_messages_of_add_refused(rigs: list[Rig], error: str) -> None:
    """The kernel has no time for one message of ADD: the same."""

    def trial(rig: Rig, call: Call, order: str) -> None:
        outcome = faults.inject(rig.attachment, "ADD", f"error={error}", call)
        if outcome.status == 0:
            rig.assert_attached()
            rig.attachment.delete()
        else:
            assert os.strerror(getattr(errno, error)) in outcome.error()["msg"]
        rig.assert_clean()

    go_through(rigs, [(call, "") for call in recorded(rigs[0])[0] if call.name == "sendto"], trial)


def test_no_thread_is_to_be_had(rig: Rig) -> None:
    """A cgroup may limit how many there are. Then the move and the choice of addresses come one after the other."""
    prefix = faults.strace("clone", "clone,clone3:error=EAGAIN")
    rig.attachment.call("ADD", prefix=prefix).ok()
    rig.assert_attached()
    rig.attachment.call("DEL", prefix=prefix).ok()
    rig.assert_clean()


def test_delete_refused(rigs: list[Rig]) -> None:
    """An error from the kernel at each step of DEL: it is reported unless it is harmless; the next DEL finishes."""
    outcomes: list[str] = []

    def trial(rig: Rig, call: Call, order: str) -> None:
        rig.attachment.add()
        rig.tamper()
        outcome = faults.inject(rig.attachment, "DEL", f"error={ERRORS.get(call.name, 'ENOSPC')}", call)
        if outcome.status == 0:
            outcomes.append("success")
            if not call.name.startswith(("unlink", "openat", "mkdir")):
                rig.assert_clean()
        else:
            outcomes.append("failure")
            assert outcome.error()["msg"]
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, [(call, "") for call in recorded(rigs[0])[1]], trial)
    assert outcomes.count("failure") >= 10


def test_delete_refused_under_another_name(rig: Rig) -> None:
    """The device is on the host under another name, since a DEL was killed, or its name was taken: it keeps its mark
    until it has its name back, whatever the kernel refuses meanwhile.
    """

    def astray() -> None:
        rig.attachment.add()
        host = str(os.getpid())
        rig.pod.ip("link", "set", "net1", "down")
        rig.pod.ip("link", "set", "net1", "netns", host, "name", "astray7", "alias", rig.device)

    astray()
    calls = faults.calls(rig.attachment, "DEL", "sendto")
    rig.assert_clean()
    assert len(calls) >= 6
    refused = 0
    for call in calls:
        astray()
        refused += faults.inject(rig.attachment, "DEL", "error=EBUSY", call).status
        rig.attachment.delete()
        rig.assert_clean()
    assert refused > 0


def test_gc_refused(make_rig: Callable[[], Rig]) -> None:
    """The kernel has no time for one message of GC: the other device comes back, and the next GC finishes. What is
    restored in one message is tried piece by piece then, and comes back, too.
    """
    pair = [make_rig(), make_rig()]
    for rig in pair:
        rig.attachment.conf.update({"name": pair[0].network, "cni.dev/valid-attachments": []})
        rig.attachment.add()
    messages = [call for call in faults.calls(pair[0].attachment, "GC") if call.name == "sendto"]
    assert len(messages) >= 8
    refused = 0
    for call in messages:
        for rig in pair:
            rig.attachment.add()
        outcome = faults.inject(pair[0].attachment, "GC", "error=EBUSY", call)
        back = [rig for rig in pair if HOST.settings(rig.device) == rig.original]
        if outcome.status:
            refused += 1
            assert "Device or resource busy" in json.dumps(outcome.error())
            assert back, call
        else:
            assert back == pair, call
        assert disk.reserved(pair[0].network) == {}
        pair[1].attachment.call("GC").ok()
        for rig in pair:
            rig.assert_clean()
    assert refused >= 8


def test_add_told_to_end(rigs: list[Rig]) -> None:
    """SIGTERM before each step of ADD: everything is undone without a DEL, unless all was done already."""
    outcomes: list[int] = []

    def trial(rig: Rig, call: Call, order: str) -> None:
        outcome = faults.inject(rig.attachment, "ADD", "signal=SIGTERM", call, order)
        outcomes.append(outcome.status)
        if outcome.status == 0:
            rig.assert_attached()
            rig.attachment.delete()
        elif outcome.status == 1:
            assert "SIGTERM" in outcome.error()["msg"]
        else:
            assert outcome.status == -15, outcome  # before the plugin was ready to hear of it
        rig.assert_clean()

    cases = both_orders(recorded(rigs[0])[0])
    go_through(rigs, [case for case in cases if case[0] is not THREAD_END], trial)
    assert outcomes.count(1) > 20


def test_delete_told_to_end(rigs: list[Rig]) -> None:
    """SIGTERM before each step of DEL: the next DEL finishes."""

    def trial(rig: Rig, call: Call, order: str) -> None:
        rig.attachment.add()
        faults.inject(rig.attachment, "DEL", "signal=SIGTERM", call)
        rig.attachment.delete()
        rig.assert_clean()

    go_through(rigs, [(call, "") for call in recorded(rigs[0])[1]], trial)


@contextmanager
def disk_of(size: str) -> Iterator[None]:
    """A small file system over /var/lib/cni, empty at first."""
    net.run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", disk.CNI)
    try:
        yield
    finally:
        net.run("umount", disk.CNI)


def fill() -> Path:
    """Leave no free byte on that file system; return the file that fills it."""
    filler = Path(disk.CNI) / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], stderr=subprocess.DEVNULL)
    assert os.statvfs(disk.CNI).f_bavail == 0
    return filler


def test_full_disk(rig: Rig) -> None:
    """ADD on a full disk: code 5 with the kernel's words, nothing touched; once there is room, it works."""
    with disk_of("64k"):
        filler = fill()
        with untouched(rig.pod):
            error = rig.attachment.call("ADD").error(5)
        assert "No space left on device" in error["msg"]
        assert disk.CNI in error["msg"]
        filler.unlink()
        rig.attachment.add()
        rig.attachment.delete()
        rig.assert_clean()


def test_disk_that_has_room_for_the_record_only(rig: Rig) -> None:
    """The address cannot be noted: code 5, and the record that was written goes again."""
    with disk_of("64k"):
        filler = fill()
        os.truncate(filler, filler.stat().st_size - 4096)
        with untouched(rig.pod):
            error = rig.attachment.call("ADD").error(5)
        assert "No space left on device" in error["msg"]


def test_delete_on_a_full_disk(rig: Rig) -> None:
    """DEL needs no room."""
    with disk_of("64k"):
        rig.attachment.add()
        filler = fill()
        rig.attachment.delete()
        filler.unlink()
        rig.assert_clean()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "zeros": lambda data: bytes(len(data)),
    "garbage": lambda data: os.urandom(len(data)),
    "another object": lambda _: b'{"colour":"blue"}',
    "only its owner": lambda data: json.dumps(
        {key: value for key, value in json.loads(data).items() if key in ("containerID", "ifName")}
    ).encode(),
    "a member of another type": lambda data: json.dumps({**json.loads(data), "original": 5}).encode(),
    "an inner member of another type": lambda data: json.dumps(
        {**json.loads(data), "original": {**json.loads(data)["original"], "mtu": "x"}}
    ).encode(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_record(rig: Rig, damage: Callable[[bytes], bytes]) -> None:
    """DEL goes by the alias then: the device comes back under its name, the record goes, and it is said."""
    rig.attachment.add()
    (name,) = disk.records()
    path = Path(disk.HOST_DEVICE) / name
    path.write_bytes(damage(path.read_bytes()))
    outcome = rig.attachment.call("DEL")
    outcome.ok()
    assert "record" in outcome.stderr
    assert rig.attachment.container_id in outcome.stderr
    assert left_on_disk() == {}
    settings = HOST.settings(rig.device)
    assert {**settings, "up": True} == rig.original


@pytest.mark.parametrize("damage", ["empty", "only its owner", "a member of another type"])
def test_damaged_record_of_another_attachment(make_rig: Callable[[], Rig], damage: str) -> None:
    """One bad record stops nobody else's ADD, CHECK, DEL or GC."""
    damaged, rig = make_rig(), make_rig()
    damaged.attachment.add()
    (name,) = disk.records()
    path = Path(disk.HOST_DEVICE) / name
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    rig.attachment.add()
    rig.attachment.check().ok()
    rig.attachment.conf["cni.dev/valid-attachments"] = []
    rig.attachment.call("GC").ok()
    rig.assert_clean()
    damaged.attachment.delete()
    assert left_on_disk() == {}


def test_add_over_a_damaged_record(rig: Rig) -> None:
    """A record that a crash left damaged does not stand in the way of an ADD of the same attachment."""
    path = Path(disk.HOST_DEVICE) / f"{rig.attachment.container_id}-net1"
    path.write_bytes(b'{"containerID"')
    rig.attachment.add()
    rig.assert_attached()
    rig.attachment.delete()
    rig.assert_clean()


def at_once(*functions: Callable[[], Outcome]) -> list[Outcome]:
    """Call all functions at the same time; return what each returned."""
    barrier = threading.Barrier(len(functions))

    def call(function: Callable[[], Outcome]) -> Outcome:
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(call, functions))


def turns(calls: list[Call], *names: str) -> list[Call]:
    """Return the calls after which another command is let in: the last of each name, which begins as given.

    That is where a command has the lock of the device, has said on disk what it is about to do, or has done it.
    """
    return [[call for call in calls if call.name.startswith(name)][-1] for name in names]


def test_two_pods_want_one_device(rig: Rig, make_pod: Callable[[], Space]) -> None:
    """One gets it; the other is told that it is gone, and holds no address. Both at once, and one while the other is
    held on its way.
    """
    pods = [make_pod(), make_pod()]
    rivals = [Attachment(rig.attachment.conf, net.unique("rival"), pod.path) for pod in pods]
    adds = [partial(rival.call, "ADD") for rival in rivals]
    held_at = turns(faults.calls(rivals[0], "ADD"), "flock", "clone", "rename", "sendto")
    rivals[0].delete()
    for call in (None, None, *held_at):
        if call is None:
            outcomes = at_once(*adds)
        else:
            first, others = faults.interleaved(rivals[0], "ADD", call, adds[1])
            outcomes = [first, *others]
        assert sorted(outcome.status for outcome in outcomes) == [0, 1], (call, outcomes)
        winner, loser = sorted(range(2), key=lambda index: outcomes[index].status)
        assert "failed to find host device" in outcomes[loser].error(7)["msg"]
        assert pods[loser].links() == []
        assert list(disk.reserved(rig.network).values()) == [f"{rivals[winner].container_id}\r\nnet1"]
        rivals[loser].delete()
        assert pods[winner].links() == ["net1"]
        rivals[winner].delete()
        rig.assert_clean()


def test_two_adds_of_one_attachment(make_rig: Callable[[], Rig]) -> None:
    """A runtime that lost its patience sends ADD again while the first still runs, for another device: one of the two
    goes into the pod, the other stays on the host, and nothing is forgotten. Both at once, and one while the other is
    held on its way.
    """
    one, two = make_rig(), make_rig()
    again = Attachment({**one.attachment.conf, "device": two.device}, one.attachment.container_id, one.pod.path)
    adds = [partial(one.attachment.call, "ADD"), partial(again.call, "ADD")]
    held_at = turns(faults.calls(one.attachment, "ADD"), "openat", "flock", "fsync", "clone", "rename", "sendto")
    one.attachment.delete()
    for call in (None, None, *held_at):
        if call is None:
            outcomes = at_once(*adds)
        else:
            first, others = faults.interleaved(one.attachment, "ADD", call, adds[1])
            outcomes = [first, *others]
        for outcome in outcomes:
            outcome.ok()
        inside = [rig for rig in (one, two) if HOST.link(rig.device) is None]
        assert len(inside) == 1, call
        outside = two if inside == [one] else one
        assert HOST.settings(outside.device) == outside.original
        assert one.pod.links() == ["net1"]
        assert list(disk.reserved(one.network).values()) == [f"{one.attachment.container_id}\r\nnet1"]
        one.attachment.delete()
        for rig in (one, two):
            rig.assert_clean()


def test_delete_that_finds_an_add_at_work(rig: Rig) -> None:
    """A DEL that has seen no record leaves what an ADD of the same attachment writes meanwhile: the device has its
    record, and the next DEL gives it back.
    """
    calls = faults.calls(rig.attachment, "ADD")
    begun, recorded = (next(calls.index(x) for x in calls if x.name.startswith(name)) for name in ("flock", "rename"))
    unseen = calls[begun:recorded]
    for call in (*unseen, *turns(calls, "openat", "flock", "fsync", "rename", "clone")):
        rig.attachment.delete()
        added, [deleted] = faults.interleaved(rig.attachment, "ADD", call, partial(rig.attachment.call, "DEL"))
        added.ok()
        deleted.ok()
        if call in unseen:
            rig.assert_attached()
            assert disk.records() == [f"{rig.attachment.container_id}-net1"]
    rig.attachment.delete()
    rig.assert_clean()


def test_late_delete(rig: Rig, pod: Space) -> None:
    """The DEL of a pod that has gone, repeated when another pod has the device, changes nothing."""
    rig.attachment.add()
    rig.attachment.delete()
    other = Attachment(rig.attachment.conf, net.unique("other"), pod.path)
    other.add()
    with untouched(pod, rig.pod):
        for netns in (rig.pod.path, "", "/run/netns/absent"):
            rig.attachment.netns = netns
            rig.attachment.delete()
    other.check().ok()
    other.delete()
    rig.assert_clean()


def test_late_delete_at_the_new_owners_path(rig: Rig) -> None:
    """The same, when the new pod's namespace has the path that the old one's had: the alias alone proves nothing."""
    rig.attachment.add()
    rig.attachment.delete()
    other = Attachment(rig.attachment.conf, net.unique("other"), rig.pod.path)
    other.add()
    with untouched(rig.pod):
        rig.attachment.delete()
    other.check().ok()
    other.delete()
    rig.assert_clean()


def test_namespace_that_another_pod_has_by_now(make_rig: Callable[[], Rig]) -> None:
    """The device is gone, and the path of its namespace is another pod's, whose interface has the same name."""
    old, new = make_rig(), make_rig()
    old.attachment.add()
    old.pod.ip("link", "del", "net1")
    new.attachment.netns = old.pod.path
    new.attachment.add()
    before = links(old.pod)
    for netns in ("", old.pod.path):
        old.attachment.netns = netns
        old.attachment.delete()
        assert links(old.pod) == before
    new.attachment.check().ok()
    new.attachment.delete()
    new.assert_clean()


def test_delete_and_add_at_once(rig: Rig, make_pod: Callable[[], Space]) -> None:
    """The old pod's DEL beside the new pod's ADD: whichever is first, the device has one owner, or is back. Both at
    once, and one while the other is held on its way.
    """
    pod = make_pod()
    other = Attachment(rig.attachment.conf, net.unique("other"), pod.path)
    add, delete = partial(other.call, "ADD"), partial(rig.attachment.call, "DEL")
    adding, deleting = recorded(rig)
    looks = next(call for call in adding if call.only_asks)  # later ones come only if it finds the device
    held_at = [None, None, *turns(deleting, "openat", "flock", "sendto", "unlink"), adding[0], looks]
    given = 0
    for call in held_at:
        rig.attachment.add()
        if call is None:
            deleted, added = at_once(delete, add)
        elif call in deleting:
            deleted, [added] = faults.interleaved(rig.attachment, "DEL", call, add)
        else:
            added, [deleted] = faults.interleaved(other, "ADD", call, delete)
        deleted.ok()
        if added.status == 0:
            given += 1
            assert pod.links() == ["net1"]
            assert len(disk.reserved(rig.network)) == 1
        else:
            assert "failed to find host device" in added.error(7)["msg"]
        other.delete()
        rig.assert_clean()
    assert given > 0


def test_two_deletes_at_once(rig: Rig) -> None:
    """A runtime that lost its patience sends DEL again while the first still runs: both succeed. At once, and while the
    first is held on its way.
    """
    delete = partial(rig.attachment.call, "DEL")
    held_at = turns(recorded(rig)[1], "openat", "flock", "setns", "sendto", "unlink")
    for call in (None, None, *held_at):
        rig.attachment.add()
        if call is None:
            outcomes = at_once(delete, delete, delete)
        else:
            first, others = faults.interleaved(rig.attachment, "DEL", call, delete, delete)
            outcomes = [first, *others]
        for outcome in outcomes:
            outcome.ok()
        rig.assert_clean()


def test_ipam_that_cannot_release(rig: Rig, tmp_path: Path) -> None:
    """DEL reports what IPAM said, and gives the device back nevertheless; the next DEL asks IPAM again."""
    script = tmp_path / "test-ipam"
    script.write_text(
        "#!/bin/sh\n"
        f"echo $CNI_COMMAND >>{tmp_path}/commands\n"
        'case "$CNI_COMMAND" in\n'
        'ADD) echo \'{"cniVersion":"1.1.0","ips":[{"address":"10.9.9.9/24"}]}\';;\n'
        f"DEL) test -e {tmp_path}/works || "
        '{ echo \'{"cniVersion":"1.1.0","code":11,"msg":"the address server is away"}\'; exit 1; };;\n'
        "esac\n"
    )
    script.chmod(0o755)
    rig.attachment.conf["ipam"] = {"type": "test-ipam"}
    rig.attachment.path = str(tmp_path)
    rig.attachment.add()
    for _ in range(2):
        error = rig.attachment.call("DEL").error(11)
        assert "the address server is away" in error["msg"]
        assert HOST.settings(rig.device) == rig.original
        # The record stays: where the configuration does not say it any more, it tells who has to release the address.
        assert disk.records() == [f"{rig.attachment.container_id}-net1"]
    (tmp_path / "works").touch()
    rig.attachment.delete()
    rig.assert_clean()
    assert (tmp_path / "commands").read_text().split() == ["ADD", "DEL", "DEL", "DEL"]


def test_failing_release_while_undoing(rig: Rig, tmp_path: Path) -> None:
    """An undo that fails hides neither the first error nor the other undos."""
    script = tmp_path / "test-ipam"
    script.write_text("#!/bin/sh\necho broken in $CNI_COMMAND >&2\nexit 1\n")
    script.chmod(0o755)
    rig.attachment.conf["ipam"] = {"type": "test-ipam"}
    rig.attachment.path = str(tmp_path)
    outcome = rig.attachment.call("ADD")
    assert "broken in ADD" in json.dumps(outcome.error())
    assert "broken in DEL" in outcome.stderr
    rig.assert_clean()


def test_device_that_may_not_be_moved(rig: Rig) -> None:
    """A bridge is refused: before anything is done where the kernel tells (Linux 6.15), else by the kernel itself."""
    bridge = net.unique("bridge")
    HOST.ip("link", "add", bridge, "type", "bridge")
    try:
        rig.attachment.conf["device"] = bridge
        with untouched(rig.pod):
            error = rig.attachment.call("ADD").error()
        assert error["code"] in (7, 999)
        assert f"cannot move {bridge}" in error["msg"]
    finally:
        HOST.ip("link", "del", bridge)


def test_move_that_the_kernel_refuses(rig: Rig) -> None:
    """The name is taken in the pod while the second thread is about to move: the address that was chosen meanwhile is
    released, the device fetched back. Delayed are the first messages of either thread, and so the move.
    """
    before = HOST.settings(rig.device)
    stdin = json.dumps(rig.attachment.conf).encode()
    variables = environment("ADD", rig.attachment.container_id, rig.pod.path, "net1", path=rig.attachment.path)
    command = [*faults.strace("sendto", "sendto:delay_enter=2000000:when=1"), binary("host-device")]
    with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as adding:
        assert adding.stdin is not None
        assert adding.stdout is not None
        adding.stdin.write(stdin)
        adding.stdin.close()
        while disk.records() == []:
            assert adding.poll() is None
        rig.pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "other")
        error = json.loads(adding.stdout.read())
    assert error["code"] == 999
    assert f"cannot move {rig.device} into {rig.pod.path} as net1: File exists" in error["msg"]
    assert f"give {rig.device} back: done" in error["details"]
    assert HOST.settings(rig.device) == before
    rig.pod.ip("link", "del", "net1")
    rig.assert_clean()
