"""Network configurations of a folder: lists of plugins, and single plugins as lists of one (libcni/conf.go)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cni.protocol.config import is_safe_name
from cni.protocol.limits import CONFIG_BYTES
from cni.protocol.version import CURRENT
from plumbline.errors import Status, VerbError
from plumbline.network import gojson
from plumbline.node.kubernetes import DEVICE_KEYS

Document = dict[str, Any]


class UnusableError(Exception):
    """A file, or a text, that is no configuration. Its message says what is wrong."""


@dataclass(frozen=True, slots=True)
class NetworkList:
    """A network. name, version: `name` and `cniVersion`, the latter empty where there is none, which means 0.1.0.
    plugins: their configurations, in the order of ADD. source: what was read, as libcni caches it. path: of the file,
    empty for none.
    """

    name: str
    version: str
    plugins: tuple[Document, ...]
    source: bytes
    path: str = ""
    disable_check: bool = False
    disable_gc: bool = False

    def is_at_least(self, version: str) -> bool:
        """Return whether the network is of a version of the specification, or a later one."""
        return _numbers(self.version) >= _numbers(version)

    def with_device(self, address: str) -> NetworkList:
        """Return the network with a device for its first plugin, named as Multus does it: `deviceID`, `pciBusID`."""
        named = dict.fromkeys(DEVICE_KEYS, address)
        first, *others = self.plugins
        whole = {**parsed(self.source), "plugins": [{**first, **named}, *others]}
        return replace(self, plugins=({**first, **named}, *others), source=gojson.written(whole))


def load(folder: str, name: str) -> NetworkList:
    """Return the first network of that name: lists (*.conflist) come before single plugins (*.conf, *.json), each in
    the order of the files' names. Raises VerbError.
    """
    known, unusable = [], []
    for path in _paths(folder):
        try:
            found = read(path)
        except UnusableError as e:
            unusable.append(f"{path}: {e}")
            continue
        if found.name == name:
            return found
        known.append(found.name)
    hint = f"networks there: {', '.join(known) or 'none'}"
    if unusable:
        hint += "; no configurations: " + "; ".join(unusable)
    raise VerbError(Status.FAILURE, f'there is no network "{name}" in {folder}', hint)


def read(path: str) -> NetworkList:
    """Return the network that a file describes. Raises UnusableError."""
    source = _content(path)
    whole = parsed(source)
    if not path.endswith(".conflist"):
        # What libcni makes of a single plugin, and caches.
        whole = {"cniVersion": whole.get("cniVersion", ""), "name": whole.get("name", ""), "plugins": [whole]}
        return parse(gojson.written(whole), path)
    return parse(source, path, beside(os.path.dirname(path), source))


def parse(source: bytes, path: str = "", more: tuple[Document, ...] = ()) -> NetworkList:
    """Return the network that a list describes. more: plugins that stand elsewhere. Raises UnusableError."""
    whole = parsed(source)
    name = whole.get("name")
    if not isinstance(name, str) or not is_safe_name(name):
        raise UnusableError(f"name is {name!a}; it must be a letter or digit, then letters, digits, '_', '.' and '-'")
    plugins = whole.get("plugins", [])
    if not isinstance(plugins, list):
        raise UnusableError("plugins is no list")
    plugins = [*plugins, *more]
    if not plugins:
        raise UnusableError("it has no plugins")
    for number, plugin in enumerate(plugins):
        kind = plugin.get("type") if isinstance(plugin, dict) else None
        if not isinstance(kind, str) or not kind or "/" in kind:
            raise UnusableError(
                f"plugins[{number}].type is {kind!a}; it must be the name of an executable without a path"
            )
    return NetworkList(
        name, _version(whole), tuple(plugins), source, path, _flag(whole, "disableCheck"), _flag(whole, "disableGC")
    )


def beside(folder: str, source: bytes) -> tuple[Document, ...]:
    """Return the plugins of a list that have files of their own, in the folder of the network's name beside the list's
    (libcni 1.3). Raises UnusableError.
    """
    whole = parsed(source)
    name = whole.get("name")
    if _flag(whole, "loadOnlyInlinedPlugins") or not isinstance(name, str) or not is_safe_name(name):
        return ()
    own = os.path.join(folder, name)
    return tuple(_plugins_in(own)) if os.path.isdir(own) else ()


def parsed(source: bytes) -> Document:
    """Return the JSON object in a text. Raises UnusableError."""
    try:
        whole = json.loads(source)
    except (ValueError, RecursionError) as e:
        raise UnusableError(f"it is not JSON: {e}") from e
    if not isinstance(whole, dict):
        raise UnusableError("it is no JSON object")
    return whole


def _paths(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as e:
        raise VerbError(Status.FAILURE, f"cannot list {folder}: {e.strerror}", "--conf-dir names another one") from e
    lists = [name for name in names if name.endswith(".conflist")]
    singles = [name for name in names if name.endswith((".conf", ".json"))]
    paths = (os.path.join(folder, name) for name in (*lists, *singles))
    return [path for path in paths if not os.path.isdir(path)]


def _plugins_in(folder: str) -> Iterator[Document]:
    for file in sorted(x for x in os.listdir(folder) if x.endswith(".conf")):
        try:
            yield parsed(_content(os.path.join(folder, file)))
        except UnusableError as e:
            raise UnusableError(f"{folder}/{file}: {e}") from e


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            source = file.read(CONFIG_BYTES + 1)
    except OSError as e:
        raise UnusableError(f"it cannot be read: {e.strerror}") from e
    if len(source) > CONFIG_BYTES:
        raise UnusableError(f"it is longer than {CONFIG_BYTES} bytes, which is the limit")
    return source


def _version(whole: Document) -> str:
    """Return the version that is spoken: of several, the latest that is known (`cniVersions`, specification 1.1.0)."""
    version, versions = whole.get("cniVersion", ""), whole.get("cniVersions", [])
    if not isinstance(version, str):
        raise UnusableError(f"cniVersion is {version!a}; it must be a text")
    if not isinstance(versions, list) or not all(isinstance(x, str) for x in versions):
        raise UnusableError("cniVersions is no list of texts")
    if not versions:
        return version
    known = [x for x in (*versions, version) if x and _numbers(x) <= _numbers(CURRENT)]
    return max(known, key=_numbers, default=version)


def _numbers(version: str) -> tuple[int, ...]:
    """Return what a version is compared by. Raises UnusableError."""
    try:
        numbers = tuple(int(part) for part in (version or "0.1.0").split("."))
    except ValueError:
        raise UnusableError(f"{version!a} is no version of the specification, such as {CURRENT}") from None
    return (*numbers, 0, 0)[:3]


def _flag(whole: Document, key: str) -> bool:
    value = whole.get(key, False)
    value = value.lower() if isinstance(value, str) else value
    if value not in (True, False, "true", "false"):
        raise UnusableError(f"{key} is {value!a}; it must be true or false")
    return value in (True, "true")
