"""cnitool, libcni's own command: it reads a network from a folder and has libcni execute its plugins."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.peers import peer
from tests.support import disk
from tests.support.command import Said
from tests.support.net import Space
from tests.support.plugin import DIST, binary

NEWEST, DEBIAN = "1.3.1", "1.1.2"
CNI_VERSIONS = {NEWEST: "1.1.0", DEBIAN: "1.0.0"}
"""The newest version of the specification that each knows. GC and STATUS came with 1.1.0."""

NETWORK = "blue"


class Cnitool:
    """cnitool of one version, with the network configurations of one folder."""

    def __init__(self, version: str, folder: Path) -> None:
        self.version = version
        self.folder = folder
        self.program = binary("cnitool", peer("cnitool", version))
        self.path = f"{DIST}:{peer('plugins')}"  # the newest reference plugins are behind ours

    def write(self, *plugins: dict[str, Any], **members: Any) -> None:
        """Write the network: its list of plugins."""
        whole = {"cniVersion": CNI_VERSIONS[self.version], "name": NETWORK, **members, "plugins": plugins}
        Path(self.folder, f"10-{NETWORK}.conflist").write_text(json.dumps(whole))

    def __call__(self, verb: str, pod: Space, capabilities: dict[str, Any] | None = None, args: str = "") -> Said:
        """Give a command for net1 of a pod. capabilities: for plugins that declare them. args: CNI_ARGS."""
        environ = {
            "PATH": os.environ["PATH"],
            "CNI_PATH": self.path,
            "NETCONFPATH": str(self.folder),
            "CNI_IFNAME": "net1",
            "CNI_ARGS": args,
            "CAP_ARGS": json.dumps(capabilities or {}),
        }
        command = [self.program, verb, NETWORK, pod.path]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
        return Said(done.returncode, done.stdout, done.stderr)


def cached() -> list[str]:
    """Return the names of the files in libcni's cache."""
    return sorted(disk.files(f"{disk.CNI}/results"))
