"""Where a binary's time goes, from its start to its end, for VERSION, ADD and DEL of host-device with host-local.

Found by taking away: an empty program, a binary that ends at once, the whole command; each is timed without anything
watching it, begun at random times. Only what the kernel is waited for is read off strace, which is told to stop the
program at those calls alone.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import tempfile
from collections.abc import Callable

import click

from bench import markdown
from bench.process import Command, pause
from bench.rig import OURS, Rig, private_machine
from program.contents import EXTENSIONS, standard_library
from program.image import make_executable
from program.link import link
from tests.support.plugin import REPOSITORY, environment

EMPTY = "int main(void) { return 0; }"
END = "import os\nos._exit(0)\n"
NOT_IN_A_BINARY = ("__main__.py", "libc_source.py")
WAITS = "sendto,sendmsg,fsync,fdatasync,flock"


def measure(rounds: int) -> str:
    """Return the profile as a table in Markdown."""
    with private_machine(), tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        rig = Rig(1)
        commands = {
            "VERSION": Command(rig.command(OURS, "host-device", "ADD").executable, environment("VERSION"), b"{}"),
            "ADD": rig.command(OURS, "host-device", "ADD"),
            "DEL": rig.command(OURS, "host-device", "DEL"),
        }
        others = {"empty": _empty_program(folder), "bare": _program(folder, "bare", END)}
        took: dict[str, list[float]] = {}

        for _ in range(rounds):  # interleaved: machines are noisy
            for name, command in {**others, **commands}.items():
                pause()
                took.setdefault(name, []).append(command.run().wall_ms)
        medians = {what: statistics.median(x) for what, x in took.items()}
        waits = _waits(commands, rounds)
    return _table(medians, waits)


def _table(medians: dict[str, float], waits: dict[str, dict[str, float]]) -> str:
    columns = list(waits)

    def row(title: str, figure: Callable[[str], float]) -> list[str]:
        return [title, *(f"{figure(name):.1f}" for name in columns)]

    def own(name: str) -> float:
        return medians[name] - medians["bare"] - sum(waits[name].values())

    return markdown.table(
        ["ms", *columns],
        [
            row("the kernel starts a program of this size and ends it", lambda name: medians["empty"]),
            row("the interpreter goes on from its image", lambda name: medians["bare"] - medians["empty"]),
            row("waits: the link moves", lambda name: waits[name]["move"]),
            row("waits: other netlink requests", lambda name: waits[name]["netlink"]),
            row("waits: disk and locks", lambda name: waits[name]["disk"]),
            row("the rest: the plugin's own code, small system calls", own),
            row("all, as measured", medians.__getitem__),
        ],
    )


def _empty_program(folder: str) -> Command:
    source, target = os.path.join(folder, "empty.c"), os.path.join(folder, "empty")
    with open(source, "w") as file:
        file.write(EMPTY)
    subprocess.run(["gcc", "-O2", "-static", "-no-pie", source, "-o", target], check=True)
    return Command(target, {}, b"")


def _program(folder: str, name: str, code: str) -> Command:
    """Build a binary as build.spec does, with another main program."""
    source, target = os.path.join(folder, f"{name}.py"), os.path.join(folder, name)
    with open(source, "w") as file:
        file.write(code)
    modules = {**standard_library(), "__main__": source}
    for top in ("cni", "ipam", "plugins"):
        for parent, _, names in os.walk(os.path.join(REPOSITORY, top)):
            for path in (os.path.join(parent, x) for x in names if x.endswith(".py") and x not in NOT_IN_A_BINARY):
                dotted = os.path.relpath(path, REPOSITORY).removesuffix(".py").removesuffix("/__init__")
                modules[dotted.replace("/", ".")] = path
    make_executable(target, link(os.path.join(folder, "interpreter"), EXTENSIONS), modules, EXTENSIONS)
    return Command(target, {}, b"")


def _waits(commands: dict[str, Command], rounds: int) -> dict[str, dict[str, float]]:
    """Return how many milliseconds each command waits in the kernel: {command: {what for: ms}}.

    What another thread does meanwhile costs nothing, so of the second thread, which moves the link, only the move
    counts, and of the first what is not beside the move.
    """
    found: dict[str, dict[str, list[float]]] = {name: {} for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            for kind, milliseconds in _waits_once(command).items():
                found[name].setdefault(kind, []).append(milliseconds)
    return {name: {kind: statistics.median(x) for kind, x in kinds.items()} for name, kinds in found.items()}


def _waits_once(command: Command) -> dict[str, float]:
    pause()
    with tempfile.NamedTemporaryFile() as log:
        trace = ["strace", "-f", "--seccomp-bpf", "-qq", "-ttt", "-T", "-o", log.name, "-e", f"trace={WAITS}"]
        subprocess.run([*trace, command.executable], env=command.variables, input=command.stdin, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        lines = log.read().decode(errors="replace").splitlines()
    calls = [_call(line) for line in lines if line.endswith(">") and "unfinished" not in line]
    longest = max((took for name, _, took in calls if name.startswith("send")), default=0.0)
    waits = {"move": longest, "netlink": 0.0, "disk": 0.0}
    move = next(((end - took, end) for name, end, took in calls if took == longest), (0.0, 0.0))
    for name, end, took in calls:
        if move[0] < end <= move[1]:  # beside the move, or the move itself
            continue
        waits["netlink" if name.startswith("send") else "disk"] += took
    return waits


def _call(line: str) -> tuple[str, float, float]:
    """Return name, end and duration of a call, in ms."""
    _, start, text = line.split(maxsplit=2)
    name = re.search(r"(\w+)(?:\(| resumed)", text)
    took = re.search(r"<([\d.]+)>$", text)
    assert name is not None
    assert took is not None, line
    duration = float(took[1]) * 1e3
    # A call that was interrupted by those of another thread is shown again when it ends.
    end = float(start) * 1e3 + (0.0 if "resumed" in text else duration)
    return name[1], end, duration


@click.command(help=__doc__)
@click.option("--rounds", default=30, show_default=True, help="How often each is run.")
def profile(rounds: int) -> None:
    """Measure and print the profile."""
    click.echo(measure(rounds))
