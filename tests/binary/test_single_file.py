"""The single file: runs wherever it is put, unpacks once, trusts nothing that it did not write, leaves no litter."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.pack import pack
from tests.support import net
from tests.support.net import Space
from tests.support.plugin import DIST, REPOSITORY, Attachment, binary, environment

ROOT = "/run/plumbline"
NOBODY = 65534
NAMES = ("host-device", "host-local", "static")
CHANGES = "mkdir,mkdirat,openat,write,fchmod,utimensat,fsync,renameat,unlinkat,flock"
"""The calls that the launcher changes files with."""


@pytest.fixture(autouse=True, scope="module")
def _private_places() -> Iterator[None]:
    """The places to unpack to are private ones; /run is in the whole session, and nothing here gets as far as /tmp."""
    for place in ("/var/lib", "/dev/shm"):
        net.run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", place)
    os.mkdir("/var/lib/cni")
    yield
    for place in ("/var/lib", "/dev/shm"):
        net.run("umount", place)


@pytest.fixture(autouse=True)
def _nothing_unpacked() -> Iterator[None]:
    """Every test starts and ends like a machine on which nothing was ever unpacked."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    for place in ("/run", "/var/lib", "/dev/shm"):
        for entry in os.listdir(place):
            if entry.startswith("plumbline"):
                shutil.rmtree(os.path.join(place, entry))


