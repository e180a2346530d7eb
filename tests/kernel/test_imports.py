"""Which modules the commands of host-device load: each costs time in every attach, so that this list is guarded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.net import Space
from tests.support.plugin import REPOSITORY, environment

HEAVY = {
    "argparse", "asyncio", "click", "collections", "contextlib", "ctypes", "dataclasses", "enum", "functools",
    "inspect", "ipaddress", "json", "logging", "netaddr", "pathlib", "pyroute2", "pyudev", "re", "shutil", "signal",
    "socket", "subprocess", "tempfile", "threading", "traceback", "typing",
}  # fmt: skip
ADDRESSES = {"cni.cidr", "cni.convert", "cni.ip", "cni.result"}
CONFIGURING = {"cni.announce", "cni.ifconfig", "cni.netlink.addr", "cni.netlink.route", "ipam.host_local.allocator"}
UNWANTED = {"VERSION": HEAVY | ADDRESSES | CONFIGURING | {"cni.netlink.socket"}, "ADD": HEAVY,
            "DEL": HEAVY | ADDRESSES | CONFIGURING}  # fmt: skip

MODULES = {"VERSION": 13, "ADD": 60, "DEL": 46}
"""How many modules of ours each command may load: one takes 20 to 40 microseconds."""

RUN = """
import io, os, sys
before = set(sys.modules)
import ctypes, types
library = ctypes.CDLL(None, use_errno=True)
def setns(fd, kind):
    if library.setns(fd, kind) != 0:
        raise OSError(ctypes.get_errno(), "setns")
stub = types.SimpleNamespace(setns=setns)  # what a binary has built in
for name in set(sys.modules) - before:
    del sys.modules[name]
sys.modules["_plumbline"] = stub
sys.path.insert(0, {repository!r})
from cni import skel
from plugins.host_device.__main__ import PLUGIN
stdout, stderr = io.BytesIO(), io.BytesIO()
status = skel.run(PLUGIN, os.environ, io.BytesIO({stdin!r}), stdout, stderr)
loaded = set(sys.modules) - before
import json
print(json.dumps([status, stdout.getvalue().decode(), sorted(loaded)]))
"""


def _run(command: str, pod: Space, device: str) -> set[str]:
    """Run one command in an interpreter of its own, without site; return the modules that were loaded at its end."""
    conf = {
        "cniVersion": "1.0.0",
        "name": "imports",
        "type": "host-device",
        "device": device,
        "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]},
    }
    script = RUN.format(repository=REPOSITORY, stdin=json.dumps(conf).encode())
    variables = environment(command, "imports", pod.path, "net1", path="/nowhere")
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], env=variables, capture_output=True, check=True)
    status, stdout, loaded = json.loads(done.stdout)
    assert status == 0, stdout
    return set(loaded)


@pytest.mark.parametrize("command", ["VERSION", "ADD", "DEL"])
def test_loaded_modules(command: str, pod: Space, device: str) -> None:
    """Nothing heavy is loaded, and only what the command uses."""
    if command == "DEL":
        assert "cni.ifconfig" in _run("ADD", pod, device)
    loaded = _run(command, pod, device)
    assert "cni.skel" in loaded
    assert loaded & UNWANTED[command] == set()
    ours = sorted(name for name in loaded if name.partition(".")[0] in ("cni", "ipam", "plugins"))
    assert len(ours) <= MODULES[command], ours
