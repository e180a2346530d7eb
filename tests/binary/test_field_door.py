"""What comes in at the door, as the field sends it: configurations, environments, signals, and texts that go out.

| FAULTS entry | test |
| --- | --- |
| 3.5 DEL of what ADD refused | test_del_of_what_add_refused, test_del_of_names_that_are_too_long |
| 3.5 DEL with a configuration that makes no sense any more | test_del_gives_back_whatever_the_configuration_says |
| 3.5 a configuration that ADD takes and DEL cannot | test_longest_configuration, test_json_that_only_del_takes |
| 3.5 an empty name and host-local's folder | test_del_without_a_name_keeps_off_the_stores |
| 3.6 GC without a list | test_gc_without_a_list |
| 4.2 a signal right after setns | test_told_to_end_in_the_pod |
| 5.3 logFile behind a link, of others | test_log_file, test_log_file_behind_a_link, test_log_files_of_others |
| 6 long messages, control characters | test_messages, test_messages_of_ipam |
| 6 CHECK of a pod with many routes | test_check_among_many_routes |
| 6 device information far down | test_device_information_far_down |
| 6 long variables | test_many_folders, test_long_arguments |
| the issue, 6: pods have names | test_log_lines_name_the_pod |
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk, faults, net, plugin
from tests.support.bus import Bus
from tests.support.net import HOST, Space
from tests.support.plugin import DIST, Attachment, Outcome
from tests.support.untouched import untouched

NAMES = ("accelerated-bridge", "host-device", "sriov", "host-local", "static")
HOST_LOCAL = {"type": "host-local", "subnet": "10.77.0.0/24"}
DUAL_STACK = {
    "type": "host-local",
    "ranges": [[{"subnet": "10.77.0.0/24"}], [{"subnet": "fd77::/64"}]],
    "routes": [{"dst": "10.99.0.0/16"}, {"dst": "fd99::/64"}],
}


def conf(kind: str = "host-device", /, **members: Any) -> dict[str, Any]:
    """Return a configuration with these members; None leaves one out."""
    whole: dict[str, Any] = {"cniVersion": "1.1.0", "name": "door", "type": kind, **members}
    return {key: value for key, value in whole.items() if value is not None}


def call(
    name: str, command: str, stdin: bytes | dict[str, Any], /, netns: str = "/run/netns/none", **environ: str
) -> Outcome:
    """Run a binary for interface net1 of container c1, with other variables where they are given."""
    variables = {**plugin.environment(command, "c1", netns, "net1", path=DIST), **environ}
    data = stdin if isinstance(stdin, bytes) else json.dumps(stdin).encode()
    return plugin.run(plugin.binary(name), data, variables)


@pytest.fixture
def attachment(device: str, pod: Space) -> Attachment:
    """An attachment of a device to a pod, not made yet."""
    return Attachment(conf(device=device, ipam=HOST_LOCAL), net.unique("door"), pod.path)


# 3.5 ----------------------------------------------------------------------------------------------------------------

REFUSED: dict[str, dict[str, Any]] = {
    "no name": {"name": None},
    "empty name": {"name": ""},
    "name of no string": {"name": 5},
    "path for a name": {"name": "../x"},
    "name of control characters": {"name": "a\nb"},
    "long name": {"name": "n" * 300},
    "unknown version": {"cniVersion": "9.9.9"},
    "version of no string": {"cniVersion": 1.1},
    "type of no string": {"type": 5},
    "logLevel": {"logLevel": {}},
    "logFile": {"logFile": 5},
    "ipam": {"ipam": 7},
    "ipam.type": {"ipam": {"type": []}},
    "ipam.type, a path": {"ipam": {"type": "../host-local"}},
    "ipam.dataDir": {"ipam": {**HOST_LOCAL, "dataDir": 5}},
    "runtimeConfig": {"runtimeConfig": []},
    "runtimeConfig.deviceID": {"runtimeConfig": {"deviceID": 5}},
    "args": {"args": 5},
    "args.cni": {"args": {"cni": []}},
    "prevResult": {"prevResult": {"ips": [5]}},
    "dns": {"dns": 5},
    "attachments": {"cni.dev/valid-attachments": [{"containerID": 5}]},
    "everything": {key: [{}] for key in ("cniVersion", "name", "type", "ipam", "runtimeConfig", "args", "prevResult",
                                         "dns", "logLevel", "logFile", "device", "deviceID", "bridge", "vlan")},
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("members", REFUSED.values(), ids=REFUSED)
def test_del_of_what_add_refused(pod: Space, name: str, members: dict[str, Any]) -> None:
    """The runtime sends DEL after an ADD that failed, again and again until it is 0: there is nothing to give back."""
    whole = conf(name, **{"device": "none0", "ipam": HOST_LOCAL, **members})
    with untouched(pod):
        added = call(name, "ADD", whole, pod.path)
        # An IPAM plugin has no use for some of the members.
        assert added.status == 1 or name in ("host-local", "static"), added
        outcome = call(name, "DEL", whole, pod.path)
    assert outcome.ok() == {}
    assert outcome.stdout == ""


@pytest.mark.parametrize("members", REFUSED.values(), ids=REFUSED)
def test_del_gives_back_whatever_the_configuration_says(
    attachment: Attachment, device: str, pod: Space, members: dict[str, Any]
) -> None:
    """The record knows the device; what could not be read is said."""
    before = HOST.settings(device)
    attachment.add()
    outcome = attachment.call("DEL", **{key: value if value is not None else {} for key, value in members.items()})
    assert outcome.ok() == {}
    assert "not read: " in outcome.stderr or not members.keys().isdisjoint(("runtimeConfig", "prevResult", "dns"))
    assert HOST.settings(device) == before
    assert disk.records() == []


def test_del_of_names_that_are_too_long(pod: Space, device: str) -> None:
    """ADD refuses names that no file could be called after, before anything is changed; DEL is content."""
    with untouched(pod):
        for name in NAMES:
            whole = conf(name, device=device, ipam=HOST_LOCAL)
            call(name, "ADD", {**whole, "name": "n" * 300}, pod.path).error(7)
            call(name, "ADD", whole, pod.path, CNI_CONTAINERID="c" * 300).error(4)
            call(name, "DEL", {**whole, "name": "n" * 300}, pod.path, CNI_CONTAINERID="c" * 300).ok()
    # The longest that are taken.
    longest = {"CNI_CONTAINERID": "c" * 128, "CNI_IFNAME": "i" * 15}
    whole = conf(device=device, ipam=HOST_LOCAL, name="n" * 253)
    call("host-device", "ADD", whole, pod.path, **longest).ok()
    call("host-device", "DEL", whole, pod.path, **longest).ok()
    assert HOST.link(device) is not None
    assert disk.records() == []


def test_longest_configuration(attachment: Attachment, device: str) -> None:
    """What ADD takes is not too long for CHECK and DEL when the result of ADD is in it."""
    size = len(json.dumps({**attachment.conf, "pad": ""}).encode())
    attachment.conf["pad"] = "x" * ((1 << 20) - size)
    before = HOST.settings(device)
    attachment.add()
    attachment.check().ok()
    valid: Any = {"cni.dev/valid-attachments": [{"containerID": attachment.container_id, "ifname": "net1"}]}
    attachment.call("GC", **valid).ok()
    attachment.delete(prevResult=attachment.result)
    assert HOST.settings(device) == before
    attachment.conf["pad"] += "x"
    assert "1048576" in attachment.call("ADD").error(6)["msg"]
    attachment.delete()


@pytest.mark.parametrize(
    "text",
    ['{"x":' * 250 + "1" + "}" * 250, "9" * 5000, "1e999", '"\\ud800"', "[" * 100_000 + "]" * 100_000],
    ids=["deep objects", "huge integer", "huge number", "half a surrogate pair", "deep lists"],
)
@pytest.mark.parametrize("name", NAMES)
def test_json_that_only_del_takes(attachment: Attachment, pod: Space, device: str, name: str, text: str) -> None:
    """It is JSON, though ADD can do nothing with it."""
    whole = json.dumps(conf(name, ipam=HOST_LOCAL, x="?")).replace('"?"', text).encode()
    call(name, "ADD", whole, pod.path).error(6)
    call(name, "DEL", whole, pod.path).ok()
    if name == "host-device":
        attachment.add()
        call(name, "DEL", whole, pod.path, CNI_CONTAINERID=attachment.container_id).ok()
        assert HOST.link(device) is not None


def test_del_without_a_name_keeps_off_the_stores(pod: Space) -> None:
    """The folder of all networks is not that of a network without a name: no lock, nothing released."""
    call("host-local", "ADD", conf("host-local", ipam=HOST_LOCAL)).ok()
    os.makedirs(f"{disk.NETWORKS}/10.9.9.9", exist_ok=True)
    Path(disk.NETWORKS, "10.9.9.8").write_text("c1\r\nnet1")
    before = disk.files(disk.NETWORKS)
    for name in NAMES:
        for network in (None, "", ".", "..", 5):
            call(name, "DEL", conf(name, name=network, ipam=HOST_LOCAL), pod.path).ok()
    assert disk.files(disk.NETWORKS) == before


# 3.6 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [{}, {"cni.dev/valid-attachments": None}, {"cni.dev/attachments": None}])
def test_gc_without_a_list(attachment: Attachment, device: str, pod: Space, members: dict[str, Any]) -> None:
    """It is no empty list: a pod that lives keeps its device."""
    attachment.conf["ipam"] = {"type": "static", "addresses": [{"address": "10.77.0.9/24"}]}
    attachment.add()
    with untouched(pod):
        attachment.call("GC", **members).ok()
    members = {"cni.dev/valid-attachments": []}
    attachment.call("GC", **members).ok()
    assert HOST.link(device) is not None
    for name in ("sriov", "accelerated-bridge", "static"):
        call(name, "GC", conf(name, **members)).ok()


# 4.2 ----------------------------------------------------------------------------------------------------------------

RESULT = {
    "cniVersion": "1.1.0",
    "ips": [{"address": "10.77.0.9/24"}, {"address": "fd77::9/64"}],
    "routes": [{"dst": "10.99.0.0/16"}],
}
IPAM_SCRIPT = """#!/bin/sh
echo "$CNI_COMMAND $(readlink /proc/self/ns/net)" >>{log}
cat >/dev/null
[ "$CNI_COMMAND" = ADD ] && echo '{result}'
exit 0
"""


@pytest.fixture
def script_ipam(tmp_path: Path) -> Path:
    """A folder with an IPAM plugin that notes, in `log`, each command and the namespace that it was executed in."""
    script = tmp_path / "noting"
    script.write_text(IPAM_SCRIPT.format(log=tmp_path / "log", result=json.dumps(RESULT)))
    script.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("ipam", ["host-local", "executed"])
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_told_to_end_in_the_pod(
    attachment: Attachment, device: str, pod: Space, script_ipam: Path, ipam: str, number: str
) -> None:
    """A signal at any entry to the pod's namespace, or exit, finds the undo on the host."""
    pod.without_dad()
    attachment.path = f"{script_ipam}:{DIST}"
    attachment.conf["ipam"] = DUAL_STACK if ipam == "host-local" else {"type": "noting"}
    before = HOST.settings(device)
    moves = faults.calls(attachment, "ADD", "setns")
    attachment.delete()
    assert len(moves) >= 6
    log, released = script_ipam / "log", 0
    for one in moves:
        log.unlink(missing_ok=True)
        outcome = faults.inject(attachment, "ADD", f"signal={number}", one)
        error = outcome.error(11)
        assert error["msg"] == f"ADD was terminated by {number}", (one, error)
        assert HOST.settings(device) == before, one
        assert pod.links() == []
        assert disk.records() == []
        assert disk.reserved("door") == {}
        if log.exists():
            released += 1
            lines = log.read_text().splitlines()
            assert lines[-1].startswith("DEL ")
            assert {line.split()[1] for line in lines} == {os.readlink("/proc/self/ns/net")}
    assert (released > 0) is (ipam == "executed")


