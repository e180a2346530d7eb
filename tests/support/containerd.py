"""containerd with folders of its own, and its two clients: ctr, and crictl, which speaks CRI as the kubelet does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.peers import peer
from tests.support import daemon, net
from tests.support.plugin import binary

PAUSE = "localhost/plumbline/pause:1"
"""The image of pod sandboxes, which the test makes."""

READY_S = 120.0
"""How long containerd may take to start. Seconds are usual, in the lab as well."""

CONFIGURATION = """version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.internal.v1.opt"{without}]
[grpc]
  address = "{folder}/containerd.sock"
[ttrpc]
  address = "{folder}/containerd.sock.ttrpc"
"""

# No CRI, no snapshots: `ctr run --rootfs` needs the runtime alone.
WITHOUT_CRI = ', "io.containerd.grpc.v1.cri"'

# The native snapshotter copies files, and so works on any file system: overlayfs does not on another overlay.
CRI = """[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  disable_apparmor = true
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{folder}/bin"
  conf_dir = "{folder}/net.d"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
"""


class Containerd:
    """One containerd. folder: where all that it has lies. cri: whether it is to run pod sandboxes."""

    def __init__(self, folder: str, cri: bool = False) -> None:
        self.folder = folder
        self.socket = f"{folder}/containerd.sock"
        self._programs = peer("containerd")
        self._daemon = ExitStack()
        os.makedirs(folder)
        text = CONFIGURATION.format(folder=folder, without="" if cri else WITHOUT_CRI)
        if cri:
            text += CRI.format(folder=folder, pause=PAUSE)
        Path(folder, "config.toml").write_text(text)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = binary("containerd", self._programs)
        command = (program, "--config", f"{self.folder}/config.toml", "--log-level", "warn")
        ready = lambda: self.ctr("version", check=False) != ""  # noqa: E731
        self._daemon.enter_context(daemon.running(*command, ready=ready, timeout_s=READY_S))

    def stop(self) -> None:
        """End it; what runs in containers goes on."""
        self._daemon.close()

    def ctr(self, *arguments: str, check: bool = True) -> str:
        """Run ctr against it. By itself ctr waits 10 s for an answer, in which a busy machine may not give one."""
        reached = ("--address", self.socket, "--connect-timeout", "120s")
        return net.run(binary("ctr", self._programs), *reached, *arguments, check=check)


@contextmanager
def running(folder: str) -> Iterator[Containerd]:
    """Have a containerd without CRI; what is left of containers afterwards is removed."""
    one = Containerd(folder)
    one.start()
    try:
        yield one
    finally:
        # A container whose network fails stays behind as a task that was never started, with a process of its own.
        for name in one.ctr("tasks", "list", "-q").split():
            one.ctr("tasks", "delete", "--force", name)
        one.stop()
        shutil.rmtree(folder)
