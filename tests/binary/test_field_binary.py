"""A binary says what it is, and what has happened to it when it crashes in C.

| rule | test |
| --- | --- |
| without CNI_COMMAND: version, commit, CPython, C library, protocol versions | test_says_what_it_is |
| VERSION answers as the specification has it, and no more | test_version_is_the_specifications |
| the version stands in pyproject.toml alone; a commit is built once | test_make_builds_when_it_must |
| a change of the flavour builds | test_make_builds_the_flavour_that_is_asked_for |
| same sources, same commit: the same interpreter | test_same_sources_same_interpreter |
| a crash: a stack on stderr, an error on stdout, exit status 1 | test_crash_of_a_plugin_that_waits, test_crash_in_c |
| DEL puts right what a crash has left | test_crash_in_add, test_crash_in_delete |
| there are never two answers | test_crash_after_the_answer, test_two_threads_crash_at_once |
| the stack of a thread is used up, or memory is damaged | test_crash_in_c, test_memory_is_damaged |
| there is no memory to go on from an error, and CPython would never end | test_no_memory_to_go_on_from_an_error |
| whatever the caller did to signals; nothing of it is inherited | test_signals_of_the_caller, test_executed_ipam |
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import termios
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from program.contents import EXTENSIONS
from program.link import link
from program.toolchain import SOURCES
from tests.binary.test_image import Program
from tests.support import disk, faults, net
from tests.support.net import HOST, Space
from tests.support.plugin import REPOSITORY, Attachment, Outcome, binary, environment
from tests.support.untouched import left_on_disk

NAMES = ("accelerated-bridge", "host-device", "sriov", "host-local", "static")
SIGNALS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS")
PYTHON = ".venv/bin/python"


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_is(name: str) -> None:
    """On standard error, as the reference plugins do."""
    done = subprocess.run([binary(name)], env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    _, built, protocol = done.stderr.splitlines()
    version = tomllib.loads(Path(REPOSITORY, "pyproject.toml").read_text())["project"]["version"]
    assert built.startswith(f"Plumbline {name} {version}, commit ")
    python = net.run("/usr/bin/python3", "-c", "import platform; print(platform.python_version())").strip()
    library = net.run("getconf", "GNU_LIBC_VERSION").split()[1]
    versions = f"CPython {python}, GNU C library {library}"
    assert re.search(rf", commit ([0-9a-f]{{12}}(-dirty)?|unknown), {versions}(, frozen)?$", built)
    assert protocol == "CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0"


@pytest.mark.parametrize("name", NAMES)
def test_version_is_the_specifications(name: str) -> None:
    done = subprocess.run([binary(name)], env=environment("VERSION"), stdin=subprocess.DEVNULL, capture_output=True)
    assert json.loads(done.stdout) == {
        "cniVersion": "1.1.0",
        "supportedVersions": ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
    }
    assert (done.returncode, done.stderr) == (0, b"")


class Checkout:
    """What `make binaries` needs, in a folder of its own. What builds is a stub, which takes note."""

    def __init__(self, folder: Path) -> None:
        self.root, self.notes, self.stub = folder / "root", folder / "built", folder / "python"
        self.root.mkdir()
        for name in ("Makefile", "build.spec", "pyproject.toml", "requirements.txt", ".gitignore"):
            shutil.copy(os.path.join(REPOSITORY, name), self.root)
        for name in ("cni", "ipam", "plugins", "plumbline", "program", "scripts"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(os.path.join(REPOSITORY, name), self.root / name, ignore=ignored)
        (self.root / ".venv").symlink_to(os.path.realpath(os.path.join(REPOSITORY, ".venv")))
        self.stub.write_text(
            '#!/bin/sh\ncase "$*" in\n'
            f'*PyInstaller*) mkdir -p dist; echo "$FLAVOUR $(cat build/version)" >>{self.notes}\n'
            f"    for name in {' '.join((*NAMES, 'plumbline'))}; do touch dist/$name; done;;\n"
            f'*) exec {PYTHON} "$@";;\nesac\n'
        )
        self.stub.chmod(0o755)

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=self.root, check=True, capture_output=True)

    def made(self, *arguments: str) -> list[tuple[str, str]]:
        """Return what `make binaries` has built: flavour, and version and commit."""
        self.notes.write_text("")
        command = ["make", "binaries", f"PYTHON={self.stub}", *arguments]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True)
        assert done.returncode == 0, done
        built = [line.partition(" ") for line in self.notes.read_text().splitlines()]
        return [(flavour, version) for flavour, _, version in built]


def test_make_builds_when_it_must(tmp_path: Path) -> None:
    """When a source, the version or the commit is another; not for a page, nor twice."""
    checkout = Checkout(tmp_path)
    root, git = checkout.root, checkout.git

    def built() -> list[str]:
        return [version for _, version in checkout.made()]

    def older(path: str) -> None:
        """Let a change be from before the binaries, so that only what is said of the commit tells of it."""
        os.utime(root / path, (1, 1))

    assert [line.partition(", ")[2] for line in built()] == ["commit unknown"]
    git("init", "--quiet")
    with open(root / ".gitignore", "a") as file:
        file.write(".venv\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    [first] = built()
    assert re.search("commit [0-9a-f]{12}$", first)
    assert built() == []
    (root / "page.md").write_text("a page\n")
    assert built() == []
    git("add", ".")
    git("commit", "--quiet", "-m", "two")
    [second] = built()
    assert second != first
    text = (root / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(re.sub('(?m)^version = ".*"', 'version = "7.8.9"', text))
    older("pyproject.toml")
    assert built() == [f"7.8.9, {second.partition(', ')[2]}-dirty"]
    assert built() == []
    with open(root / "cni/protocol/ip.py", "a") as file:
        file.write("\n")
    assert built() == [f"7.8.9, {second.partition(', ')[2]}-dirty"]
    assert built() == []


def test_same_sources_same_interpreter(tmp_path: Path) -> None:
    """Whatever folder it is made in. tests/binary/test_image.py has the same of what is made of it."""
    one, other = (Path(link(str(tmp_path / name), EXTENSIONS)).read_bytes() for name in ("one", "another folder"))
    assert one == other


def crashed(outcome: Outcome, number: str) -> None:
    """Assert that standard output has one document, which tells of the crash, and standard error the stack."""
    error = outcome.error(999)
    assert error["cniVersion"] == "1.1.0"
    assert f"the plugin crashed: {said_of(number)}" in f"{error['msg']}"
    assert "DEL gives it back" in error["details"]
    told(outcome, number)


def told(outcome: Outcome, number: str) -> None:
    """Assert that standard error has the stack."""
    assert f" crashed: {said_of(number)}" in outcome.stderr
    assert re.search(r"^Plumbline \S+, commit ", outcome.stderr, re.MULTILINE)
    assert "(most recent call first):\n  File " in outcome.stderr
    assert re.search(r'^  File "<__main__\.py>", line \d+ in <module>$', outcome.stderr, re.MULTILINE)


def said_of(number: str) -> str:
    return {
        "SIGSEGV": "segmentation fault (SIGSEGV)",
        "SIGBUS": "bus error, as when the binary is damaged or cannot be read (SIGBUS)",
        "SIGFPE": "arithmetic error (SIGFPE)",
        "SIGILL": "illegal instruction (SIGILL)",
        "SIGABRT": "aborted (SIGABRT)",
        "SIGTRAP": "trap (SIGTRAP)",
        "SIGSYS": "a system call is forbidden (SIGSYS)",
    }[number]


def waiting_and_sent(number: str, name: str = "host-device", **options: Any) -> Outcome:
    """Return how a plugin ends that waits for the rest of its configuration when it gets a signal."""
    with subprocess.Popen(
        [binary(name)], env=environment("ADD", "crash", "/nowhere", "net1", path="/x"), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    ) as running:  # fmt: skip
        assert running.stdin is not None
        running.stdin.write(b"{")
        running.stdin.flush()
        while fcntl.ioctl(running.stdin, termios.FIONREAD, bytes(4)) != bytes(4):
            assert running.poll() is None
        running.send_signal(getattr(signal, number))
        stdout, stderr = running.communicate(timeout=60)
    return Outcome(running.returncode, stdout, stderr)


@pytest.mark.parametrize("number", SIGNALS)
def test_crash_of_a_plugin_that_waits(number: str) -> None:
    outcome = waiting_and_sent(number)
    crashed(outcome, number)
    assert re.search(r'^  File "<cni/skel\.py>", line \d+ in _read$', outcome.stderr, re.MULTILINE)
    assert f"sent by process {os.getpid()}\n" in outcome.stderr


@pytest.mark.parametrize("name", NAMES)
def test_crash_of_every_binary(name: str) -> None:
    outcome = waiting_and_sent("SIGSEGV", name)
    crashed(outcome, "SIGSEGV")
    assert outcome.stderr.startswith(f"{name} crashed: ")


@pytest.mark.parametrize("state", ["ignored", "blocked"])
def test_signals_of_the_caller(state: str) -> None:
    """What a caller had for them is inherited, and has no say."""

    def prepare() -> None:
        if state == "ignored":
            signal.signal(signal.SIGABRT, signal.SIG_IGN)
        else:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGABRT])

    crashed(waiting_and_sent("SIGABRT", preexec_fn=prepare), "SIGABRT")


def test_nobody_takes_the_answer() -> None:
    """Standard output is closed, or its reader gone: the stack and the exit status are left."""
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [binary("host-device")], env=environment("ADD", "crash", "/nowhere", "net1", path="/x"), stdin=subprocess.PIPE,
        stdout=writer, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        os.close(writer)
        assert running.stdin is not None
        running.stdin.write(b"{")
        running.stdin.flush()
        while fcntl.ioctl(running.stdin, termios.FIONREAD, bytes(4)) != bytes(4):
            assert running.poll() is None
        running.send_signal(signal.SIGSEGV)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 1
    told(Outcome(1, b"", stderr), "SIGSEGV")


@pytest.fixture
def attachment(pod: Space, device: str) -> Attachment:
    """An attachment on a node that has had one: all folders are there."""
    conf = {
        **{"cniVersion": "1.0.0", "name": net.unique("crash"), "type": "host-device", "device": device},
        "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"},
    }
    attachment = Attachment(conf, net.unique("container"), pod.path)
    attachment.add()
    attachment.delete()
    return attachment


def one_of_each(calls: list[faults.Call]) -> list[faults.Call]:
    """Return the last of the calls of each name: those at any call are what tests/binary/test_faults.py sweeps."""
    return list({call.name: call for call in calls if not call.text.startswith("write(1,")}.values())


def test_crash_in_add(attachment: Attachment, device: str) -> None:
    """One DEL puts everything right, as after SIGKILL."""
    before = HOST.settings(device)
    calls = one_of_each(faults.calls(attachment, "ADD"))
    attachment.delete()
    assert {"sendto", "setns", "write", "fsync"} <= {call.name for call in calls}
    for call in calls:
        crashed(faults.inject(attachment, "ADD", "signal=SIGSEGV", call), "SIGSEGV")
        attachment.delete()
        assert HOST.settings(device) == before, call
        assert left_on_disk() == {}, call


def test_crash_in_delete(attachment: Attachment, device: str) -> None:
    before = HOST.settings(device)
    attachment.add()
    calls = one_of_each(faults.calls(attachment, "DEL"))
    for call in calls:
        attachment.add()
        crashed(faults.inject(attachment, "DEL", "signal=SIGBUS", call), "SIGBUS")
        attachment.delete()
        assert HOST.settings(device) == before, call
        assert left_on_disk() == {}, call


def test_crash_after_the_answer(attachment: Attachment, device: str) -> None:
    """The answer is the only document; the exit status says that it does not count."""
    [answer] = [call for call in faults.calls(attachment, "ADD") if call.text.startswith("write(1,")]
    attachment.delete()
    outcome = faults.inject(attachment, "ADD", "signal=SIGSEGV", answer)
    assert outcome.status == 1
    assert outcome.json["interfaces"]
    told(outcome, "SIGSEGV")
    attachment.delete()
    assert device in HOST.links()
    assert disk.reserved(attachment.conf["name"]) == {}


def test_executed_ipam(attachment: Attachment, tmp_path: Path) -> None:
    """It begins with the signals as any program does."""
    spy = tmp_path / "spy"
    spy.write_text(
        f"#!/bin/sh\ncat /proc/self/status >{tmp_path}/signals\n"
        'echo \'{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/24"}]}\'\n'
    )
    spy.chmod(0o755)
    attachment.conf["ipam"] = {"type": "spy"}
    attachment.path = str(tmp_path)
    attachment.add()
    attachment.delete()
    masks = re.findall(r"^Sig(Blk|Ign|Cgt):\s*(\w+)$", (tmp_path / "signals").read_text(), re.MULTILINE)
    assert len(masks) == 3
    ours = sum(1 << getattr(signal, number) - 1 for number in SIGNALS)
    assert [(name, int(mask, 16) & ours) for name, mask in masks] == [("Blk", 0), ("Ign", 0), ("Cgt", 0)]


CRASHES = r"""
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static int overflow(volatile char *before)
{
    volatile char here[4096];
    here[0] = before[0];
    return here[0] == 0 ? 0 : overflow(here) + here[0];
}

