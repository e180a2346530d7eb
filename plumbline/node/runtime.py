"""Where the container runtime has its plugins and its network configurations, by its own configuration.

containerd: `bin_dir` or `bin_dirs`, and `conf_dir`, of its CRI plugin (docs/cri/config.md there); CRI-O: `plugin_dirs`
and `network_dir` of [crio.network] (crio.conf(5)), of which the files in crio.conf.d come later, and win.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from typing import Any

from plumbline.node import functions
from plumbline.node.roots import Roots

BINARIES, CONFIGURATIONS = "/opt/cni/bin", "/etc/cni/net.d"
"""Where runtimes look if nobody says otherwise."""

CONTAINERD = ("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "cri")
"""What the CRI plugin is called in the versions of containerd's configuration: 3, 2 and 1."""


@dataclass(frozen=True, slots=True)
class Folders:
    """binaries: of plugins, in the order in which they are searched. configurations: of networks. by: whose choice
    these are, the path of a file or empty where they are the usual ones.
    """

    binaries: tuple[str, ...] = (BINARIES,)
    configurations: str = CONFIGURATIONS
    by: str = ""


def folders(roots: Roots) -> Folders:
    """Return the folders that the runtime of this node uses. A file that cannot be read says nothing."""
    containerd = os.path.join(roots.etc, "containerd/config.toml")
    plugins = _table(_loaded(containerd), "plugins")
    cri = next((x for x in (_table(plugins, key) for key in CONTAINERD) if x), {})
    found = _folders(_table(cri, "cni"), containerd, Folders())
    crio = os.path.join(roots.etc, "crio")
    drop_ins = os.path.join(crio, "crio.conf.d")
    paths = [os.path.join(crio, "crio.conf"), *(os.path.join(drop_ins, x) for x in sorted(functions.entries(drop_ins)))]
    for path in paths:
        network = _table(_table(_loaded(path), "crio"), "network")
        said = {"bin_dirs": network.get("plugin_dirs"), "conf_dir": network.get("network_dir")}
        found = _folders(said, path, found)
    return found


def _folders(said: dict[str, Any], path: str, before: Folders) -> Folders:
    """Return the folders that a file says. before: those that hold as far as it says none."""
    listed = said.get("bin_dirs") or [said.get("bin_dir")]
    binaries = tuple(x for x in listed if isinstance(x, str) and x) if isinstance(listed, list) else ()
    configurations = said.get("conf_dir")
    if not binaries and not configurations:
        return before
    return Folders(binaries or before.binaries, str(configurations or before.configurations), path)


def _loaded(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError):
        return {}


def _table(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}