def test_a_namespace_that_cannot_be_left_at_once(attachment: Attachment, pod: Space) -> None:
    """A refusal for want of memory passes; each entry to the pod ends on the host."""
    moves = faults.calls(attachment, "ADD", "setns")
    attachment.delete()
    assert len(moves) >= 4
    for one in moves[1::2]:
        faults.inject(attachment, "ADD", "error=ENOMEM", one).ok()
        attachment.delete()
    for one in moves[::2]:
        assert "cannot" in faults.inject(attachment, "ADD", "error=ENOMEM", one).error(5)["msg"]
        attachment.delete()


# 5.3 ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def var_log() -> Iterator[Path]:
    """An empty /var/log of the session's own."""
    net.run("mount", "-t", "tmpfs", "tmpfs", "/var/log")
    yield Path("/var/log")
    net.run("umount", "/var/log")


def logged_to(path: Path | str) -> Outcome:
    """Run a command that logs, to a file."""
    return call("host-device", "DEL", conf(logFile=str(path), logLevel="debug", args=5))


def test_log_file(var_log: Path) -> None:
    """A new file is made for its owner alone, and goes on with the next command; folders have to be there."""
    (var_log / "plugins").mkdir()
    path = var_log / "plugins" / "log"
    for count in (1, 2):
        assert logged_to(path).ok() == {}
        assert path.read_text().count("args: 5 is not allowed") == count
    assert path.stat().st_mode & 0o777 == 0o600
    assert "logFile" in logged_to(var_log / "none" / "log").stderr
    assert not (var_log / "none").exists()


