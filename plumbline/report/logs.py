"""What logs say of VFs and plugins: of the kernel, of the runtime and the kubelet, of the plugins themselves.

Only lines that are about these are taken: what else a node logs is nobody's business.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable

from cni.linux.log import FOLDER
from plumbline.node.model import Node
from plumbline.node.mounts import is_below

MOST_LINES = 2000
TIMEOUT_S = 20
UNITS = ("containerd", "crio", "kubelet", "plumbline")
OF_HARDWARE = r"SR-IOV|IOMMU|DMAR|AMD-Vi|vfio|vdpa|BAR \d|sriov|numvfs"
OF_PLUGINS = r"sriov|accelerated-bridge|host-device|plumbline"
RECORD_BYTES = 8192
"""The longest record of the kernel's log (kernel/printk/printk.c, CONSOLE_EXT_LOG_MAX)."""


def kernel(node: Node, path: str = "/dev/kmsg") -> str:
    """Return what the kernel has said of PFs and VFs, their drivers, and what SR-IOV depends on. Raises OSError."""
    names = [x for pf in node.pfs for x in (pf.name, pf.address, pf.driver)]
    names += [x for vf in node.vfs for x in (vf.address or "", vf.driver)]
    sought = "|".join([OF_HARDWARE, *(re.escape(name) for name in dict.fromkeys(names) if name)])
    return _matching((_said(record) for record in _records(path)), sought)


def _records(path: str) -> Iterable[str]:
    """Give the records of the kernel's log (Documentation/ABI/testing/dev-kmsg). Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while True:
            try:
                data = os.read(fd, RECORD_BYTES)
            except BlockingIOError:
                return
            except BrokenPipeError:  # overwritten meanwhile: the next read goes on behind it
                continue
            if not data:
                return
            yield data.decode("utf-8", "replace")
    finally:
        os.close(fd)


def _said(record: str) -> str:
    """Return a record as dmesg(1) shows it."""
    head, _, message = record.partition(";")
    fields = head.split(",")
    stamp = int(fields[2]) / 1_000_000 if len(fields) > 2 and fields[2].isdecimal() else 0.0
    return f"[{stamp:12.6f}] {message.splitlines()[0] if message else ''}"


def journal(program: str = "journalctl") -> str:
    """Return what systemd's journal has of the runtime and the kubelet about plugins, empty where there is no journal.

    program: journalctl(1). Raises OSError, also where it takes too long.
    """
    if shutil.which(program) is None:
        return ""
    units = [part for unit in UNITS for part in ("-u", unit)]
    command = [program, "--no-pager", "-q", "-o", "short-iso", "-n", str(10 * MOST_LINES), *units]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as e:
        raise OSError(f"{program} took more than {TIMEOUT_S} s") from e
    return _matching(done.stdout.decode("utf-8", "replace").splitlines(), OF_PLUGINS)


def of_plugins(networks: Iterable[dict[str, object]], folder: str = FOLDER) -> list[str]:
    """Return the files that networks have their plugins log to, as far as these are below the folder of all logs: only
    there plugins log (cni/linux/log.py), and another path would be a way to have any file in a report.
    """
    paths = {str(network["logFile"]) for network in networks if network.get("logFile")}
    return sorted(x for x in paths if os.path.realpath(x) == x and is_below(x, folder) and os.path.isfile(x))


def _matching(lines: Iterable[str], sought: str) -> str:
    pattern = re.compile(sought)
    found = [line for line in lines if pattern.search(line)]
    return "".join(f"{line}\n" for line in found[-MOST_LINES:])
