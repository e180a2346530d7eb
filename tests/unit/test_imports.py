"""What the plugins import: no more than a binary has, of which each megabyte counts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from program.contents import EXTENSIONS, STANDARD_LIBRARY, WHILE_LOADED

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLUGINS = ("ipam.host_local", "ipam.static", "plugins.accelerated_bridge", "plugins.host_device", "plugins.sriov")


def _loaded(program: str) -> set[str]:
    """Return what an interpreter has loaded at the end. -I and -S keep the site's packages from importing things."""
    command = [sys.executable, "-I", "-S", "-c", f"import sys\n{program}\nprint(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("plugin", PLUGINS)
def test_only_what_a_binary_has(plugin: str) -> None:
    loaded = _loaded(f"sys.path.insert(0, {REPOSITORY!r})\nimport {plugin}.__main__") - _loaded("")
    ours = {name for name in loaded if name.partition(".")[0] in ("cni", "ipam", "plugins")}
    assert f"{plugin}.__main__" in ours
    assert loaded - ours - {*STANDARD_LIBRARY, *WHILE_LOADED, *EXTENSIONS, "os.path"} == set()  # os.path is posixpath
