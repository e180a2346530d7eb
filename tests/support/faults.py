"""Run a plugin under strace and let it fail, or die, at a chosen system call.

strace counts the calls of each thread and of each name on their own (strace(1), `when=`). `calls` lists those of the
main thread, so that a test can go through them one by one. A plugin that moves a device has a second thread, which
changes one thing by one message: the device is moved or it is not. What a kill finds depends on whether that message
came before or after a step of the main thread, so tests force both orders: with `MOVE_FIRST` the main thread sleeps
where it has started the other one, with `MOVE_LAST` the other one sleeps before its first step. (Every thread registers
its list of locks at its start; the main one sleeps there too, which does no harm.)
"""

from __future__ import annotations

import os
import re
import signal
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, TypeVar

from tests.support.plugin import Attachment, Outcome

# What changes something, or waits for something that does. Marked with ?: not every architecture has them.
CHANGES = (
    "openat,?open,?mkdir,mkdirat,?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat,?unlink,unlinkat,"
    "write,pwrite64,ftruncate,fsync,fdatasync,?chmod,fchmod,fchmodat,flock,setns,sendto,sendmsg,"
    "clone,clone3,socket"
)
DELAY_US = 60_000

T = TypeVar("T")


def move_first(delay_us: int = DELAY_US) -> str:
    """Return the order in which the move is over before the main thread goes on. delay_us: what a move takes."""
    return f"clone,clone3:delay_exit={delay_us}"


def move_last(delay_us: int = DELAY_US) -> str:
    """Return the order in which the main thread is waiting for the move, or dead, before the move begins."""
    return f"set_robust_list:delay_enter={delay_us}"


MOVE_FIRST = move_first()
MOVE_LAST = move_last()
THREAD_ENDS = f"write:delay_enter={DELAY_US}"
"""The order in which the second thread has ended before the main one has: it is let run while that waits to write."""


REFUSED = f"poke_enter=@arg2={struct.pack('=I', 17).hex()}"
"""For `inject` at a call that `asks_kernel`: the request is made one byte long, which the kernel refuses with EINVAL.
Its header begins with its length (netlink(7)), and is 16 bytes long.
"""


UNSUPPORTED = f"poke_enter=@arg2={struct.pack('=IH', 16, 0xFFFF).hex()}"
"""The same with EOPNOTSUPP, which a driver answers that has no such setting: the request is made one of no known type
(net/core/rtnetlink.c, rtnetlink_rcv_msg).
"""


class Call:
    """One system call of the main thread. number: which of its calls of this name it is, from 1 on, for `when=`."""

    def __init__(self, name: str, number: int, text: str) -> None:
        self.name = name
        self.number = number
        self.text = text

    def __repr__(self) -> str:
        return f"{self.name} number {self.number}: {self.text}"

    @property
    def asks_kernel(self) -> bool:
        """Whether the call is a netlink request."""
        return self.name == "sendto" and "nlmsg_type" in self.text

    @property
    def changes_kernel(self) -> bool:
        """Whether the call is a netlink request that is no mere question."""
        return self._is_question is False

    @property
    def only_asks(self) -> bool:
        """Whether the call is a netlink request that is a mere question: it changes nothing."""
        return self._is_question is True

    @property
    def _is_question(self) -> bool | None:
        """Whether a request is one (rtnetlink(7): every fourth type is); None for other calls, and for other types."""
        kind = re.search(r"nlmsg_type=(?:RTM_([A-Z]+)|(0x[0-9a-f]+))", self.text) if self.asks_kernel else None
        if kind is None:
            return None
        return kind[1].startswith("GET") if kind[1] else int(kind[2], 16) % 4 == 2

    @property
    def leaves_a_mark(self) -> bool:
        """Whether the call has changed what outlives the process: a kill before it finds another state than one after
        it. A question has not, nor what failed, nor a lock or a socket; what waits for the disk is for crashes of the
        machine.
        """
        passing = ("setns", "socket", "flock", "fsync", "fdatasync")
        return not (self.only_asks or self.name in passing or " = -1 E" in self.text)

    @property
    def matters(self) -> bool:
        """Whether the call can change something: a look into a file cannot, nor can a log line."""
        if self.name in ("open", "openat"):
            return "O_CREAT" in self.text
        return not (self.name == "write" and self.text.startswith("write(2,"))


THREAD_END = Call("exit", 1, "the end of the second thread: only threads end by exit(2)")


