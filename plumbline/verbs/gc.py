"""`plumbline gc`: what dead pods have left is given back, as the plugins themselves do it at their next ADD or DEL."""

from __future__ import annotations

import os
import sys

import click
from rich.text import Text

from cni.linux.signals import Terminated
from cni.protocol.errors import escaped
from plumbline import output
from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError, terminable
from plumbline.node.notes import Notes
from plumbline.repair import addresses, dead, report
from plumbline.repair.dead import Left
from plumbline.repair.give_back import give_back
from plumbline.repair.report import Report, Treated, What
from plumbline.verbs.options import dry_run_option, json_option
from plumbline.verbs.saying import say


@click.command()
@dry_run_option
@json_option
@terminable()
def gc(dry_run: bool, as_json: bool) -> Status:
    """Give back the devices, and the addresses, that pods have left whose network namespaces are gone.

    Devices of sriov, accelerated-bridge and host-device, by what these have recorded. What lives, or may live, is left
    alone. Exit status 1 for what could not be given back or read, 3 for what is not back yet.
    """
    require_root(dry_run)
    everything, unknown = dead.everything()
    found = Report(dry_run, allocations=dead.allocations(everything), unknown=unknown)
    left = [x for x in everything if not x.may_live]
    if dry_run:
        found.treated = [planned(x) for x in left]
    else:
        found.treated = _given_back(left)
        found.unknown += [x for x in dead.sweep() if x not in found.unknown]  # it reads the damaged records, too
        still_there = dead.allocations([])
        found.allocations = {x: path for x, path in found.allocations.items() if x not in still_there}
    show(found, as_json)
    return found.status


def _given_back(left: list[Left]) -> list[Treated]:
    treated = []
    try:
        with output.console(sys.stderr).status("giving back") as spinner:
            for one in left:
                spinner.update(Text(escaped(f"giving back {one.title} of {one.owner}")))
                treated.append(report.treated(one, give_back(one.plugin, one.attachment)))
    except Terminated as e:
        state = f"{len(treated)} of {len(left)} devices were given back, and `plumbline gc` goes on with the rest"
        raise InterruptedVerbError(e, state) from e
    return treated


def planned(left: Left) -> Treated:
    """Return what would become of a device."""
    log = Notes()
    held = addresses.told_or_none(left.attachment, log)
    kind = addresses.unreleasable(left.attachment)
    notes = [*log.warnings, *([f"{kind} alone can release the addresses that it gave"] if kind else [])]
    return Treated(left, What.PLANNED, held, notes=notes)


def show(found: Report, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        output.print_json(report.document(found))
        return
    console = output.console()
    if found.treated:
        shown, _ = output.table(found.treated, report.COLUMNS, console.width)
        console.print(shown)
    for one in found.treated:
        for text in (*([one.error] if one.error else []), *one.notes):
            say(f"{one.left.title}: {text}", "yellow")
    verb = "would be" if found.is_dry_run else "was"
    for address, path in found.allocations.items():
        say(f"the allocation of {address} to {path}, which is gone, {verb} removed")
    for text in found.unknown:
        say(f"not known, or not done: {text}", "yellow")
    if not (found.treated or found.allocations or found.unknown):
        say("nothing is left of dead pods", "dim")


def require_root(dry_run: bool) -> None:
    """Raise VerbError where devices cannot be moved by whoever asks."""
    if not dry_run and os.geteuid() != 0:
        raise VerbError(
            Status.FAILURE, "moving devices between namespaces takes root; nothing was changed", "--dry-run only looks"
        )
