"""Dispatch: which handler runs, what standard output gets, which exit status; also as a process of its own."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from ipaddress import ip_interface

import pytest

from cni import skel
from cni.linux.log import Logger
from cni.linux.netlink.socket import NetlinkError
from cni.linux.signals import Terminated
from cni.protocol.config import NetConf
from cni.protocol.errors import CniError, escaped
from cni.protocol.limits import LOG_LINE_CHARACTERS
from cni.protocol.request import Request
from cni.protocol.result import IPConfig, Result
from cni.protocol.version import SUPPORTED

ENVIRON = {
    "CNI_CONTAINERID": "c1",
    "CNI_NETNS": "/run/netns/a",
    "CNI_IFNAME": "net1",
    "CNI_PATH": "/opt/cni/bin",
}
COMMANDS = ("ADD", "CHECK", "DEL", "GC", "STATUS")


class Recorder:
    """A plugin whose handlers note the call, then raise `error` if there is one."""

    def __init__(
        self, error: BaseException | None = None, needs_prev_result: bool = True, has_debug: bool = False
    ) -> None:
        self.calls: list[str] = []
        self.conf: NetConf | None = None
        self._error = error
        self.plugin = skel.Program(
            "recorder", "CNI recorder plugin", self._add, self._other, self._other, self._other, self._other,
            check_needs_prev_result=needs_prev_result, has_debug=has_debug,
        )  # fmt: skip

    def _other(self, request: Request, conf: NetConf, log: Logger) -> None:
        self.calls.append(request.command)
        self.conf = conf
        log.debug("called")
        if self._error is not None:
            raise self._error

    def _add(self, request: Request, conf: NetConf, log: Logger) -> Result:
        self._other(request, conf, log)
        return Result(ips=[IPConfig(ip_interface("10.0.0.5/24"))])


class Broken(io.BytesIO):
    """A stream whose reader is gone."""

    def write(self, _: object) -> int:
        raise BrokenPipeError


def _config(**members: object) -> bytes:
    return json.dumps({"cniVersion": "1.1.0", "name": "net", **members}).encode()


def _run(recorder: Recorder, command: str, stdin: bytes = b"", **environ: str) -> tuple[int, str, str]:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    status = skel.run(
        recorder.plugin, {**ENVIRON, "CNI_COMMAND": command, **environ}, lambda: io.BytesIO(stdin), stdout, stderr
    )
    return status, stdout.getvalue().decode(), stderr.getvalue().decode()


def _error(outcome: tuple[int, str, str]) -> dict[str, object]:
    status, stdout, _ = outcome
    assert status == 1
    error = json.loads(stdout)
    assert isinstance(error, dict)
    assert list(error) in (["cniVersion", "code", "msg"], ["cniVersion", "code", "msg", "details"])
    return error


def test_about() -> None:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    assert skel.run(Recorder().plugin, {}, io.BytesIO, stdout, stderr) == 0
    assert stdout.getvalue() == b""
    about, built, protocol = stderr.getvalue().decode().splitlines()
    assert about == "CNI recorder plugin"
    assert re.fullmatch(
        r"Plumbline recorder \S+, commit (?:[0-9a-f]{12}(?:-dirty)?|unknown), CPython \d+\.\d+\.\d+, "
        r"GNU C library \d+\.\d+, from the source",
        built,
    )
    assert protocol == f"CNI protocol versions supported: {', '.join(SUPPORTED)}"


@pytest.mark.parametrize(
    ("stdin", "version"),
    [
        (b"", "1.1.0"),
        (b'{"cniVersion":"0.4.0"}', "0.4.0"),
        (b'{"cniVersion":"9.9"}', "1.1.0"),
        (b'{"cniVersion":4}', "1.1.0"),
        (b"nonsense \xff", "1.1.0"),
        (b"[]", "1.1.0"),
    ],
)
def test_version(stdin: bytes, version: str) -> None:
    status, stdout, stderr = _run(Recorder(), "VERSION", stdin)
    assert (status, stderr) == (0, "")
    assert stdout == json.dumps(
        {"cniVersion": version, "supportedVersions": list(SUPPORTED)}, separators=(",", ":")
    ) + "\n"  # fmt: skip


@pytest.mark.parametrize("version", SUPPORTED)
def test_add(version: str) -> None:
    recorder = Recorder()
    status, stdout, stderr = _run(recorder, "ADD", _config(cniVersion=version))
    assert (status, stderr, recorder.calls) == (0, "", ["ADD"])
    result = json.loads(stdout)
    assert result["cniVersion"] == version
    assert result["ip4"]["ip"] == "10.0.0.5/24" if version < "0.3.0" else len(result["ips"]) == 1


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_other_commands_are_silent(command: str) -> None:
    recorder = Recorder()
    stdin = _config(prevResult={}, **{"cni.dev/valid-attachments": []})
    assert _run(recorder, command, stdin) == (0, "", "")
    assert recorder.calls == [command]


@pytest.mark.parametrize(
    ("command", "version", "since"),
    [("CHECK", "0.3.1", "0.4.0"), ("CHECK", None, "0.4.0"), ("GC", "1.0.0", "1.1.0"), ("STATUS", "1.0.0", "1.1.0")],
)
def test_command_that_the_version_lacks(command: str, version: str | None, since: str) -> None:
    recorder = Recorder()
    error = _error(_run(recorder, command, _config(cniVersion=version)))
    assert error["code"] == 1
    assert error["msg"] == f"config version does not allow {command}"
    assert error["details"] == f"cniVersion is {version or '0.1.0'}, {command} needs {since} or later"
    assert error["cniVersion"] == (version or "0.1.0")
    assert recorder.calls == []


def test_check_without_prev_result() -> None:
    recorder = Recorder()
    error = _error(_run(recorder, "CHECK", _config(prevResult=None)))
    assert (error["code"], error["msg"], recorder.calls) == (7, "missing prevResult", [])
    recorder = Recorder(needs_prev_result=False)
    assert _run(recorder, "CHECK", _config())[0] == 0
    assert recorder.calls == ["CHECK"]


def test_gc_without_list() -> None:
    """What that means is for the plugin to say: it has None, which is not an empty list."""
    for members in ({}, {"cni.dev/valid-attachments": None}):
        recorder = Recorder()
        assert _run(recorder, "GC", _config(**members)) == (0, "", "")
        assert recorder.calls == ["GC"]
        assert recorder.conf is not None
        assert recorder.conf.valid_attachments is None


LENIENT: dict[str, tuple[dict[str, object], str]] = {
    "no name": ({"name": None}, "missing network name"),
    "name of a path": ({"name": "../x"}, "invalid characters found in network name"),
    "long name": ({"name": "n" * 300}, "at most 253 bytes; this one has 300"),
    "name of no string": ({"name": 5}, "name: 5 is not allowed"),
    "unknown version": ({"cniVersion": "9.9"}, 'cniVersion: "9.9" is not allowed'),
    "version of no string": ({"cniVersion": 1}, "cniVersion: 1 is not allowed"),
    "type": ({"type": 5}, "type: 5 is not allowed"),
    "log level": ({"logLevel": 5}, "logLevel: 5 is not allowed"),
    "log file": ({"logFile": []}, "logFile: [] is not allowed"),
    "ipam": ({"ipam": 7}, "ipam: 7 is not allowed"),
    "type of ipam": ({"ipam": {"type": 7}}, "ipam.type: 7 is not allowed"),
    "path of ipam": ({"ipam": {"type": "../x"}}, 'ipam.type: "../x" is not allowed'),
    "runtimeConfig": ({"runtimeConfig": []}, "runtimeConfig: [] is not allowed"),
    "args": ({"args": 5}, "args: 5 is not allowed"),
    "args.cni": ({"args": {"cni": "x"}}, 'args.cni: "x" is not allowed'),
    "attachments": ({"cni.dev/valid-attachments": [5]}, "cni.dev/valid-attachments[0]: 5 is not allowed"),
}


@pytest.mark.parametrize(("members", "warning"), LENIENT.values(), ids=LENIENT)
def test_del_reads_leniently(members: dict[str, object], warning: str) -> None:
    """What ADD refuses DEL takes for absent, and says so."""
    assert _run(Recorder(), "ADD", _config(**members))[0] == 1
    recorder = Recorder()
    status, stdout, stderr = _run(recorder, "DEL", _config(**members))
    assert (status, stdout, recorder.calls) == (0, "", ["DEL"])
    assert warning in stderr
    assert stderr.count("warning") == len(stderr.splitlines())
    assert recorder.conf is not None
    if "name" in members:
        assert recorder.conf.name == ""
    if "ipam" in members:
        assert recorder.conf.ipam is None


def test_del_notes_what_the_command_reads() -> None:
    """Members that a plugin reads in DEL are read leniently, too, and noted once."""

    class Reader(Recorder):
        def _other(self, request: Request, conf: NetConf, log: Logger) -> None:
            for _ in range(2):
                assert conf.section.string("device", "none") == "none"
                assert conf.section.integer("vlan", 3) == 3
                assert conf.runtime_config.section("x").strings("y") == []
                assert conf.prev_result is None
                assert not conf.dns
            super()._other(request, conf, log)

    stdin = _config(device=5, vlan="x", runtimeConfig={"x": {"y": [5]}}, prevResult=5, dns={"domain": 5})
    status, _, stderr = _run(Reader(), "DEL", stdin)
    assert status == 0
    for field in ("device: 5", 'vlan: "x"', "runtimeConfig.x.y[0]: 5", "prevResult: 5", "dns.domain: 5"):
        assert stderr.count(f"not read: {field} is not allowed") == 1, stderr


@pytest.mark.parametrize("members", [{"name": "../x"}, {"ipam": 7}, {"cni.dev/valid-attachments": [5]}])
def test_gc_does_not_guess(members: dict[str, object]) -> None:
    """What decides over the devices of running pods has to be right."""
    recorder = Recorder()
    stdin = _config(**{"cni.dev/valid-attachments": [], **members})
    assert _error(_run(recorder, "GC", stdin))["code"] == 7
    assert recorder.calls == []


@pytest.mark.parametrize("members", [{"logLevel": 5}, {"runtimeConfig": 5}, {"args": []}, {"type": 5}])
def test_gc_is_lenient_where_that_is_safe(members: dict[str, object]) -> None:
    recorder = Recorder()
    assert _run(recorder, "GC", _config(**{"cni.dev/valid-attachments": [], **members}))[0] == 0
    assert recorder.calls == ["GC"]


@pytest.mark.parametrize(("command", "most"), [("ADD", 1 << 20), ("STATUS", 1 << 20), ("DEL", 1 << 22), ("GC", 1 << 22),
                                               ("CHECK", 1 << 22)])  # fmt: skip
def test_length(command: str, most: int) -> None:
    """What DEL, CHECK and GC get holds what ADD got, and more."""
    stdin = _config(prevResult={}, pad="")
    whole = stdin.replace(b'"pad": ""', b'"pad": "' + b"x" * (most - len(stdin)) + b'"')
    assert len(whole) == most
    assert _run(Recorder(), command, whole)[0] == 0
    error = _error(_run(Recorder(), command, whole + b" "))
    assert (error["code"], f"longer than {most} bytes" in str(error["msg"])) == (6, True)


def test_names_too_long() -> None:
    """ADD refuses, DEL has nothing to give back."""
    error = _error(_run(Recorder(), "ADD", _config(), CNI_CONTAINERID="c" * 129))
    assert (error["code"], error["msg"]) == (4, "CNI_CONTAINERID has 129 bytes; 128 is the limit")
    error = _error(_run(Recorder(), "ADD", _config(name="n" * 254)))
    assert error["code"] == 7
    status, stdout, stderr = _run(Recorder(), "DEL", _config(name="n" * 300), CNI_CONTAINERID="c" * 300)
    assert (status, stdout) == (0, "")
    assert "CNI_CONTAINERID has 300 bytes" in stderr
    assert _run(Recorder(), "ADD", _config(name="n" * 253), CNI_CONTAINERID="c" * 128)[0] == 0


PODS = {
    "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=pod;K8S_POD_UID=5": "[c1 net1 ns/pod]",
    "IgnoreUnknown=1;K8S_POD_NAME=pod;K8S_POD_NAMESPACE=ns;=;x;;y=z=1": "[c1 net1 ns/pod]",
    "K8S_POD_NAME=pod": "[c1 net1 pod]",
    "K8S_POD_NAMESPACE=ns": "[c1 net1]",
    "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=a b": "[c1 net1]",
    "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=a]": "[c1 net1]",
    "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=\x1b": "[c1 net1]",
    "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=" + "n" * 254: "[c1 net1]",
    "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=" + "n" * 253: f"[c1 net1 ns/{'n' * 253}]",
    "": "[c1 net1]",
}


@pytest.mark.parametrize(("args", "context"), PODS.items())
def test_log_lines_name_the_pod(args: str, context: str) -> None:
    """As far as CNI_ARGS has a name that is one; whether the rest of it is right is for the plugin to say."""
    status, _, stderr = _run(Recorder(), "DEL", _config(logLevel="debug"), CNI_ARGS=args)
    assert status == 0
    assert f"debug {context} called" in stderr


def test_long_messages_are_cut() -> None:
    """Text from anywhere is escaped and cut in one place; what was attempted and what state things are in stay."""
    error = CniError(7, "cannot x" + "\u202e" * 700_000, "errno 5" + "\n" * 700_000 + "undone: all")
    status, stdout, stderr = _run(Recorder(error), "ADD", _config())
    assert status == 1
    found = json.loads(stdout)
    assert found["msg"].startswith("cannot x\\u202e")
    assert "the middle of 700008 characters is left out, 1024 is the limit" in found["msg"]
    assert found["details"].endswith("undone: all")
    assert (len(found["msg"]), len(found["details"])) == (1024, 4096)
    assert stdout.isascii()
    assert "cannot x" in stderr
    assert all(len(line) <= LOG_LINE_CHARACTERS for line in stderr.splitlines())


@pytest.mark.parametrize(("command", "status"), [("ADD", 1), ("CHECK", 1), ("DEL", 0), ("STATUS", 0)])
def test_bad_prev_result(command: str, status: int) -> None:
    outcome = _run(Recorder(), command, _config(prevResult={"ips": 5}))
    assert outcome[0] == status
    if status:
        assert _error(outcome)["code"] == 7


@pytest.mark.parametrize(
    ("command", "stdin", "code", "version"),
    [
        ("FOO", b"", 4, "1.1.0"),
        ("ADD", b"", 6, "1.1.0"),
        ("ADD", b"x" * 3_000_000, 6, "1.1.0"),
        ("ADD", b'{"cniVersion":"9.9","name":"n"}', 1, "1.1.0"),
        ("ADD", b'{"cniVersion":"0.3.1"}', 7, "0.3.1"),
        ("DEL", b"", 6, "1.1.0"),
        ("DEL", b"[]", 6, "1.1.0"),
        ("ADD", b'{"name":"n","logLevel":5}', 7, "0.1.0"),
        ("GC", b'{"name":"../x","cniVersion":"1.1.0"}', 7, "1.1.0"),
        ("GC", b'{"name":"../x","cniVersion":"0.4.0"}', 1, "0.4.0"),
    ],
)
def test_errors_before_the_handler(command: str, stdin: bytes, code: int, version: str) -> None:
    recorder = Recorder()
    error = _error(_run(recorder, command, stdin))
    assert (error["code"], error["cniVersion"], recorder.calls) == (code, version, [])


def test_environment_comes_before_input() -> None:
    error = _error(_run(Recorder(), "ADD", b"nonsense", CNI_IFNAME=""))
    assert error["msg"] == "required env variables [CNI_IFNAME] missing"


@pytest.mark.parametrize(
    ("error", "code", "msg"),
    [
        (CniError(11, "later", "why\n\x1b"), 11, "later"),
        (KeyError("k"), 999, "recorder has a fault: KeyError: 'k'"),
        (SystemExit(3), 999, "recorder has a fault: SystemExit: 3"),
        (MemoryError(), 11, "no memory is left for {command}"),
        (OSError(24, "Too many open files"), 5, "the kernel refused a step: Too many open files"),
        (OSError(28, "No space left on device", "/x"), 5, "the kernel refused a step on /x: No space left on device"),
        (Terminated("SIGTERM"), 11, "{command} was terminated by SIGTERM"),
        (KeyboardInterrupt(), 11, "{command} was terminated by SIGINT"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
@pytest.mark.parametrize("command", COMMANDS)
def test_errors_of_handlers(command: str, error: BaseException, code: int, msg: str) -> None:
    stdin = _config(prevResult={}, **{"cni.dev/valid-attachments": []})
    outcome = _run(Recorder(error), command, stdin)
    found = _error(outcome)
    assert (found["code"], found["msg"]) == (code, msg.format(command=command))
    number = f"errno {error.errno}" if isinstance(error, OSError) else ""
    assert found.get("details", "") == escaped(getattr(error, "details", number))
    (line,) = outcome[2].splitlines()
    assert f"error [c1 net1] {command} failed with code {code}: " in line
    assert "\x1b" not in line


def question(asked: str, *refusal: object) -> NetlinkError:
    """Return the error of a question that the kernel refused."""
    error = NetlinkError(*refusal)
    error.question = asked
    return error


@pytest.mark.parametrize(
    ("error", "msg", "details"),
    [
        (KeyError("k"), "recorder has a fault: KeyError: 'k'", "undone: all"),
        (NetlinkError(22, "Invalid argument (Invalid header)"),
         "the kernel refused a step: Invalid argument (Invalid header)", "errno 22; undone: all"),
        (question("look up link ens5", 12, "Cannot allocate memory"),
         "cannot look up link ens5: Cannot allocate memory", "errno 12; undone: all"),
    ],
    ids=["of ours", "a change", "a question"],
)  # fmt: skip
def test_errors_that_nobody_worded(error: Exception, msg: str, details: str) -> None:
    """What was undone is told, whatever it was that failed."""
    error.add_note("undone: all")
    found = _error(_run(Recorder(error), "ADD", _config()))
    assert (found["code"], found["msg"], found["details"]) == (999, msg, details)


def test_traceback_only_in_the_debug_log() -> None:
    status, stdout, stderr = _run(Recorder(KeyError("k")), "ADD", _config(logLevel="debug"))
    assert (status, "Traceback" in stdout) == (1, False)
    assert "debug [c1 net1] Traceback of KeyError: 'k'" in stderr


DEBUG: dict[str, tuple[bool, dict[str, object], bool]] = {
    "asked": (True, {"debug": True}, True),
    "not asked": (True, {"debug": False}, False),
    "absent": (True, {}, False),
    "null": (True, {"debug": None}, False),
    "in other letters": (True, {"Debug": True}, True),
    "not true": (True, {"debug": 1}, False),
    "a word": (True, {"debug": "true"}, False),
    "a log level comes before it": (True, {"debug": True, "logLevel": "info"}, False),
    "an empty log level does not": (True, {"debug": True, "logLevel": ""}, True),
    "both": (True, {"debug": False, "logLevel": "debug"}, True),
    "a plugin without": (False, {"debug": True}, False),
}


@pytest.mark.parametrize(("has_debug", "members", "expected"), DEBUG.values(), ids=DEBUG)
@pytest.mark.parametrize("command", COMMANDS)
def test_debug(command: str, has_debug: bool, members: dict[str, object], expected: bool) -> None:
    """`debug` is the log level debug with the plugins that have it, and nothing with others; whether it is of the right
    type is for the plugin to say.
    """
    recorder = Recorder(has_debug=has_debug)
    stdin = _config(prevResult={}, **{"cni.dev/valid-attachments": []}, **members)
    status, _, stderr = _run(recorder, command, stdin)
    assert (status, recorder.calls) == (0, [command])
    assert ("debug [c1 net1] called" in stderr) is expected


def test_result_that_the_version_cannot_express() -> None:
    class Empty(Recorder):
        def _add(self, request: Request, conf: NetConf, log: Logger) -> Result:
            return Result()

    assert _error(_run(Empty(), "ADD", _config(cniVersion="0.2.0")))["msg"] == "cannot convert: no valid IP addresses"


def test_reader_of_stdout_is_gone() -> None:
    environ = {**ENVIRON, "CNI_COMMAND": "ADD"}
    assert skel.run(Recorder().plugin, environ, lambda: io.BytesIO(_config()), Broken(), io.BytesIO()) == 1


PATIENCE_S = 60
"""How long a process may take to start and to end on a busy machine."""

MORE_THAN_A_PIPE = 1 << 17
"""What somebody has to read from, or the write does not return (pipe(7): 65,536 bytes)."""

PROGRAM = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from cni import skel
from cni.protocol.result import Result
from cni.attach.rollback import Rollback
def add(request, conf, log):
    with Rollback(log) as rollback:
        rollback.push("tell", os.write, 2, b"undone\\n")
        os.write(2, b"ready\\n")
        time.sleep(30 if conf.section.boolean("wait") else 0)
        rollback.commit()
    return Result()
def other(request, conf, log):
    pass
skel.main(skel.Program("p", "CNI p plugin", add, other, other, other, other))
"""


