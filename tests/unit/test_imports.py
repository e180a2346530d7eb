"""What a plugin's start-up may import: each of these modules costs milliseconds on every attach."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

FORBIDDEN = {
    "argparse",
    "asyncio",
    "click",
    "contextlib",
    "ctypes",
    "dataclasses",
    "enum",
    "inspect",
    "json",
    "logging",
    "netaddr",
    "pathlib",
    "pyroute2",
    "pyudev",
    "re",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "traceback",
    "typing",
}

# VERSION through the dispatcher, with input; then the ways of an ADD that need no kernel.
VERSION = """
import io, os
from cni import skel
handler = None
plugin = skel.Plugin("p", "about", handler, handler, handler, handler, handler)
stdin = io.BytesIO(b'{"cniVersion":"1.0.0"}')
assert skel.run(plugin, {"CNI_COMMAND": "VERSION"}, stdin, io.BytesIO(), io.BytesIO()) == 0
"""
ADD = """
import io
from cni import skel, rollback, nodeconfig, convert
def add(request, conf, log):
    with rollback.Rollback(log) as undo:
        undo.push("nothing", print)
        undo.commit()
    nodeconfig.load("/nonexistent/node.json")
    log.info("a line")
    return conf.prev_result
plugin = skel.Plugin("p", "about", add, None, None, None, None)
environ = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c", "CNI_NETNS": "/n", "CNI_IFNAME": "e", "CNI_PATH": "/p"}
stdin = io.BytesIO(b'{"cniVersion":"0.2.0","name":"n","prevResult":{"ip4":{"ip":"10.0.0.1/8"}}}')
stdout = io.BytesIO()
assert skel.run(plugin, environ, stdin, stdout, io.BytesIO()) == 0, stdout.getvalue()
"""


VFS = """
import plugins.accelerated_bridge.kind, plugins.sriov.kind
import plugins.vf.add, plugins.vf.check, plugins.vf.claims, plugins.vf.commands, plugins.vf.delete
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("import cni.skel", id="import"),
        pytest.param(VERSION, id="version"),
        pytest.param(ADD, id="add"),
        pytest.param(VFS, id="plugins for VFs"),
    ],
)
def test_nothing_heavy_is_imported(program: str) -> None:
    """-I and -S keep the environment and the site's packages from importing things themselves."""
    report = "\nprint(*sorted(sys.modules))"
    command = [sys.executable, "-I", "-S", "-c", f"import sys\nsys.path.insert(0, {REPOSITORY!r})\n{program}{report}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert FORBIDDEN & set(run.stdout.split()) == set()


@pytest.mark.parametrize("plugin", ["accelerated_bridge", "host_device", "sriov"])
def test_dispatch_loads_no_command(plugin: str) -> None:
    """VERSION is asked of every plugin at every start of a runtime."""
    program = f"import sys; sys.path.insert(0, {REPOSITORY!r}); import plugins.{plugin}.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    ours = {name for name in loaded.stdout.split() if name.startswith(("plugins.", "ipam."))}
    assert ours <= {f"plugins.{plugin}", f"plugins.{plugin}.__main__", "plugins.vf", "plugins.vf.commands"}
    assert "cni.netlink" not in loaded.stdout
