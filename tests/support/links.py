"""Links by raw netlink, for tests that make thousands of changes: no process, no import of the product.

A link is what the kernel tells of it, attribute by attribute, in bytes: what a newer kernel tells besides is compared,
too. Names and numbers are those of linux/if_link.h and linux/rtnetlink.h; `ip -d -j link` shows the same.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

CLONE_NEWNET = 0x40000000
MS_BIND = 4096
MNT_DETACH = 2

NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, GETADDR, GETROUTE, GETRULE = 20, 22, 26, 34
NEWNSID, GETNSID = 88, 90
NEWLINKPROP, DELLINKPROP = 108, 109
REQUEST, ACK, ECHO, DUMP, CREATE, EXCLUSIVE = 1, 4, 8, 0x300, 0x400, 0x200
NESTED = 0x8000

ADDRESS, BROADCAST, IFNAME, MTU, LINK, QDISC, STATS, MASTER, TXQLEN = 1, 2, 3, 4, 5, 6, 7, 10, 13
OPERSTATE, LINKMODE, LINKINFO, STATS64, AF_SPEC, GROUP, NET_NS_FD, EXT_MASK = 16, 17, 18, 23, 26, 27, 28, 29
PROMISCUITY, NUM_TX_QUEUES, NUM_RX_QUEUES, CARRIER, CARRIER_CHANGES, IFALIAS = 30, 31, 32, 33, 35, 20
LINK_NETNSID, GSO_MAX_SEGS, GSO_MAX_SIZE, XDP, EVENT, NEW_IFINDEX = 37, 40, 41, 43, 44, 49
CARRIER_UP_COUNT, CARRIER_DOWN_COUNT, PROP_LIST, ALT_IFNAME, GRO_MAX_SIZE, ALLMULTI = 47, 48, 52, 53, 58, 61
GSO_IPV4_MAX_SIZE, GRO_IPV4_MAX_SIZE = 63, 64
ATTRIBUTES = {number: name for name, number in list(globals().items()) if name.isupper() and isinstance(number, int)}
"""Names of attributes, for messages. What is none of a link's comes before those in this file, and is overwritten."""

UP, BROADCASTS, LOOPBACK, RUNNING, NOARP, PROMISC, ALLMULTICAST, MULTICAST = 1, 2, 8, 0x40, 0x80, 0x100, 0x200, 0x1000
LOWER_UP, DORMANT, ECHOES = 0x10000, 0x20000, 0x40000
MOMENTARY_FLAGS = RUNNING | LOWER_UP | DORMANT
MOMENTARY = frozenset(
    (STATS, STATS64, CARRIER_CHANGES, CARRIER_UP_COUNT, CARRIER_DOWN_COUNT, AF_SPEC, EVENT, OPERSTATE, CARRIER)
)
"""What is of the moment: counters, and the carrier, which the kernel tells some time after a change."""

INFO_KIND, INFO_DATA = 1, 2
XDP_FD, XDP_FLAGS = 1, 3
XDP_SKB, XDP_DRIVER = 2, 4
NETNSA_NSID, NETNSA_FD = 1, 3
SKIP_STATS = 8

_libc = ctypes.CDLL(None, use_errno=True)


def attribute(kind: int, value: bytes | str | int) -> bytes:
    """Return an attribute: a string with its NUL, an integer in 32 bits, or bytes as they are."""
    if isinstance(value, str):
        value = os.fsencode(value) + b"\0"
    elif isinstance(value, int):
        value = struct.pack("=I", value & 0xFFFFFFFF)
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes in a message, by their numbers."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[(max(length, 4) + 3) & ~3 :]
    return found


def text(data: bytes) -> str:
    """Return a string of the kernel's."""
    return os.fsdecode(data.rstrip(b"\0"))


def number(data: bytes) -> int:
    """Return an integer of the kernel's, of 1, 2, 4 or 8 bytes."""
    return int.from_bytes(data, "little" if struct.pack("=H", 1)[0] else "big")


