"""libcni's cache: what an attachment was made with, and the result of ADD, for CHECK and DEL (libcni/api.go).

One file per attachment, `<folder>/results/<network>-<container ID>-<interface>`, mode 0600:

    {"kind": "cniCacheV1", "containerId": "...", "config": "<the list, base64>", "ifName": "net1",
     "networkName": "blue", "netns": "/run/netns/pod", "cniArgs": [["K", "V"]], "capabilityArgs": {...},
     "result": {...}}

netns is there since libcni 1.2. Files of libcni before 0.8 have the result alone.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from typing import Any

from cni.linux import files
from plumbline.network import gojson
from plumbline.network.attachment import Attachment
from plumbline.network.configuration import Document
from plumbline.node import functions
from plumbline.node.foreign import loaded
from plumbline.node.kubernetes import CACHE_KIND


@dataclass(frozen=True, slots=True)
class Cached:
    """A cached attachment. config: the list as it was at ADD, empty where that is not known. result: of ADD, in the
    version that it says; None where there is none. path: of the file.
    """

    network: str
    attachment: Attachment
    config: bytes = b""
    result: Document | None = field(default=None)
    path: str = ""


class Cache:
    """The cache below a folder: of runtimes and cnitool, in /var/lib/cni."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.join(folder, "results")

    def path(self, network: str, attachment: Attachment) -> str:
        """Return where an attachment is cached."""
        return os.path.join(self.folder, f"{network}-{attachment.container_id}-{attachment.ifname}")

    def load(self, network: str, attachment: Attachment) -> Cached | None:
        """Return what is cached of an attachment, None for nothing that can be understood."""
        path = self.path(network, attachment)
        raw = _loaded(path)
        if raw is None:
            return None
        if raw.get("kind") == CACHE_KIND:
            return _cached(raw, path)
        return Cached(network, attachment, result=raw, path=path) if "cniVersion" in raw else None

    def all(self) -> list[Cached]:
        """Return all attachments that are cached, by the names of their files."""
        paths = (os.path.join(self.folder, name) for name in sorted(functions.entries(self.folder)))
        found = ((_loaded(path), path) for path in paths)
        return [_cached(raw, path) for raw, path in found if raw is not None and raw.get("kind") == CACHE_KIND]

    def save(self, cached: Cached) -> str:
        """Write an attachment down, in place of what is there, and return where. Raises CniError (code 5)."""
        attachment = cached.attachment
        whole: Document = {
            "kind": CACHE_KIND,
            "containerId": attachment.container_id,
            "config": base64.b64encode(cached.config).decode(),
            "ifName": attachment.ifname,
            "networkName": cached.network,
        }
        optional = {
            "netns": attachment.netns,
            "cniArgs": [list(pair) for pair in attachment.args],
            "capabilityArgs": _sorted(attachment.capabilities),
            "result": _sorted(_as_libcni_has_it(cached.result or {})),
        }
        whole.update((key, value) for key, value in optional.items() if value)
        path = self.path(cached.network, attachment)
        files.ensure_folder(os.path.dirname(self.folder))
        files.ensure_folder(self.folder)
        files.write_atomic(path, gojson.written(whole, is_sorted=False))
        return path

    def forget(self, network: str, attachment: Attachment) -> None:
        """Remove what is cached of an attachment; nothing is no error. Raises CniError (code 5)."""
        files.remove(self.path(network, attachment))


def _as_libcni_has_it(result: Document) -> Document:
    """Return a result as libcni writes it: from version 1.0.0 on, an empty `dns` is left out (pkg/types/100,
    MarshalJSON).
    """
    if result.get("dns") or str(result.get("cniVersion", "")).startswith("0."):
        return result
    return {key: value for key, value in result.items() if key != "dns"}


def _sorted(value: Any) -> Any:
    """Return a value whose members stand in the order of their names, as Go writes a map."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _cached(raw: Document, path: str) -> Cached:
    """Return what a file holds. Other programs write it: what is not as it should be counts as absent."""
    text = {key: value for key, value in raw.items() if isinstance(value, str)}
    listed = raw.get("cniArgs")
    args = [tuple(pair) for pair in (listed if isinstance(listed, list) else ()) if _is_pair(pair)]
    capabilities, result = raw.get("capabilityArgs"), raw.get("result")
    try:
        config = base64.b64decode(text.get("config", ""))
    except ValueError:
        config = b""
    attachment = Attachment(
        text.get("containerId", ""),
        text.get("netns", ""),
        text.get("ifName", ""),
        tuple((key, value) for key, value in args),
        capabilities if isinstance(capabilities, dict) else {},
    )
    known = result if isinstance(result, dict) else None
    return Cached(text.get("networkName", ""), attachment, config, known, path)


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(x, str) for x in value)


def _loaded(path: str) -> Document | None:
    whole = loaded(path)
    return whole if isinstance(whole, dict) else None
