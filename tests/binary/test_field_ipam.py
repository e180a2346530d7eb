"""IPAM as it was attacked and used in the field, through the built executables.

| entry | test |
| --- | --- |
| 4.1 a chain of processes without end | `test_a_type_that_attaches_interfaces`, `test_a_chain_through_another_plugin`, `test_del_of_a_chain` |
| 4.1 what must go on working | `test_a_reference_plugin_executes_our_host_local` |
| 4.3 SIGCHLD ignored, no pidfd_open | `test_an_executed_plugin_under_difficulties` |
| 4.3 no process to be had | `test_no_process_for_the_executable` |
| 5.1 dataDir and name | `test_where_no_store_may_be` and those after it |
| 5.2 a store in which somebody else writes | `test_hostile_entries`, `test_a_lock_that_is_none` and those after it |
| 5.3 resolvConf | `test_resolv_conf_tells_nothing` and those after it |
| 6 quantity | `test_limits`, `test_an_answer_beyond_the_limits` |
| 7.1 an index of its own in the answer | `test_the_index_in_an_answer_means_nothing` |
| 7.3 /31, /127, /32, /128 | `test_a_link_of_two_addresses` |
| 7.4 unknown members | `test_unknown_members`, `test_known_members` |

3.3 and 3.6 are in tests/unit/ipam: the records and the door that they need are the plugins'.
"""  # noqa: E501

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni.protocol.limits import ADDRESSES, RANGE_SETS, RANGES, RESOLV_CONF_BYTES, ROUTES
from tests.support import disk, faults, net, node
from tests.support.net import HOST, Space
from tests.support.plugin import DIST, REFERENCE, Attachment, Outcome

NOT_IPAM = ("host-device", "sriov", "accelerated-bridge", "macvlan", "bridge")
SUBNET = "10.1.0.0/29"


def host_local(name: str = "field", container_id: str = "c1", version: str = "1.1.0", **ipam: Any) -> Attachment:
    """Return an attachment that calls host-local itself, as another plugin does."""
    ipam = {"type": "host-local", "subnet": SUBNET, **ipam}
    conf = {"cniVersion": version, "name": name, "type": "host-local", "ipam": ipam}
    return Attachment(conf, container_id, "/run/netns/pod")


def host_device(pod: Space, device: str, ipam: dict[str, Any], path: str | None = None, **top: Any) -> Attachment:
    """Return an attachment of a device with this IPAM."""
    conf = {"cniVersion": "1.1.0", "name": "field", "type": "host-device", "device": device, "ipam": ipam, **top}
    return Attachment(conf, "c1", pod.path, path=path)


def collected(*valid: str) -> dict[str, Any]:
    """Return what GC has on top of the configuration: the containers whose net1 is valid."""
    return {"cni.dev/valid-attachments": [{"containerID": one, "ifname": "net1"} for one in valid]}


