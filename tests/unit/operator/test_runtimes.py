"""Where a node's container runtimes have plugins and configurations of networks, by their own configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.node import runtime
from plumbline.node.roots import Roots
from plumbline.node.runtime import BINARIES, CONFIGURATIONS, CONTAINERD, CRI_O, Folders

CONFIG = "etc/containerd/config.toml"
K3S = "var/lib/rancher/k3s/agent/etc/containerd/config.toml"
CRIO, DROP_IN = "etc/crio/crio.conf", "etc/crio/crio.conf.d/10-x.conf"

VERSION_1 = '[plugins.cri.cni]\nbin_dir = "/usr/lib/cni"\n'
VERSION_2 = '[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "/usr/lib/cni"\nconf_dir = "/srv/net.d"\n'
VERSION_3 = "[plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['/opt/first', '/opt/second']\n"
OF_CRIO = '[crio.network]\nplugin_dirs = ["/usr/libexec/cni", "/opt/cni/bin"]\nnetwork_dir = "/srv/crio.d"\n'

USUAL, DEBIAN, SEVERAL = (BINARIES,), ("/usr/lib/cni",), ("/opt/first", "/opt/second")


def found(binaries: tuple[str, ...], configurations: str, by: str, name: str, running: bool = False) -> Folders:
    """Return folders; `by` is below the node's root."""
    return Folders(binaries, configurations, by, name, running)


CASES = {
    "nothing": ({}, [], [Folders()]),
    "containerd, not running": ({CONFIG: VERSION_2}, [], [found(DEBIAN, "/srv/net.d", CONFIG, CONTAINERD)]),
    "running": ({CONFIG: VERSION_2}, ["/usr/bin/containerd"], [found(DEBIAN, "/srv/net.d", CONFIG, CONTAINERD, True)]),
    "without a file": ({}, ["containerd"], [found(USUAL, CONFIGURATIONS, "", CONTAINERD, True)]),
    "a file that says nothing": (
        {CONFIG: "version = 3\n"},
        ["containerd"],
        [found(USUAL, CONFIGURATIONS, "", CONTAINERD, True)],
    ),
    "version 1": ({CONFIG: VERSION_1}, [], [found(DEBIAN, CONFIGURATIONS, CONFIG, CONTAINERD)]),
    "version 3": ({CONFIG: VERSION_3}, [], [found(SEVERAL, CONFIGURATIONS, CONFIG, CONTAINERD)]),
    "another file": (
        {"srv/c.toml": VERSION_2, CONFIG: VERSION_3},
        ["/usr/bin/containerd --config {root}/srv/c.toml"],
        [
            found(DEBIAN, "/srv/net.d", "srv/c.toml", CONTAINERD, True),
            found(SEVERAL, CONFIGURATIONS, CONFIG, CONTAINERD),
        ],
    ),
    "with an equals sign": (
        {"srv/c.toml": VERSION_2},
        ["/usr/bin/containerd --config={root}/srv/c.toml"],
        [found(DEBIAN, "/srv/net.d", "srv/c.toml", CONTAINERD, True)],
    ),
    "imports win": (
        {CONFIG: 'imports = ["conf.d/*.toml"]\n' + VERSION_1, "etc/containerd/conf.d/a.toml": VERSION_3},
        [],
        [found(SEVERAL, CONFIGURATIONS, CONFIG, CONTAINERD)],
    ),
    "k3s": ({K3S: VERSION_1}, [], [found(DEBIAN, CONFIGURATIONS, K3S, CONTAINERD)]),
    "damaged": ({CONFIG: "not = [toml"}, [], [found(USUAL, CONFIGURATIONS, "", CONTAINERD)]),
    "no table": ({CONFIG: "plugins = 3\n"}, [], [found(USUAL, CONFIGURATIONS, "", CONTAINERD)]),
    "CRI-O": (
        {CRIO: OF_CRIO},
        ["/usr/bin/crio"],
        [found(("/usr/libexec/cni", "/opt/cni/bin"), "/srv/crio.d", CRIO, CRI_O, True)],
    ),
    "CRI-O's folder wins": (
        {CRIO: OF_CRIO, DROP_IN: '[crio.network]\nplugin_dirs = ["/x"]\n'},
        [],
        [found(("/x",), "/srv/crio.d", DROP_IN, CRI_O)],
    ),
    "the one that runs comes first": (
        {CRIO: OF_CRIO, CONFIG: VERSION_1},
        ["/usr/bin/crio"],
        [
            found(("/usr/libexec/cni", "/opt/cni/bin"), "/srv/crio.d", CRIO, CRI_O, True),
            found(DEBIAN, CONFIGURATIONS, CONFIG, CONTAINERD),
        ],
    ),
}
"""Files, processes, and what is found."""


@pytest.mark.parametrize(("files", "commands", "expected"), CASES.values(), ids=CASES)
def test_folders(tmp_path: Path, files: dict[str, str], commands: list[str], expected: list[Folders]) -> None:
    """The processes are numbered from 100 on."""
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    for number, command in enumerate(commands, 100):
        (tmp_path / f"proc/{number}").mkdir(parents=True)
        words = command.format(root=tmp_path).split()
        (tmp_path / f"proc/{number}/cmdline").write_text("\0".join(words) + "\0")
    roots = Roots(proc=str(tmp_path / "proc"), etc=str(tmp_path / "etc"), var=str(tmp_path / "var"))
    told = runtime.all_of(roots)
    assert [(x.binaries, x.configurations, x.by.removeprefix(f"{tmp_path}/"), x.runtime, x.running) for x in told] == [
        (x.binaries, x.configurations, x.by, x.runtime, x.running) for x in expected
    ]
    assert runtime.folders(roots) == told[0]
