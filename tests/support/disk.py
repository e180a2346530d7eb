"""What plugins leave on disk."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

CNI = "/var/lib/cni"
NETWORKS = f"{CNI}/networks"
HOST_DEVICE = f"{CNI}/host-device"
SRIOV = f"{CNI}/sriov"
ACCELERATED_BRIDGE = f"{CNI}/accelerated-bridge"


def files(folder: str) -> dict[str, bytes]:
    """Return every file below a folder: path from there, and content. Beside us a plugin may remove one: it is not
    there then.
    """
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with suppress(FileNotFoundError), open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def reserved(network: str) -> dict[str, str]:
    """Return host-local's reservations in a network: address and owner (container ID, CR LF, interface name)."""
    everything = files(os.path.join(NETWORKS, network))
    return {
        name: owner.decode()
        for name, owner in sorted(everything.items())
        if name != "lock" and not name.startswith("last_reserved_ip.")
    }


def records(folder: str = HOST_DEVICE) -> list[str]:
    """Return the paths of a plugin's records, and of the owners of VFs that it notes beside them, without locks."""
    return sorted(path for path in files(folder) if not path.endswith(".lock") and not path.startswith("adding/"))


def clear() -> None:
    """Remove all that plugins left in this session's own folder."""
    for entry in os.scandir(CNI):
        if entry.is_dir():
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