def _start(command: str | None, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    repository = os.path.dirname(os.path.dirname(os.path.abspath(skel.__file__)))
    environ = {**ENVIRON, **({"CNI_COMMAND": command} if command else {})}
    return subprocess.Popen(
        [sys.executable, "-I", "-c", PROGRAM, repository],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_process_is_terminated(number: signal.Signals) -> None:
    process = _start("ADD")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(_config(wait=True))
    process.stdin.close()
    assert process.stderr.readline() == b"ready\n"
    process.send_signal(number)
    error = json.loads(process.stdout.read())
    assert (error["code"], error["msg"]) == (11, f"ADD was terminated by {number.name}")
    assert b"undone\n" in process.stderr.read()
    assert process.wait(PATIENCE_S) == 1


def test_process_is_terminated_while_it_reads() -> None:
    process = _start("ADD")
    assert process.stdin is not None
    process.stdin.write(b"{" + b" " * MORE_THAN_A_PIPE)
    process.stdin.flush()  # so it has begun to read
    process.terminate()
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert json.loads(stdout)["code"] == 11
    assert b"Traceback" not in stderr
    assert process.returncode == 1


def test_process_without_command() -> None:
    process = _start(None)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, stdout) == (0, b"")
    assert stderr.startswith(b"CNI p plugin\n")


def test_process_with_closed_output() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = _start("VERSION", stdout=writer)
    os.close(writer)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, stderr) == (1, b"")


def test_version_does_not_wait_for_input() -> None:
    process = _start("VERSION")
    assert process.wait(PATIENCE_S) == 0
    assert json.loads(process.communicate()[0])["cniVersion"] == "1.1.0"


def test_process_without_streams() -> None:
    """Standard streams that are closed become /dev/null, so that no file of ours takes their numbers."""
    repository = os.path.dirname(os.path.dirname(os.path.abspath(skel.__file__)))
    script = 'exec "$0" -I -c "$1" "$2" <&- >&- 2>&-'
    run = subprocess.run(
        ["sh", "-c", script, sys.executable, PROGRAM, repository],
        env={**ENVIRON, "CNI_COMMAND": "VERSION"},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


@pytest.mark.parametrize("path", ["/etc/ld.so.preload", "/var/log/../../etc/x", "relative", "/var/logs/x"])
def test_log_file_elsewhere(path: str) -> None:
    """A configuration cannot make the plugin, which is root, write to any file."""
    outcome = _run(Recorder(), "ADD", _config(logFile=path))
    assert outcome[0] == 0
    assert f"logFile {path} is not below /var/log/" in outcome[2]
    assert not os.path.exists("/etc/x")