def script(folder: Path, name: str, body: str) -> None:
    """Put an executable shell script into a folder of plugins."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A folder for plugins of the test's own."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    return folder


# 4.1: chains --------------------------------------------------------------------------------------------------------


def counted(folder: Path, name: str, target: str) -> Callable[[], list[str]]:
    """Put a plugin into a folder that executes another, at most five times in all; return what tells with which
    commands it was executed.
    """
    log = folder / f"{name}.log"
    script(
        folder, name,
        f'echo "$CNI_COMMAND" >> {log}\n'
        f'if [ "$(wc -l < {log})" -gt 5 ]; then echo \'{{"code": 99, "msg": "endless"}}\'; exit 1; fi\n'
        f"exec {target}",
    )  # fmt: skip
    return lambda: log.read_text().split() if log.exists() else []


@pytest.mark.parametrize("command", ["ADD", "CHECK", "STATUS", "GC", "DEL"])
@pytest.mark.parametrize("kind", NOT_IPAM)
def test_a_type_that_attaches_interfaces(pod: Space, device: str, plugins: Path, kind: str, command: str) -> None:
    """Code 7 that names type and reason, and nothing is executed; DEL has nothing to release."""
    folder = DIST if os.path.exists(f"{DIST}/{kind}") else REFERENCE
    executions = counted(plugins, kind, f"{folder}/{kind}")
    attached = host_device(pod, device, {"type": kind}, path=str(plugins))
    before = HOST.settings(device)
    top: dict[str, Any] = collected() if command == "GC" else {}
    if command == "CHECK":
        top = {"prevResult": {"cniVersion": "1.1.0", "interfaces": [{"name": "net1", "sandbox": pod.path}]}}
    outcome = attached.call(command, **top)
    if command == "DEL":
        outcome.ok()
        said = outcome.stderr
    else:
        error = outcome.error(7)
        said = f"{error['msg']}; {error['details']}"
    assert f'ipam.type: "{kind}" is not allowed; it must be an IPAM plugin' in said
    assert "without end" in said
    assert executions() == []
    assert HOST.settings(device) == before
    assert disk.records() == []


def test_a_chain_through_another_plugin(pod: Space, device: str, plugins: Path) -> None:
    """The plugin in between is executed once, and once more for the undo; the second of ours executes nothing."""
    executions = counted(plugins, "between", f"{DIST}/host-device")
    attached = host_device(pod, device, {"type": "between"}, path=str(plugins))
    before = HOST.settings(device)
    error = attached.call("ADD").error(7)
    assert 'ipam.type: "between" is not executed: this plugin was itself executed as an IPAM plugin' in error["msg"]
    assert executions() == ["ADD", "DEL"]
    assert HOST.settings(device) == before


@pytest.mark.parametrize("command", ["DEL", "GC", "STATUS"])
def test_del_of_a_chain(pod: Space, device: str, plugins: Path, command: str) -> None:
    executions = counted(plugins, "between", f"{DIST}/host-device")
    attached = host_device(pod, device, {"type": "between"}, path=str(plugins))
    attached.call(command, **(collected() if command == "GC" else {}))
    assert executions() == [command]


def test_a_reference_plugin_executes_our_host_local(pod: Space, device: str) -> None:
    """macvlan of the distribution with host-local of ours: the built-in types are no level of a chain."""
    HOST.ip("link", "set", device, "up")
    ipam = {"type": "host-local", "subnet": "10.1.0.0/24"}
    conf = {"cniVersion": "1.0.0", "name": "field", "type": "macvlan", "master": device, "ipam": ipam}
    attached = Attachment(conf, "c1", pod.path, folder=REFERENCE, path=f"{DIST}:{REFERENCE}")
    attached.add()
    assert pod.addresses("net1") == ["10.1.0.2/24"]
    attached.delete()
    assert disk.reserved("field") == {}


# 4.3: processes -----------------------------------------------------------------------------------------------------

DIFFICULTIES = {
    "SIGCHLD is ignored": ("env", "--ignore-signal=CHLD"),
    "no pidfd_open": ("strace", "-qq", "-o", "/dev/null", "-e", "inject=pidfd_open:error=ENOSYS"),
}


@pytest.mark.parametrize("prefix", DIFFICULTIES.values(), ids=list(DIFFICULTIES))
@pytest.mark.parametrize("leaves", [False, True], ids=["", "a process is left behind"])
def test_an_executed_plugin_under_difficulties(
    pod: Space, device: str, plugins: Path, prefix: tuple[str, ...], leaves: bool
) -> None:
    """Its end is noticed and its exit status known, also when another process holds its streams open."""
    left = f"sleep 30 & echo $! >> {plugins}/left\n" if leaves else ""
    script(plugins, "far", f'{left}echo \'{{"cniVersion": "1.1.0", "ips": [{{"address": "10.1.0.5/24"}}]}}\'')
    attached = host_device(pod, device, {"type": "far"}, path=str(plugins))
    attached.add(prefix=prefix)
    assert pod.addresses("net1") == ["10.1.0.5/24"]
    attached.call("CHECK", prevResult=attached.result, prefix=prefix).ok()
    script(plugins, "far", 'echo \'{"code": 123, "msg": "oh no"}\'; exit 1')
    assert attached.call("CHECK", prevResult=attached.result, prefix=prefix).error(123)["msg"] == "oh no"
    script(plugins, "far", "exit 0")
    attached.delete(prefix=prefix)
    for pid in (plugins / "left").read_text().split() if leaves else []:
        os.kill(int(pid), 9)


def test_no_process_for_the_executable(pod: Space, device: str, plugins: Path) -> None:
    """Neither a process nor a thread is to be had: try again later, and the device is on the host."""
    script(plugins, "far", "exit 0")
    attached = host_device(pod, device, {"type": "far"}, path=str(plugins))
    before = HOST.settings(device)
    prefix = faults.strace("execve", "clone,clone3,vfork,fork:error=EAGAIN")
    error = attached.call("ADD", prefix=prefix).error(11)
    assert f"cannot run {plugins}/far: Resource temporarily unavailable" in error["msg"]
    assert HOST.settings(device) == before
    attached.delete()
    assert disk.records() == []


# 5.1: where stores are ----------------------------------------------------------------------------------------------


def everything(*folders: str) -> dict[str, tuple[int, int]]:
    """Return all that is below some folders, with mode and size."""
    found = {}
    for folder in folders:
        for root, below, names in os.walk(folder):
            for name in below + names:
                status = os.lstat(os.path.join(root, name))
                size = status.st_size if stat.S_ISREG(status.st_mode) else 0
                found[os.path.join(root, name)] = (status.st_mode, size)
    return found


REFUSED_PLACES = {
    "etc": ("/etc/cni", "nologin"),
    "a state folder of ours": ("/var/lib/cni", "host-device"),
    "a state folder of ours that is there": ("/var/lib/cni/host-device", "x"),
    "results": ("/var/lib/cni", "results"),
    "the default folder itself": ("/var/lib/cni", "networks"),
    "an address of another network": ("/var/lib/cni/networks/cbr0", "10.1.0.5"),
    "a network in another's store": ("/var/lib/cni/networks/cbr0", "x"),
    "deep in another's store": ("/var/lib/cni/networks/cbr0/a/b", "x"),
    "an address of a network to come": ("/var/lib/cni/networks/later", "10.1.0.5"),
    "the lock of a network to come": ("/var/lib/cni/networks/later", "lock"),
    "below the lock of a network to come": ("/var/lib/cni/networks/later/lock", "x"),
    "the turn of a network to come": ("/var/lib/cni/networks/later", "last_reserved_ip.0"),
    "IPv6 spelled otherwise": ("/var/lib/cni/networks/later/fd00::0:1", "x"),
    "relative": ("networks", "x"),
    "dots": ("/var/lib/cni/networks/../../../../etc/cni", "x"),
    "dots inside": ("/var/lib/cni/networks/a/../b", "x"),
    "a neighbour by its beginning": ("/var/lib/cni/networks2", "x"),
    "through a link": ("/var/lib/cni/networks/out", "x"),
    "the network is a link": ("/var/lib/cni/networks", "way"),
    "elsewhere": ("/run", "x"),
}


@pytest.mark.parametrize(("data_dir", "name"), REFUSED_PLACES.values(), ids=list(REFUSED_PLACES))
def test_where_no_store_may_be(data_dir: str, name: str) -> None:
    """Code 7 that names field, value, and what is allowed; nothing is made. DEL and GC answer 0 and change nothing."""
    host_local("cbr0", "other").add()
    os.makedirs("/var/lib/cni/host-device")
    os.symlink("/etc/cni", "/var/lib/cni/networks/out")
    os.symlink("/etc/cni", "/var/lib/cni/networks/way")
    before = everything("/var/lib/cni", "/etc/cni", "/run")
    attached = host_local(name, dataDir=data_dir)
    for command in ("ADD", "STATUS"):
        error = attached.call(command).error(7)
        assert f'ipam.dataDir: "{data_dir}" is not allowed; it must be /var/lib/cni/networks' in error["msg"]
        assert "dataDirs in /etc/plumbline/node.json" in error["details"]
        assert everything("/var/lib/cni", "/etc/cni", "/run") == before
    for command in ("DEL", "GC"):
        outcome = attached.call(command, **collected())
        outcome.ok()
        assert "ipam.dataDir" in outcome.stderr
        assert everything("/var/lib/cni", "/etc/cni", "/run") == before
    attached.call("CHECK").error(7)
    os.rmdir("/var/lib/cni/host-device")


def test_no_store_there_with_a_device(pod: Space, device: str) -> None:
    """It is found out before anything is changed."""
    before = HOST.settings(device)
    attached = host_device(pod, device, {"type": "host-local", "subnet": SUBNET, "dataDir": "/etc/cni"})
    assert "ipam.dataDir" in attached.call("ADD").error(7)["msg"]
    assert HOST.settings(device) == before
    attached.delete()
    assert os.listdir("/etc/cni") == []


@pytest.mark.parametrize("data_dir", ["/var/lib/cni/networks", "/var/lib/cni/networks/", "/var/lib/cni/networks/t/u"])
def test_where_stores_may_be(data_dir: str) -> None:
    attached = host_local(dataDir=data_dir)
    attached.add()
    assert os.path.exists(f"{data_dir}/field/10.1.0.2")
    attached.delete()
    assert sorted(os.listdir(f"{data_dir}/field")) == ["last_reserved_ip.0", "lock"]


def test_an_administrator_lists_folders(tmp_path: Path) -> None:
    """Also one that is reached by a link; listing the folder of all state does not give that away."""
    (tmp_path / "link").symlink_to(tmp_path / "real")
    allowed, other = host_local(dataDir=str(tmp_path / "link")), host_local(dataDir=f"{tmp_path}/other")
    with node.configured(dataDirs=[f"{tmp_path}/real", "/var/lib/cni"]):
        allowed.add()
        assert (tmp_path / "real" / "field" / "10.1.0.2").exists()
        other.call("ADD").error(7)
        host_local("host-device", dataDir="/var/lib/cni").call("ADD").error(7)
        host_local("x", dataDir="/var/lib/cni/host-device").call("ADD").error(7)
        host_local("networks", dataDir="/var/lib/cni").call("ADD").error(7)
        host_local("mine", dataDir="/var/lib/cni").add()
        allowed.delete()
    assert sorted(path.name for path in (tmp_path / "real" / "field").iterdir()) == ["last_reserved_ip.0", "lock"]


@pytest.mark.parametrize("listed", [["/"], ["relative"], ["/a/../b"], ["//a"], "/a", [5], [""]])
def test_an_administrator_lists_nonsense(listed: Any) -> None:
    with node.configured(dataDirs=listed):
        assert "dataDirs" in host_local(dataDir="/srv").call("ADD").error(7)["msg"]


def test_a_store_of_the_reference_elsewhere(tmp_path: Path) -> None:
    """What it attached there is checked and released, nothing else is touched; a new ADD is refused."""
    mine, other = (host_local(container_id=c, version="1.0.0", dataDir=str(tmp_path)) for c in ("c1", "c2"))
    mine.add(folder=REFERENCE)
    other.add(folder=REFERENCE)
    (tmp_path / "field" / ".tmp-10.1.0.9-1").touch()
    mine.call("ADD").error(7)
    outcome = mine.check()
    outcome.ok()
    assert "ipam.dataDir" in outcome.stderr
    mine.delete()
    assert sorted(os.listdir(tmp_path / "field")) == [".tmp-10.1.0.9-1", "10.1.0.3", "last_reserved_ip.0", "lock"]
    outcome = mine.call("DEL")
    outcome.ok()
    assert "holds no address there" in outcome.stderr
    mine.check().error(7)


@pytest.mark.parametrize("lacks", ["lock", "owner", "regular file"])
def test_a_folder_that_is_no_store_elsewhere(tmp_path: Path, lacks: str) -> None:
    """Without a lock, with another's address, or with a link in its place, nothing is removed."""
    folder = tmp_path / "field"
    folder.mkdir()
    if lacks != "lock":
        (folder / "lock").touch()
    (tmp_path / "target").write_bytes(b"c1\r\nnet1")
    if lacks == "regular file":
        (folder / "10.1.0.2").symlink_to(tmp_path / "target")
    else:
        (folder / "10.1.0.2").write_bytes(b"c1\r\nnet1" if lacks == "lock" else b"c1\r\nnet2")
    before = everything(str(tmp_path))
    host_local(dataDir=str(tmp_path)).delete()
    assert everything(str(tmp_path)) == before


