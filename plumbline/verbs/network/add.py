"""`plumbline network add`: a pod is attached to a network."""

from __future__ import annotations

from typing import Any

import click

from cni.linux import netns as namespaces
from cni.linux.signals import Terminated
from cni.protocol.errors import CniError
from plumbline import interruption, output
from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError, terminable
from plumbline.network import commands, configuration, known
from plumbline.network.attachment import Attachment, derived_id
from plumbline.network.cache import Cache
from plumbline.network.commands import Network
from plumbline.network.invoke import Ran
from plumbline.node import names
from plumbline.node.look import look
from plumbline.verbs import changes
from plumbline.verbs.changes import Seen
from plumbline.verbs.network.attached import identified
from plumbline.verbs.network.options import Places, asked, places
from plumbline.verbs.network.runs import listener, result_lines
from plumbline.verbs.network.state import state
from plumbline.verbs.options import json_option
from plumbline.verbs.saying import say


@click.command()
@click.argument("name")
@click.argument("netns")
@click.option("--device", default="", help="The VF for the first plugin, as Multus names it: its deviceID.")
@click.option("--keep", is_flag=True, help="Leave what a failed ADD has done, to look at it.")
@places
@asked
@json_option
@terminable()
def add(name: str, netns: str, device: str, keep: bool, as_json: bool, **options: Any) -> None:
    """Attach a pod to a network: ADD of its plugins in turn. With --json, print the CNI result.

    If one fails, or at Ctrl-C, what was done is undone by DEL, as a runtime does it.
    """
    where: Places = options["places"]
    wanted = identified(options["asked"].of(netns), None)
    conf, cache = configuration.load(where.conf_dir, name), Cache(where.cache_dir)
    if device:
        conf = conf.with_device(names.vf(look(), device).name)
    _require_namespace(wanted.netns)
    _refuse_attached(name, wanted, cache)
    given = Network(conf, where.folders, cache, listener(as_json))
    given.find_all()
    given.require_versions()
    before: Seen = {} if as_json else state(conf, wanted)
    ran = _added(given, wanted, keep)
    if as_json:
        output.print_json(ran.result)
        return
    for line in result_lines(ran.result or {}):
        say(line)
    changes.show(before, state(conf, wanted))


def _require_namespace(path: str) -> None:
    try:
        with namespaces.of_pod(path):
            return
    except CniError as e:
        raise VerbError(Status.FAILURE, f"nothing can be attached: {e}", "`ip netns add NAME` makes a namespace") from e


def _refuse_attached(name: str, wanted: Attachment, cache: Cache) -> None:
    """Raise VerbError (4) for an attachment that is there: ADD comes once (specification 1.1.0, section 2, "ADD")."""
    cached = known.find(name, wanted, cache)
    if cached is not None:
        raise VerbError(
            Status.IN_USE,
            f"{wanted.ifname} of {wanted.netns} is attached to {name} already, as {cached.path} says; nothing was done",
            "`plumbline network check` verifies it, `plumbline network del` takes it off",
        )


def _added(given: Network, wanted: Attachment, keep: bool) -> Ran:
    """ADD, and undo it where it fails or is interrupted. Raises VerbError, InterruptedVerbError."""
    not_attached = f"{wanted} is not attached to network {given.conf.name}"
    try:
        ran = commands.add(given, wanted)
        why = "" if ran.is_good else str(ran)
    except CniError as e:
        why = f"its result cannot be cached: {e}"
    except Terminated as e:
        raise InterruptedVerbError(e, f"{not_attached}: {_undone(given, wanted, keep)}") from e
    if why:
        interruption.ignore()
        raise VerbError(Status.FAILURE, f"{not_attached}: {why}", _undone(given, wanted, keep))
    return ran


def _undone(given: Network, wanted: Attachment, keep: bool) -> str:
    """Undo an ADD unless it is to be kept; return what state things are in."""
    container = "" if wanted.container_id == derived_id(wanted.netns) else f" --container-id {wanted.container_id}"
    again = f"`plumbline network del {given.conf.name} {wanted.netns} --ifname {wanted.ifname}{container}`"
    if keep:
        return f"what was done stays, since --keep was given: {again} takes it back"
    failed = commands.undo(given, wanted)
    if failed:
        return f"it was undone, but for {'; '.join(map(str, failed))}; {again} tries again"
    return "what was done has been undone"
