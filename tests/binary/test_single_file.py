"""The single file: it needs nothing else, opens nothing, writes nothing, and nobody else has a say in what it runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from program.contents import WHILE_LOADED, standard_library
from program.modules import traced
from tests.support import flavour, net
from tests.support.net import HOST, Space
from tests.support.plugin import REPOSITORY, Attachment, binary, environment

NOBODY = 65534
NAMES = ("accelerated-bridge", "host-device", "sriov", "host-local", "static")
LOOKING = {"execve", "exit", "fcntl", "fstat", "ioctl", "lseek", "mmap", "newfstatat", "pselect6", "read", "readlink",
           "readlinkat", "statx"}  # fmt: skip
"""What a start does with files and descriptors: it asks what the standard streams are."""


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


@pytest.mark.parametrize("name", NAMES)
def test_is_one_file(name: str) -> None:
    """A single static executable of at most 12 MB, with nothing to relocate. Newer CPythons are larger."""
    path = binary(name)
    assert os.path.getsize(path) <= (12_000_000 if sys.version_info < (3, 12) else 15_000_000)
    described = net.run("readelf", "-hl", path)
    assert "EXEC (Executable file)" in described
    assert re.search("INTERP|DYNAMIC", described) is None


@pytest.mark.parametrize("name", NAMES)
def test_on_an_empty_machine(name: str, tmp_path: Path) -> None:
    """Without Python, a shell, a C library, /proc, or a place to write to."""
    shutil.copy(binary(name), tmp_path / name)
    script = f"mount --bind -o ro {tmp_path} {tmp_path}; exec chroot {tmp_path} /{name}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script],
        env=environment("VERSION"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert works(done), done


def test_noexec() -> None:
    """No place has to allow execution but the one where the binary is."""
    mounts = "; ".join(f"mount -t tmpfs -o noexec tmpfs {place}" for place in ("/run", "/var/lib", "/dev/shm", "/tmp"))
    setup = f"mount -t tmpfs tmpfs /opt/cni; cp {binary('host-device')} /opt/cni; {mounts}"
    assert works(version("/opt/cni/host-device", setup))


@pytest.mark.parametrize("name", NAMES)
def test_opens_and_writes_nothing(name: str, tmp_path: Path) -> None:
    """From its start to its answer: so nothing can be left when it is killed."""
    program = tmp_path / name
    shutil.copy(binary(name), program)  # one that never ran
    trace = tmp_path / "trace"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=%file,%desc,%network,%ipc", str(program)],
        env={**environment("VERSION"), "TZ": "Europe/Berlin"}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert works(done), done
    calls = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()]
    assert calls[0].startswith("execve(")
    changes = [call for call in calls[1:] if call.partition("(")[0] not in LOOKING - {"execve"}]
    assert [call for call in changes if not call.startswith("write(1,")] == []
    assert [call for call in calls if call.startswith("mmap(") and ", -1, 0)" not in call] == []  # of no file


def test_folder_has_no_influence(tmp_path: Path) -> None:
    """The working directory and the binary's own hold what interpreters look for."""
    for name in ("os.py", "encodings.py", "sitecustomize.py", "host-device.py"):
        (tmp_path / name).write_text("raise SystemExit('foreign code')")
    for name in ("pyvenv.cfg", "host-device._pth", "pybuilddir.txt"):
        (tmp_path / name).write_text(f"home = {tmp_path}\n")
    shutil.copy(binary("host-device"), tmp_path / "host-device")
    done = subprocess.run(["./host-device"], cwd=tmp_path, env=environment("VERSION"),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)  # fmt: skip
    assert works(done), done