def test_del_with_a_data_dir_that_is_no_string() -> None:
    """ADD refuses it, so DEL has nothing to do."""
    wrong: Any
    for wrong in (5, [], {"a": 1}, True):
        host_local(dataDir=wrong).call("ADD").error(7)
        host_local(dataDir=wrong).delete()
    assert not os.path.exists("/var/lib/cni/networks")


# 5.2: hostile stores ------------------------------------------------------------------------------------------------


def put_fifo(path: str) -> None:
    os.mkfifo(path)


def put_link(path: str) -> None:
    target = f"/var/lib/cni/precious-{os.path.basename(path)}"
    Path(target).write_bytes(b"c1\r\nnet1")
    os.symlink(target, path)


def put_broken_link(path: str) -> None:
    os.symlink("/var/lib/cni/none", path)


def put_device(path: str) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # zero(4), which never ends


def put_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path)


def put_folder(path: str) -> None:
    os.mkdir(path)


HOSTILE = (put_fifo, put_link, put_broken_link, put_device, put_socket, put_folder)
STORE = "/var/lib/cni/networks/field"


@pytest.mark.parametrize("put", HOSTILE)
@pytest.mark.parametrize("name", ["10.1.0.2", "last_reserved_ip.0", ".tmp-10.1.0.2-4711", ".tmp-last_reserved_ip.0"])
def test_hostile_entries(name: str, put: Callable[[str], None]) -> None:
    """All commands end and work, links are not followed, and what is not a file of ours counts as taken."""
    os.makedirs(STORE)
    put(f"{STORE}/{name}")
    first = host_local()
    given = first.add()["ips"][0]["address"]
    assert given == ("10.1.0.3/29" if name == "10.1.0.2" else "10.1.0.2/29")
    first.check().ok()
    first.call("STATUS").ok()
    first.call("GC", **collected("c1")).ok()
    host_local(container_id="c2").add()
    first.delete()
    first.delete()
    for target in ("precious-10.1.0.2", "precious-last_reserved_ip.0"):
        if os.path.exists(f"/var/lib/cni/{target}"):
            assert Path(f"/var/lib/cni/{target}").read_bytes() == b"c1\r\nnet1"
            assert os.listxattr(f"/var/lib/cni/{target}") == []
    assert not os.path.exists("/var/lib/cni/none")
    if name == "10.1.0.2":
        assert os.path.lexists(f"{STORE}/{name}")


