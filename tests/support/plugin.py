"""Run a plugin as a container runtime runs it: environment and input in, output and exit status out."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIST = os.path.join(REPOSITORY, "dist")
REFERENCE = "/usr/lib/cni"
"""Where Debian's package containernetworking-plugins puts the reference plugins."""


class Outcome:
    """How a run ended: exit status, standard output as text and, where it is JSON, decoded, and standard error."""

    def __init__(self, status: int, stdout: bytes, stderr: bytes) -> None:
        self.status = status
        self.stdout = stdout.decode(errors="replace")
        self.stderr = stderr.decode(errors="replace")

    @property
    def json(self) -> dict[str, Any]:
        """The decoded output; a test that asks for it expects JSON."""
        decoded = json.loads(self.stdout)
        assert isinstance(decoded, dict), self.stdout
        return decoded

    def ok(self) -> dict[str, Any]:
        """Assert success and return the result, {} when there was no output."""
        assert self.status == 0, f"exit status {self.status}: {self.stdout}{self.stderr}"
        return self.json if self.stdout.strip() else {}

    def error(self, code: int | None = None) -> dict[str, Any]:
        """Assert failure, with the code if one is given, and return the error object."""
        assert self.status == 1, f"exit status {self.status}: {self.stdout}{self.stderr}"
        assert {"cniVersion", "code", "msg"} <= self.json.keys(), self.stdout
        assert code is None or self.json["code"] == code, self.stdout
        return self.json

    def __repr__(self) -> str:
        return f"Outcome({self.status}, {self.stdout!r}, {self.stderr!r})"


def with_dns(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result with its `dns`: the newest reference plugins leave it out if it is empty, others write {}."""
    return {**result, "dns": result.get("dns", {})}


def binary(name: str, folder: str = DIST) -> str:
    """Return the path of a plugin; a missing one is the test's failure, not a reason to skip."""
    path = os.path.join(folder, name)
    assert os.access(path, os.X_OK), f"{path} is missing: run `make binaries` and `make test`"
    return path


def environment(
    command: str | None,
    container_id: str | None = None,
    netns: str | None = None,
    ifname: str | None = None,
    args: str | None = None,
    path: str | None = None,
) -> dict[str, str]:
    """Return a CNI environment; what is None is not set."""
    values = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container_id,
        "CNI_NETNS": netns,
        "CNI_IFNAME": ifname,
        "CNI_ARGS": args,
        "CNI_PATH": path,
    }
    return {"PATH": os.environ["PATH"], **{key: value for key, value in values.items() if value is not None}}


def run(executable: str, stdin: bytes, variables: dict[str, str], prefix: tuple[str, ...] = ()) -> Outcome:
    """Run an executable, behind a prefix such as strace, and wait for its end (60 s at most)."""
    done = subprocess.run([*prefix, executable], input=stdin, env=variables, capture_output=True, timeout=60)
    return Outcome(done.returncode, done.stdout, done.stderr)


class Attachment:
    """One attachment of a pod to a network, and the commands that a runtime gives for it."""

    def __init__(
        self,
        conf: dict[str, Any],
        container_id: str,
        netns: str,
        ifname: str = "net1",
        folder: str = DIST,
        path: str | None = None,
        args: str | None = None,
    ) -> None:
        self.conf = conf
        self.container_id = container_id
        self.netns = netns
        self.ifname = ifname
        self.folder = folder
        self.path = path if path is not None else f"{folder}:{REFERENCE}"
        self.args = args
        self.result: dict[str, Any] | None = None

    def call(
        self, command: str, /, *, folder: str | None = None, prefix: tuple[str, ...] = (), **extra: Any
    ) -> Outcome:
        """Give one command; `extra` goes on top of the configuration, `folder` chooses another implementation."""
        stdin = json.dumps({**self.conf, **extra}).encode()
        variables = environment(command, self.container_id, self.netns, self.ifname, self.args, self.path)
        return run(binary(self.conf["type"], folder or self.folder), stdin, variables, prefix)

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start a command, which begins when it has read its input."""
        variables = environment(command, self.container_id, self.netns, self.ifname, self.args, self.path)
        pipe = subprocess.PIPE
        return subprocess.Popen([binary(self.conf["type"])], env=variables, stdin=pipe, stdout=pipe, bufsize=0)

    def add(self, **options: Any) -> dict[str, Any]:
        """ADD that must succeed; the result is kept for CHECK."""
        self.result = self.call("ADD", **options).ok()
        return self.result

    def check(self, **options: Any) -> Outcome:
        """CHECK with the result of ADD as prevResult, as a runtime does."""
        return self.call("CHECK", prevResult=self.result, **options)

    def delete(self, **options: Any) -> None:
        """DEL that must succeed and print nothing."""
        outcome = self.call("DEL", **options)
        outcome.ok()
        assert outcome.stdout.strip() == "", outcome
