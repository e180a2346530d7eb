"""What a command that fails must leave as it was: links, and files under /var/lib/cni."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support import disk
from tests.support.net import HOST, Space


def links(space: Space) -> dict[str, dict[str, Any]]:
    """Return the links of a namespace with all that a plugin could change of them."""
    return {
        entry["ifname"]: {
            "index": entry["ifindex"],
            "mac": entry["address"],
            "mtu": entry["mtu"],
            "up": "UP" in entry["flags"],
            "alias": entry.get("ifalias", ""),
            "altnames": sorted(entry.get("altnames", [])),
            "addresses": sorted(
                f"{address['local']}/{address['prefixlen']}"
                for address in entry["addr_info"]
                if not address["local"].startswith("fe80:")
            ),
        }
        for entry in space.json("addr", "show")
    }


def left_on_disk() -> dict[str, bytes]:
    """Return every file under /var/lib/cni, temporary ones included, but for what host-local's format keeps for good:
    its lock and the last address given out.
    """
    return {
        path: content
        for path, content in disk.files(disk.CNI).items()
        if not (path.startswith("networks/") and path.split("/")[-1].startswith(("lock", "last_reserved_ip.")))
    }


@contextmanager
def untouched(*pods: Space) -> Iterator[None]:
    """Assert that links of the host and of the pods, and files, are afterwards what they were before."""
    spaces = (HOST, *pods)
    before = [links(space) for space in spaces], left_on_disk()
    yield
    assert ([links(space) for space in spaces], left_on_disk()) == before