@pytest.mark.parametrize("put", HOSTILE)
def test_hostile_entries_when_all_is_taken(put: Callable[[str], None]) -> None:
    """They are not taken for files of a dead pod, which may be used when nothing else is free."""
    os.makedirs(STORE)
    put(f"{STORE}/10.1.0.2")
    only = {"rangeStart": "10.1.0.2", "rangeEnd": "10.1.0.2"}
    assert "no IP addresses available" in host_local(**only).call("ADD").error(999)["msg"]
    assert "no IP addresses available" in host_local(**only).call("STATUS").error(50)["msg"]
    assert os.path.lexists(f"{STORE}/10.1.0.2")


@pytest.mark.parametrize("put", HOSTILE)
@pytest.mark.parametrize("command", ["ADD", "DEL", "GC"])
def test_a_lock_that_is_none(put: Callable[[str], None], command: str) -> None:
    """Code 5 at once, naming the file."""
    os.makedirs(STORE)
    put(f"{STORE}/lock")
    before = everything("/var/lib/cni")
    top: dict[str, Any] = collected() if command == "GC" else {}
    error = host_local().call(command, **top).error(5)
    assert f"{STORE}/lock" in error["msg"]
    assert "not a regular file" in error["msg"]
    assert everything("/var/lib/cni") == before


