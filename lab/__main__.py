"""`python -m lab`: prepare the machine, boot it, and give the user a shell in it or run one command."""

from __future__ import annotations

import fcntl
import platform
import sys

import click

from lab import kernel
from lab.accelerator import has_kvm
from lab.errors import BrokeDownError, LabError
from lab.kernel import Prepared
from lab.machine import Machine
from lab.places import CACHE


@click.command()
@click.option("--run", "command", envvar="LAB_RUN", help="Run this shell command there and return its exit status.")
@click.option("--machines", default=1, help="How many machines a command may use up: they can break down.")
@click.option("--prepare", is_flag=True, help="Prepare the machine and end, without booting it.")
@click.option("--cpus", type=click.IntRange(min=1), help="How many CPUs it has instead of all, and two at least.")
def main(command: str | None, machines: int, prepare: bool, cpus: int | None) -> None:
    """Boot a virtual machine with two SR-IOV NICs and open a shell in it."""
    try:
        if platform.machine() != "x86_64":
            raise LabError(f"the emulated NIC needs an x86-64 host, and this is {platform.machine()}")
        if prepare:
            _prepared()
            return
        if not command and not sys.stdin.isatty():
            raise LabError("a shell needs a terminal; for one command: make lab RUN='command'")
        machine = Machine(*_prepared(), cpus)
        if command:
            sys.exit(_run(machine, command, machines))
        print("lab: booting, which takes some 20 s without KVM", file=sys.stderr)
        machine.shell()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(255)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(machine: Machine, command: str, machines: int) -> int:
    """Run a command and return its exit status; when a machine breaks down under it, again in a new one. A status, good
    or bad, is the end. Raises LabError.
    """
    while True:
        machines -= 1
        try:
            return machine.run(command)
        except BrokeDownError as error:
            if machines < 1:
                raise
            print(f"lab: {error}\nlab: running the command again in a new machine", file=sys.stderr)


def _prepared() -> tuple[Prepared, bool]:
    """Return the kernel and whether KVM works, both prepared now or before, by one process at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = kernel.prepared() or kernel.prepare(lambda line: print(f"lab: {line}", file=sys.stderr))
        return found, has_kvm(found)


if __name__ == "__main__":
    main()
