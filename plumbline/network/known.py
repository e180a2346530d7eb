"""Which attachments of a network there are, as libcni's caches and the plugins' records tell."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cni.linux import netns
from cni.linux.log import Logger
from plumbline.errors import Status, VerbError
from plumbline.network import configuration
from plumbline.network.attachment import Attachment, derived_id
from plumbline.network.cache import Cache, Cached
from plumbline.network.configuration import NetworkList, UnusableError


@dataclass(frozen=True, slots=True)
class Sorted:
    """The attachments of a network, by whether their pods live. stale: those whose namespaces are gone, as they are
    cached. valid: all others, those of which it is not known included.
    """

    valid: list[Attachment]
    stale: list[Cached]


def find(network: str, wanted: Attachment, cache: Cache) -> Cached | None:
    """Return the cached attachment of a namespace's interface to a network, None where there is none.

    wanted: its container ID may be empty; then it is found by the namespace, whoever has attached it, cnitool with
    another spelling of the path included. Raises VerbError (2) where there are several.
    """
    if wanted.container_id:
        return cache.load(network, wanted)
    path = os.path.realpath(wanted.netns)
    spelt = (wanted.netns, path, path.replace("/run/", "/var/run/", 1))
    by_id = (cache.load(network, replace(wanted, container_id=derived_id(x))) for x in spelt)
    by_path = (
        x
        for x in cache.all()
        if (x.network, x.attachment.ifname) == (network, wanted.ifname)
        and x.attachment.netns
        and os.path.realpath(x.attachment.netns) == path
    )
    found = {x.attachment.container_id: x for x in (*by_id, *by_path) if x is not None}
    if len(found) > 1:
        raise VerbError(
            Status.USAGE,
            f"{wanted.ifname} of {wanted.netns} is attached to {network} as several containers: {', '.join(found)}",
            "--container-id says which one is meant; nothing was changed",
        )
    return next(iter(found.values()), None)


def configuration_of(network: str, folder: str, cached: Cached | None) -> tuple[NetworkList, bool]:
    """Return the configuration that an attachment was made with, as the specification wants it for CHECK and DEL, and
    whether the folder has another one by now. Without a cached one that can be used, it is the folder's. Raises
    VerbError.
    """
    if cached is None or not cached.config:
        return configuration.load(folder, network), False
    try:
        known = configuration.parse(cached.config, more=configuration.beside(folder, cached.config))
    except UnusableError:
        return configuration.load(folder, network), False
    try:
        now = configuration.load(folder, network)
    except VerbError:
        return known, True
    device = known.plugins[0].get("deviceID")
    return known, known.source not in (now.source, now.with_device(str(device)).source)


def sort(network: str, caches: Iterable[Cache], recorded: Iterable[Attachment], log: Logger) -> Sorted:
    """Return the attachments of a network. caches: the one whose attachments may be deleted, and then others, whose
    attachments count as valid where it is not sure that they are not. recorded: those that live, or may live, by
    plugins' records.
    """
    own, *others = caches
    ours = [x for x in own.all() if x.network == network]
    elsewhere = [x for cache in others for x in cache.all() if x.network == network]
    alive = {(x.container_id, x.ifname): x for x in recorded}
    stale = []
    for cached in (*ours, *elsewhere):
        key = cached.attachment.container_id, cached.attachment.ifname
        if not cached.attachment.netns or _is_there(cached.attachment.netns, log):
            alive[key] = cached.attachment
        elif cached in ours and key not in alive:
            stale.append(cached)
    return Sorted(list(alive.values()), stale)


def _is_there(path: str, log: Logger) -> bool:
    pod = netns.if_there(path, log)
    if pod is None:
        return False
    pod.__exit__()
    return True