/* What CPython or the C library might do, by its number. */
static PyObject *call_setns(PyObject *module, PyObject *arguments)
{
    static atomic_int together;
    int kind, type;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "ii", &kind, &type))
        return NULL;
    switch (kind) {
    case 0: /* a null pointer is followed */
        *(volatile int *)NULL = 1;
        break;
    case 1: /* the stack is used up */
        return PyLong_FromLong(overflow(&(volatile char){1}));
    case 2:
        abort();
    case 3:
        Py_FatalError("the interpreter has found that it is broken");
    case 4: /* what CPython knows of the thread is damaged: the stack cannot be told */
        memset(PyThreadState_Get(), 1, sizeof(PyThreadState));
        *(volatile int *)NULL = 1;
        break;
    case 5: /* several threads crash at once */
        Py_BEGIN_ALLOW_THREADS
        together++;
        while (together < 4)
            ;
        *(volatile int *)NULL = 1;
        Py_END_ALLOW_THREADS
        break;
    case 6:
        __builtin_trap();
    }
    Py_RETURN_NONE;
}
"""
NULL, OVERFLOW, ABORT, FATAL, DAMAGE, TOGETHER, TRAP = range(7)


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter whose setns() crashes in the way that its first argument names."""
    folder = tmp_path_factory.mktemp("crashing")
    shutil.copytree(SOURCES, folder / "source")
    module = folder / "source/module.c"
    text = module.read_text()
    begin, end = text.index("static PyObject *call_setns"), text.index("/*\n * bpf(command")
    module.write_text(text[:begin] + CRASHES + text[end:])
    return link(str(folder / "interpreter"), EXTENSIONS, str(folder / "source"))