def test_log_file_behind_a_link(var_log: Path, tmp_path: Path) -> None:
    """No link leads out of /var/log, nor to another file there."""
    (tmp_path / "elsewhere").mkdir()
    (var_log / "through").symlink_to(tmp_path / "elsewhere")
    (var_log / "link").symlink_to(tmp_path / "made")
    for path in ("through/log", "through/none/log", "link", "../../etc/x", "through/../x"):
        outcome = logged_to(f"/var/log/{path}")
        assert outcome.ok() == {}
        assert outcome.stderr.count("is not below /var/log/ as a log of plugins or a new file") == 1
        assert "args: 5 is not allowed" in outcome.stderr
    assert os.listdir(tmp_path / "elsewhere") == []
    assert not (tmp_path / "made").exists()


def test_log_files_of_others(var_log: Path) -> None:
    """They stay as they are, to the byte, and the message does not tell what is there."""
    contents = {
        "syslog": b"Jan 31 12:00:00 node sshd: said\n",
        "lastlog": b"",
        "wtmp": bytes(384),
        "journal": b"LPKSHHRH",
    }
    for name, content in contents.items():
        (var_log / name).write_bytes(content)
        (var_log / name).chmod(0o600)
    os.mkfifo(var_log / "pipe")
    (var_log / "folder").mkdir()
    said = set()
    for name in (*contents, "pipe", "folder", "folder/none/x"):
        outcome = logged_to(var_log / name)
        assert outcome.ok() == {}
        said.add(next(x for x in outcome.stderr.splitlines() if "logFile" in x).split(" ", 2)[2].replace(name, "..."))
    assert len(said) == 1
    assert {name: (var_log / name).read_bytes() for name in contents} == contents


