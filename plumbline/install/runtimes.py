"""The folders that the node's container runtimes execute CNI plugins from, as their configurations have them.

- containerd: `bin_dir`, since its version 2.1 `bin_dirs`, of the CRI plugin's table `cni` (docs/cri/config.md), in the
  file that the daemon was started with; k3s, RKE2 and MicroK8s have files of their own; `imports` name more files.
- CRI-O: `plugin_dirs` of `crio.network` (crio.conf(5)), in one file and a folder of files that come after it.
"""

from __future__ import annotations

import glob
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

DEFAULT_FOLDER = "/opt/cni/bin"
"""What both runtimes have by themselves."""

CONTAINERD = "containerd"
CRI_O = "CRI-O"
CONTAINERD_FILES = (
    "/etc/containerd/config.toml",
    "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
    "/var/snap/microk8s/current/args/containerd.toml",
)
CRI_O_FILES = ("/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*.conf", "/etc/crio/crio.conf.d/*")
CRI_PLUGINS = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime", "cri")
"""What the CRI plugin is called in configurations of containerd of version 2, 3 and 1."""


@dataclass(frozen=True, slots=True)
class Found:
    """A folder of plugins. runtime: whose; file: the configuration that says so, empty for the runtime's own default;
    running: whether that runtime runs.
    """

    folder: str
    runtime: str
    file: str
    running: bool


def folders(root: str = "/") -> list[Found]:
    """Return the folders that the runtimes of this node use, those of running ones first; without any runtime, the
    folder that all have by themselves. root: where the node's root file system is.
    """
    arguments = list(_commands(root))
    found = [*_containerd(root, arguments), *_cri_o(root, arguments)]
    found.sort(key=lambda x: not x.running)
    unique = {x.folder: x for x in reversed(found)}
    return [x for x in found if unique[x.folder] is x] or [Found(DEFAULT_FOLDER, "", "", False)]


def _containerd(root: str, commands: list[list[str]]) -> Iterator[Found]:
    running = [command for command in commands if os.path.basename(command[0]) == "containerd"]
    named = [path for command in running for path in _option(command, "-c", "--config")]
    files = [path for path in dict.fromkeys((*named, *CONTAINERD_FILES)) if os.path.isfile(_below(root, path))]
    for path in files:
        folders = [folder for settings in _with_imports(root, path) for folder in _of_containerd(settings)]
        for folder in folders[-1:] or [DEFAULT_FOLDER]:
            yield Found(folder, CONTAINERD, path, bool(running) and path in (named or files)[:1])
    if running and not files:
        yield Found(DEFAULT_FOLDER, CONTAINERD, "", True)


def _of_containerd(settings: dict[str, Any]) -> Iterator[str]:
    """Give the folders of one file, the one that counts last."""
    for plugin in CRI_PLUGINS:
        cni = _table(_table(_table(settings, "plugins"), plugin), "cni")
        several = cni.get("bin_dirs")
        for folder in (cni.get("bin_dir"), *(reversed(several) if isinstance(several, list) else ())):
            if isinstance(folder, str) and folder:
                yield folder


def _with_imports(root: str, path: str) -> Iterator[dict[str, Any]]:
    settings = _loaded(_below(root, path))
    yield settings
    for pattern in settings.get("imports") or ():
        for file in _files(root, os.path.join(os.path.dirname(path), str(pattern))):
            yield _loaded(_below(root, file))


def _cri_o(root: str, commands: list[list[str]]) -> Iterator[Found]:
    running = [command for command in commands if os.path.basename(command[0]) == "crio"]
    folder, said = DEFAULT_FOLDER, ""
    files = [path for pattern in CRI_O_FILES for path in _files(root, pattern)]
    for path in dict.fromkeys(files):
        listed = _table(_table(_loaded(_below(root, path)), "crio"), "network").get("plugin_dirs")
        if isinstance(listed, list) and listed and isinstance(listed[0], str):
            folder, said = listed[0], path
    if running or files:
        yield Found(folder, CRI_O, said, bool(running))


def _commands(root: str) -> Iterator[list[str]]:
    """Give the command lines of all processes."""
    for process in _entries(os.path.join(root, "proc")):
        if process.isdecimal():
            try:
                with open(os.path.join(root, "proc", process, "cmdline"), "rb") as file:
                    words = os.fsdecode(file.read()).split("\0")
            except OSError:  # it has ended
                continue
            if words[0]:
                yield words


def _option(command: list[str], *names: str) -> list[str]:
    """Return the values of an option, given as `--config X` or `--config=X`."""
    separate = [value for name, value in pairwise(command) if name in names]
    joined = [word.partition("=")[2] for word in command if word.partition("=")[0] in names and "=" in word]
    return [*separate, *joined]


def _loaded(path: str) -> dict[str, Any]:
    """Return a file's settings, none where it cannot be read: its runtime does not use it then."""
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError):
        return {}


def _table(settings: dict[str, Any], key: str) -> dict[str, Any]:
    value = settings.get(key)
    return value if isinstance(value, dict) else {}


def _files(root: str, pattern: str) -> list[str]:
    """Return the paths on the node that match a pattern, sorted."""
    return ["/" + path for path in sorted(glob.glob(pattern.lstrip("/"), root_dir=root))]


def _below(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
