"""A host with bridges, bonds and links, made, changed and seen with ip(8) and bridge(8)."""

from __future__ import annotations

import json
from typing import Any

from cni.linux.netns import NetNS
from tests.support import net
from tests.support.net import HOST

PVID, UNTAGGED = 2, 4
NATIVE = PVID | UNTAGGED
FLAGS = {"PVID": PVID, "Egress Untagged": UNTAGGED}


class Machine:
    """The host with what a test makes in it, changed and seen with ip(8) and bridge(8).

    host: what the product is given. link_kind: what plays physical links. vlans: whether bridges filter VLANs.
    """

    def __init__(self, host: NetNS, link_kind: str = "veth", vlans: bool = False) -> None:
        self.host = host
        self._link_kind = link_kind
        self._bridge = ("bridge", "vlan_filtering", "1") if vlans else ("bridge",)
        self._made: list[str] = []

    def add(self, name: str, kind: str = "link", **settings: Any) -> str:
        """Make a link, a `bridge` or a `bond`; return its name. settings: as of `set`."""
        words: tuple[str, ...] = {"link": (self._link_kind,), "bridge": self._bridge, "bond": ("bond",)}[kind]
        if words == ("veth",):
            words = ("veth", "peer", "name", net.unique("far"))
        self._made.append(name)
        HOST.batch(f"link add {name} type {' '.join(words)}", *_changes(name, settings))
        return name

    def set(self, name: str, **settings: Any) -> None:
        """Change master (a name, empty for none), mtu or up of a link."""
        HOST.batch(*_changes(name, settings))

    def rename(self, name: str, new: str) -> None:
        """Give a link another name."""
        HOST.ip("link", "set", name, "name", new)
        self._made.append(new)

    def delete(self, name: str) -> None:
        """Take a link away."""
        HOST.ip("link", "del", name)

    def vlan(self, name: str, vlan: int, flags: int = 0) -> None:
        """Have a port take part in a VLAN."""
        words = [word for word, flag in (("pvid", PVID), ("untagged", UNTAGGED)) if flags & flag]
        net.run("bridge", "vlan", "add", "dev", name, "vid", str(vlan), *words)

    def no_vlan(self, name: str, vlan: int) -> None:
        """Have a port take part in a VLAN no more."""
        net.run("bridge", "vlan", "del", "dev", name, "vid", str(vlan))

    def vlans(self, name: str) -> dict[int, int]:
        """Return the VLANs of a port with their flags."""
        shown = json.loads(net.run("bridge", "-j", "vlan", "show", "dev", name) or "[]")
        return {
            vlan: sum(FLAGS[word] for word in entry.get("flags", ()))
            for port in shown
            for entry in port["vlans"]
            for vlan in range(entry["vlan"], entry.get("vlanEnd", entry["vlan"]) + 1)
        }

    def seen(self, name: str) -> dict[str, Any]:
        """Return master, mtu and up of a link that is there."""
        found = HOST.link(name)
        assert found is not None, f"no link {name}"
        return {"master": found.get("master", ""), "mtu": found["mtu"], "up": "UP" in found["flags"]}

    def close(self) -> None:
        """Take away what was made."""
        HOST.batch(*(f"link del {name}" for name in self._made), check=False)


def _changes(name: str, settings: dict[str, Any]) -> list[str]:
    """Return the commands that give a link these settings, as of `Machine.set`."""
    commands = []
    for key, value in settings.items():
        words = f"{key} {value}"
        if key == "up":
            words = "up" if value else "down"
        elif key == "master" and not value:
            words = "nomaster"
        commands.append(f"link set {name} {words}")
    return commands
