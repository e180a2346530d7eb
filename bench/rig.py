"""What is measured, and on what: pods, devices, and the commands for them, of our binaries and of the reference's."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.process import Command
from tests.peers import peer, versions
from tests.support import isolation, net
from tests.support.plugin import DIST, binary, environment

OURS = "plumbline"
THEIRS = tuple(f"reference-{version}" for version in versions("plugins"))
"""The newest first."""
IMPLEMENTATIONS = (OURS, *THEIRS)
HOST_LOCAL = {"type": "host-local", "subnet": "10.90.0.0/16", "routes": [{"dst": "0.0.0.0/0"}]}
STATIC = {"type": "static", "addresses": [{"address": "10.91.0.2/16", "gateway": "10.91.0.1"}]}


def folder_of(implementation: str) -> str:
    """Return the folder with an implementation's plugins."""
    return DIST if implementation == OURS else peer("plugins", implementation.partition("-")[2])


@contextmanager
def private_machine() -> Iterator[None]:
    """Be in namespaces of our own, with the plugins' state on a disk, as on a node: on a tmpfs a sync costs nothing."""
    isolation.enter()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        net.run("mount", "--bind", folder, "/var/lib/cni")
        try:
            yield
        finally:
            net.run("umount", "/var/lib/cni")


class Rig:
    """As many pods and devices as asked for. The devices' other ends are up, so that links have carrier at once."""

    def __init__(self, count: int) -> None:
        self.pods = [net.new_space() for _ in range(count)]
        self.devices = [net.new_device()[0] for _ in range(count)]

    def command(self, implementation: str, plugin: str, command: str, number: int = 0) -> Command:
        """Return one command of a plugin for the attachment with this number."""
        folder = folder_of(implementation)
        variables = environment(command, f"bench{number}", self.pods[number].path, "net1", path=folder)
        return Command(
            binary(plugin, folder), variables, json.dumps(self._conf(implementation, plugin, number)).encode()
        )

    def _conf(self, implementation: str, plugin: str, number: int) -> dict[str, Any]:
        conf = {"cniVersion": "1.0.0", "name": f"bench-{implementation}", "type": plugin}
        if plugin == "host-device":
            return {**conf, "device": self.devices[number], "ipam": HOST_LOCAL}
        return {**conf, "ipam": STATIC if plugin == "static" else HOST_LOCAL}


def interleaved(rounds: int, run: Callable[[str], None]) -> None:
    """Call `run` for every implementation in turn, each of them going first equally often."""
    for number in range(rounds):
        first = number % len(IMPLEMENTATIONS)
        for name in (*IMPLEMENTATIONS[first:], *IMPLEMENTATIONS[:first]):
            run(name)