# 6 ------------------------------------------------------------------------------------------------------------------


def assert_presentable(outcome: Outcome) -> None:
    """Assert that an error is short, and has nothing in it that a terminal would take for a command."""
    error = outcome.error()
    assert outcome.stdout.isascii()
    assert len(error["msg"]) <= 1024
    assert len(error.get("details", "")) <= 4096
    for text in (error["msg"], error.get("details", ""), *outcome.stderr.splitlines()):
        assert text.isprintable(), ascii(text)
        assert len(text) <= 6144
    assert "has a fault" not in error["msg"]


ODD = "\x1b[2J\n\u202e\u2066\x9b\x7f\0"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "members",
    [
        {"name": ODD},
        {"cniVersion": ODD},
        {"type": 5, **{f"{ODD}{'m' * 70_000}{number}": 1 for number in range(10)}},
        {"ipam": {"type": "no-such" + ODD.replace("\0", "") + "x" * 700_000}},
        {"ipam": {"type": "no-such" + "\x1b" * 200_000}},
        {"ipam": HOST_LOCAL, "runtimeConfig": {"deviceID": ODD + "x" * 700_000}},
        {"prevResult": [[["x"] * 1000] * 100]},
    ],
    ids=["name", "version", "members", "long type", "odd type", "device", "lists"],
)
def test_messages(pod: Space, name: str, members: dict[str, Any]) -> None:
    """Whatever is in a configuration, errors and log lines are short and printable."""
    for command in ("ADD", "CHECK", "DEL", "GC", "STATUS"):
        outcome = call(name, command, conf(name, **{"ipam": {"type": "none"}, **members}), pod.path)
        if outcome.status:
            assert_presentable(outcome)
        assert all(line.isprintable() and len(line) <= 6144 for line in outcome.stderr.splitlines())