@pytest.fixture
def run_crashing(crashing: str, tmp_path: Path) -> Callable[[str], Outcome]:
    """A function that runs a main program with crash(kind)."""

    def run(code: str) -> Outcome:
        program = Program(crashing, tmp_path)
        program.build(
            main=f"import os, _thread\nfrom _plumbline import setns as crash\n{code}\n", used="import _thread\n"
        )
        done = subprocess.run([program.path], capture_output=True, timeout=60)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


WAYS = {
    "a null pointer": (NULL, "SIGSEGV", r"by the instruction at 0x[1-9a-f][0-9a-f]*, address 0x0$"),
    "the stack is used up": (OVERFLOW, "SIGSEGV", r"address 0x7[0-9a-f]+$"),
    "abort": (ABORT, "SIGABRT", r"\(SIGABRT\)$"),
    "a fatal error of CPython": (FATAL, "SIGABRT", "^Fatal Python error: .* it is broken$"),
    "a trap": (TRAP, "SIG(?:ILL|TRAP)", r"by the instruction at 0x[1-9a-f][0-9a-f]*, address 0x"),
}
WHERE = {
    "main thread": "crash({kind}, 0)",
    "another thread": "_thread.start_new_thread(crash, ({kind}, 0))\nwhile True: pass",
}