HEAD_START_S = 0.2
"""How long the others get in `interleaved`. One that waits for a lock of the first has to be let go by it."""


def strace(traced: str, *injections: str, log: str = os.devnull, signals: str = "none") -> tuple[str, ...]:
    """Return what a plugin is started behind, so that its calls are told and faults strike.

    traced: the names of calls to tell, with commas in between; those of the injections are told as well. injections:
    each is a set of calls, a fault and, if not at all of them, at which, such as `sendto:error=EBUSY:when=3`. log: the
    path of a file. signals: to tell as well.
    """
    names = ",".join([traced, *(injection.partition(":")[0] for injection in injections)])
    options = [f"trace={names}", f"signal={signals}", *(f"inject={injection}" for injection in injections)]
    return ("strace", "-f", "-qq", "-s", "64", "-o", log, *(word for option in options for word in ("-e", option)))


def traced(
    attachment: Attachment, command: str, syscalls: str, *injections: str, **extra: Any
) -> tuple[Outcome, list[Call]]:
    """Run a command; return its outcome and the main thread's calls of the set, in order.

    injections: as in `strace`. extra: goes on top of the configuration.
    """
    with tempfile.NamedTemporaryFile() as log:
        outcome = attachment.call(command, prefix=strace(syscalls, *injections, log=log.name), **extra)
        return outcome, calls_in(log.read().decode(errors="replace"))


def calls(attachment: Attachment, command: str, syscalls: str = CHANGES) -> list[Call]:
    """Run a command, which must succeed, and return the main thread's calls of the set that matter, in order."""
    outcome, found = traced(attachment, command, syscalls)
    outcome.ok()
    return [call for call in found if call.matters]


def calls_in(log: str) -> list[Call]:
    """Return the calls of the main thread that are in a log of strace, in order."""
    lines = log.splitlines()
    main = lines[0].split()[0] if lines else ""
    numbers: Counter[str] = Counter()
    found = []
    for line in lines:
        process, _, text = line.partition(" ")
        called = re.match(r"\s*(\w+)\(", text)
        if process == main and called:
            numbers[called[1]] += 1
            found.append(Call(called[1], numbers[called[1]], text.strip()))
    return found


def inject(attachment: Attachment, command: str, fault: str, call: Call, order: str = "") -> Outcome:
    """Run a command with a fault, such as `signal=SIGKILL`, `error=EBUSY` or REFUSED, at a call.

    order: empty for as it comes, MOVE_FIRST or MOVE_LAST.
    """
    injections = [*([order] if order else []), f"{call.name}:{fault}:when={call.number}"]
    return attachment.call(command, prefix=strace(call.name, *injections))


def held(
    attachment: Attachment, command: str, call: Call, meanwhile: Callable[[], T], **extra: Any
) -> tuple[Outcome, T]:
    """Run a command, stop all its threads right after a call, do something meanwhile, and let it go on; return its
    outcome, and what came of that.

    extra: goes on top of the configuration.
    """
    with tempfile.NamedTemporaryFile("r") as log, ThreadPoolExecutor(1) as pool:
        prefix = strace(call.name, f"{call.name}:signal=SIGSTOP:when={call.number}", log=log.name, signals="SIGSTOP")
        running = pool.submit(attachment.call, command, prefix=prefix, **extra)
        said = ""
        while "stopped by SIGSTOP" not in said:
            assert not running.done(), f"was not stopped at {call!r}: {running.result()!r}"
            time.sleep(0.001)
            said += log.read()
        process = os.pidfd_open(int(said.split()[0]))
        try:
            done = meanwhile()
        finally:
            while not running.done():  # its other thread may make such a call, and is stopped then, too
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, signal.SIGCONT)
                wait([running], timeout=0.01)
            os.close(process)
        return running.result(), done


def interleaved(
    attachment: Attachment, command: str, call: Call, *others: Callable[[], Outcome], head_start_s: float = HEAD_START_S
) -> tuple[Outcome, list[Outcome]]:
    """Run a command, hold it right after a call, and let the others run meanwhile, side by side.

    It goes on when they have ended, or after head_start_s if they wait for it. Return its outcome and theirs.
    """
    with ThreadPoolExecutor(len(others)) as pool:

        def begin() -> list[Future[Outcome]]:
            begun = [pool.submit(other) for other in others]
            wait(begun, timeout=head_start_s)
            return begun

        outcome, begun = held(attachment, command, call, begin)
        return outcome, [other.result() for other in begun]