def test_messages_of_ipam(attachment: Attachment, tmp_path: Path) -> None:
    """What an executed IPAM says is held to the same."""
    script = tmp_path / "loud"
    said = json.dumps({"code": 11, "msg": "busy" + ODD + "m" * 700_000, "details": ODD * 1000})
    (tmp_path / "said").write_text(said)
    script.write_text(
        '#!/bin/sh\n[ "$CNI_COMMAND" = ADD ] || exit 0\nprintf "\\033[2J%07000d\\n" 1 >&2\n'
        f"cat {tmp_path}/said; exit 1\n"
    )
    script.chmod(0o755)
    attachment.conf["ipam"] = {"type": "loud"}
    attachment.path = str(tmp_path)
    outcome = attachment.call("ADD")
    assert_presentable(outcome)
    assert outcome.json["code"] == 11
    assert outcome.json["msg"].startswith("busy\\x1b[2J\\n\\u202e")
    assert "undone: " in outcome.json["details"]


def peak_kib(run: Callable[[], object]) -> int:
    """Return the most memory that any process had which `run` waited for."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # of its own, so that no process of before counts
        try:
            run()
            os.write(writer, str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        said = told.read()
    os.waitpid(child, 0)
    assert said, "the run failed"
    return int(said)


@pytest.mark.parametrize("family", ["4", "6"])
def test_check_among_many_routes(attachment: Attachment, pod: Space, family: str) -> None:
    """A pod may have any number of routes and addresses; CHECK keeps what it looks for, and lists a few."""
    pod.without_dad()
    attachment.conf["ipam"] = DUAL_STACK
    attachment.add()
    numbers = range(30_000)
    if family == "4":
        routes = [f"route add 10.{100 + n // 65536}.{n // 256 % 256}.{n % 256}/32 dev net1" for n in numbers]
    else:
        pod.run("sysctl", "-qw", "net.ipv6.route.max_size=1000000")
        routes = [f"route add fd88::{n:x}/128 dev net1" for n in numbers]
    pod.batch(*routes)
    pod.batch(*(f"addr add 10.78.{n // 250}.{n % 250 + 1}/32 dev net1" for n in range(2000)))
    quiet = Attachment(attachment.conf, "quiet", net.new_space().path)
    base = peak_kib(lambda: quiet.call("STATUS").ok())
    assert peak_kib(lambda: attachment.check().ok()) < base + 8 * 1024
    destination = {"4": "10.99.0.0/16", "6": "fd99::/64"}[family]
    pod.ip(f"-{family}", "route", "del", destination, "dev", "net1")
    outcome = attachment.check()
    assert_presentable(outcome)
    assert f"route {destination}" in outcome.json["msg"]
    assert " more" in outcome.json["details"]
    pod.ip("addr", "del", "10.77.0.2/24", "dev", "net1")
    outcome = attachment.check()
    assert_presentable(outcome)
    assert "address 10.77.0.2/24 is missing" in outcome.json["msg"]
    assert " more" in outcome.json["details"]
    attachment.delete()


PCI = "0000:03:02.6"


@pytest.fixture
def bus() -> Iterator[Bus]:
    """A sysfs without devices."""
    made = Bus()
    yield made
    made.remove()


@pytest.mark.parametrize(
    ("path", "written"),
    [("a/" * 900 + "x", False), ("a/" * 9 + "x", False), ("a/" * 300_000 + "x", False),
     ("x" * 5000, False), ("a/" * 8 + "x", True), ("x", True)],
    ids=["900", "9", "300,000", "long name", "8", "0"],
)  # fmt: skip
def test_device_information_far_down(attachment: Attachment, bus: Bus, device: str, path: str, written: bool) -> None:
    """Folders that are made for it would never be removed."""
    bus.pci(PCI, device)
    folder = "/var/run/k8s.cni.cncf.io/devinfo/cni"
    shutil.rmtree(folder, ignore_errors=True)
    attachment.conf = conf(pciBusID=PCI, runtimeConfig={"CNIDeviceInfoFile": f"{folder}/{path}"})
    outcome = attachment.call("ADD")
    outcome.ok()
    assert os.path.isfile(f"{folder}/{path[:4000]}") is written
    assert ("device information" in outcome.stderr) is not written
    if path.count("/") > 8 or len(path) > 4000:
        assert not os.path.exists(folder)
    attachment.delete()


def test_many_folders(attachment: Attachment, device: str, pod: Space) -> None:
    """Each would be looked into: ADD refuses, DEL looks into the first of them."""
    attachment.path = ":".join(["/x"] * 40_000)
    outcome = attachment.call("ADD")
    assert_presentable(outcome)
    assert outcome.error(4)["msg"] == "CNI_PATH names 40000 folders; 256 is the limit"
    attachment.path = DIST
    attachment.add()
    attachment.path = ":".join([DIST] * 300)
    attachment.delete()
    assert HOST.link(device) is not None


@pytest.mark.parametrize("args", ["=" * 100_000, ";" * 100_000, "A" * 100_000, "K=V;" * 30_000, "\x1b=1"])
def test_long_arguments(attachment: Attachment, args: str) -> None:
    """Whatever is in CNI_ARGS: an error of few words where it is read, and DEL does not need it."""
    attachment.args = args
    outcome = attachment.call("ADD")
    assert_presentable(outcome)
    assert outcome.json["code"] == 4
    attachment.delete()


def test_log_lines_name_the_pod(attachment: Attachment) -> None:
    """Each line of an attachment has container, interface and pod."""
    attachment.conf["logLevel"] = "debug"
    attachment.args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-7;K8S_POD_UID=8f1c;X=1"
    said = attachment.call("ADD").stderr + attachment.call("DEL", args=5).stderr
    lines = said.splitlines()
    assert len(lines) >= 2
    assert all(f" [{attachment.container_id} net1 shop/web-7] " in line for line in lines), said


def test_closed_and_odd_streams(attachment: Attachment, tmp_path: Path) -> None:
    """A folder, a closed stream or a full disk for a standard stream: exit status 0 or 1, and no line of Python."""
    variables = plugin.environment("DEL", "c1", "/run/netns/none", "net1", path=DIST)
    for redirection in (
        "<&-",
        ">&-",
        "2>&-",
        "<&- >&- 2>&-",
        f"<{tmp_path}",
        ">/dev/full",
        "2>/dev/full",
        "0>/dev/null",
    ):
        for name in NAMES:
            script = f"echo '{json.dumps(conf(name))}' | \"$0\" {redirection}"
            done = subprocess.run(
                ["sh", "-c", script, plugin.binary(name)], env=variables, capture_output=True, timeout=60
            )
            assert done.returncode in (0, 1), (redirection, done)
            assert b"Traceback" not in done.stderr
            assert not done.stdout or json.loads(done.stdout)["code"]
