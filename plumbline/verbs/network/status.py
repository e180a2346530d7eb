"""`plumbline network status`: a network's plugins are asked whether they are ready."""

from __future__ import annotations

from typing import Any

import click

from plumbline.interruption import terminable
from plumbline.network import commands, configuration
from plumbline.network.cache import Cache
from plumbline.network.commands import Network
from plumbline.verbs.network.options import Places, places
from plumbline.verbs.network.runs import finish, listener
from plumbline.verbs.options import json_option


@click.command()
@click.argument("name")
@places
@json_option
@terminable()
def status(name: str, as_json: bool, **options: Any) -> None:
    """Ask the plugins of a network whether ADD could work: STATUS, which versions from 1.1.0 on have."""
    where: Places = options["places"]
    conf = configuration.load(where.conf_dir, name)
    if not conf.is_at_least(commands.STATUS_SINCE):
        version = conf.version or "0.1.0"
        finish("status", None, as_json, f"network {name} is of version {version}, without STATUS: none was asked")
        return
    given = Network(conf, where.folders, Cache(where.cache_dir), listener(as_json))
    given.find_all()
    given.require_versions()
    finish("status", commands.status(given), as_json, f"network {name} is ready")