def test_replaced_while_running(tmp_path: Path) -> None:
    """An upgrade puts another file in its place; the process goes on, with code it has not run yet."""
    program = tmp_path / "host-device"
    shutil.copy(binary("host-device"), program)
    running = subprocess.Popen([str(program)], env=environment("ADD", "c", "/nowhere", "net1", path="/x"),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        (tmp_path / "new").write_text("#!/bin/sh\nexit 7\n")
        os.rename(tmp_path / "new", program)
    finally:
        conf = {"cniVersion": "1.0.0", "name": "n", "type": "host-device", "device": "eth7"}
        stdout, _ = running.communicate(json.dumps(conf).encode(), timeout=60)
    assert json.loads(stdout)["code"] == 4
    assert "/nowhere" in json.loads(stdout)["msg"]


def test_not_root() -> None:
    """Somebody else may ask for the version."""
    done = subprocess.run([binary("host-device")], env=environment("VERSION"), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, user=NOBODY, group=NOBODY, extra_groups=[])  # fmt: skip
    assert works(done), done


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.98, 0.999])
def test_cut_short(part: float, tmp_path: Path) -> None:
    """A file that was not copied whole fails at its start: the end is what is looked at first."""
    whole = Path(binary("host-device")).read_bytes()
    path = tmp_path / "host-device"
    path.write_bytes(whole[: int(len(whole) * part)])
    path.chmod(0o755)
    done = subprocess.run([str(path)], env=environment("VERSION"), stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode != 0
    assert done.stdout == b""


def test_last_byte_is_missing(tmp_path: Path) -> None:
    """The runtime gets an error object if there is nothing else that fails."""
    path = tmp_path / "host-device"
    path.write_bytes(Path(binary("host-device")).read_bytes()[:-1])
    path.chmod(0o755)
    done = subprocess.run([str(path)], env=environment("ADD"), stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 1
    error = json.loads(done.stdout)
    assert (error["cniVersion"], error["code"]) == ("1.1.0", 5)
    assert "not copied as a whole" in error["msg"]
    assert error["details"] == "nothing was changed"
    assert b"cannot start" in done.stderr


def test_standard_input_is_a_folder() -> None:
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        done = subprocess.run([binary("host-device")], env=environment("ADD", "c", "/nowhere", "net1", path="/x"),
                              stdin=folder, capture_output=True)  # fmt: skip
        asked = subprocess.run([binary("host-device")], env=environment("VERSION"), stdin=folder, capture_output=True,
                               text=True)  # fmt: skip
    finally:
        os.close(folder)
    assert done.returncode == 1
    error = json.loads(done.stdout)
    assert (error["cniVersion"], error["code"]) == ("1.1.0", 5)
    assert "standard input: Is a directory" in error["msg"]
    assert works(asked), asked


def test_limit_of_a_files_size(pod: Space, device: str) -> None:
    """A write that the kernel refuses for it is an error like any other, not the end of the process."""
    conf = {"cniVersion": "1.0.0", "name": "limited", "type": "host-device", "device": device}
    attachment = Attachment(conf, "limited", pod.path)
    outcome = attachment.call("ADD", prefix=("sh", "-c", 'ulimit -f 0; exec "$0" "$@"'))
    assert outcome.error()["code"] == 5
    assert "File too large" in outcome.error()["msg"]
    assert device in HOST.links()


def test_failing_start_opens_nothing(tmp_path: Path) -> None:
    """A stack trace shows no lines of files that are called as our modules are: here it would wait for ever."""
    os.mkfifo(tmp_path / "__main__.py")
    os.makedirs(tmp_path / "cni")
    os.mkfifo(tmp_path / "cni/skel.py")
    shutil.copy(binary("host-device"), tmp_path / "host-device")
    script = f"exec 0<&-; exec chroot {tmp_path} /host-device"  # there is no /dev/null to open in place of stdin
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment("VERSION"), capture_output=True, timeout=60
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["code"] == 5
    assert b"FileNotFoundError" in done.stderr


def test_too_little_memory() -> None:
    """Before there is enough, the kernel or the C library ends the process; there is never half an answer."""
    codes: list[int | None] = []
    kib = 14000
    while codes[-10:] != [None] * 10:  # how much is enough depends on the flavour and on CPython
        done = subprocess.run(["sh", "-c", f"ulimit -v {kib}; exec {binary('host-device')}"], env=environment("ADD"),
                              stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
        assert done.returncode != 0, kib
        codes.append(json.loads(done.stdout)["code"] if done.stdout else None)
        kib -= 50
    assert {4, None} <= {*codes} <= {4, 5, 999, None}  # 4: the memory was enough to look at the environment


@pytest.mark.parametrize("name", NAMES)
def test_knows_nothing_of_where_it_was_built(name: str) -> None:
    """It holds an interpreter's memory, in which are no paths and no environment of another machine."""
    content = Path(binary(name)).read_bytes()
    found = [text for text in ("cni/skel.py", REPOSITORY, sysconfig.get_path("stdlib"), os.environ["PATH"])
             if text.encode() in content]  # fmt: skip
    assert found == ["cni/skel.py"]  # what modules are called in stack traces


@pytest.mark.parametrize("name", NAMES)
def test_holds_nothing_that_only_makes_classes(name: str) -> None:
    """Nothing of these modules is left, nor of what they have allocated. A frozen binary has yet to load them."""
    content = Path(binary(name)).read_bytes()
    assert b"<enum.py>" in content
    passing = {module: source for module, source in standard_library().items() if module in WHILE_LOADED}
    found = [module for module, source in passing.items() if traced(module, source).encode() in content]
    assert found == {flavour.IMAGE: [], flavour.FROZEN: [*passing]}[flavour.of_binaries()]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PYTHONHOME", "/nowhere"),
        ("PYTHONPATH", "{tmp}"),
        ("PYTHONSTARTUP", "{tmp}/sitecustomize.py"),
        ("PYTHONVERBOSE", "1"),
        ("LD_LIBRARY_PATH", "{tmp}"),
        ("LD_PRELOAD", "{tmp}/libz.so.1"),
        ("LD_DEBUG", "libs"),
        ("TZ", ":{tmp}/pipe"),
        ("TZDIR", "{tmp}"),
        ("GLIBC_TUNABLES", "glibc.malloc.check=3"),
        ("TMPDIR", "/nowhere"),
    ],
)
def test_environment_has_no_influence(variable: str, value: str, tmp_path: Path) -> None:
    """What the caller set for loaders and interpreters of its own is not the program's business."""
    for name in ("sitecustomize.py", "os.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit('foreign code')")
    os.mkfifo(tmp_path / "pipe")  # whoever opens it waits for ever
    for name in ("libz.so.1", "libc.so.6"):
        (tmp_path / name).write_text("not a library")
    done = subprocess.run(
        [binary("host-device")], env={**environment("VERSION"), variable: value.format(tmp=tmp_path)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert works(done), done


@pytest.mark.parametrize(("variable", "value"), [("LC_ALL", "C"), ("LC_ALL", "de_DE.ISO-8859-1"), ("PYTHONUTF8", "0")])
def test_locale_has_no_influence(variable: str, value: str) -> None:
    """Text is UTF-8, and a path need not be text."""
    done = subprocess.run(
        [binary("host-device")],
        env={**environment("ADD", "c", "/nowh\u00e9re", "net1", path="/x"), variable: value},
        input='{"cniVersion": "1.0.0", "name": "n", "type": "host-device", "device": "ger\u00e4t"}'.encode(),
        capture_output=True,
    )
    assert "/nowh\u00e9re" in json.loads(done.stdout)["msg"]
    odd = {b"CNI_COMMAND": b"ADD", b"CNI_CONTAINERID": b"c", b"CNI_NETNS": b"/nowh\xffere", b"CNI_IFNAME": b"net1",
           b"CNI_PATH": b"/x", variable.encode(): value.encode()}  # fmt: skip
    conf = b'{"cniVersion": "1.0.0", "name": "n", "type": "host-device", "device": "eth7"}'
    done = subprocess.run([binary("host-device")], env=odd, input=conf, capture_output=True)
    assert (done.returncode, json.loads(done.stdout)["code"]) == (1, 4)


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
    attachment.add(prefix=("env", "LD_LIBRARY_PATH=/usr/local/lib", "PYTHONPATH=/x", "TZ=Asia/Tokyo"))
    seen = (tmp_path / "environment").read_text()
    assert "TZ=Asia/Tokyo\n" in seen
    assert "CNI_COMMAND=ADD" in seen
    found = re.findall(r"^(?:_|LD_|PYTHON)\S*=\S*", seen, re.MULTILINE)
    assert sorted(found) == ["LD_LIBRARY_PATH=/usr/local/lib", "PYTHONPATH=/x"]  # as the caller had set them
    descriptors = (tmp_path / "descriptors").read_text()
    assert "spy" in descriptors  # the shell's own script
    assert re.findall(r"\S*(?:plumbline|/var/lib/cni|socket:|net:)\S*", descriptors) == []
    attachment.delete()
    assert not re.search("^TZ=", (tmp_path / "environment").read_text(), re.MULTILINE)


def test_executes_our_own_binary(pod: Space, device: str, tmp_path: Path) -> None:
    """host-device runs the host-local binary when the administrator wants IPAM executed."""
    os.makedirs("/etc/plumbline", exist_ok=True)
    Path("/etc/plumbline/node.json").write_text('{"builtinIPAM": false}')
    witness = tmp_path / "host-local"
    witness.write_text(f"#!/bin/sh\necho $CNI_COMMAND >>{tmp_path}/calls\nexec {binary('host-local')}\n")
    witness.chmod(0o755)
    try:
        conf = {"cniVersion": "1.0.0", "name": "executed", "type": "host-device", "device": device,
                "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}}  # fmt: skip
        attachment = Attachment(conf, "executed", pod.path, path=str(tmp_path))
        assert attachment.add()["ips"][0]["address"] == "10.1.0.2/24"
        attachment.delete()
        assert (tmp_path / "calls").read_text().split() == ["ADD", "DEL"]
    finally:
        os.unlink("/etc/plumbline/node.json")
