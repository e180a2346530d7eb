"""Where everything that is read lies."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cni.attach import deviceinfo


@dataclass(frozen=True, slots=True)
class Roots:
    """The folders and files that tell of a node.

    sysfs, proc: where these are mounted. run: of named network namespaces, `netns` below it. results: libcni's caches
    of results. checkpoint: what the kubelet's device manager has given to which pod. pod_logs: the kubelet's folders of
    logs, which name pods. devinfo: the files about devices that device plugins and we write for Multus. etc: of
    configurations. var: of programs' data. modules: of kernels' modules, a folder for each kernel. state: below which
    plugins keep their records.
    """

    sysfs: str = "/sys"
    proc: str = "/proc"
    run: str = "/run"
    results: tuple[str, ...] = ("/var/lib/cni/results", "/var/lib/cni/multus/results")
    checkpoint: str = "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint"
    pod_logs: str = "/var/log/pods"
    devinfo: str = os.path.dirname(deviceinfo.FOLDER)
    etc: str = "/etc"
    var: str = "/var"
    modules: str = "/lib/modules"
    state: str = "/var/lib/cni"

    @property
    def pfs_file(self) -> str:
        """The file of what PFs are to be after a boot."""
        return os.path.join(self.etc, "plumbline/pfs.json")