def version(program: str = "", setup: str = ":") -> subprocess.CompletedProcess[str]:
    """Run VERSION in a mount namespace of its own, after a shell command that prepares it."""
    script = f'{setup} && exec "$0"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, program or binary("host-device")],
        env={**environment("VERSION"), "CNI_PATH": "/x"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def works(done: subprocess.CompletedProcess[str]) -> bool:
    """Return whether the run gave a VERSION reply and nothing else."""
    return done.returncode == 0 and "supportedVersions" in json.loads(done.stdout) and done.stderr == ""


def unpacked(root: str = ROOT) -> list[str]:
    """Return what lies in the root beside the lock."""
    return sorted(entry for entry in os.listdir(root) if entry != "lock")


def make_old(*names: str) -> None:
    """Make unpacked versions an hour older: only what was unpacked a while ago may be swept."""
    hour_ago = time.time() - 3600
    for name in names:
        os.utime(os.path.join(ROOT, name), (hour_ago, hour_ago))


def another_version(tmp_path: Path, content: str = "another") -> str:
    """Build a host-device that differs in one file that nothing reads, and so in its digest."""
    folder = tmp_path / content
    shutil.copytree(os.path.join(REPOSITORY, "build", "folders", "host-device"), folder)
    (folder / "README").write_text(content)
    target = str(tmp_path / f"bin-{content}" / "host-device")
    pack(str(folder), "host-device", target)
    return target


@pytest.mark.parametrize("name", NAMES)
def test_is_one_file(name: str) -> None:
    """A single static executable of at most 8 MB; the program behind it is not seen by the loader."""
    path = binary(name)
    assert os.path.getsize(path) <= 8_000_000
    described = net.run("readelf", "-l", path)
    assert "INTERP" not in described


@pytest.mark.parametrize("name", NAMES)
def test_without_python(name: str, tmp_path: Path) -> None:
    """On a machine that has the C library and nothing else: no Python, no shell, no other library."""
    machine = tmp_path / "machine"
    assert works(version(binary(name)))  # to see what it links to
    program = os.path.join(ROOT, unpacked()[0], name)
    folder = os.path.dirname(program)
    shared = [program, *(os.path.join(folder, file) for file in os.listdir(folder) if ".so" in file)]
    libraries = set()
    for path in shared:
        libraries |= set(re.findall(r"(/\S+)(?: \(0x)", net.run("ldd", path, env={"LD_LIBRARY_PATH": folder})))
    needed = {path for path in libraries if not path.startswith(ROOT)}
    assert {os.path.basename(path).split(".")[0].split("-")[0] for path in needed} <= {
        "ld", "libc", "libdl", "libm", "libpthread",
    }  # fmt: skip
    for path in [*needed, binary(name)]:
        target = machine / (path.lstrip("/") if path in needed else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for place in ("proc", "run", "var/lib"):
        (machine / place).mkdir(parents=True)
    _forget()
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", f"mount -t proc proc {machine}/proc; exec chroot {machine} /{name}"],
        env=environment("VERSION"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert works(done), done
    assert len(unpacked(str(machine / "run/plumbline"))) == 1


@pytest.mark.parametrize(
    ("noexec", "expected"),
    [
        pytest.param([], "/run/plumbline", id="everywhere"),
        pytest.param(["/tmp"], "/run/plumbline", id="not in tmp"),
        pytest.param(["/tmp", "/run"], "/var/lib/plumbline", id="not in tmp and run"),
        pytest.param(["/tmp", "/run", "/var/lib"], "/dev/shm/plumbline", id="only in shm"),
        pytest.param(["/run", "/var/lib", "/dev/shm"], "/tmp/plumbline", id="only in tmp"),
        pytest.param(["/tmp", "/run", "/var/lib", "/dev/shm"], "/opt/cni/.plumbline", id="only beside the binary"),
    ],
)
def test_noexec(noexec: list[str], expected: str) -> None:
    """It starts from the first place that allows execution, and unpacks nothing in the others."""
    places = ["/run", "/var/lib", "/dev/shm", "/tmp"]
    mounts = "; ".join(f"mount -t tmpfs -o {'noexec' if place in noexec else 'exec'} tmpfs {place}" for place in places)
    script = f"""mount -t tmpfs tmpfs /opt/cni; cp "$0" /opt/cni/host-device; {mounts}; /opt/cni/host-device
                 find {" ".join(places)} /opt/cni -name 'host-device-*' >&2"""
    done = subprocess.run(["unshare", "--mount", "sh", "-ec", script, binary("host-device")],
                          env=environment("VERSION"), capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done
    assert "supportedVersions" in done.stdout
    assert [os.path.dirname(found) for found in done.stderr.split()] == [expected]


def test_later_runs_write_nothing() -> None:
    """Only the first run unpacks."""
    assert works(version())
    before = {
        path: os.stat(path).st_ctime_ns for d, _, names in os.walk(ROOT) for path in (os.path.join(d, n) for n in names)
    }
    assert works(version())
    after = {
        path: os.stat(path).st_ctime_ns for d, _, names in os.walk(ROOT) for path in (os.path.join(d, n) for n in names)
    }
    assert after == before


def test_fifty_first_runs_at_once() -> None:
    """One of them unpacks, all of them work."""
    started = [
        subprocess.Popen([binary("host-device")], env=environment("VERSION"), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(50)
    ]  # fmt: skip
    for process in started:
        stdout, stderr = process.communicate(timeout=120)
        assert (process.returncode, stderr) == (0, "")
        assert "supportedVersions" in stdout
    assert len(unpacked()) == 1


def _first_run_calls(trace: str) -> list[str]:
    """Return the names of the calls that a first run changes files with, until it becomes the program."""
    done = subprocess.run(
        ["strace", "-qq", "-o", trace, "-e", f"trace=execve,{CHANGES}", binary("host-device")],
        env=environment("VERSION"), stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0
    with open(trace) as file:
        names = [line.partition("(")[0] for line in file]
    assert names.count("execve") == 2  # of the launcher and of the program: PyInstaller's loader adds no third
    return names[1 : names.index("execve", 1)]


@pytest.mark.parametrize("before", ["nothing", "a damaged folder"])
def test_killed_while_unpacking(before: str, tmp_path: Path) -> None:
    """SIGKILL at every call that changes a file: the next run works, and nothing is left but what it unpacked."""

    def prepare() -> None:
        _forget()
        if before == "a damaged folder":
            assert works(version())
            _truncate(os.path.join(ROOT, unpacked()[0]))

    prepare()
    calls = _first_run_calls(str(tmp_path / "trace"))
    assert {"write", "openat", "renameat", "flock"} <= set(calls)
    for number, call in enumerate(calls):
        prepare()
        nth = calls[: number + 1].count(call)
        injection = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}"]
        killed = subprocess.run(
            ["strace", "-qq", "-o", "/dev/null", *injection, binary("host-device")],
            env=environment("VERSION"), stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        assert (killed.returncode, killed.stdout) == (-9, b""), (call, nth)
        assert works(version()), (call, nth)
        assert [entry.rpartition("-")[0] for entry in unpacked()] == ["host-device"], (call, nth)


def _truncate(folder: str) -> None:
    os.truncate(os.path.join(folder, "base_library.zip"), 1000)


def _change(folder: str) -> None:
    path = os.path.join(folder, "host-device")
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.write(b"#!/bin/sh\necho foreign; exit 0\n")
    assert os.path.getsize(path) == size


def _remove(folder: str) -> None:
    os.unlink(os.path.join(folder, "base_library.zip"))


def _give_away(folder: str) -> None:
    os.chown(os.path.join(folder, "host-device"), NOBODY, NOBODY)


def _open_to_all(folder: str) -> None:
    os.chmod(folder, 0o777)


def _replace_by_link(folder: str) -> None:
    os.rename(folder, f"{folder}-aside")
    os.symlink(f"{folder}-aside", folder)


@pytest.mark.parametrize("damage", [_truncate, _change, _remove, _give_away, _open_to_all, _replace_by_link])
def test_damaged_or_foreign_folder(damage: object) -> None:
    """It is replaced, not run."""
    assert callable(damage)
    assert works(version())
    folder = os.path.join(ROOT, unpacked()[0])
    damage(folder)
    done = version()
    assert works(done), done
    assert not os.path.islink(folder)
    assert os.stat(folder).st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["open to others", "owned by another", "a link", "a file"])
def test_foreign_root(kind: str, tmp_path: Path) -> None:
    """A place that others could have prepared is not used at all."""
    if kind == "a link":
        os.symlink(tmp_path, ROOT)
    elif kind == "a file":
        Path(ROOT).write_text("")
    else:
        os.mkdir(ROOT)
        os.chmod(ROOT, 0o777 if kind == "open to others" else 0o700)
        os.chown(ROOT, NOBODY if kind == "owned by another" else 0, 0)
    try:
        assert works(version())
        assert len(unpacked("/var/lib/plumbline")) == 1
        assert list(tmp_path.iterdir()) == []
    finally:
        if os.path.islink(ROOT) or os.path.isfile(ROOT):
            os.unlink(ROOT)


def test_upgrade_sweeps_the_old_version(tmp_path: Path) -> None:
    """The first run of another version removes the folder of one that nobody runs, and downgrading works just so."""
    assert works(version())
    old = unpacked()
    make_old(*old)
    other = another_version(tmp_path)
    assert works(version(other))
    assert len(unpacked()) == 1
    assert unpacked() != old
    make_old(*unpacked())
    assert works(version())
    assert unpacked() == old


def test_two_versions_by_turns(tmp_path: Path) -> None:
    """They do not sweep each other away at every turn, even if one was old when the other came."""
    other = another_version(tmp_path)
    assert works(version())
    make_old(*unpacked())
    assert works(version(other))
    assert works(version())
    inodes = {name: os.stat(os.path.join(ROOT, name)).st_ino for name in unpacked()}
    assert len(inodes) == 2
    for _ in range(3):
        assert works(version(other))
        assert works(version())
    assert {name: os.stat(os.path.join(ROOT, name)).st_ino for name in unpacked()} == inodes


def test_upgrade_spares_a_running_version(tmp_path: Path) -> None:
    """A version that a process runs from stays until that process has ended."""
    # ADD waits for its input: the process is in the middle of its life.
    running = subprocess.Popen([binary("host-device")], env=environment("ADD", "c", "/x", "net1", path="/x"),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        while not _is_reading(running.pid):
            assert running.poll() is None
        (old,) = unpacked()
        make_old(old)
        assert works(version(another_version(tmp_path)))
        assert old in unpacked()
        assert len(unpacked()) == 2
    finally:
        running.communicate(b"{}", timeout=60)
    assert works(version(another_version(tmp_path, "third")))
    assert old not in unpacked()


def _is_reading(pid: int) -> bool:
    """Return whether the process runs the unpacked program and waits for input (read(2) on descriptor 0)."""
    try:
        with open(f"/proc/{pid}/syscall") as file:
            return os.readlink(f"/proc/{pid}/exe").startswith(ROOT) and file.read().split()[:2] == ["0", "0x0"]
    except (FileNotFoundError, IndexError):
        return False


def test_other_plugins_are_not_swept(tmp_path: Path) -> None:
    """Each plugin sweeps its own versions only."""
    for name in NAMES:
        assert works(version(binary(name)))
    make_old(*unpacked())
    assert works(version(another_version(tmp_path)))
    assert sorted(entry.rpartition("-")[0] for entry in unpacked()) == sorted(NAMES)


def test_not_root() -> None:
    """Somebody else may ask for the version, and gets a folder of their own."""
    done = subprocess.run([binary("host-device")], env=environment("VERSION"), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, user=NOBODY, group=NOBODY, extra_groups=[])  # fmt: skip
    assert works(done), done
    assert not os.path.exists(ROOT)
    folder = f"/var/lib/plumbline-{NOBODY}"  # here everybody may make one, as in /dev/shm and /tmp elsewhere
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert os.stat(folder).st_uid == NOBODY


def test_disk_full() -> None:
    """Without room anywhere: an error that says so, for the operator and for the runtime, and nothing is left."""
    places = "/run /var/lib /dev/shm /tmp /opt/cni"
    script = f"""exec 3<"$0"
                 for place in {places}; do mount -t tmpfs -o size=6m tmpfs $place; done
                 cat <&3 >/opt/cni/host-device; chmod 755 /opt/cni/host-device
                 /opt/cni/host-device || status=$?
                 find {places} -mindepth 2 ! -name lock >&2; exit $status"""
    done = subprocess.run(["unshare", "--mount", "sh", "-ec", script, binary("host-device")],
                          env=environment("VERSION"), capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 1
    error = json.loads(done.stdout)
    assert (error["code"], error["cniVersion"]) == (5, "1.1.0")
    assert "No space left on device" in error["details"]
    assert "/run/plumbline" in error["details"]
    message, *left = done.stderr.splitlines()
    assert "No space left on device" in message
    assert left == []


def test_damaged_file(tmp_path: Path) -> None:
    """A binary that was not copied whole, or was changed, says so instead of running."""
    whole = Path(binary("host-device")).read_bytes()
    for name, content in {
        "short": whole[:-1000],
        "changed": whole[:1_000_000] + b"x" + whole[1_000_001:],
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        path.chmod(0o755)
        done = version(str(path))
        assert done.returncode == 1
        assert json.loads(done.stdout)["code"] == 5
        assert "damaged" in json.loads(done.stdout)["msg"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PYTHONHOME", "/nowhere"),
        ("PYTHONPATH", "{tmp}"),
        ("PYTHONSTARTUP", "{tmp}/sitecustomize.py"),
        ("PYTHONVERBOSE", "1"),
        ("LD_LIBRARY_PATH", "{tmp}"),
        ("LD_PRELOAD", "{tmp}/libz.so.1"),
        ("_PYI_ARCHIVE_FILE", "{tmp}/archive"),
        ("_PYI_APPLICATION_HOME_DIR", "{tmp}"),
        ("_PYI_PARENT_PROCESS_LEVEL", "1"),
        ("PYINSTALLER_RESET_ENVIRONMENT", "1"),
        ("LD_DEBUG", "libs"),
        ("LC_ALL", "C"),
        ("LC_ALL", "de_DE.ISO-8859-1"),
        ("_PLUMBLINE_FOLDER", "1"),
        ("TMPDIR", "/nowhere"),
    ],
)
def test_environment_has_no_influence(variable: str, value: str, tmp_path: Path) -> None:
    """What the caller set for loaders and interpreters of its own is not the program's business."""
    for name in ("sitecustomize.py", "os.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit('foreign code')")
    for name in ("libz.so.1", "libexpat.so.1", "archive"):
        (tmp_path / name).write_text("not a library")
    done = subprocess.run(
        [binary("host-device")], env={**environment("VERSION"), variable: value.format(tmp=tmp_path)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert works(done), done


def test_delegate_gets_a_clean_environment(pod: Space, device: str, tmp_path: Path) -> None:
    """A plugin that ours executes sees nothing of how ours was started, and inherits no open file."""
    spy = tmp_path / "spy"
    spy.write_text(
        f'#!/bin/sh\nenv >{tmp_path}/environment\nls -l /proc/$$/fd >{tmp_path}/descriptors\n'
        'echo \'{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/24"}]}\'\n'
    )  # fmt: skip
    spy.chmod(0o755)
    conf = {"cniVersion": "1.0.0", "name": "spied", "type": "host-device", "device": device, "ipam": {"type": "spy"}}
    attachment = Attachment(conf, "spied", pod.path, path=str(tmp_path))
    attachment.add(prefix=("env", "LD_LIBRARY_PATH=/usr/local/lib", "PYTHONPATH=/x"))
    seen = (tmp_path / "environment").read_text()
    assert "CNI_COMMAND=ADD" in seen
    found = re.findall(r"^(?:_PYI|_PLUMBLINE|LD_|PYTHON)\S*", seen, re.MULTILINE)
    assert sorted(found) == ["LD_LIBRARY_PATH=/usr/local/lib", "PYTHONPATH=/x"]  # as the caller had set them
    descriptors = (tmp_path / "descriptors").read_text()
    assert "spy" in descriptors  # the shell's own script
    assert re.findall(r"\S*(?:plumbline|/var/lib/cni|socket:|net:)\S*", descriptors) == []
    attachment.delete()


def test_executes_our_own_binary(pod: Space, device: str) -> None:
    """host-device runs the host-local binary when the administrator wants IPAM executed."""
    os.makedirs("/etc/plumbline", exist_ok=True)
    Path("/etc/plumbline/node.json").write_text('{"builtinIPAM": false}')
    try:
        conf = {"cniVersion": "1.0.0", "name": "executed", "type": "host-device", "device": device,
                "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}}  # fmt: skip
        attachment = Attachment(conf, "executed", pod.path, path=DIST)
        assert attachment.add()["ips"][0]["address"] == "10.1.0.2/24"
        assert sorted(entry.rpartition("-")[0] for entry in unpacked()) == ["host-device", "host-local"]
        attachment.delete()
    finally:
        os.unlink("/etc/plumbline/node.json")
