"""`plumbline install`: the plugins' binaries into the folder that the node's container runtime executes them from, or
this command to where it lasts.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import click

from plumbline import output
from plumbline.errors import Status, VerbError
from plumbline.install import installer
from plumbline.install.binary import COMMAND
from plumbline.install.installer import InstallError, Outcome
from plumbline.interruption import terminable
from plumbline.node import runtime
from plumbline.node.roots import Roots
from plumbline.output import Column
from plumbline.prepare import persistent
from plumbline.prepare.places import Places
from plumbline.verbs.options import json_option

PLUGINS = ("sriov", "accelerated-bridge", "host-device")
IPAM = ("host-local", "static")
"""Only on request: a distribution has plugins of these names, and ours have theirs built in."""

FOR_COMMAND = "/usr/local/bin"
"""Where this command is put: shells find it there, and it is there at each boot (`prepare.persistent`)."""


@dataclass(frozen=True, slots=True)
class How:
    """What is installed and how. The members are the options of that name; itself: --command."""

    itself: bool
    backup: bool
    uninstall: bool
    as_json: bool


@click.command()
@click.option("--command", "itself", is_flag=True, help=f"Install this command instead, by itself in {FOR_COMMAND}.")
@click.option("--folder", help="Where to. By itself the folder that the container runtime has in its configuration.")
@click.option("--from", "source", help="Where the binaries are. By itself the folder that this command is in.")
@click.option("--only", multiple=True, type=click.Choice([*PLUGINS, *IPAM]), help="This one only; may be repeated.")
@click.option("--backup/--no-backup", default=True, help="Keep what is replaced, for --uninstall to put back.")
@click.option("--uninstall", is_flag=True, help="Remove our binaries, and put back what they have replaced.")
@json_option
def install(folder: str | None, source: str | None, only: tuple[str, ...], **switches: bool) -> None:
    """Install the plugins where this node's container runtime looks for them, under load if need be.

    Each is copied, synced, run once, and put in its place by one rename. `host-local` and `static` have to be asked for
    with --only: the distribution may have its own.
    """
    how = How(**switches)
    if how.itself and only:
        raise click.UsageError("--command and --only are about different files: choose one")
    target = folder or (FOR_COMMAND if how.itself else _folder())
    names = (COMMAND,) if how.itself else only or PLUGINS
    try:
        with terminable():
            if how.uninstall:
                _refuse_needed(target, how.itself)
                outcomes = installer.uninstall(target, names if how.itself else only or (*PLUGINS, *IPAM))
            else:
                outcomes = installer.install(_source(source, names), target, names, how.backup)
    except InstallError as e:
        raise VerbError(Status.FAILURE, str(e)) from e
    if how.as_json:
        told = [{"name": x.name, "result": x.result.value, "note": x.note or None} for x in outcomes]
        output.print_json({"schema": "plumbline/install/1", "folder": target, "binaries": told})
        return
    console = output.console()
    console.print(f"in {target}:")
    console.print(output.table(outcomes, COLUMNS, console.width)[0] if outcomes else "nothing of ours")


COLUMNS: list[Column[Outcome]] = [
    Column("BINARY", lambda x: x.name, 3, lambda _: "bold"),
    Column("RESULT", lambda x: x.result.value, 2),
    Column("NOTE", lambda x: x.note, 1),
]


def _folder() -> str:
    """Return the first folder of the runtime that runs here. Raises VerbError where that is not one."""
    found = runtime.all_of(Roots())
    candidates = [x for x in found if x.running] or found
    if len({x.binaries[0] for x in candidates}) > 1:
        listed = ", ".join(f"{x.binaries[0]} ({x.runtime}, {x.by or 'by itself'})" for x in candidates)
        raise VerbError(Status.USAGE, f"the runtimes of this node use several folders: {listed}", "give --folder")
    return candidates[0].binaries[0]


def _refuse_needed(target: str, itself: bool) -> None:
    """Raise VerbError (4) where this command is to be removed, and the next boot needs it."""
    path = os.path.join(os.path.abspath(target), COMMAND)
    if itself and persistent.runs(path, Places()):
        told = f"{path} is not removed: {Places().unit} runs it at each boot; nothing was changed"
        raise VerbError(Status.IN_USE, told, "`systemctl disable plumbline`, and remove the unit")


def _source(given: str | None, names: tuple[str, ...]) -> str:
    is_one_file = persistent.is_one_file()
    if COMMAND in names and not given and not is_one_file:
        told = "this command is no single file that could be installed: it runs where pip has put it"
        raise VerbError(Status.USAGE, told, f"make a link to it in {FOR_COMMAND}, or give --from")
    folder = given or os.path.dirname(os.path.realpath(sys.executable if is_one_file else sys.argv[0]))
    missing = [name for name in names if not os.path.isfile(os.path.join(folder, name))]
    if missing:
        raise VerbError(Status.USAGE, f"there is no {', '.join(missing)} in {folder}", "say where with --from FOLDER")
    return folder
