"""`plumbline network del`: a pod is taken off a network."""

from __future__ import annotations

from typing import Any

import click

from cni.linux.signals import Terminated
from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError, terminable
from plumbline.network import commands
from plumbline.verbs import changes
from plumbline.verbs.changes import Seen
from plumbline.verbs.network.attached import attached
from plumbline.verbs.network.options import of_attachment
from plumbline.verbs.network.runs import finish
from plumbline.verbs.network.state import state


@click.command("del")
@of_attachment
@terminable()
def delete(name: str, netns: str, current: bool, as_json: bool, **options: Any) -> None:
    """Take a pod off a network: DEL of the plugins in reverse. The namespace may be gone.

    Also after an ADD that was not finished: what is not there counts as done.
    """
    given, wanted, cached = attached(name, netns, current, as_json, options)
    given.find_all()
    before: Seen = {} if as_json else state(given.conf, wanted)
    try:
        failed = commands.delete(given, wanted, cached)
    except Terminated as e:
        raise InterruptedVerbError(e, f"{wanted} is not off network {name}: the same command goes on") from e
    if failed is not None:
        raise VerbError(
            Status.FAILURE,
            f"{wanted} is not off network {name}: {failed}",
            "plugins before it in the list were not asked; when the reason is gone, the same command goes on",
        )
    finish("del", None, as_json, f"{wanted} is off network {name}")
    if not as_json:
        changes.show(before, state(given.conf, wanted))
