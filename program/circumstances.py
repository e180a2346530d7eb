"""The circumstances in which an image has to turn out the same: as different as this machine lets them be made.

What is the same in both takes of an image, such as the name of the machine that builds, could hide in it. So the second
is taken under another name, as another user and so on, by programs of which each executes another one so, and which
every Debian and Ubuntu has. Some need a namespace: root may have these, and others in a namespace of users; in a
container neither may. What cannot be made different stays the same then, and is told; the build goes on. An image is
right all the same, unless a module keeps just that, and then a build elsewhere will find it.
"""

from __future__ import annotations

import functools
import os
import subprocess
from dataclasses import dataclass

TUNABLES = "GLIBC_TUNABLES"  # glibc manual, Tunables
NO_TUNABLES = "_" * len(TUNABLES)
"""A variable of this name does nothing, but is as long: how many there are, and how long, has a say in where things are
allocated."""
OLD_PROCESSOR = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-ERMS,-FSRM"

ELSEWHERE = "elsewhere.example"
SOMEBODY = "4711"

AS_ROOT = ("unshare", "--user", "--map-root-user")
"""For a user who is not root, or a root who may do little."""


@dataclass(frozen=True)
class Difference:
    """Something that is of a process or of a machine.

    ways: commands that execute another one under different circumstances; the first that works is taken. shown: a
    command whose output is another then. variable: by which the C library uses other functions. displacement: how far
    the stack, the C library's memory and what is mapped are displaced, in bytes.
    """

    what: str
    ways: tuple[tuple[str, ...], ...] = ((),)
    shown: tuple[str, ...] = ()
    variable: str = NO_TUNABLES
    displacement: int = 0


def _in_namespace(kind: str, script: str) -> tuple[tuple[str, ...], ...]:
    """Return ways in which a shell prepares a namespace of its own for a command."""
    way = ("unshare", kind, "sh", "-ec", f'{script}; exec "$@"', "sh")
    return way, (*AS_ROOT, *way)


CPUS = "/sys/devices/system/cpu"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
ONE_CPU = str(min(os.sched_getaffinity(0)))
DIFFERENCES = (
    Difference("where memory is", displacement=1 << 16),
    Difference("the functions of the C library for this processor", variable=TUNABLES),
    Difference("the working directory", (("env", "--chdir=/tmp"),), ("pwd",)),
    Difference("the host name", _in_namespace("--uts", f"hostname {ELSEWHERE}"), ("uname", "-n")),
    Difference("the boot ID", _in_namespace("--mount", f"mount --bind /proc/sys/kernel/random/uuid {BOOT_ID}"),
               ("cat", BOOT_ID)),
    Difference("the number of CPUs", _in_namespace(
        "--mount", f"mount -t tmpfs tmpfs {CPUS}; echo 0-6 >{CPUS}/online; echo 0-8 >{CPUS}/possible"),
        ("getconf", "_NPROCESSORS_ONLN")),
    Difference("the CPUs that may be used", (("taskset", "--cpu-list", ONE_CPU),), ("nproc",)),
    Difference("the kernel's version", (("setarch", "--uname-2.6"),), ("uname", "-r")),
    # The last, since what comes after it may do nothing.
    Difference("the user", (
        ("unshare", "--user", f"--map-user={SOMEBODY}", f"--map-group={SOMEBODY}"),
        ("setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups"),
    ), ("id", "-u")),
)  # fmt: skip


@dataclass(frozen=True)
class Circumstances:
    """Those of one take. prefix: a command that executes what follows it; see Difference for the others."""

    prefix: tuple[str, ...] = ()
    variable: str = NO_TUNABLES
    displacement: int = 0

    def command(self, program: str) -> list[str]:
        """Return the command that executes an interpreter, with nothing in its environment but what is meant for it."""
        return [*self.prefix, "env", "-i", f"{self.variable}={OLD_PROCESSOR}", "TZ=:", program, str(self.displacement)]


USUAL = Circumstances()


@functools.cache
def different(differences: tuple[Difference, ...], program: str) -> tuple[Circumstances, tuple[str, ...]]:
    """Return circumstances with these differences, as far as they can be made, and what keeps others from being made.

    program: what will be executed.
    """
    prefix: tuple[str, ...] = ()
    variable, displacement, excuses = NO_TUNABLES, 0, []
    for difference in differences:
        variable = difference.variable if difference.variable != NO_TUNABLES else variable
        displacement = difference.displacement or displacement
        refusals = []
        for way in difference.ways:
            refusal = _refusal(difference.shown, (*prefix, *way), program) if way else ""
            if not refusal:
                prefix = (*prefix, *way)
                break
            refusals.append(refusal)
        else:
            excuses.append(f"{difference.what}: {refusals[0]}")
    return Circumstances(prefix, variable, displacement), tuple(excuses)


def _refusal(shown: tuple[str, ...], prefix: tuple[str, ...], program: str) -> str:
    """Return why a command would not execute a program under other circumstances, or nothing if it would."""
    # Somebody else may not get to where the program is.
    looked = subprocess.run([*prefix, "test", "-x", program], cwd="/", capture_output=True, text=True)
    if looked.returncode != 0:
        return looked.stderr.strip() or f"{program} could not be executed"
    before, after = (_output(command) for command in (shown, (*prefix, *shown)))
    return "it stays the same" if before == after else ""


def _output(command: tuple[str, ...]) -> str:
    return subprocess.run(command, cwd="/", capture_output=True, text=True).stdout
