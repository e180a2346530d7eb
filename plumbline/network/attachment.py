"""What a runtime says of an attachment besides its network: of which container, where, with which arguments."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

from cni.protocol.request import container_id_fault, ifname_fault

IFNAME = "eth0"
NAMED = "/run/netns"

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """libcni's RuntimeConf. netns: the path of the pod's namespace, empty where nobody knows it. args: the pairs of
    CNI_ARGS. capabilities: what goes into `runtimeConfig` of the plugins that declare it.
    """

    container_id: str
    netns: str
    ifname: str = IFNAME
    args: Pairs = ()
    capabilities: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.ifname} of {self.container_id}"

    @property
    def fault(self) -> str:
        """What is wrong with container ID or interface name, empty for nothing."""
        return container_id_fault(self.container_id) or ifname_fault(self.ifname)

    def variables(self, command: str, folders: list[str]) -> dict[str, str]:
        """Return the environment variables of a command (specification 1.1.0, section 2, "Parameters")."""
        return {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": self.container_id,
            "CNI_NETNS": self.netns,
            "CNI_ARGS": ";".join("=".join(pair) for pair in self.args),
            "CNI_IFNAME": self.ifname,
            "CNI_PATH": os.pathsep.join(folders),
        }


NOBODY = Attachment("", "", "")
"""In place of an attachment, for the commands that are about none: GC and STATUS."""


def netns_path(text: str, folder: str = NAMED) -> str:
    """Return the path of a namespace that is given by its path, or by its name. folder: of named ones."""
    return os.path.abspath(text) if "/" in text else os.path.join(folder, text)


def derived_id(netns: str) -> str:
    """Return the container ID that cnitool makes of a namespace's path (cnitool/cmd, setupRuntimeConfig)."""
    return f"cnitool-{hashlib.sha512(os.fsencode(netns)).hexdigest()[:20]}"


def pairs(text: str) -> Pairs:
    """Return the pairs of CNI_ARGS, `K=V;K=V`. Raises ValueError that names what is no pair."""
    found = []
    for pair in text.split(";") if text else ():
        key, equals, value = pair.partition("=")
        if not key or not equals or not value or "=" in value:
            raise ValueError(f"{pair!a} is no KEY=VALUE")
        found.append((key, value))
    return tuple(found)
