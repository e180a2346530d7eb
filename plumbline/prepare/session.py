"""Links that a person would miss at once: those with a default route, and that of the SSH session of who asks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from socket import AF_INET, AF_INET6

from pyroute2 import IPRoute, NetlinkError

from plumbline.errors import Status, VerbError
from plumbline.node import functions
from plumbline.node.model import LinkState, Node
from plumbline.node.roots import Roots

SSH = "SSH_CONNECTION"
"""Client's address and port, server's address and port (sshd(8))."""

RTN_UNICAST = 1  # linux/rtnetlink.h


def refuse(attempt: str, links: Iterable[LinkState | None], needed: dict[str, str]) -> None:
    """Raise VerbError (4) where one of some links is on the host and needed. needed: as `needed` returns it."""
    for link in links:
        why = needed.get(link.name, "") if link is not None and not link.netns else ""
        if link is not None and why:
            raise VerbError(
                Status.IN_USE,
                f"{attempt}: refused, since {link.name} {why}; nothing was changed",
                "from a console, or where you know that it stays reachable: --force",
            )


def needed(node: Node, environment: Mapping[str, str], roots: Roots) -> dict[str, str]:
    """Return why links of the host are needed, by name: those themselves, and those below them, as a bond's ports.

    Raises OSError.
    """
    names = {link.index: link.name for link in node.links}
    found: dict[str, str] = {}
    try:
        with IPRoute() as ip:
            for index in _default_routes(ip):
                found.setdefault(names.get(index, ""), "carries the default route")
            for index in _session(ip, connection(environment, roots)):
                found[names.get(index, "")] = "carries your SSH session"
    except NetlinkError as e:
        raise OSError(e.code, "cannot list routes") from e
    ports = {link.name: link.master for link in node.links if link.master}
    kinds = {link.name: link.kind for link in node.links}
    for name, why in list(found.items()):
        for below in beneath(name, ports, kinds, roots):
            found.setdefault(below, why if below == name else f"is below {name}, which {why}")
    return found


def beneath(name: str, masters: dict[str, str], kinds: dict[str, str], roots: Roots) -> set[str]:
    """Return a link and all that it stands on: ports of a bridge or bond, the link of a VLAN.

    masters: of ports, by name. kinds: of links. A bridge of Open vSwitch has all ports of its datapath below it.
    """
    found: set[str] = set()
    left = [name]
    while left:
        one = left.pop()
        if one in found:
            continue
        found.add(one)
        lower = [x.removeprefix("lower_") for x in functions.entries(os.path.join(roots.sysfs, "class/net", one))]
        left += [x for x in lower if os.path.exists(os.path.join(roots.sysfs, "class/net", one, f"lower_{x}"))]
        above = {one} | ({"ovs-system"} if kinds.get(one) == "openvswitch" else set())
        left += [port for port, master in masters.items() if master in above]
    return found


def connection(environment: Mapping[str, str], roots: Roots) -> list[str]:
    """Return SSH_CONNECTION of this process or, since sudo drops it, of one that it descends from; empty for none."""
    told = environment.get(SSH, "")
    process = str(os.getppid())
    while not told and process not in ("0", "1", ""):
        pairs = functions.text(roots.proc, process, "environ").split("\0")
        told = next((x.partition("=")[2] for x in pairs if x.startswith(f"{SSH}=")), "")
        # proc_pid_stat(5): behind the name, which may hold anything, are state and parent.
        behind = functions.text(roots.proc, process, "stat").rpartition(")")[2]
        process = behind.strip().partition(" ")[2].partition(" ")[0]
    return told.split()


def _default_routes(ip: IPRoute) -> set[int]:
    """Return the indices of links with a default route, of any table."""
    found = set()
    for family in (AF_INET, AF_INET6):
        for route in ip.get_routes(family=family):
            if route["dst_len"] or route["type"] != RTN_UNICAST:
                continue
            hops = route.get_attr("RTA_MULTIPATH") or ()
            found |= {route.get_attr("RTA_OIF"), *(hop["oif"] for hop in hops)}
    return {index for index in found if index}


def _session(ip: IPRoute, words: list[str]) -> set[int]:
    """Return the indices of the links with the server's address, and on the way to the client."""
    if len(words) != 4:
        return set()
    client, server = words[0].partition("%")[0], words[2].partition("%")[0]
    found = {message["index"] for message in ip.get_addr(address=server)}
    try:
        found |= {route.get_attr("RTA_OIF") for route in ip.route("get", dst=client)}
    except NetlinkError:  # there is no way to it by now
        pass
    return {index for index in found if index}
