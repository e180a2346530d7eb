"""The attachment that a command is about, found by network, namespace and interface."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from plumbline.network import configuration, known
from plumbline.network.attachment import Attachment, derived_id
from plumbline.network.cache import Cache, Cached
from plumbline.network.commands import Network
from plumbline.verbs.network.options import Asked, Places
from plumbline.verbs.network.runs import listener


def identified(wanted: Attachment, cached: Cached | None) -> Attachment:
    """Return an attachment with its container ID, and with arguments as they were at ADD where none are given."""
    if cached is None:
        return replace(wanted, container_id=wanted.container_id or derived_id(wanted.netns))
    before = cached.attachment
    return replace(
        wanted,
        container_id=before.container_id,
        args=wanted.args or before.args,
        capabilities=wanted.capabilities or before.capabilities,
    )


def attached(
    name: str, netns: str, current: bool, as_json: bool, options: dict[str, Any]
) -> tuple[Network, Attachment, Cached | None]:
    """Return a network, as it was when an attachment was made, the attachment, and what is cached of it."""
    where: Places = options["places"]
    asked: Asked = options["asked"]
    cache, wanted = Cache(where.cache_dir), asked.of(netns)
    cached = known.find(name, wanted, cache)
    if current:
        conf, has_changed = configuration.load(where.conf_dir, name), False
    else:
        conf, has_changed = known.configuration_of(name, where.conf_dir, cached)
    if has_changed:
        text = f"{where.conf_dir} has another configuration of {name} by now; that of ADD counts, unless --current"
        click.echo(f"plumbline: {text}", err=True)
    return Network(conf, where.folders, cache, listener(as_json)), identified(wanted, cached), cached