def test_only_temporary_files_of_our_own_form_are_removed() -> None:
    os.makedirs(STORE)
    ours = [".tmp-10.1.0.2-4711", ".tmp-fd00::2-1", ".tmp-last_reserved_ip.0", ".tmp-last_reserved_ip.17"]
    others = [
        ".tmp-", ".tmp-mine", ".tmp-10.1.0.2", ".tmp-10.1.0.2-", ".tmp-10.1.0.2-x", ".tmp-x-1", ".tmp-10.1.0.300-1",
        ".tmp-last_reserved_ip.", ".tmp-last_reserved_ip.x", ".tmpfile", ".other",
    ]  # fmt: skip
    for name in ours + others:
        Path(f"{STORE}/{name}").write_text("x")
    host_local().add()
    left = [name for name in os.listdir(STORE) if name.startswith(".")]
    assert sorted(left) == sorted(others)


def test_nothing_but_regular_files_is_opened(tmp_path: Path) -> None:
    """To open some devices does something: a watchdog begins to count. strace tells what was opened, and how."""
    os.makedirs(STORE)
    for put in HOSTILE:
        put(f"{STORE}/10.1.0.{2 + HOSTILE.index(put)}")
    put_device(f"{STORE}/last_reserved_ip.0")
    put_fifo(f"{STORE}/10.1.0.9")
    trace = tmp_path / "trace"
    prefix = faults.strace("open,openat", log=str(trace))
    ipam = {"subnet": "10.1.0.0/28"}
    host_local(**ipam).call("ADD", prefix=prefix).ok()
    opened = [line for line in trace.read_text().splitlines() if "ENOENT" not in line]
    assert [line for line in opened if "10.1.0.8" in line] != []  # the one that was free
    assert [line for line in opened for n in (2, 3, 4, 5, 6, 7, 9) if f'10.1.0.{n}"' in line] == []
    assert [line for line in opened if 'last_reserved_ip.0"' in line and ".tmp-" not in line] == []


# 5.3: resolvConf ----------------------------------------------------------------------------------------------------


def refusal(path: str) -> str:
    """Return what is said of a resolvConf, without its path."""
    error = host_local(resolvConf=path).call("ADD").error(7)
    text = json.dumps([error["code"], error["msg"], error.get("details", "")])
    assert path in text
    return text.replace(path, "PATH", 1)


def test_resolv_conf_tells_nothing(tmp_path: Path) -> None:
    """One and the same message, whatever there is; and nothing is opened to find out."""
    (tmp_path / "resolv.conf").write_text("nameserver 10.0.0.53\n")
    (tmp_path / "shut").mkdir(mode=0)
    for put in HOSTILE:
        put(f"/etc/cni/{put.__name__}-resolv.conf")
    Path("/etc/cni/huge-resolv.conf").write_text("nameserver 10.0.0.53\n" * RESOLV_CONF_BYTES)
    os.symlink(tmp_path / "resolv.conf", "/etc/cni/out-resolv.conf")
    os.symlink(tmp_path, "/etc/cni/out")
    os.symlink("loop-resolv.conf", "/etc/cni/loop-resolv.conf")
    paths = [
        str(tmp_path / "resolv.conf"), str(tmp_path / "none"), str(tmp_path / "resolv.conf" / "x"), str(tmp_path),
        "/etc/passwd", "/etc/none", "/etc/shadow", "/etc", "/proc/self/environ", "/dev/zero", "/root/.ssh/none",
        "resolv.conf", "/etc/../etc/passwd", f"/etc/cni/../../{tmp_path}/resolv.conf", "/etc/cni/out-resolv.conf",
        "/etc/cni/out/resolv.conf", "/etc/cni/loop-resolv.conf", "/etc/cni/huge-resolv.conf",
        *(f"/etc/cni/{put.__name__}-resolv.conf" for put in HOSTILE),
    ]  # fmt: skip
    try:
        said = {path: refusal(path) for path in paths if len(path) < 70}
        assert len(said) > 15
        assert len(set(said.values())) == 1, said
        assert "/run/systemd/resolve" in next(iter(said.values()))
        assert not os.path.exists("/var/lib/cni/networks")
        trace = tmp_path / "trace"
        prefix = faults.strace("open,openat", log=str(trace))
        for path in ("/dev/zero", "/etc/cni/put_fifo-resolv.conf", "/etc/cni/put_device-resolv.conf", "/etc/passwd"):
            host_local(resolvConf=path).call("ADD", prefix=prefix).error(7)
            looked = [line for line in trace.read_text().splitlines() if f'"{path}"' in line]
            assert [line for line in looked if "O_PATH" not in line] == []
    finally:
        for name in os.listdir("/etc/cni"):
            path = f"/etc/cni/{name}"
            os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


