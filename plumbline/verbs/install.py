"""`plumbline install`: the plugins' binaries into the folder that the node's container runtime executes them from."""

from __future__ import annotations

import os
import sys

import click

from plumbline import output
from plumbline.errors import Status, VerbError
from plumbline.install import installer
from plumbline.install.installer import InstallError, Outcome
from plumbline.interruption import terminable
from plumbline.node import runtime
from plumbline.node.roots import Roots
from plumbline.output import Column
from plumbline.verbs.options import json_option

PLUGINS = ("sriov", "accelerated-bridge", "host-device")
IPAM = ("host-local", "static")
"""Only on request: a distribution has plugins of these names, and ours have theirs built in."""


@click.command()
@click.option("--folder", help="Where to. By itself the folder that the container runtime has in its configuration.")
@click.option("--from", "source", help="Where the binaries are. By itself the folder that this command is in.")
@click.option("--only", multiple=True, type=click.Choice([*PLUGINS, *IPAM]), help="This one only; may be repeated.")
@click.option("--backup/--no-backup", default=True, help="Keep what is replaced, for --uninstall to put back.")
@click.option("--uninstall", is_flag=True, help="Remove our binaries, and put back what they have replaced.")
@json_option
def install(
    folder: str | None, source: str | None, only: tuple[str, ...], backup: bool, uninstall: bool, as_json: bool
) -> None:
    """Install the plugins where this node's container runtime looks for them, under load if need be.

    Each is copied, synced, run once, and put in its place by one rename. `host-local` and `static` have to be asked for
    with --only: the distribution may have its own.
    """
    target = folder or _folder()
    names = only or PLUGINS
    try:
        with terminable():
            if uninstall:
                outcomes = installer.uninstall(target, only or (*PLUGINS, *IPAM))
            else:
                outcomes = installer.install(_source(source, names), target, names, backup)
    except InstallError as e:
        raise VerbError(Status.FAILURE, str(e)) from e
    if as_json:
        told = [{"name": x.name, "result": x.result.value, "note": x.note or None} for x in outcomes]
        output.print_json({"schema": "plumbline/install/1", "folder": target, "binaries": told})
        return
    console = output.console()
    console.print(f"in {target}:")
    console.print(output.table(outcomes, COLUMNS, console.width)[0] if outcomes else "nothing of ours")


COLUMNS: list[Column[Outcome]] = [
    Column("PLUGIN", lambda x: x.name, 3, lambda _: "bold"),
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


def _source(given: str | None, names: tuple[str, ...]) -> str:
    folder = given or os.path.dirname(
        os.path.realpath(sys.executable if getattr(sys, "frozen", False) else sys.argv[0])
    )
    missing = [name for name in names if not os.path.isfile(os.path.join(folder, name))]
    if missing:
        raise VerbError(Status.USAGE, f"there is no {', '.join(missing)} in {folder}", "say where with --from FOLDER")
    return folder
