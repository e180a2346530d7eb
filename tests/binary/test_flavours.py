"""With an image or frozen: a plugin gives the same answers, to the letter, so each flavour shows faults of the other.

What dist/ has is compared with the other flavour, which is built here as `make binaries` does it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest

from tests.support import disk, flavour
from tests.support.cases import try_each
from tests.support.net import HOST, Space
from tests.support.plugin import DIST, REPOSITORY, Outcome, binary, environment, run

PLUGINS = ("host-device", "host-local", "static")
RANGE = {"type": "host-local", "subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}
FIXED = {"type": "static", "addresses": [{"address": "10.2.0.2/24", "gateway": "10.2.0.1"}]}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of the binaries of the flavour that is not in dist/."""
    folder = tmp_path_factory.mktemp("other")
    name = flavour.IMAGE if flavour.of_binaries() == flavour.FROZEN else flavour.FROZEN
    command = [".venv/bin/python", "-m", "PyInstaller", "--log-level", "WARN", "build.spec",
               "--workpath", str(folder / "work"), "--distpath", str(folder / "dist")]  # fmt: skip
    variables = {**os.environ, "FLAVOUR": name, "PYINSTALLER_CONFIG_DIR": str(folder / "cache")}
    subprocess.run(command, cwd=REPOSITORY, env=variables, check=True, capture_output=True)
    return str(folder / "dist")


def described(outcome: Outcome) -> tuple[int, str, str]:
    """Return what is to be the same. Commit and flavour of a binary are not, nor is the time in its log."""
    told = re.sub(r", commit \S+, (.*?)(, frozen)?\n", r", \1\n", outcome.stderr)
    return outcome.status, outcome.stdout, re.sub(r"(?m)^\d{4}-\d\d-\d\dT\S+Z ", "", told)


def test_flavours(other: str) -> None:
    """Each says which it is, so the comparison is one."""
    assert {flavour.of_binaries(), flavour.of_binaries(other)} == {flavour.IMAGE, flavour.FROZEN}


CONFIGURATIONS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b'{"cniVersion": "1.0.0",',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "not an object": b"[1, 2]",
    "nested too deeply": b"[" * 100_000,
    "of no version that there is": b'{"cniVersion": "9.9.9", "name": "n", "type": "t"}',
    "of the oldest version": b'{"cniVersion": "0.1.0", "name": "n", "type": "t", "ipam": {}}',
    "without a name": b'{"cniVersion": "1.0.0", "type": "t"}',
    "a name that is none": b'{"cniVersion": "1.0.0", "name": "../n", "type": "t", "ipam": {"type": "static"}}',
    "numbers of all kinds": b'{"cniVersion": "1.0.0", "name": "n", "type": "t", "mtu": -0.5e-3, "device": 1e400}',
    "of no device": b'{"cniVersion": "1.0.0", "name": "n", "type": "t", "device": "none0"}',
    "of no IPAM plugin": b'{"cniVersion": "1.0.0", "name": "n", "type": "t", "device": "lo", "ipam": {"type": "x"}}',
    "a range that is none": b'{"cniVersion": "1.0.0", "name": "n", "type": "t", "ipam": {"type": "host-local", '
                            b'"subnet": "10.1.0.0/33"}}',
    "an address that is none": '{"cniVersion": "1.0.0", "name": "n\u00e4", "type": "t", "ipam": {"type": "static", '
                               '"addresses": [{"address": "10.1.0.256/24"}]}}'.encode(),
}  # fmt: skip
ENVIRONMENTS = {
    "nothing": {},
    "VERSION": environment("VERSION"),
    "no command that there is": environment("MOVE", "c", "/nowhere", "net1", path="/x"),
    "ADD without an interface": environment("ADD", "c", "/nowhere", path="/x"),
    **{command: environment(command, "c", "/nowhere", "net1", path="/x")
       for command in ("ADD", "CHECK", "DEL", "GC", "STATUS")},
    "arguments": environment("ADD", "c", "/nowhere", "net1", "IgnoreUnknown=1;IP=10.1.0.7", "/x"),
    "an interface that is none": environment("ADD", "c", "/nowhere", "net/1", path="/x"),
}  # fmt: skip


@pytest.mark.parametrize("plugin", PLUGINS)
def test_what_is_refused_or_only_asked(plugin: str, other: str) -> None:
    """Every configuration with every environment; no pod is there, so nothing is done."""

    def same(case: str) -> None:
        variables, configuration = case.split(" with ")
        one, another = (
            described(run(binary(plugin, folder), CONFIGURATIONS[configuration], dict(ENVIRONMENTS[variables])))
            for folder in (DIST, other)
        )
        assert one == another

    try_each((f"{x} with {y}" for x in ENVIRONMENTS for y in CONFIGURATIONS), same)


def served(folder: str, plugin: str, pod: Space, conf: dict[str, Any]) -> list[tuple[int, str, str]]:
    """Return what a plugin in a folder answers to the commands for an attachment, good ones and bad ones."""
    answers = []

    def call(command: str, **extra: Any) -> Outcome:
        variables = environment(command, "flavour", pod.path, "net1", path=folder)
        outcome = run(binary(plugin, folder), json.dumps({**conf, **extra}).encode(), variables)
        answers.append(described(outcome))
        return outcome

    call("CHECK")
    added = call("ADD").ok()
    call("CHECK", prevResult=added)
    call("CHECK", prevResult={**added, "ips": [{"address": "10.9.9.9/24"}]})
    call("ADD")
    call("GC", **{"cni.dev/valid-attachments": [{"containerID": "flavour", "ifname": "net1"}]})
    call("STATUS")
    call("DEL", prevResult=added)
    call("DEL")
    call("GC", **{"cni.dev/valid-attachments": []})
    return answers


@pytest.mark.parametrize("ipam", [RANGE, FIXED], ids=["host-local", "static"])
def test_an_attachment(ipam: dict[str, Any], other: str, pod: Space, device: str) -> None:
    """The same device goes to the same pod and comes back, by one flavour and then by the other."""
    conf = {"cniVersion": "1.1.0", "name": "flavours", "type": "host-device", "device": device, "ipam": ipam}
    one = served(DIST, "host-device", pod, conf)
    before = HOST.links()
    disk.clear()  # so that the next address is the first again
    assert served(other, "host-device", pod, conf) == one
    assert HOST.links() == before
    assert [status for status, _, _ in one][1:3] == [0, 0]


@pytest.mark.parametrize("ipam", [RANGE, FIXED], ids=["host-local", "static"])
def test_addresses(ipam: dict[str, Any], other: str, pod: Space) -> None:
    """The IPAM plugins on their own."""
    conf = {"cniVersion": "1.1.0", "name": "flavours", "type": "x", "ipam": ipam}
    one = served(DIST, ipam["type"], pod, conf)
    disk.clear()
    assert served(other, ipam["type"], pod, conf) == one
    assert [status for status, _, _ in one][1:3] == [0, 0]