def test_resolv_conf_as_distributions_have_it(tmp_path: Path) -> None:
    """A file below /etc, and a link to systemd-resolved's; an administrator may list more folders."""
    text = "# ours\nnameserver 10.0.0.53\nsearch a.example b.example\noptions ndots:5\n"
    dns = {"nameservers": ["10.0.0.53"], "search": ["a.example", "b.example"], "options": ["ndots:5"]}
    os.makedirs("/run/systemd/resolve", exist_ok=True)
    Path("/run/systemd/resolve/resolv.conf").write_text(text)
    Path("/etc/cni/dns").write_text(text)
    Path("/etc/cni/empty-resolv.conf").write_text("")
    os.symlink("../../run/systemd/resolve/resolv.conf", "/etc/cni/resolv.conf")
    (tmp_path / "resolv.conf").write_text(text)
    try:
        for path in ("/etc/cni/resolv.conf", "/etc/cni/dns", "/run/systemd/resolve/resolv.conf"):
            one = host_local(resolvConf=path)
            assert one.add()["dns"] == dns
            one.call("STATUS").ok()
            one.delete()
        one = host_local(resolvConf="/etc/cni/empty-resolv.conf")
        assert one.add()["dns"] == {}
        one.delete()
        listed = host_local(resolvConf=str(tmp_path / "resolv.conf"))
        listed.call("ADD").error(7)
        with node.configured(resolvConfDirs=[str(tmp_path)]):
            assert listed.add()["dns"] == dns
    finally:
        for path in ("/etc/cni/resolv.conf", "/etc/cni/dns", "/etc/cni/empty-resolv.conf"):
            os.unlink(path)


# 6: quantity --------------------------------------------------------------------------------------------------------


def many_sets(number: int) -> list[list[dict[str, str]]]:
    """Return range sets that do not overlap."""
    return [[{"subnet": f"10.{n >> 6 & 255}.{n & 63}.0/24"}] for n in range(number)]


def slices_of_a_subnet() -> list[list[dict[str, str]]]:
    """Return 253 sets of one address each, which are all that a /24 has to give."""
    return [[{"subnet": "10.1.0.0/24", "rangeStart": f"10.1.0.{n}", "rangeEnd": f"10.1.0.{n}"}] for n in range(2, 255)]


def static(**ipam: Any) -> Attachment:
    conf = {"cniVersion": "1.1.0", "name": "field", "type": "static", "ipam": {"type": "static", **ipam}}
    return Attachment(conf, "c1", "/run/netns/pod")


def addresses(number: int) -> list[dict[str, str]]:
    return [{"address": f"10.1.{n >> 8}.{n & 255}/16"} for n in range(number)]


def names(number: int) -> list[str]:
    return [f"10.1.{n >> 8}.{n & 255}/16" for n in range(number)]


ROUTE = {"dst": "0.0.0.0/0"}

TOO_MUCH: dict[str, tuple[Callable[[], Attachment], str, int]] = {
    "range sets": (lambda: host_local(ranges=many_sets(6000), subnet=None), "ipam.ranges", RANGE_SETS),
    "a whole subnet": (lambda: host_local(ranges=slices_of_a_subnet(), subnet=None), "ipam.ranges", RANGE_SETS),
    "one set more": (lambda: host_local(ranges=many_sets(RANGE_SETS + 1), subnet=None), "ipam.ranges", RANGE_SETS),
    "one set more by subnet": (lambda: host_local(ranges=many_sets(RANGE_SETS)), "ipam.subnet", RANGE_SETS),
    "ranges": (
        lambda: host_local(ranges=[[one[0] for one in many_sets(RANGES + 1)]], subnet=None), "ipam.ranges[0]", RANGES,
    ),
    "routes": (lambda: host_local(routes=[ROUTE] * (ROUTES + 1)), "ipam.routes", ROUTES),
    "static addresses": (lambda: static(addresses=addresses(ADDRESSES + 1)), "ipam.addresses", ADDRESSES),
    "static routes": (
        lambda: static(addresses=addresses(1), routes=[ROUTE] * (ROUTES + 1)), "ipam.routes", ROUTES,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "field", "limit"), TOO_MUCH.values(), ids=list(TOO_MUCH))
