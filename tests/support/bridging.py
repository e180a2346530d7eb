"""A host with bridges, bonds and links, to be asked and changed alike whether the kernel plays it or a simulation.

VLANs of ports, bonds and dummy links are not in every kernel. What needs them is shown on `Simulated`, which follows
the kernel's rules (net/bridge/br_vlan.c, net/bridge/br_netlink.c, net/core/rtnetlink.c) and is spoken to in the
kernel's messages, read and written by pyroute2.
"""

from __future__ import annotations

import errno
import json
import os
from typing import Any

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from cni.netlink.socket import NetlinkError, NetlinkSocket
from cni.netns import NetNS
from tests.support import net
from tests.support.messages import decode, encode
from tests.support.net import HOST

RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 17, 18, 19
AF_BRIDGE = 7
PVID, UNTAGGED, BEGIN, END = 2, 4, 8, 16
NATIVE = PVID | UNTAGGED
FLAGS = {"PVID": PVID, "Egress Untagged": UNTAGGED}
MIN_MTU = 68


class Machine:
    """host: what the product is given. Names are the test's own; what was added is taken away by `close`."""

    host: NetNS

    def add(self, name: str, kind: str = "link", **settings: Any) -> str:
        """Make a link, a `bridge` that filters VLANs, or a `bond`; return its name. settings: as of `set`."""
        raise NotImplementedError

    def set(self, name: str, **settings: Any) -> None:
        """Change master (a name, empty for none), mtu or up of a link."""
        raise NotImplementedError

    def rename(self, name: str, new: str) -> None:
        """Give a link another name."""
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Take a link away."""
        raise NotImplementedError

    def vlan(self, name: str, vlan: int, flags: int = 0) -> None:
        """Have a port take part in a VLAN, as bridge(8) does."""
        raise NotImplementedError

    def no_vlan(self, name: str, vlan: int) -> None:
        """Have a port take part in a VLAN no more."""
        raise NotImplementedError

    def vlans(self, name: str) -> dict[int, int]:
        """Return the VLANs of a port with their flags."""
        raise NotImplementedError

    def seen(self, name: str) -> dict[str, Any]:
        """Return master, mtu and up of a link that is there."""
        raise NotImplementedError


class Kernel(Machine):
    """The kernel that the test runs on, changed and seen with ip(8) and bridge(8)."""

    def __init__(self, host: NetNS, link_kind: str = "veth", vlans: bool = False) -> None:
        self.host = host
        self._link_kind = link_kind
        self._bridge = ("bridge", "vlan_filtering", "1") if vlans else ("bridge",)
        self._made: list[str] = []

    def add(self, name: str, kind: str = "link", **settings: Any) -> str:
        """See `Machine`."""
        words: tuple[str, ...] = {"link": (self._link_kind,), "bridge": self._bridge, "bond": ("bond",)}[kind]
        if words == ("veth",):
            words = ("veth", "peer", "name", net.unique("far"))
        HOST.ip("link", "add", name, "type", *words)
        self._made.append(name)
        self.set(name, **settings)
        return name

    def set(self, name: str, **settings: Any) -> None:
        """See `Machine`."""
        for key, value in settings.items():
            words: tuple[str, ...] = (key, str(value))
            if key == "up":
                words = ("up",) if value else ("down",)
            elif key == "master" and not value:
                words = ("nomaster",)
            HOST.ip("link", "set", name, *words)

    def rename(self, name: str, new: str) -> None:
        """See `Machine`."""
        HOST.ip("link", "set", name, "name", new)
        self._made.append(new)

    def delete(self, name: str) -> None:
        """See `Machine`."""
        HOST.ip("link", "del", name)

    def vlan(self, name: str, vlan: int, flags: int = 0) -> None:
        """See `Machine`."""
        words = [word for word, flag in (("pvid", PVID), ("untagged", UNTAGGED)) if flags & flag]
        net.run("bridge", "vlan", "add", "dev", name, "vid", str(vlan), *words)

    def no_vlan(self, name: str, vlan: int) -> None:
        """See `Machine`."""
        net.run("bridge", "vlan", "del", "dev", name, "vid", str(vlan))

    def vlans(self, name: str) -> dict[int, int]:
        """See `Machine`."""
        shown = json.loads(net.run("bridge", "-j", "vlan", "show", "dev", name) or "[]")
        return {
            vlan: sum(FLAGS[word] for word in entry.get("flags", ()))
            for port in shown
            for entry in port["vlans"]
            for vlan in range(entry["vlan"], entry.get("vlanEnd", entry["vlan"]) + 1)
        }

    def seen(self, name: str) -> dict[str, Any]:
        """See `Machine`."""
        found = HOST.link(name)
        assert found is not None, f"no link {name}"
        return {"master": found.get("master", ""), "mtu": found["mtu"], "up": "UP" in found["flags"]}

    def close(self) -> None:
        """Take away what was made."""
        for name in self._made:
            HOST.ip("link", "del", name, check=False)


class SimulatedLink:
    """A link as far as it is simulated. master: an index; pvid: 0 for none; vlans: whether they leave untagged."""

    def __init__(self, index: int, name: str, kind: str, port: str) -> None:
        self.index = index
        self.name = name
        self.kind = kind
        self.port = port
        self.mtu = 1500
        self.up = False
        self.master = 0
        self.pvid = 0
        self.vlans: dict[int, bool] = {}

    def join(self, master: SimulatedLink | None) -> None:
        """Leave what it was in, with all VLANs; every port of a bridge has the default one."""
        self.master, self.pvid, self.vlans = 0, 0, {}
        if master is not None:
            self.master = master.index
            if master.kind == "bridge":
                self.pvid, self.vlans = 1, {1: True}

    def shown(self) -> dict[int, int]:
        """Return the VLANs with their flags."""
        return {
            vlan: (UNTAGGED if untagged else 0) | (PVID if vlan == self.pvid else 0)
            for vlan, untagged in sorted(self.vlans.items())
        }


class Simulated(Machine, NetlinkSocket):
    """A host in memory. changes: the types of the messages that changed something."""

    def __init__(self) -> None:
        self.links: dict[int, SimulatedLink] = {}
        self.changes: list[int] = []
        self.host = NetNS("simulated", -1, self)
        self._next = 2

    def find(self, name: str) -> SimulatedLink:
        """Return a link that is there."""
        return next(link for link in self.links.values() if link.name == name)

    def add(self, name: str, kind: str = "link", **settings: Any) -> str:
        """See `Machine`. port: the link's phys_port_name."""
        link = SimulatedLink(self._next, name, {"link": "dummy"}.get(kind, kind), settings.pop("port", ""))
        if kind == "bridge":
            link.pvid, link.vlans = 1, {1: True}
        self.links[link.index] = link
        self._next += 1
        self.set(name, **settings)
        return name

    def set(self, name: str, **settings: Any) -> None:
        """See `Machine`."""
        link = self.find(name)
        for key, value in settings.items():
            if key == "master":
                link.join(self.find(value) if value else None)
            else:
                setattr(link, key, value)

    def rename(self, name: str, new: str) -> None:
        """See `Machine`."""
        self.find(name).name = new

    def delete(self, name: str) -> None:
        """See `Machine`."""
        gone = self.links.pop(self.find(name).index)
        for link in self.links.values():
            if link.master == gone.index:
                link.join(None)

    def vlan(self, name: str, vlan: int, flags: int = 0) -> None:
        """See `Machine`."""
        self._change_vlans(RTM_SETLINK, self.find(name), [(flags, vlan)])

    def no_vlan(self, name: str, vlan: int) -> None:
        """See `Machine`."""
        self._change_vlans(RTM_DELLINK, self.find(name), [(0, vlan)])

    def vlans(self, name: str) -> dict[int, int]:
        """See `Machine`."""
        return self.find(name).shown()

    def seen(self, name: str) -> dict[str, Any]:
        """See `Machine`."""
        link = self.find(name)
        master = self.links[link.master].name if link.master else ""
        return {"master": master, "mtu": link.mtu, "up": link.up}

    def get(self, kind: int, body: bytes) -> bytes:
        """Answer RTM_GETLINK."""
        message = decode(ifinfmsg, (kind, body, 0))
        attributes = dict(entry[:2] for entry in message["attrs"])
        name = attributes.get("IFLA_IFNAME") or attributes.get("IFLA_ALT_IFNAME")
        if kind != RTM_GETLINK or (not name and message["index"] <= 0):
            raise _refusal(errno.EINVAL)
        for link in self.links.values():
            if link.name == name or (not name and link.index == message["index"]):
                return _described(link)
        raise _refusal(errno.ENODEV)

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Answer RTM_GETLINK of all links, or of all ports and bridges."""
        message = decode(ifinfmsg, (kind, body, 0))
        if message["family"] != AF_BRIDGE:
            return [_described(link) for link in self.links.values()]
        mask = dict(entry[:2] for entry in message["attrs"])["IFLA_EXT_MASK"]
        answers = []
        for link in self.links.values():
            master = link if link.kind == "bridge" else self.links.get(link.master)
            if master is not None and master.kind == "bridge":
                answers.append(_port(link, master.index, bool(mask & 4)))
        return answers

    def change(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Do what RTM_SETLINK and RTM_DELLINK ask for."""
        message = decode(ifinfmsg, (kind, body, flags))
        link = self.links.get(message["index"])
        if link is None:
            raise _refusal(errno.ENODEV)
        self.changes.append(kind)
        if message["family"] == AF_BRIDGE:
            ((_, spec, *_),) = message["attrs"]
            infos = [(entry[1]["flags"], entry[1]["vid"]) for entry in spec["attrs"]]
            self._change_vlans(kind, link, infos)
            return
        assert kind == RTM_SETLINK
        for name, value, *_ in message["attrs"]:
            if name == "IFLA_MTU":
                if value < MIN_MTU:
                    raise _refusal(errno.EINVAL)
                link.mtu = value
            elif name == "IFLA_MASTER":
                if value and value not in self.links:
                    raise _refusal(errno.EINVAL)
                link.join(self.links.get(value))
            else:
                raise AssertionError(f"{name} is not simulated")
        if message["change"] & 1:
            link.up = bool(message["flags"] & 1)

    def _change_vlans(self, kind: int, link: SimulatedLink, infos: list[tuple[int, int]]) -> None:
        master = self.links.get(link.master)
        if master is None or master.kind != "bridge":
            raise _refusal(errno.EOPNOTSUPP)
        begin = 0
        for flags, vlan in infos:
            if not 0 < vlan < 4095 or (begin and not flags & END) or (flags & (BEGIN | END) and flags & PVID):
                raise _refusal(errno.EINVAL)
            if flags & BEGIN:
                begin = vlan
                continue
            if flags & END and not 0 < begin < vlan:
                raise _refusal(errno.EINVAL)
            for one in range(begin if flags & END else vlan, vlan + 1):
                _change_vlan(kind, link, one, flags)
            begin = 0


