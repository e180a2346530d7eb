"""`plumbline bind` and `plumbline vdpa`: the single steps, VF by VF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from plumbline import documents, output
from plumbline.errors import Status, VerbError
from plumbline.interruption import telling
from plumbline.node import names
from plumbline.node.model import Node, Pf, Vf
from plumbline.node.wish import DEFAULT, WishError, driver_for, is_linkless
from plumbline.prepare import locks
from plumbline.prepare.carry_out import carry_out
from plumbline.prepare.change import Change, Terms
from plumbline.prepare.document import single
from plumbline.prepare.kernel import Kernel
from plumbline.prepare.plan import has_driver, target_of
from plumbline.prepare.progress import Bar
from plumbline.prepare.steps import AwaitLinks, Bind, MakeVdpa, RemoveVdpa, Step
from plumbline.verbs.devices import complete_device
from plumbline.verbs.options import Verbs, json_option
from plumbline.verbs.saying import say
from plumbline.verbs.setup import confirm, print_plan

Steps = Callable[[Pf, list[Vf]], list[Step]]
"""Gives the steps for some VFs of a PF."""


@dataclass(frozen=True, slots=True)
class How:
    """How steps are done. The members are the options of that name."""

    yes: bool
    dry_run: bool
    as_json: bool
    force: bool


def _options(verb: Callable[..., int]) -> Callable[..., int]:
    """Give a verb VFs as arguments, and the options of How."""
    for option in (
        json_option,
        click.option("--force", is_flag=True, help="Also where one carries your session."),
        click.option("--dry-run", is_flag=True, help="Print the steps as lines for a shell, and do nothing."),
        click.option("--yes", "-y", is_flag=True, help="Do not ask."),
    ):
        verb = option(verb)
    return click.argument("vfs", metavar="VF...", nargs=-1, required=True, shell_complete=complete_device)(verb)


@click.command()
@click.option("--driver", required=True, help="Its name, such as vfio-pci; `default` is the kernel's choice.")
@_options
def bind(vfs: tuple[str, ...], driver: str, **how: bool) -> int:
    """Bind VFs to a driver; if one fails, all are bound again as before. Nothing of it outlives a boot."""
    try:
        driver_for("all", driver)
    except WishError as e:
        raise click.UsageError(str(e)) from e

    def steps(pf: Pf, chosen: list[Vf]) -> list[Step]:
        apart = [vf for vf in chosen if not has_driver(vf, driver)]
        if not apart:
            return []
        indices = tuple(vf.index for vf in apart)
        # A vDPA device goes with its VF's driver: taken away by a step of its own, it comes back with that.
        bound = [*_removal(pf, apart), Bind(target_of(pf), indices, driver, tuple(vf.driver for vf in apart))]
        awaits = not is_linkless(driver) and pf.link is not None
        return [*bound, AwaitLinks(target_of(pf), indices)] if awaits else bound

    outcome = "bound to the kernel's driver for it" if driver == DEFAULT else f"bound to {driver}"
    return _do(vfs, steps, outcome, How(**how))


@click.group(cls=Verbs)
def vdpa() -> None:
    """Make and remove the vDPA devices of VFs."""


@vdpa.command("add")
@click.option("--for", "use", type=click.Choice(["vhost", "virtio"]), default="vhost", show_default=True)
@_options
def vdpa_add(vfs: tuple[str, ...], use: str, **how: bool) -> int:
    """Have a vDPA device on each VF, vdpa:ADDRESS, for programs (vhost) or as a link of the host (virtio)."""

    def steps(pf: Pf, chosen: list[Vf]) -> list[Step]:
        apart = [vf for vf in chosen if vf.vdpa is None or vf.vdpa.driver != use]
        before = tuple(vf.vdpa.driver if vf.vdpa is not None else None for vf in apart)
        return [MakeVdpa(target_of(pf), tuple(vf.index for vf in apart), use, before)] if apart else []

    return _do(vfs, steps, f"with a vDPA device for {use}", How(**how))


@vdpa.command("del")
@_options
def vdpa_del(vfs: tuple[str, ...], **how: bool) -> int:
    """Remove the vDPA device of each VF."""

    return _do(vfs, _removal, "without a vDPA device", How(**how))


def _removal(pf: Pf, vfs: list[Vf]) -> list[Step]:
    """Return the step that removes the vDPA devices of those VFs that have one."""
    having = [(vf.index, vf.vdpa.driver) for vf in vfs if vf.vdpa is not None]
    if not having:
        return []
    return [RemoveVdpa(target_of(pf), tuple(x for x, _ in having), tuple(use for _, use in having))]


def _do(texts: tuple[str, ...], steps_of: Steps, outcome: str, how: How) -> int:
    """Do the steps for the VFs of these names, of all PFs or, where one fails, of none. outcome: what they are then."""
    with telling("nothing was changed") as state:
        change = Change()
        before = change.look()
        chosen = _by_pf(before, texts)
        steps = [step for pf, vfs in chosen for step in steps_of(pf, vfs)]
        if how.dry_run and how.as_json:
            _print_json(steps, False, chosen)
        elif how.dry_run:
            print_plan(steps, f"the VFs are {outcome}")
        _refuse(before, texts, steps_of, change, how.force)
        if how.dry_run:
            return Status.GOOD
        if steps and not how.yes:
            confirm(steps, f"{len(texts)} VFs are to be {outcome}")
        addresses = [vf.address for _, vfs in chosen for vf in vfs if vf.address]
        texts = tuple(addresses)  # a link's name goes with its VF's driver
        with Bar() as bar, locks.of_node(change.places), locks.of_vfs(sorted(addresses), change.roots.sysfs):
            node = change.look()
            _refuse(node, texts, steps_of, change, how.force)
            steps = [step for pf, vfs in _by_pf(node, texts) for step in steps_of(pf, vfs)]
            state.text = f"it was not verified that the VFs are {outcome}"  # for before and after `carry_out`
            carry_out(steps, Kernel(change.roots), bar)
            state.text = f"the VFs are {outcome}"
        if how.as_json:
            now = change.look(f"{state.text}, and what they are like now is not known")
            _print_json(steps, True, _by_pf(now, texts))
            return Status.GOOD
        for vf in (vf for _, vfs in chosen for vf in vfs):
            say(f"{vf.pf}:{vf.index} {vf.name} is {outcome}")
        return Status.GOOD


def _print_json(steps: list[Step], done: bool, chosen: list[tuple[Pf, list[Vf]]]) -> None:
    output.print_json(single(steps, done, [documents.vf(vf) for _, vfs in chosen for vf in vfs]))


def _refuse(node: Node, texts: tuple[str, ...], steps_of: Steps, change: Change, force: bool) -> None:
    for pf, vfs in _by_pf(node, texts):
        attempt = f"change {', '.join(vf.name for vf in vfs)}"
        change.refuse(attempt, pf, steps_of(pf, vfs), node, Terms(force=force))


def _by_pf(node: Node, texts: tuple[str, ...]) -> list[tuple[Pf, list[Vf]]]:
    """Return the VFs of these names by their PFs. Raises VerbError: 10, and 1 for a simulated one."""
    found = {vf.name: vf for vf in (names.vf(node, text) for text in texts)}
    simulated = next((vf for vf in found.values() if vf.address is None), None)
    if simulated is not None:
        raise VerbError(Status.FAILURE, f"{simulated.name} is an entry of a table and no device: it has no driver")
    grouped = ((pf, [vf for vf in pf.vfs if vf.name in found]) for pf in node.pfs)
    return [(pf, vfs) for pf, vfs in grouped if vfs]