def test_limits(make: Callable[[], Attachment], field: str, limit: int) -> None:
    """Code 7 that names field and limit; nothing is taken, and DEL answers 0."""
    attached = make()
    for command in ("ADD", "STATUS"):
        msg = attached.call(command).error(7)["msg"]
        assert field in msg
        assert f"the limit is {limit}" in msg
    attached.delete()
    assert not os.path.exists("/var/lib/cni/networks")


@pytest.mark.parametrize(
    ("top", "field"),
    [
        pytest.param({"runtimeConfig": {"ips": names(ADDRESSES + 1)}}, "runtimeConfig.ips", id="runtime"),
        pytest.param({"args": {"cni": {"ips": names(ADDRESSES + 1)}}}, "args.cni.ips", id="args"),
    ],
)
@pytest.mark.parametrize("make", [host_local, static])
def test_limits_of_what_is_asked_for(make: Callable[[], Attachment], top: dict[str, Any], field: str) -> None:
    assert (
        f"{field}: {ADDRESSES + 1} entries are not allowed; the limit is {ADDRESSES}"
        in (make().call("ADD", **top).error(7)["msg"])
    )


def test_limits_of_cni_args() -> None:
    attached = static()
    attached.args = f"IP={','.join(names(ADDRESSES + 1))}"
    assert f"the limit is {ADDRESSES}" in attached.call("ADD").error(4)["msg"]


def test_what_the_limits_allow() -> None:
    """As many sets and ranges as there may be; the last of all ranges overlaps none."""
    full = [
        [{"subnet": f"10.{s}.{r}.0/30"} for r in range(RANGES)] for s in range(1, RANGE_SETS)
    ]  # fmt: skip
    attached = host_local(ranges=[*full, [{"subnet": "10.99.0.0/24"}]], subnet=None)
    assert len(attached.add()["ips"]) == RANGE_SETS
    attached.check().ok()
    attached.delete()
    assert len(static(addresses=addresses(ADDRESSES), routes=[ROUTE] * ROUTES).add()["ips"]) == ADDRESSES


ANSWERS = {
    "ips": {"ips": addresses(ADDRESSES + 1)},
    "routes": {"ips": addresses(1), "routes": [ROUTE] * (ROUTES + 1)},
    "interfaces": {"ips": addresses(1), "interfaces": [{"name": "x"}] * 1000},
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_an_answer_beyond_the_limits(pod: Space, device: str, plugins: Path, answer: dict[str, Any]) -> None:
    """IPAM's own answer has limits, too; the device comes back, and IPAM is told."""
    (plugins / "answer").write_text(json.dumps({"cniVersion": "1.1.0", **answer}))
    script(plugins, "far", f"echo $CNI_COMMAND >> {plugins}/log; [ $CNI_COMMAND = DEL ] || cat {plugins}/answer")
    before = HOST.settings(device)
    error = host_device(pod, device, {"type": "far"}, path=str(plugins)).call("ADD").error(6)
    assert "cannot understand the result of IPAM plugin far" in error["msg"]
    assert "the limit is" in error["msg"]
    assert (plugins / "log").read_text().split() == ["ADD", "DEL"]
    assert HOST.settings(device) == before


# 7: results ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 1, 7, -1])
def test_the_index_in_an_answer_means_nothing(pod: Space, device: str, plugins: Path, index: int) -> None:
    """The address is on the link, and the result says of which interface, as with the reference plugin."""
    answer = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "bridge"}, {"name": "its own"}],
        "ips": [{"address": "10.1.0.5/24", "interface": index}, {"address": "10.1.0.6/24"}],
    }
    script(plugins, "far", f"[ $CNI_COMMAND = DEL ] || echo '{json.dumps(answer)}'")
    ours = host_device(pod, device, {"type": "far"}, path=str(plugins), cniVersion="1.0.0")
    result = ours.add()
    assert pod.addresses("net1") == ["10.1.0.5/24", "10.1.0.6/24"]
    assert [one["interface"] for one in result["ips"]] == [0, 0]
    ours.check().ok()
    ours.delete()


