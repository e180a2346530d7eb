"""`plumbline network gc`: what pods have left of a network is taken off it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import click

from cni.linux.signals import Terminated
from cni.protocol.errors import CniError
from plumbline import output
from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError, terminable
from plumbline.network import commands, configuration, known
from plumbline.network.attachment import Attachment
from plumbline.network.cache import Cache, Cached
from plumbline.network.commands import Network
from plumbline.node.notes import Notes
from plumbline.node.roots import Roots
from plumbline.repair import dead
from plumbline.verbs.network.listing import document
from plumbline.verbs.network.options import Places, places
from plumbline.verbs.network.runs import SCHEMA, listener
from plumbline.verbs.options import dry_run_option, json_option
from plumbline.verbs.saying import say


@click.command("gc")
@click.argument("name")
@dry_run_option
@places
@json_option
@terminable()
def collect_garbage(name: str, dry_run: bool, as_json: bool, **options: Any) -> Status:
    """Take off a network what pods have left whose namespaces are gone: DEL for what is cached, then GC of the plugins.

    GC, which versions from 1.1.0 on have, names the attachments that are valid: those that libcni, Multus or a plugin
    of ours knows and whose namespaces are there, or may be.
    """
    where: Places = options["places"]
    conf = configuration.load(where.conf_dir, name)
    cache = Cache(where.cache_dir)
    caches = [cache, *(Cache(os.path.dirname(x)) for x in Roots().results if x != cache.folder)]
    found = known.sort(name, caches, _recorded(name), Notes())
    failed: dict[str, str] = {}
    given = Network(conf, where.folders, cache, listener(as_json))
    if not dry_run and not conf.disable_gc:
        given.find_all()
        try:
            failed = _deleted(given, where.conf_dir, found.stale)
            if conf.is_at_least(commands.GC_SINCE):
                failed.update(_collected(given, found.valid))
        except Terminated as e:
            raise InterruptedVerbError(e, "what is still there the same command takes off") from e
    _print_garbage(given, found, dry_run, as_json, failed)
    return Status.FAILURE if failed else Status.GOOD


def _deleted(given: Network, conf_dir: str, stale: list[Cached]) -> dict[str, str]:
    """DEL of each stale attachment with the configuration that it was made with. Return why some are still there."""
    failed = {}
    for cached in stale:
        try:
            conf, _ = known.configuration_of(given.conf.name, conf_dir, cached)
            ran = commands.delete(replace(given, conf=conf), cached.attachment, cached)
        except (VerbError, CniError) as e:
            failed[str(cached.attachment)] = str(e)
            continue
        if ran is not None:
            failed[str(cached.attachment)] = str(ran)
    return failed


def _collected(given: Network, valid: list[Attachment]) -> dict[str, str]:
    """GC of the plugins. Return which ones failed, and why."""
    try:
        given.require_versions()
    except VerbError as e:
        return {"GC of the plugins": str(e)}
    return {f"GC of {ran.plugin}": str(ran) for ran in commands.collect_garbage(given, valid)}


def _recorded(name: str) -> list[Attachment]:
    """Return the attachments to a network that live, or may live, by the records of our plugins."""
    everything, _ = dead.everything()
    return [
        Attachment(x.owner.container_id, x.owner.netns, x.owner.interface)
        for x in everything
        if x.may_live and x.owner.network == name
    ]


def _print_garbage(given: Network, found: known.Sorted, dry_run: bool, as_json: bool, failed: dict[str, str]) -> None:
    name = given.conf.name
    if as_json:
        output.print_json({
            "schema": SCHEMA,
            "command": "gc",
            "dryRun": dry_run,
            "valid": [document(name, x) for x in found.valid],
            "stale": [document(name, x.attachment) for x in found.stale],
            "failed": [f"{what}: {why}" for what, why in failed.items()],
        })  # fmt: skip
        return
    verb = "would be taken off" if dry_run or given.conf.disable_gc else "taken off"
    for cached in (x for x in found.stale if str(x.attachment) not in failed):
        say(f"{cached.attachment}: {cached.attachment.netns} is gone: {verb} {name}")
    for valid in found.valid:
        say(f"{valid}: lives, or may live, in {valid.netns or 'a namespace that is not known'}", "dim")
    for what, why in failed.items():
        say(f"{what} failed, and is to be done again: {why}", "yellow")
    _print_why_not(given, dry_run)


def _print_why_not(given: Network, dry_run: bool) -> None:
    conf = given.conf
    if conf.disable_gc:
        say("the configuration has disableGC: nothing was done")
    elif not conf.is_at_least(commands.GC_SINCE):
        say(f"version {conf.version or '0.1.0'} has no GC: the plugins are not asked", "dim")
    elif dry_run:
        kinds = ", ".join(str(plugin["type"]) for plugin in conf.plugins)
        say(f"GC would be given to {kinds}: what they hold for other attachments than these goes")
