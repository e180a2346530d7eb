"""The folders that the node's container runtimes have plugins and network configurations in, by their configurations.

- containerd: `bin_dir`, since its version 2.1 `bin_dirs`, and `conf_dir` of its CRI plugin (docs/cri/config.md there),
  in the file that the daemon was started with; k3s and RKE2 have files of their own; `imports` name more files.
- CRI-O: `plugin_dirs` and `network_dir` of [crio.network] (crio.conf(5)); the files in crio.conf.d come later, and win.
"""

from __future__ import annotations

import glob
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from plumbline.node import functions
from plumbline.node.roots import Roots

BINARIES, CONFIGURATIONS = "/opt/cni/bin", "/etc/cni/net.d"
"""Where runtimes look if nobody says otherwise."""

CONTAINERD, CRI_O = "containerd", "CRI-O"
CRI_PLUGINS = ("cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime")
"""What the CRI plugin is called in the versions of containerd's configuration: 1, 2 and 3."""

DISTRIBUTIONS = tuple(f"lib/rancher/{name}/agent/etc/containerd/config.toml" for name in ("k3s", "rke2"))
"""Containerd's configuration in distributions of Kubernetes that bring their own, below /var."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one runtime.

    binaries: of plugins, in the order in which they are searched. configurations: of networks. by: the file that says
    so, empty where they are the usual ones. runtime: whose, empty for nobody's. running: whether it runs.
    """

    binaries: tuple[str, ...] = (BINARIES,)
    configurations: str = CONFIGURATIONS
    by: str = ""
    runtime: str = ""
    running: bool = False


def folders(roots: Roots) -> Folders:
    """Return the folders that pods of this node are started with, as far as that can be told."""
    return all_of(roots)[0]


def all_of(roots: Roots) -> list[Folders]:
    """Return the folders of the runtimes of this node, of one that runs first; without any, the usual ones. A file that
    cannot be read says nothing.
    """
    commands = list(_commands(roots))
    found = [*_containerd(roots, commands), *_cri_o(roots, commands)]
    found.sort(key=lambda x: not x.running)
    different = {x.binaries: x for x in reversed(found)}
    return [x for x in found if different[x.binaries] is x] or [Folders()]


def _containerd(roots: Roots, commands: list[list[str]]) -> Iterator[Folders]:
    running = [command for command in commands if os.path.basename(command[0]) == "containerd"]
    named = [path for command in running for path in _option(command, "-c", "--config")]
    usual = os.path.join(roots.etc, "containerd/config.toml")
    files = [*named, usual, *(os.path.join(roots.var, path) for path in DISTRIBUTIONS)]
    there = [path for path in dict.fromkeys(files) if os.path.isfile(path)]
    for path in there:
        found = Folders(runtime=CONTAINERD, running=bool(running) and path in (named or there)[:1])
        for settings in _with_imports(path):
            for plugin in CRI_PLUGINS:
                found = _told(found, _table(_table(_table(settings, "plugins"), plugin), "cni"), path)
        yield found
    if running and not there:
        yield Folders(runtime=CONTAINERD, running=True)


def _with_imports(path: str) -> Iterator[dict[str, Any]]:
    settings = _loaded(path)
    yield settings
    for pattern in settings.get("imports") or ():
        for file in sorted(glob.glob(os.path.join(os.path.dirname(path), str(pattern)))):
            yield _loaded(file)


def _cri_o(roots: Roots, commands: list[list[str]]) -> Iterator[Folders]:
    folder = os.path.join(roots.etc, "crio")
    drop_ins = os.path.join(folder, "crio.conf.d")
    later = (os.path.join(drop_ins, name) for name in sorted(functions.entries(drop_ins)))
    paths = [os.path.join(folder, "crio.conf"), *later]
    there = [path for path in paths if os.path.isfile(path)]
    running = any(os.path.basename(command[0]) == "crio" for command in commands)
    found = Folders(runtime=CRI_O, running=running)
    for path in there:
        network = _table(_table(_loaded(path), "crio"), "network")
        said = {"bin_dirs": network.get("plugin_dirs"), "conf_dir": network.get("network_dir")}
        found = _told(found, said, path)
    if there or running:
        yield found


def _told(before: Folders, said: dict[str, Any], path: str) -> Folders:
    """Return the folders that a file says. before: those that hold as far as it says none."""
    listed = said.get("bin_dirs") or [said.get("bin_dir")]
    binaries = tuple(x for x in listed if isinstance(x, str) and x) if isinstance(listed, list) else ()
    configurations = said.get("conf_dir")
    if not binaries and not configurations:
        return before
    configurations = str(configurations or before.configurations)
    return replace(before, binaries=binaries or before.binaries, configurations=configurations, by=path)


def _commands(roots: Roots) -> Iterator[list[str]]:
    """Give the command lines of all processes."""
    for process in functions.entries(roots.proc):
        words = functions.text(roots.proc, process, "cmdline").split("\0") if process.isdecimal() else [""]
        if words[0]:
            yield words


def _option(command: list[str], *names: str) -> list[str]:
    """Return the values of an option, given as `--config X` or `--config=X`."""
    separate = [value for name, value in pairwise(command) if name in names]
    joined = [word.partition("=")[2] for word in command if word.partition("=")[0] in names and "=" in word]
    return [*separate, *joined]


def _loaded(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError):
        return {}


def _table(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}