def _change_vlan(kind: int, link: SimulatedLink, vlan: int, flags: int) -> None:
    if link.pvid == vlan:
        link.pvid = 0
    if kind == RTM_DELLINK:
        link.vlans.pop(vlan, None)
        return
    link.vlans[vlan] = bool(flags & UNTAGGED)
    if flags & PVID:
        link.pvid = vlan


def _refusal(number: int) -> NetlinkError:
    return NetlinkError(number, os.strerror(number))


def _described(link: SimulatedLink) -> bytes:
    attributes: list[tuple[str, Any]] = [("IFLA_IFNAME", link.name), ("IFLA_MTU", link.mtu)]
    attributes.append(("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", link.kind)]}))
    if link.master:
        attributes.append(("IFLA_MASTER", link.master))
    if link.port:
        attributes.append(("IFLA_PHYS_PORT_NAME", link.port))
    return encode(ifinfmsg, {"index": link.index, "flags": 1 if link.up else 0}, attributes)


def _port(link: SimulatedLink, master: int, compressed: bool) -> bytes:
    """Return what is said of a port; a bridge says that it is its own master."""
    runs: list[tuple[int, int, int]] = []
    for vlan, flags in link.shown().items():
        if compressed and runs and runs[-1][1:] == (vlan - 1, flags) and not flags & PVID:
            runs[-1] = (runs[-1][0], vlan, flags)
        else:
            runs.append((vlan, vlan, flags))
    infos = []
    for first, last, flags in runs:
        infos += [(flags, first)] if first == last else [(flags | BEGIN, first), (flags | END, last)]
    spec = [("IFLA_BRIDGE_VLAN_INFO", {"flags": flags, "vid": vlan}) for flags, vlan in infos]
    attributes: list[tuple[str, Any]] = [("IFLA_IFNAME", link.name), ("IFLA_MASTER", master)]
    attributes.append(("IFLA_AF_SPEC", {"attrs": spec}))
    return encode(ifinfmsg, {"family": AF_BRIDGE, "index": link.index}, attributes)
