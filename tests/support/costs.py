"""What a command costs, counted: system calls that strace saw, and the netlink messages among them. No clock."""

from __future__ import annotations

import re
import struct
import tempfile
from collections import Counter

from tests.support.faults import strace
from tests.support.plugin import Attachment

TRACED = (
    "openat,open,execve,sendto,sendmsg,write,pwrite64,fsync,fdatasync,clone,clone3,?fork,?vfork,brk,mmap,mremap,munmap"
)
MEMORY = ("brk", "mmap", "mremap", "munmap")
FORKS = ("clone", "clone3", "fork", "vfork")
MESSAGES = {0x10: "NEWLINK", 0x12: "GETLINK", 0x13: "SETLINK", 0x14: "NEWADDR", 0x16: "GETADDR", 0x18: "NEWROUTE",
            0x1A: "GETROUTE", 0x5A: "GETNSID", 0x11: "DELLINK", 0x15: "DELADDR"}  # fmt: skip
IFLA_NET_NS_FD = 28  # linux/if_link.h
IFINFOMSG_BYTES = 16


class Costs:
    """opened: paths, in order, and `created` those of them that were made. written: bytes, standard streams included.
    syncs: how often the disk was waited for. messages: netlink requests, counted by name. moves: of links to another
    namespace. processes: how often something was executed. memory: how
    often memory was asked for or given back.
    """

    def __init__(self, trace: str) -> None:
        self.opened: list[str] = []
        self.created: list[str] = []
        self.messages: Counter[str] = Counter()
        self.moves = self.processes = self.syncs = self.written = self.memory = 0
        # Where a link has no carrier yet, a process waits for it, which is no part of the command (announcer).
        forked: set[str] = set()
        for line in trace.splitlines():
            process, call = line.split(maxsplit=1)
            name = call.partition("(")[0]
            if process in forked:
                continue
            if name in FORKS:
                if "CLONE_THREAD" not in call:
                    forked.add(call.rpartition("= ")[2].split()[0])
                continue
            if name == "execve":
                self.processes += 1
            elif name in MEMORY:
                self.memory += 1
            elif name in ("openat", "open"):
                path = re.findall(r'"([^"]*)"', call)[0]
                self.opened.append(path)
                if "O_CREAT" in call:
                    self.created.append(path)
            elif name in ("fsync", "fdatasync"):
                self.syncs += 1
            elif name in ("write", "pwrite64"):
                self.written += int(call.rpartition("= ")[2])
            elif "nlmsg_type" in call:
                self._add_message(call)

    def _add_message(self, call: str) -> None:
        """Count a request. strace reads those to sockets of its own namespace only, and shows others as bytes."""
        kind = re.search(r"nlmsg_type=(?:RTM_(\w+)|0x(\w+))", call)
        assert kind is not None, call
        name = kind[1] or MESSAGES[int(kind[2], 16)]
        self.messages[name] += 1
        body = re.search(r'"((?:\\x[0-9a-f]{2})+)"', call)
        if "IFLA_NET_NS_FD" in call or (name == "SETLINK" and body and _has_namespace(_bytes(body[1]))):
            self.moves += 1


def _bytes(shown: str) -> bytes:
    return bytes.fromhex(shown.replace("\\x", ""))


def _has_namespace(body: bytes) -> bool:
    """Return whether an ifinfomsg is followed by the attribute that moves the link."""
    offset = IFINFOMSG_BYTES
    while offset + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, offset)
        if kind == IFLA_NET_NS_FD:
            return True
        offset += max(4, (length + 3) & ~3)
    return False


def of(attachment: Attachment, command: str) -> Costs:
    """Give a command, which must succeed, and return what it cost."""
    with tempfile.NamedTemporaryFile() as log:
        attachment.call(command, prefix=(*strace(TRACED, log=log.name), "-xx", "-s", "512")).ok()
        return Costs(_readable(log.read().decode()))


def _readable(trace: str) -> str:
    """Return the trace with one line a call, and the paths, which `-xx` makes bytes, as text."""
    started: dict[str, str] = {}
    lines = []
    for line in trace.splitlines():
        process = line.split(maxsplit=1)[0]
        if line.endswith("<unfinished ...>"):
            started[process] = line.removesuffix("<unfinished ...>")
            continue
        resumed = re.match(r"\d+\s+<\.\.\. \w+ resumed>(.*)", line)
        whole = started.pop(process) + resumed[1] if resumed else line
        if re.match(r"\d+\s+(openat|open|execve)\(", whole):
            whole = re.sub(r'"((?:\\x[0-9a-f]{2})*)"', lambda text: f'"{_bytes(text[1]).decode()}"', whole)
        lines.append(whole)
    return "\n".join(lines)
