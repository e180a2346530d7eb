"""Pod sandboxes of a containerd, run and stopped by crictl, which calls CRI as the kubelet does."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers import peer
from tests.support import containerd, net, rootfs
from tests.support.containerd import Containerd
from tests.support.net import Space
from tests.support.plugin import REFERENCE, binary
from tests.support.vfs import wait_for


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A pod sandbox that runs. pid: of its process. addresses: of the pod, as CRI tells the kubelet."""

    id: str
    space: Space
    pid: int
    addresses: tuple[str, ...]

    def kill(self, shim: bool) -> None:
        """Kill its process, and before that the shim that has started it, which watches it for containerd."""
        watching = int(Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[1])
        if shim:
            os.kill(watching, signal.SIGKILL)
        os.kill(self.pid, signal.SIGKILL)
        wait_for(lambda: not os.path.exists(f"/proc/{self.pid}/ns/net"), "end of the sandbox")


class Sandboxes:
    """The pod sandboxes of one containerd, of which the pods' network is `plugins`."""

    def __init__(self, folder: str, network: str, plugins: Sequence[dict[str, Any]]) -> None:
        self.containerd = Containerd(folder, cri=True)
        self.folder = folder
        self._crictl = binary("crictl", peer("crictl"))
        self._left: list[Sandbox] = []
        for name in ("bin", "net.d"):
            os.makedirs(f"{folder}/{name}")
        # One folder, as containerd before 2.0 takes no list; it attaches each pod to its loopback network as well.
        for name in ("sriov", "host-device", "host-local"):
            os.symlink(binary(name), f"{folder}/bin/{name}")
        os.symlink(binary("loopback", REFERENCE), f"{folder}/bin/loopback")
        endpoint = json.dumps(f"unix://{self.containerd.socket}")
        Path(folder, "crictl.yaml").write_text(
            f"runtime-endpoint: {endpoint}\nimage-endpoint: {endpoint}\ntimeout: 120\n"
        )
        whole = {"cniVersion": "1.0.0", "name": network, "plugins": plugins}
        Path(folder, "net.d/10-pods.conflist").write_text(json.dumps(whole))

    def import_pause(self) -> None:
        """Give containerd the image of which sandboxes are made."""
        image = rootfs.archive(f"{self.folder}/pause.tar", containerd.PAUSE, "/bin/busybox", "sleep", "1000000")
        self.containerd.ctr("--namespace", "k8s.io", "images", "import", "--snapshotter", "native", image)
        wait_for(lambda: containerd.PAUSE in self.crictl("images", "--output", "json"), "image in CRI")

    def crictl(self, *arguments: str, check: bool = True) -> str:
        """Run crictl against it, and return what it prints."""
        return net.run(*self.command(*arguments), check=check)

    def command(self, *arguments: str) -> tuple[str, ...]:
        """Return the command line of one crictl."""
        return (self._crictl, "--config", f"{self.folder}/crictl.yaml", *arguments)

    def run(self, name: str, namespace: str = "default") -> Sandbox:
        """Run a pod's sandbox. Raises AssertionError with what CRI says if there is none."""
        one = self.crictl("runp", self._wanted(name, namespace)).strip()
        told = json.loads(self.crictl("inspectp", "--output", "json", one))
        spec = told["info"]["runtimeSpec"]["linux"]["namespaces"]
        (netns,) = (entry["path"] for entry in spec if entry["type"] == "network")
        network = told["status"]["network"]
        addresses = (network["ip"], *(other["ip"] for other in network.get("additionalIps", [])))
        sandbox = Sandbox(one, Space(os.path.basename(netns)), told["info"]["pid"], addresses)
        self._left.append(sandbox)
        return sandbox

    def stop(self, sandbox: Sandbox) -> None:
        """Stop a sandbox, of which its network is taken down. Raises AssertionError with what CRI says."""
        self.crictl("stopp", sandbox.id)

    def is_stopped(self, sandbox: Sandbox) -> bool:
        """Stop a sandbox, and return whether that was done."""
        return "Stopped sandbox" in self.crictl("stopp", sandbox.id, check=False)

    def remove(self, sandbox: Sandbox) -> None:
        """Stop and remove a sandbox."""
        self.stop(sandbox)
        self.crictl("rmp", sandbox.id)
        self._left.remove(sandbox)

    def remove_left(self) -> None:
        """Remove what a failed test has left."""
        for sandbox in self._left:
            self.crictl("rmp", "--force", sandbox.id, check=False)
        self._left.clear()

    def _wanted(self, name: str, namespace: str) -> str:
        """Write what the kubelet asks for, and return the file's path."""
        path = f"{self.folder}/{name}.json"
        metadata = {"name": name, "namespace": namespace, "uid": f"{name}-uid", "attempt": 0}
        Path(path).write_text(json.dumps({"metadata": metadata, "linux": {}}))
        return path