@pytest.mark.parametrize("where", WHERE.values(), ids=WHERE)
@pytest.mark.parametrize(("kind", "number", "said"), WAYS.values(), ids=WAYS)
def test_crash_in_c(run_crashing: Callable[[str], Outcome], where: str, kind: int, number: str, said: str) -> None:
    outcome = run_crashing(where.format(kind=kind))
    error = outcome.error(999)
    assert re.search(rf"the plugin crashed: .* \({number}\)$", error["msg"])
    assert re.search(said, outcome.stderr, re.MULTILINE)
    assert 'File "<__main__.py>", line ' in outcome.stderr


def test_memory_is_damaged(run_crashing: Callable[[str], Outcome]) -> None:
    """The stack cannot be told, and that is said; the runtime gets its answer nevertheless."""
    outcome = run_crashing(f"crash({DAMAGE}, 0)")
    assert "segmentation fault" in outcome.error(999)["msg"]
    assert outcome.stderr.endswith("and crashed again, since its memory is damaged\n")


def test_two_threads_crash_at_once(run_crashing: Callable[[str], Outcome]) -> None:
    """One of them tells."""
    threads = f"for _ in range(3):\n    _thread.start_new_thread(crash, ({TOGETHER}, 0))\n"
    for _ in range(5):
        outcome = run_crashing(f"{threads}crash({TOGETHER}, 0)")
        assert "segmentation fault" in outcome.error(999)["msg"]
        assert outcome.stderr.count(" crashed: ") == 1


