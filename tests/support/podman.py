"""podman with folders of its own, and CNI networks that name our binaries."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.peers import peer
from tests.support import rootfs
from tests.support.plugin import DIST, REFERENCE, binary

# Without systemd there are no scopes for control groups, and no journal for events. Root may have less than the limits
# that podman raises for it.
CONTAINERS = """[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "{folder}/tmp"
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["{dist}", "{reference}"]
network_config_dir = "{folder}/net.d"
"""

# Copies files, and so works on any file system: overlayfs does not on another overlay.
STORAGE = """[storage]
driver = "vfs"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""


class Podman:
    """One podman. folder: where all that it has lies."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._program = binary("podman", peer("podman"))
        os.makedirs(f"{folder}/net.d")
        self.rootfs = rootfs.folder(f"{folder}/rootfs")
        for name, text in (("containers.conf", CONTAINERS), ("storage.conf", STORAGE)):
            Path(folder, name).write_text(text.format(folder=folder, dist=DIST, reference=REFERENCE))
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "CONTAINERS_CONF": f"{folder}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf",
        }

    def network(self, name: str, *plugins: dict[str, Any]) -> None:
        """Have a network with these plugins."""
        whole = {"cniVersion": "1.0.0", "name": name, "plugins": plugins}
        Path(self.folder, f"net.d/{name}.conflist").write_text(json.dumps(whole))

    def __call__(self, *arguments: str, check: bool = True) -> str:
        """Run podman, and return what it prints."""
        done = subprocess.run([self._program, *arguments], env=self._environ, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise AssertionError(f"podman {' '.join(arguments)}: exit status {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def run(self, name: str, *options: str) -> str:
        """Run a container that sleeps, and return its ID. Raises AssertionError with what podman says if it cannot."""
        # The first process of a container ignores SIGTERM, and `--replace` would wait 10 s for it.
        always = ("--detach", "--stop-signal", "KILL", "--name", name)
        return self("run", *always, *options, "--rootfs", self.rootfs, "/bin/sleep", "1000000")

    def remove(self, name: str) -> None:
        """Remove a container, whether it runs or not."""
        self("rm", "--force", "--time", "0", name)

    def remove_left(self) -> None:
        """Remove what a failed test has left."""
        self("rm", "--force", "--time", "0", "--all", check=False)
