"""`plumbline release`: one device is taken back from a pod that has left it, or with --force from one that lives."""

from __future__ import annotations

import click

from cni.linux import pci
from cni.linux.signals import Terminated
from cni.protocol.errors import CniError
from plugins.sriov.plugin import Sriov
from plugins.vf import unrecorded
from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError, terminable
from plumbline.node.look import look
from plumbline.node.model import State
from plumbline.node.notes import Notes
from plumbline.node.roots import Roots
from plumbline.repair import dead, report
from plumbline.repair import release as releasing
from plumbline.repair.give_back import LOCK_TIMEOUT_S, claims_of, give_back
from plumbline.repair.release import Wanted
from plumbline.repair.report import Report, Treated
from plumbline.verbs import changes
from plumbline.verbs.changes import Seen
from plumbline.verbs.devices import complete_device
from plumbline.verbs.gc import planned, require_root, show
from plumbline.verbs.options import dry_run_option, json_option
from plumbline.verbs.saying import say


@click.command()
@click.argument("vf", shell_complete=complete_device)
@dry_run_option
@click.option("--force", is_flag=True, help="Release it though its pod lives, or nobody has recorded whose it is.")
@json_option
@terminable()
def release(vf: str, dry_run: bool, force: bool, as_json: bool) -> Status:
    """Give one VF back to the host as it was before its pod had it, and release the pod's addresses.

    VF is a PCI address, the name of a link, or PF:INDEX; also the name of another device that is recorded. Refused with
    status 4 while its pod lives, or a program has it open through vfio.
    """
    require_root(dry_run)
    everything, unknown = dead.everything()
    wanted = releasing.find(vf, look(), everything, Roots())
    releasing.require_seen(wanted)
    if not force:
        releasing.refuse(wanted)
    found = Report(dry_run, unknown=unknown)
    before = _state(wanted)
    if dry_run:
        found.treated = [planned(x) for x in wanted.left]
    else:
        found.treated = _given_back(wanted)
    moved = _fetch_foreign(wanted, dry_run)
    if as_json or found.treated or found.unknown:
        show(found, as_json)
    if not as_json:
        _say_rest(wanted, moved, "would be moved" if dry_run else "is moved")
        if not dry_run and (moved or wanted.left):
            changes.show(before, _state(wanted))
    return found.status


def _given_back(wanted: Wanted) -> list[Treated]:
    try:
        return [report.treated(x, give_back(x.plugin, x.attachment)) for x in wanted.left]
    except Terminated as e:
        state = f"{wanted.title} may not be back yet: as long as a record tells of it, the same command goes on"
        raise InterruptedVerbError(e, state) from e


def _state(wanted: Wanted) -> Seen:
    """Return what there is to say of the device."""
    node, names = look(), [x.attachment.name for x in wanted.left]
    if wanted.vf is None:
        return {link.name: changes.of_link(link) for link in node.links if link.name in names}
    return {f"{vf.pf}:{vf.index}": changes.of_vf(vf) for vf in node.vfs if vf.name == wanted.vf.name}


def _fetch_foreign(wanted: Wanted, dry_run: bool) -> str:
    """Move a link to the host that is somewhere without a record, and return where it was, empty for no such link."""
    path = wanted.foreign_netns
    if not path or dry_run or wanted.vf is None or wanted.vf.address is None:
        return path
    plugin, log = Sriov(), Notes()
    try:
        with plugin.lock(wanted.vf.address, LOCK_TIMEOUT_S), claims_of(plugin, log, path) as claims:
            if not unrecorded.fetch(wanted.vf.address, claims.call, pci.ROOT):
                return ""
    except CniError as e:
        raise VerbError(Status.FAILURE, f"{wanted.title} cannot be moved from {path} to the host: {e}") from e
    return path


def _say_rest(wanted: Wanted, moved: str, verb: str) -> None:
    """Say what there is to say of a VF that no plugin has recorded. moved: from where its link was, if it was."""
    vf = wanted.vf
    if moved:
        say(f"{wanted.title}: its link {verb} from {moved} to the host, with the settings that it has")
    elif vf is not None and not wanted.left:
        told = f"; it is {vf.state.value}"
        if vf.state is State.STRAY and vf.owner is not None:
            told = f"; {vf.owner.source.value} says that it is for {vf.owner}"
        say(f"{wanted.title}: no plugin has recorded that a pod has it: nothing to release{told}")
