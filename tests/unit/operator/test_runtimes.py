"""Which folder a node's container runtimes execute plugins from, by their configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.install import runtimes
from plumbline.install.runtimes import CONTAINERD, CRI_O, DEFAULT_FOLDER, Found

CONFIG = "/etc/containerd/config.toml"
VERSION_2 = '[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "/usr/lib/cni"\n'
VERSION_3 = "[plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['/opt/first', '/opt/second']\n"
CRIO = '[crio.network]\nplugin_dirs = ["/usr/libexec/cni", "/opt/cni/bin"]\n'
K3S = "/var/lib/rancher/k3s/agent/etc/containerd/config.toml"


def node(root: Path, files: dict[str, str], *commands: str) -> list[Found]:
    """Return what is found on a node that has these files, and these processes, numbered from 100 on."""
    for path, text in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for number, command in enumerate(commands, 100):
        (root / f"proc/{number}").mkdir(parents=True)
        (root / f"proc/{number}/cmdline").write_text(command.replace(" ", "\0") + "\0")
    return runtimes.folders(str(root))


@pytest.mark.parametrize(
    ("files", "commands", "found"),
    [
        pytest.param({}, [], [Found(DEFAULT_FOLDER, "", "", False)], id="nothing"),
        pytest.param(
            {CONFIG: VERSION_2}, [], [Found("/usr/lib/cni", CONTAINERD, CONFIG, False)], id="containerd, not running"
        ),
        pytest.param(
            {CONFIG: VERSION_2},
            ["/usr/bin/containerd"],
            [Found("/usr/lib/cni", CONTAINERD, CONFIG, True)],
            id="containerd, running",
        ),
        pytest.param({}, ["containerd"], [Found(DEFAULT_FOLDER, CONTAINERD, "", True)], id="containerd without a file"),
        pytest.param(
            {CONFIG: 'version = 3\n[plugins."io.containerd.cri.v1.runtime"]\n'},
            ["containerd"],
            [Found(DEFAULT_FOLDER, CONTAINERD, CONFIG, True)],
            id="a file that does not say",
        ),
        pytest.param(
            {CONFIG: VERSION_3}, [], [Found("/opt/first", CONTAINERD, CONFIG, False)], id="version 3, several folders"
        ),
        pytest.param(
            {"/srv/c.toml": VERSION_2, CONFIG: VERSION_3},
            ["/usr/bin/containerd --config /srv/c.toml"],
            [Found("/usr/lib/cni", CONTAINERD, "/srv/c.toml", True), Found("/opt/first", CONTAINERD, CONFIG, False)],
            id="a file of its own",
        ),
        pytest.param(
            {"/srv/c.toml": VERSION_2},
            ["/usr/bin/containerd --config=/srv/c.toml"],
            [Found("/usr/lib/cni", CONTAINERD, "/srv/c.toml", True)],
            id="with an equals sign",
        ),
        pytest.param(
            {CONFIG: 'imports = ["conf.d/*.toml"]\n' + VERSION_3, "/etc/containerd/conf.d/a.toml": VERSION_2},
            [],
            [Found("/usr/lib/cni", CONTAINERD, CONFIG, False)],
            id="imports count last",
        ),
        pytest.param({K3S: VERSION_2}, [], [Found("/usr/lib/cni", CONTAINERD, K3S, False)], id="k3s"),
        pytest.param({CONFIG: "not = [toml"}, [], [Found(DEFAULT_FOLDER, CONTAINERD, CONFIG, False)], id="damaged"),
        pytest.param(
            {"/etc/crio/crio.conf": CRIO},
            ["/usr/bin/crio"],
            [Found("/usr/libexec/cni", CRI_O, "/etc/crio/crio.conf", True)],
            id="CRI-O",
        ),
        pytest.param(
            {"/etc/crio/crio.conf": CRIO, "/etc/crio/crio.conf.d/10-x.conf": CRIO.replace("libexec", "local")},
            [],
            [Found("/usr/local/cni", CRI_O, "/etc/crio/crio.conf.d/10-x.conf", False)],
            id="CRI-O, the folder counts last",
        ),
        pytest.param(
            {"/etc/crio/crio.conf": CRIO, CONFIG: VERSION_2},
            ["/usr/bin/crio"],
            [
                Found("/usr/libexec/cni", CRI_O, "/etc/crio/crio.conf", True),
                Found("/usr/lib/cni", CONTAINERD, CONFIG, False),
            ],
            id="the one that runs comes first",
        ),
    ],
)
def test_folders(tmp_path: Path, files: dict[str, str], commands: list[str], found: list[Found]) -> None:
    """The files that a node has, and its processes."""
    assert node(tmp_path, files, *commands) == found