COMING_AND_GOING = """\
import os, _thread
free = _thread.allocate_lock()
def beside():
    while free.acquire():
        _thread.start_new_thread(free.release, ())
_thread.start_new_thread(beside, ())
os.write(2, b"ready\\n")
os.read(0, 1)
"""


def test_threads_that_come_and_go(crashing: str, tmp_path: Path) -> None:
    """They stand still while the stacks are told: one that ends takes itself out of the list that is gone through."""
    program = Program(crashing, tmp_path)
    program.build(main=COMING_AND_GOING, used="import _thread\n")
    for _ in range(20):
        with subprocess.Popen([program.path], stdin=-1, stdout=-1, stderr=-1) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            assert running.stderr.readline() == b"ready\n"
            running.send_signal(signal.SIGSEGV)
            # Its standard input stays open: at the end of that the main program would end, too.
            said = running.stdout.read(), running.stderr.read()
        outcome = Outcome(running.returncode, *said)
        assert "segmentation fault" in outcome.error(999)["msg"]
        assert re.search(r'^  File "<__main__\.py>", line \d+ in <module>$', outcome.stderr, re.MULTILINE), (
            outcome.stderr
        )


def test_crash_after_a_part_of_the_answer(run_crashing: Callable[[str], Outcome]) -> None:
    outcome = run_crashing(f"os.write(1, b'{{')\ncrash({NULL}, 0)")
    assert (outcome.status, outcome.stdout) == (1, "{")
    assert "segmentation fault" in outcome.stderr


def test_no_memory_to_go_on_from_an_error(crashing: str, tmp_path: Path) -> None:
    """CPython would try for ever: to leave `with`, it wants memory for a number that is not a small one."""
    program = Program(crashing, tmp_path)
    lines = "\n".join("        number = 0" for _ in range(200))
    program.build(
        main="class Context:\n    def __enter__(self): pass\n    def __exit__(self, *_): pass\n"
        "def use_up():\n    used = [None] * 1_000_000\n    with Context():\n"
        f"{lines}\n        while True:\n            used[number] = number = number + 1\n"
        "use_up()\n"
    )
    command = ["sh", "-c", f"ulimit -v 50000; exec {program.path}"]
    done = subprocess.run(command, capture_output=True, timeout=60)
    outcome = Outcome(done.returncode, done.stdout, done.stderr)
    assert "aborted" in outcome.error(999)["msg"]
    assert outcome.stderr.startswith("there is no memory left, not even to go on from an error\n")
    assert " in use_up\n" in outcome.stderr
