"""`plumbline setup`: a PF gets VFs, a switch mode, drivers, vDPA devices."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

import click

from cni.protocol.errors import escaped
from plumbline import output
from plumbline.errors import Status, VerbError
from plumbline.interruption import Standing, deferred, telling
from plumbline.node import functions, names
from plumbline.node import pfs_file as node_pfs_file
from plumbline.node.model import Pf
from plumbline.node.wish import Wish, WishError, check, parse_driver
from plumbline.prepare import locks, permanent, persistent, pfs_file
from plumbline.prepare.applying import Outcome
from plumbline.prepare.change import Change, Terms, require_possible
from plumbline.prepare.document import prepared
from plumbline.prepare.plan import plan
from plumbline.prepare.progress import Bar
from plumbline.prepare.steps import Step
from plumbline.verbs.devices import complete_pf
from plumbline.verbs.options import json_option
from plumbline.verbs.saying import say


@dataclass(frozen=True, slots=True)
class How:
    """How a setup is done, but for what is set up. The members are the options of that name."""

    yes: bool
    dry_run: bool
    as_json: bool
    persist: bool
    force: bool


@click.command()
@click.argument("pf", shell_complete=complete_pf)
@click.option("--vfs", type=click.IntRange(0), required=True, help="How many VFs the PF is to have.")
@click.option("--mode", type=click.Choice(["switchdev", "legacy"]), help="The mode of its embedded switch.")
@click.option(
    "--driver",
    "drivers",
    multiple=True,
    metavar="[RANGE=]DRIVER",
    help="The driver of its VFs, such as vfio-pci or 0-3=vfio-pci; `default` is the kernel's choice. May be repeated.",
)
@click.option("--vdpa", type=click.Choice(["vhost", "virtio"]), help="A vDPA device for each VF, and what it is for.")
@click.option("--up/--no-up", default=True, help="Whether to bring the PF's link up. By itself it is brought up.")
@click.option("--persist", is_flag=True, help="Do it at each boot, too.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Print the plan as lines for a shell, and do nothing.")
@click.option("--force", is_flag=True, help="Also where the PF carries your session, or somebody else makes its VFs.")
@json_option
def setup(pf: str, **options: object) -> int:
    """Make VFs of a PF, and what belongs to them.

    The plan is shown and asked for on a terminal. What is not named stays as it is. If something fails, or at Ctrl-C,
    all that was done to the PF is taken back. VFs in pods, or open in programs, are never taken away (exit status 4).
    """
    how = How(**{key: bool(options.pop(key)) for key in ("yes", "dry_run", "as_json", "persist", "force")})
    with telling("nothing was changed") as state:
        return _set_up(pf, options, how, state)


def _set_up(pf: str, options: dict[str, object], how: How, state: Standing) -> int:
    change = Change()
    node = change.look()
    found = names.pf(node, pf)
    wish = _wish(found, options)
    require_possible(found, wish)
    steps = plan(found, wish)
    if how.dry_run and how.as_json:
        output.print_json(prepared([Outcome(wish, tuple(steps))], False))
    elif how.dry_run:
        print_plan(steps, f"{found.name} has {wish}" if not steps else "")
    terms = Terms(force=how.force)
    change.refuse(f"make {found.name} have {wish}", found, steps, node, terms)
    if how.dry_run:
        return Status.GOOD
    program = ""
    if how.persist:  # what there is to object is found out before anything is done
        program = persistent.program()
        pfs_file.read(change.places.pfs)
    if steps and not how.yes:
        confirm(steps, f"{found.name} is to have {wish}")
    with Bar() as bar, locks.of_node(change.places):
        done = change.make(wish, terms, bar)
        state.text = f"{found.name} has {wish}"
        written = _persist(wish, change, program, state) if how.persist else []
        others = [] if how.persist else _told_otherwise(wish, change)
    if how.as_json:
        output.print_json(prepared([Outcome(wish, tuple(done))], True, written))
        return Status.GOOD
    say(f"{found.name} {'now has' if done else 'has already'} {wish}")
    for text in [*(f"written: {path}" for path in written), *others]:
        say(text)
    return Status.GOOD


def _wish(pf: Pf, options: dict[str, object]) -> Wish:
    """Return what the options ask for. Raises UsageError."""
    drivers = options["drivers"]
    assert isinstance(drivers, tuple)
    if pf.bus != functions.PCI and (drivers or options["vdpa"]):
        raise click.UsageError(f"the VFs of {pf.name} are no devices, and have neither drivers nor vDPA devices")
    try:
        return check(
            Wish(
                address=pf.address,
                bus=pf.bus,
                mac=permanent.mac(pf),
                vfs=int(str(options["vfs"])),
                mode=str(options["mode"] or ""),
                drivers=tuple(parse_driver(text) for text in drivers),
                vdpa=str(options["vdpa"] or ""),
                up=bool(options["up"]),
            )
        )
    except WishError as e:
        raise click.UsageError(str(e)) from e


def _persist(wish: Wish, change: Change, program: str, state: Standing) -> list[str]:
    """Write what is needed at boot; return which files. program: this command's path. state: that of the PF, which
    becomes that of the files, too. Raises VerbError.
    """
    places, made = change.places, state.text
    lost = f"{made}, and will not after a boot"
    state.text = f"{lost}: nothing was written for it"
    try:
        wishes = pfs_file.with_wish(pfs_file.read(places.pfs), wish)
        with deferred():
            try:
                written = persistent.write(wishes, places, program)
            except VerbError as e:
                state.text = f"{lost}: {e.message}\n{e.hint}"
                raise
            state.text = f"{made}, also after a boot: all files for it are written"
    except VerbError as e:
        raise VerbError(Status.FAILURE, f"{lost}: {e.message}", e.hint) from e
    try:
        persistent.tell(written, places)
    except VerbError as e:
        raise VerbError(Status.FAILURE, f"{state.text}; but {e.message}", e.hint) from e
    if places.rule in written:
        addresses = [vf.address for pf in functions.pfs(change.roots.sysfs) for vf in pf.vfs]
        persistent.announce([address for address in addresses if address], change.roots.sysfs)
    return written


def _told_otherwise(wish: Wish, change: Change) -> list[str]:
    """Return a warning where the file has something else for the PF, which the next boot would do."""
    found = node_pfs_file.read(change.places.pfs)
    if found.error:
        return [f"{change.places.pfs} cannot be used: {found.error}; the next boot makes no PF what it says"]
    told = found.of(wish.bus, wish.address)
    if told is None or told == wish:
        return []
    return [f"until the next boot: {change.places.pfs} says {told}; --persist writes this there"]


def print_plan(steps: list[Step], otherwise: str) -> None:
    """Print steps as lines for a shell. otherwise: what to say where there are none."""
    if not steps:
        click.echo(escaped(f"# {otherwise}: nothing is to be done"))
    for step, title in zip(steps, _titles(steps), strict=True):
        click.echo("\n".join(escaped(line) for line in [f"# {title}", *step.shell()]))


def _titles(steps: list[Step]) -> list[str]:
    """Return what steps do, each with its PF where they are of several."""
    is_of_one = len({step.target for step in steps}) == 1
    return [step.title if is_of_one else f"{step.target.name}: {step.title}" for step in steps]


def confirm(steps: list[Step], title: str) -> None:
    """Show to a person what is going to be done, and ask. Raises VerbError for no, Abort for neither yes nor no."""
    if not sys.stdin.isatty():
        return
    with _terminal() as terminal:
        click.secho(f"{escaped(title)}:", bold=True, file=terminal)
        for number, step_title in enumerate(_titles(steps), 1):
            click.echo(f"  {number}. {escaped(step_title)}", file=terminal)
        if any(step.touches is None for step in steps):
            told = "  VFs that are made anew lose the addresses and VLANs that were set of them by hand"
            click.echo(told, file=terminal)
        click.echo("Do it? [y/N]: ", file=terminal, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        raise click.Abort
    if answer.strip().lower() not in ("y", "yes"):
        raise VerbError(Status.FAILURE, "nothing was changed")


@contextmanager
def _terminal() -> Iterator[TextIO]:
    """Give where a question is seen by whoever types: standard error may be a file. Raises VerbError."""
    if sys.stderr.isatty():
        yield sys.stderr
        return
    try:
        fd = os.open(os.ttyname(sys.stdin.fileno()), os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as e:
        told = f"cannot ask on the terminal: {e.strerror}; nothing was changed"
        raise VerbError(Status.FAILURE, told, "--yes does not ask") from e
    with os.fdopen(fd, "w", errors="backslashreplace") as terminal:
        yield terminal