class Link:
    """A link as the kernel tells it. index, name, flags; all: the attributes."""

    def __init__(self, message: bytes) -> None:
        self.hardware: int
        self.index: int
        self.flags: int
        self.hardware, self.index, self.flags = struct.unpack_from("=xxHiI", message)
        self.all = attributes(message[16:])
        self.name = text(self.all.get(IFNAME, b""))

    def integer(self, kind: int, default: int = -1) -> int:
        """Return the value of an attribute, the default where the kernel does not tell it."""
        return number(self.all[kind]) if kind in self.all else default

    @property
    def alias(self) -> str:
        """The alias, empty for none."""
        return text(self.all.get(IFALIAS, b""))

    @property
    def kind(self) -> str:
        """`veth` and the like, empty for what has none."""
        return text(attributes(self.all.get(LINKINFO, b"")).get(INFO_KIND, b""))

    @property
    def altnames(self) -> list[str]:
        """The alternative names, sorted."""
        data, names = self.all.get(PROP_LIST, b""), []
        while len(data) >= 4:
            length = struct.unpack_from("=H", data)[0]
            names.append(text(data[4:length]))
            data = data[(max(length, 4) + 3) & ~3 :]
        return sorted(names)

    @property
    def queues(self) -> int:
        """How many transmission queues it has: this is set when a link is made, and never again."""
        return self.integer(NUM_TX_QUEUES)

    def state(self) -> dict[str, object]:
        """Return all that may be compared, by name: the index, statistics and the carrier are left out."""
        told: dict[str, object] = {"flags": self.flags & ~MOMENTARY_FLAGS, "hardware": self.hardware}
        for kind, value in self.all.items():
            if kind == LINKINFO:
                info = attributes(value)
                told["kind"] = text(info.get(INFO_KIND, b""))
                if told["kind"] != "bridge":  # its timers are in there
                    told["linkinfo"] = info.get(INFO_DATA, b"").hex()
            elif kind == PROP_LIST:
                told["altnames"] = self.altnames
            elif kind not in MOMENTARY:
                told[ATTRIBUTES.get(kind, f"attribute {kind}").lower()] = value.hex() if kind != IFNAME else text(value)
        af_spec = attributes(self.all.get(AF_SPEC, b""))
        told["addr_gen_mode"] = attributes(af_spec.get(socket.AF_INET6, b"")).get(8, b"").hex()
        return told


def differences(before: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[object, object]]:
    """Return what differs: {name: (before, now)}."""
    keys = [*before, *(key for key in now if key not in before)]
    return {key: (before.get(key), now.get(key)) for key in keys if before.get(key) != now.get(key)}


