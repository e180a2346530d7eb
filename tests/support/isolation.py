"""Put the test session into a machine of its own: private network and mount namespaces.

The plugins then find an empty host (no links but lo, no records, no networks), may do with it what they like, and all
that they did is gone with the session's last process. The machine's own links, files and mounts are out of reach.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import subprocess
import tempfile

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
FRESH_FOLDERS = ("/var/lib/cni", "/run", "/etc/cni", "/etc/plumbline", "/opt/cni")


def enter() -> None:
    """Move this process into private namespaces with empty folders where plugins keep their state."""
    if os.geteuid() != 0:
        raise SystemExit("the tests make network namespaces and move devices: run them as root")
    missing = [folder for folder in FRESH_FOLDERS if not os.path.exists(folder)]
    for folder in FRESH_FOLDERS:
        os.makedirs(folder, exist_ok=True)
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise SystemExit(f"cannot make private namespaces: {os.strerror(ctypes.get_errno())}")
    _run("mount", "--make-rprivate", "/")
    for folder in FRESH_FOLDERS:
        _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    atexit.register(_leave, missing)
    os.makedirs("/run/netns")
    # sysfs shows the links of the namespace in which it was mounted. The control groups, which the container runtime
    # needs, are mounted below it: they are kept in view.
    with tempfile.TemporaryDirectory(dir="/run") as aside:
        _run("mount", "--rbind", "/sys/fs/cgroup", aside)
        _run("mount", "-t", "sysfs", "sysfs", "/sys")
        _run("mount", "--rbind", aside, "/sys/fs/cgroup")
        _run("umount", "--recursive", "--lazy", aside)
    _run("ip", "link", "set", "lo", "up")


def _leave(made: list[str]) -> None:
    """Remove the folders that had to be made: those, unlike what was mounted on them, are the machine's."""
    for folder in made:
        subprocess.run(["umount", "--lazy", folder], check=False)
        try:
            os.rmdir(folder)
        except OSError:
            print(f"{folder} was made for the tests and cannot be removed")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
