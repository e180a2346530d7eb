"""`plumbline network check`: an attachment is verified."""

from __future__ import annotations

from typing import Any

import click

from cni.protocol.errors import CniError
from plumbline.errors import Status, VerbError
from plumbline.interruption import terminable
from plumbline.network import commands
from plumbline.verbs.network.attached import attached
from plumbline.verbs.network.options import of_attachment
from plumbline.verbs.network.runs import finish


@click.command()
@of_attachment
@terminable()
def check(name: str, netns: str, current: bool, as_json: bool, **options: Any) -> None:
    """Verify that an attachment is as ADD left it: CHECK of the plugins in turn, with the result of ADD."""
    given, wanted, cached = attached(name, netns, current, as_json, options)
    if not given.conf.is_at_least(commands.CHECK_SINCE):
        version = given.conf.version or "0.1.0"
        raise VerbError(
            Status.FAILURE, f"network {name} is of version {version}, which has no CHECK; nothing was asked"
        )
    if cached is None:
        raise VerbError(
            Status.FAILURE,
            f"nothing is known of {wanted.ifname} of {wanted.netns} in network {name}: there is no cached result in "
            f"{given.cache.folder}",
            "`plumbline network list` shows what is attached",
        )
    if given.conf.disable_check:
        finish("check", None, as_json, "the configuration has disableCheck: nothing was asked")
        return
    try:
        failed = commands.check(given, wanted, cached)
    except CniError as e:
        raise VerbError(Status.FAILURE, f"the cached result {cached.path} cannot be used for CHECK: {e}") from e
    finish("check", failed, as_json, f"{wanted} is attached to {name} as ADD left it")
