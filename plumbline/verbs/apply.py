"""`plumbline apply`, `forget` and `wait`: about the file that says what the PFs of this node are to be."""

from __future__ import annotations

import time

import click

from cni.protocol.errors import escaped
from plumbline import output
from plumbline.errors import Status, VerbError
from plumbline.interruption import deferred, telling
from plumbline.node import names
from plumbline.node.wish import Wish
from plumbline.prepare import applying, locks, persistent, pfs_file
from plumbline.prepare.applying import Outcome
from plumbline.prepare.change import Change, Terms
from plumbline.prepare.document import forgotten, prepared
from plumbline.prepare.progress import Bar
from plumbline.verbs.devices import complete_pf
from plumbline.verbs.options import json_option

POLL_S = 1.0


@click.command()
@click.option(
    "--boot",
    is_flag=True,
    help="Wait for PFs that are missing; no pod has been started yet. For the unit of systemd's.",
)
@click.option("--force", is_flag=True, help="Also where a PF carries your session, or somebody else makes its VFs.")
@json_option
def apply(boot: bool, force: bool, as_json: bool) -> int:
    """Make the PFs what the file says: /etc/plumbline/pfs.json.

    Nothing is changed where all is as it should be. A PF that is missing, or is another one by its permanent MAC
    address, is a finding (exit status 1), and the others are done.
    """
    change = Change()
    wishes = pfs_file.read(change.places.pfs)
    if not wishes and not as_json:
        click.echo(f"nothing to do: there is no PF in {change.places.pfs}")
        return Status.GOOD
    outcomes: list[Outcome] = []
    lost: OSError | None = None
    try:
        with telling("nothing was changed") as state, Bar() as bar, locks.of_node(change.places):
            for outcome in applying.apply(wishes, change, Terms(force=force, at_boot=boot), bar):
                outcomes.append(outcome)
                tried = [x.wish for x in outcomes]
                state.text = applying.begun([x for x in wishes if x not in tried]) or "all PFs have been tried"
                if as_json:
                    continue
                try:
                    with bar.aside():
                        _show(outcome)
                except OSError as e:  # whoever reads has gone, and the other PFs are to be made all the same
                    lost = e
    finally:  # also of what was done until Ctrl-C
        if as_json:
            output.print_json(prepared(outcomes, True))
    if lost is not None:
        raise lost
    return applying.worst(outcomes)


def _show(outcome: Outcome) -> None:
    """Say what came of a PF."""
    if outcome.error is None:
        click.echo(escaped(f"{outcome.wish.address}: {outcome.wish}: {outcome.titles or 'nothing to do'}"))
        return
    click.echo(escaped(f"{outcome.wish.address}: {outcome.error.message}"), err=True)
    for line in outcome.error.hint.splitlines():
        click.echo(f"  {escaped(line)}", err=True)


@click.command()
@click.argument("pf", shell_complete=complete_pf)
@json_option
def forget(pf: str, as_json: bool) -> int:
    """Take a PF out of the file: it stays what it is, and a boot leaves it alone. PF: a link's name or an address."""
    change = Change()
    places = change.places
    with telling("nothing was changed") as state, locks.of_node(places):
        wishes = pfs_file.read(places.pfs)
        wish = _named(wishes, pf, change)
        with deferred():
            try:
                written = persistent.write(pfs_file.without(wishes, wish.bus, wish.address), places)
            except VerbError as e:
                state.text = "\n".join(filter(None, (e.message, e.hint)))
                raise
            state.text = f"{wish.address} is not in {places.pfs} any more; its VFs stay until the next boot"
        try:
            persistent.tell(written, places)
        except VerbError as e:
            raise VerbError(Status.FAILURE, f"{state.text}; but {e.message}", e.hint) from e
    if as_json:
        output.print_json(forgotten(wish, written))
    else:
        click.echo(state.text)
    return Status.GOOD


def _named(wishes: list[Wish], text: str, change: Change) -> Wish:
    """Return what the file says of a PF. Raises VerbError (10). It need not be there any more."""
    found = next((x for x in wishes if x.address == text), None)
    if found is None:
        pf = names.pf(change.look(), text)
        found = next((x for x in wishes if (x.bus, x.address) == (pf.bus, pf.address)), None)
    if found is None:
        known = ", ".join(x.address for x in wishes) or "none"
        raise VerbError(Status.NO_DEVICE, f"{text} is not in {change.places.pfs}", f"PFs in it: {known}")
    return found


@click.command()
@click.option("--timeout", type=click.FloatRange(0), default=300.0, show_default=True, help="For how long, in seconds.")
@click.option("--allow-empty", is_flag=True, help="It is good, too, when there is no PF in the file.")
@json_option
def wait(timeout: float, allow_empty: bool, as_json: bool) -> int:
    """Wait until the PFs are what the file says; exit status 3 where they are not in time, 1 where it names no PF.

    For what must not start before, as the SR-IOV device plugin, in an init container of which this is.
    """
    change = Change()
    deadline = time.monotonic() + timeout
    while True:
        wishes = pfs_file.read(change.places.pfs)
        if not wishes and not allow_empty:
            raise VerbError(
                Status.FAILURE,
                f"there is no PF in {change.places.pfs}, so nothing tells what to wait for",
                "`plumbline setup --persist` writes it; in a container, mount /etc/plumbline; or --allow-empty",
            )
        node = change.look()
        outcomes = [applying.left(wish, node) for wish in wishes]
        left = [x for x in outcomes if x.steps or x.error is not None]
        is_late = time.monotonic() >= deadline
        if as_json and (is_late or not left):
            output.print_json(prepared(outcomes, False))
            return Status.TIMED_OUT if left else Status.GOOD
        if not left:
            click.echo(f"all is as it should be: {len(wishes)} PFs in {change.places.pfs}")
            return Status.GOOD
        if is_late:
            lines = [x.error.message if x.error is not None else f"{x.wish.address}: still to {x.titles}" for x in left]
            raise VerbError(Status.TIMED_OUT, f"not as it should be after {timeout:g} s", "\n".join(lines))
        time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))
