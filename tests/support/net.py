"""Network namespaces and devices of a test's own, seen through `ip -j`."""

from __future__ import annotations

import ctypes
import fcntl
import itertools
import json
import os
import socket
import struct
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

CLONE_NEWNET = 0x40000000
MNT_DETACH = 2
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

T = TypeVar("T")

_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)


def run(*command: str, check: bool = True, **options: Any) -> str:
    """Run a command and return its output; with check, a failure fails the test with what the command said."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr}{done.stdout}")
    return str(done.stdout)


def unique(stem: str) -> str:
    """Return a name that no other test of this session uses, short enough for a link."""
    return f"{stem}{next(_numbers)}"


class Space:
    """A network namespace. name None is the session's own, which plays the host."""

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.path = f"/run/netns/{name}" if name else "/proc/self/ns/net"

    def ip(self, *arguments: str, check: bool = True) -> str:
        """Run ip(8) in the namespace."""
        return run("ip", *(("-n", self.name) if self.name else ()), *arguments, check=check)

    def batch(self, *commands: str, program: tuple[str, ...] = ("ip",), check: bool = True) -> str:
        """Give commands to one ip(8) or bridge(8): starting one takes a tenth of a second in the lab.

        check: without, all commands are tried, and may fail. Return what they say.
        """
        options = (*(("-n", self.name) if self.name else ()), *(() if check else ("-force",)), "-batch", "-")
        return run(*program, *options, check=check, input="\n".join(commands) + "\n")

    def json(self, *arguments: str) -> Any:
        """Run ip(8) in the namespace and return its JSON, [] for none."""
        return json.loads(self.ip("-j", *arguments) or "[]")

    def run(self, *command: str, check: bool = True) -> str:
        """Run any command in the namespace."""
        return run(*(("ip", "netns", "exec", self.name) if self.name else ()), *command, check=check)

    def links(self) -> list[str]:
        """Return the names of the links, without lo."""
        names = call_inside(self.path, lambda _: [name for _, name in socket.if_nameindex()])
        return [name for name in names if name != "lo"]

    def link(self, name: str) -> dict[str, Any] | None:
        """Return what `ip -d -j link show` says of one link, None when there is none."""
        shown = self.ip("-d", "-j", "link", "show", "dev", name, check=False)
        return json.loads(shown)[0] if shown.strip() else None

    def addresses(self, name: str) -> list[str]:
        """Return the addresses of a link with their prefix lengths, sorted, without IPv6 link-local ones."""
        shown = self.json("addr", "show", "dev", name)
        return sorted(
            f"{a['local']}/{a['prefixlen']}" for a in shown[0]["addr_info"] if not a["local"].startswith("fe80:")
        )

    def routes(self, name: str, family: str = "-4", table: str = "main") -> list[dict[str, Any]]:
        """Return the routes through a link."""
        return list(self.json(family, "-d", "route", "show", "table", table, "dev", name))

    def settings(self, name: str) -> dict[str, Any]:
        """Return what a plugin must give back unchanged: name, address, MTU, up state, alias, alternative names."""
        link = self.link(name)
        if link is None:
            return {}
        return {
            "name": link["ifname"],
            "mac": link["address"],
            "mtu": link["mtu"],
            "up": "UP" in link["flags"],
            "alias": link.get("ifalias", ""),
            "altnames": sorted(link.get("altnames", [])),
        }

    def without_dad(self) -> None:
        """Let IPv6 addresses of links to come be usable at once: duplicate address detection takes seconds."""
        self.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")

    def delete(self) -> None:
        """Delete the namespace, if it is still there, as `ip netns del` does."""
        if self.name and os.path.exists(self.path):
            _libc.umount2(os.fsencode(self.path), MNT_DETACH)  # a test may have left a plain file in its place
            os.unlink(self.path)


HOST = Space(None)


def new_space(stem: str = "pod") -> Space:
    """Make a network namespace."""
    return new_spaces(1, stem)[0]


def new_spaces(count: int, stem: str = "pod") -> list[Space]:
    """Make several network namespaces."""
    spaces = [Space(unique(stem)) for _ in range(count)]
    HOST.batch(*(f"netns add {space.name}" for space in spaces))
    for space in spaces:
        call_inside(space.path, _take_lo_up)
    return spaces


def call_inside(path: str, function: Callable[[socket.socket], T]) -> T:
    """Return what a function says of a namespace, for which it gets a socket there. To start ip(8) takes a tenth of a
    second in the lab, and nearly every test makes a namespace.
    """

    def enter() -> T:
        with open(path) as namespace:
            if _libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {path}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            return function(control)

    with ThreadPoolExecutor(1) as inside:  # a thread of its own enters the namespace, and ends there
        return inside.submit(enter).result()


def _take_lo_up(control: socket.socket) -> None:
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def new_device(stem: str = "dev", peer_space: Space | None = None) -> tuple[str, str]:
    """Make a veth pair; return the host's end, which plays the device, and the other end, up, in peer_space or here."""
    name, peer = unique(stem), unique("peer")
    HOST.ip("link", "add", name, "type", "veth", "peer", "name", peer)
    if peer_space is not None and peer_space.name:
        HOST.ip("link", "set", peer, "netns", peer_space.name)
    (peer_space or HOST).ip("link", "set", peer, "up")
    return name, peer


def delete_device(name: str) -> None:
    """Delete a link of the host, if it is still there."""
    HOST.ip("link", "del", name, check=False)