@pytest.mark.parametrize(
    ("subnet", "peer", "given"),
    [("10.1.0.0/31", "10.1.0.0/31", "10.1.0.1/31"), ("fd00:1::/127", "fd00:1::/127", "fd00:1::1/127")],
)
def test_a_link_of_two_addresses(make_pod: Callable[[], Space], subnet: str, peer: str, given: str) -> None:
    """The other end has one address, the pod the other; routes without a gateway are on-link."""
    pod, far = make_pod(), make_pod()
    far.without_dad()
    pod.without_dad()
    device, other = net.new_device(peer_space=far)
    far.ip("addr", "add", peer, "dev", other)
    family = "-6" if ":" in subnet else "-4"
    network = "fd00:9::/64" if ":" in subnet else "10.9.0.0/16"
    ipam = {"type": "host-local", "subnet": subnet, "rangeStart": given.split("/")[0], "routes": [{"dst": network}]}
    attached = host_device(pod, device, ipam)
    attached.call("STATUS").ok()
    result = attached.add()
    assert result["ips"] == [{"address": given, "interface": 0}]
    assert result["routes"] == [{"dst": network}]
    assert pod.addresses("net1") == [given]
    (route,) = (one for one in pod.routes("net1", family) if one["dst"] == network)
    assert "gateway" not in route
    pod.run("ping", "-c", "1", "-W", "5", peer.split("/")[0])
    attached.check().ok()
    assert "no IP addresses available" in attached.call("STATUS").error(50)["msg"]
    attached.delete()
    assert disk.reserved("field") == {}
    net.delete_device(device)


def test_requested_from_a_pool_of_one() -> None:
    """Also at its gateway, which is in no pool then."""
    one = host_local(subnet="10.1.0.7/32")
    one.args = "IP=10.1.0.7"
    assert one.add()["ips"] == [{"address": "10.1.0.7/32"}]
    one.delete()
    pair = host_local(subnet="10.1.0.0/31", gateway="10.1.0.0")
    pair.args = "IP=10.1.0.0"
    assert "requested ip 10.1.0.0 is subnet's gateway" in pair.call("ADD").error(7)["msg"]
    pair.args = None
    assert pair.add()["ips"] == [{"address": "10.1.0.1/31", "gateway": "10.1.0.0"}]


def warnings(outcome: Outcome) -> list[str]:
    outcome.ok()
    return [line for line in outcome.stderr.splitlines() if " warning " in line]


UNKNOWN: dict[str, tuple[Callable[[], Attachment], str, str]] = {
    "other order": (
        lambda: host_local(startRange="10.1.0.3"), 'member "startRange" in ipam', "did you mean rangeStart?",
    ),
    "letter": (lambda: host_local(rangestat="10.1.0.3"), 'member "rangestat" in ipam', "did you mean rangeStart?"),
    "in a range": (
        lambda: host_local(ranges=[[{"subnet": "10.2.0.0/24", "range_end": "10.2.0.9"}]]),
        'member "range_end" in ipam.ranges[0][0]', "did you mean rangeEnd?",
    ),
    "in a route": (
        lambda: host_local(routes=[{"dst": "10.9.0.0/16", "gateway": "10.1.0.5"}]),
        'member "gateway" in ipam.routes[0]', "known are dst, gw, mtu",
    ),
    "in an address": (
        lambda: static(addresses=[{"address": "10.1.0.5/24", "gatway": "10.1.0.1"}]),
        'member "gatway" in ipam.addresses[0]', "did you mean gateway?",
    ),
    "in dns": (
        lambda: static(addresses=addresses(1), dns={"nameserver": ["10.0.0.53"]}),
        'member "nameserver" in ipam.dns', "did you mean nameservers?",
    ),
    "nothing like it": (lambda: host_local(x="y"), 'member "x" in ipam', "known are type, name, ranges"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "member", "hint"), UNKNOWN.values(), ids=list(UNKNOWN))
@pytest.mark.parametrize("command", ["ADD", "STATUS"])
def test_unknown_members(make: Callable[[], Attachment], member: str, hint: str, command: str) -> None:
    (line,) = warnings(make().call(command))
    assert f"{member} is not known and has no effect" in line
    assert hint in line


def test_known_members() -> None:
    """Nothing is said of what the reference types know, in whatever case."""
    known: dict[str, Any] = {
        "name": "field", "Gateway": "10.1.0.1", "RANGES": [], "dataDir": "", "resolvConf": "", "addresses": [],
        "dns": {}, "daemonSocketPath": "", "request": [], "provide": [],
        "routes": [{"dst": "10.9.0.0/16", "gw": "10.1.0.1", "mtu": 1400, "advmss": 1, "priority": 1, "table": 1,
                    "scope": 0}],
    }  # fmt: skip
    assert warnings(host_local(**known).call("ADD")) == []


def test_many_unknown_members() -> None:
    """Some are named, the rest is counted, and long names are cut."""
    unknown: dict[str, Any] = {f"{n}{'x' * 500}": n for n in range(300)}
    lines = warnings(host_local(**unknown).call("ADD"))
    assert len(lines) < 20
    assert max(map(len, lines)) < 500
    assert "more members" in lines[-1]