def within(fd: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a network namespace, in a thread that ends there; return or raise what it does."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            if _libc.setns(fd, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "cannot enter a network namespace")
            outcome.append((True, function(*arguments)))
        except BaseException as e:
            outcome.append((False, e))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    good, value = outcome[0]
    if not good:
        raise value
    return value


class Netns:
    """A network namespace and a netlink socket in it. path: where it is mounted, empty for one that nobody can name."""

    def __init__(self, fd: int, path: str = "") -> None:
        self.fd = fd
        self.path = path
        self._sequence = 0
        self._lock = threading.Lock()
        self.socket = within(fd, socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.socket.settimeout(30)

    @classmethod
    def own(cls) -> Netns:
        """Return that of the calling thread, which plays the host."""
        return cls(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    @classmethod
    def make(cls, path: str = "") -> Netns:
        """Make one with its lo up, and mount it at a path if one is given."""
        made: list[int] = []

        def make() -> None:
            if _libc.unshare(CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "cannot make a network namespace")
            made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
            if path:
                os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
                source = b"/proc/thread-self/ns/net"
                if _libc.mount(source, os.fsencode(path), None, MS_BIND, None) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot mount a network namespace at {path}")

        thread = _Raising(make)
        thread.run_and_join()
        space = cls(made[0], path)
        space.change(1, flags=UP, mask=UP)
        return space

    def forget(self) -> None:
        """Close it and take away its path: it dies, unless somebody else has it open."""
        if self.path:
            _libc.umount2(os.fsencode(self.path), MNT_DETACH)
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                pass
        self.socket.close()
        os.close(self.fd)

    def ask(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        """Make a request; return the messages of the answer, without headers. Raises OSError as the kernel says."""
        with self._lock:
            self._sequence += 1
            header = struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, self._sequence, 0)
            self.socket.send(header + body)
            found: list[bytes] = []
            while True:
                data = self.socket.recv(1 << 18)
                while data:
                    length, what, _, sequence, _ = struct.unpack_from("=IHHII", data)
                    message, data = data[16:length], data[(length + 3) & ~3 :]
                    if sequence != self._sequence:
                        continue
                    if what == 2:  # NLMSG_ERROR
                        code = -struct.unpack_from("=i", message)[0]
                        if code:
                            raise OSError(code, os.strerror(code))
                        return found
                    if what == 3:  # NLMSG_DONE
                        return found
                    found.append(message)

    def change(self, index: int, *parts: bytes, flags: int = 0, mask: int = 0, kind: int = SETLINK) -> None:
        """Change a link. parts: attributes; flags, mask: what flags become, and which. Raises OSError."""
        self.ask(kind, ACK, struct.pack("=BxHiII", 0, 0, index, flags, mask) + b"".join(parts))

    def create(self, kind: str, name: str, *parts: bytes, data: bytes = b"", index: int = 0, up: bool = False) -> None:
        """Make a link. parts: attributes; data: those of its kind. Raises OSError."""
        info = attribute(INFO_KIND, kind.encode()) + (attribute(INFO_DATA | NESTED, data) if data else b"")
        whole = b"".join((attribute(IFNAME, name), *parts, attribute(LINKINFO | NESTED, info)))
        flags = UP if up else 0
        self.ask(NEWLINK, ACK | CREATE | EXCLUSIVE, struct.pack("=BxHiII", 0, 0, index, flags, flags) + whole)

    def veth(self, name: str, peer: str, *parts: bytes, of_peer: Iterable[bytes] = (), index: int = 0) -> None:
        """Make a veth pair. parts, of_peer: attributes of either end. Raises OSError."""
        other = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(IFNAME, peer) + b"".join(of_peer)
        self.create("veth", name, *parts, data=attribute(1, other), index=index)

    def delete(self, index: int) -> None:
        """Delete a link. Raises OSError."""
        self.change(index, kind=DELLINK)

    def altname(self, index: int, name: str, add: bool = True) -> None:
        """Give a link an alternative name, or take it. Raises OSError."""
        names = attribute(PROP_LIST | NESTED, attribute(ALT_IFNAME, name))
        self.change(index, names, kind=NEWLINKPROP if add else DELLINKPROP)

    def links(self) -> list[Link]:
        """Return all links."""
        body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(EXT_MASK, SKIP_STATS)
        return [Link(message) for message in self.ask(GETLINK, DUMP, body)]

    def nsid(self, other: Netns) -> int:
        """Return the number that this namespace has for another, -1 for none."""
        answers = self.ask(GETNSID, ACK, struct.pack("=Bxxx", 0) + attribute(NETNSA_FD, other.fd))
        return struct.unpack("=i", attributes(answers[0][4:])[NETNSA_NSID])[0] if answers else -1

    def dump(self, kind: int, family: int = 0) -> list[bytes]:
        """Return the messages of another dump, such as of addresses and routes, in the order of the kernel."""
        return self.ask(kind, DUMP, struct.pack("=B15x" if kind != GETROUTE else "=B11x", family))


class _Raising(threading.Thread):
    """A thread that raises in its maker what was raised in it."""

    def __init__(self, function: Callable[[], None]) -> None:
        super().__init__()
        self._function = function
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._function()
        except BaseException as e:
            self._error = e

    def run_and_join(self) -> None:
        self.start()
        self.join()
        if self._error is not None:
            raise self._error


# bpf(2), of which glibc has no function.
_SYS_BPF = {"x86_64": 321, "aarch64": 280}
_BPF_PROG_LOAD, _BPF_PROG_ATTACH, _BPF_PROG_QUERY, _BPF_LINK_CREATE = 5, 8, 16, 28
PROGRAM_XDP, PROGRAM_CLASSIFIER = 6, 3
_ATTACH_XDP, _ATTACH_TCX_INGRESS = 37, 46
_RETURN_2 = struct.pack("=BBhi", 0xB7, 0, 0, 2) + struct.pack("=BBhi", 0x95, 0, 0, 0)
"""r0 = 2, which is XDP_PASS; exit. (Of a classifier it is TC_ACT_SHOT: nothing passes.)"""


def bpf(command: int, argument: bytes) -> tuple[int, bytes]:
    """Call bpf(2); return what it returns, and the argument as the kernel left it. Raises OSError."""
    buffer = ctypes.create_string_buffer(argument.ljust(128, b"\0"), 128)
    answer = _libc.syscall(_SYS_BPF[platform.machine()], command, buffer, 128)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"bpf: {os.strerror(code)}")
    return int(answer), buffer.raw


def load_program(kind: int = PROGRAM_XDP) -> int:
    """Load a program that returns 2; return its descriptor."""
    code = ctypes.create_string_buffer(_RETURN_2, len(_RETURN_2))
    licence = ctypes.create_string_buffer(b"GPL")
    head = struct.pack("=IIQQ", kind, len(_RETURN_2) // 8, ctypes.addressof(code), ctypes.addressof(licence))
    return bpf(_BPF_PROG_LOAD, head)[0]


def link_program(space: Netns, program: int, index: int) -> int:
    """Attach an XDP program by a bpf_link; it stays as long as the descriptor that is returned. Raises OSError."""
    request = struct.pack("=IIII", program, index, _ATTACH_XDP, XDP_SKB)
    return int(within(space.fd, bpf, _BPF_LINK_CREATE, request)[0])


def classify(space: Netns, program: int, index: int) -> None:
    """Attach a classifier to what a link receives (tcx, Linux 6.6). Raises OSError."""
    within(space.fd, bpf, _BPF_PROG_ATTACH, struct.pack("=IIII", index, program, _ATTACH_TCX_INGRESS, 0))


def classifiers(space: Netns, index: int) -> int:
    """Return how many classifiers a link has, 0 also where the kernel knows none."""
    try:
        answer = within(space.fd, bpf, _BPF_PROG_QUERY, struct.pack("=IIIIQI", index, _ATTACH_TCX_INGRESS, 0, 0, 0, 0))
    except OSError:
        return 0
    return int(struct.unpack_from("=I", answer[1], 24)[0])


_SIOCETHTOOL, _GFEATURES, _SFEATURES = 0x8946, 0x3A, 0x3B


def features(space: Netns, name: str, off: int | None = None) -> int:
    """Return the first 32 of a link's active features (ethtool -k). off: which of them to switch off before."""
    with within(space.fd, socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as control:
        if off is not None:
            _ethtool(control, name, struct.pack("=IIIIII", _SFEATURES, 2, off, 0, 0, 0))
        answer = _ethtool(control, name, struct.pack("=II32x", _GFEATURES, 2))
        return int(struct.unpack_from("=II4I", answer)[4])


def _ethtool(control: socket.socket, name: str, command: bytes) -> bytes:
    buffer = ctypes.create_string_buffer(command, len(command))
    fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("=16sQ16x", os.fsencode(name), ctypes.addressof(buffer)))
    return buffer.raw


def settled(condition: Callable[[], bool], patience_s: float) -> bool:
    """Return whether a condition holds, or comes to hold within a time, in seconds."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
