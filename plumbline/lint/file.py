"""A file with a plugin's configuration, a list of them, or definitions that hold such ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cni.protocol.config import version_of
from cni.protocol.errors import CniError, escaped
from cni.protocol.limits import CONFIG_BYTES
from plumbline.lint import nad, plugin
from plumbline.lint.fault import Fault
from plumbline.lint.plugin import Asked
from plumbline.lint.text import JsonText, Unreadable

_NAMED = re.compile(r"((?:[\w/.-]+(?:\[\d+\])*)+): ")
"""A member in the message of a parser: `vlan: 5000 is not allowed`."""


UNNAMED = {"missing network name": "name", "no IP ranges specified": "ipam"}
"""Messages in the words of the Go plugins, which name no member, and what they are about."""


@dataclass(frozen=True, slots=True)
class Checked:
    """faults: what was found. networks: the plugins' configurations that could be read, each as a runtime would send
    it, with the name and version of the list that it is in.
    """

    faults: list[Fault]
    networks: list[dict[str, object]]


def check(path: str, data: bytes) -> Checked:
    """Return what is to be said of a file. path: what it is called; data: what is in it."""
    checking = _Checking(path)
    try:
        checking.faults += checking.of_file(_decoded(data))
    except Unreadable as e:
        checking.faults.append(Fault(path, e.line, "", escaped(e.message)))
    return Checked(sorted(checking.faults, key=lambda fault: fault.line), checking.networks)


def _decoded(data: bytes) -> str:
    if len(data) > CONFIG_BYTES:
        raise Unreadable(0, f"it is longer than {CONFIG_BYTES} bytes, which is what a plugin reads")
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        raise Unreadable(data.count(b"\n", 0, e.start) + 1, f"not UTF-8: byte 0x{data[e.start]:02x}") from None


class _Checking:
    def __init__(self, path: str) -> None:
        self._path = path
        self.faults: list[Fault] = []
        self.networks: list[dict[str, object]] = []

    def of_file(self, text: str) -> Iterator[Fault]:
        """Give the faults of a file. Raises Unreadable."""
        if not text.strip():
            raise Unreadable(0, "it is empty")
        if not text.lstrip().startswith(("{", "[", '"')) and self._path.endswith((".yaml", ".yml", "-")):
            definitions = nad.in_yaml(text)
            if not definitions:
                raise Unreadable(0, f"there is no {nad.KIND} in it")
        else:
            whole = JsonText(text)
            value = whole.value()
            definitions = list(nad.in_json(value, whole))
            if not definitions:
                yield from self._of_network(whole, value, "")
                return
        for definition in definitions:
            try:
                yield from self._of_definition(definition)
            except Unreadable as e:
                yield Fault(self._path, e.line, "spec.config", escaped(e.message))

    def _of_definition(self, definition: nad.Definition) -> Iterator[Fault]:
        if definition.config is None:
            said = f"{definition.name} has no spec.config: the runtime will look for a file of that network"
            yield self._warning(definition.line, "spec.config", said)
            return
        before = len(self.networks)
        yield from self._of_network(definition.config, definition.config.value(), definition.name)
        lacking = [x for x in self.networks[before:] if x.get("type") in plugin.VF_PLUGINS and not x.get("deviceID")]
        if lacking and not definition.resource:
            said = f"{definition.name} has no annotation {nad.RESOURCE}: no device plugin will give its pods a VF"
            yield self._warning(definition.line, "metadata.annotations", said)

    def _of_network(self, text: JsonText, value: object, name: str) -> Iterator[Fault]:
        """Give the faults of a configuration or a list. name: that which it gets where it has none."""
        if not isinstance(value, dict):
            raise Unreadable(text.line(""), "not a JSON object: neither a configuration nor a list of them")
        for member in text.repeated:
            yield self._warning(text.line(member), member, f"{member} stands there more than once; the last one counts")
        named = {**value, "name": value.get("name") or name} if name else value
        if "plugins" not in value:
            yield from self._of_plugin(text, named, "")
            return
        plugins = value["plugins"]
        if not isinstance(plugins, list) or not plugins:
            said = "plugins: it must be a list of at least one plugin's configuration"
            yield Fault(self._path, text.line("plugins"), "plugins", said)
            return
        try:
            version_of(value)
        except CniError as e:
            yield self._fault(text, e, "")
            return
        shared = {key: named[key] for key in ("cniVersion", "name") if key in named}
        for index, one in enumerate(plugins):
            where = f"plugins[{index}]"
            if isinstance(one, dict):
                yield from self._of_plugin(text, {**one, **shared}, where)
            else:
                yield Fault(self._path, text.line(where), where, f"{where}: it must be an object")

    def _of_plugin(self, text: JsonText, raw: dict[str, object], where: str) -> Iterator[Fault]:
        self.networks.append(raw)
        if not isinstance(raw.get("type"), str) or not raw["type"]:
            member = f"{where}.type".removeprefix(".")
            yield Fault(self._path, text.line(member), member, f"{member}: it must be the name of a plugin")
            return
        asked = Asked(raw)
        found = plugin.errors(asked)
        for error in found:
            yield self._fault(text, error, where)
        if not found and raw["type"] in plugin.OURS:
            for name, said in plugin.unknown_members(asked):
                member = ".".join(part for part in (where, name) if part)
                yield self._warning(text.line(member), member, said)

    def _fault(self, text: JsonText, error: CniError, where: str) -> Fault:
        member = _member(text, error.msg, where)
        prefix = f"{where}: " if where and not member.startswith(where) else ""
        inside = f"in {where}, " if where and member.startswith(where) else prefix
        return Fault(self._path, text.line(member or where), member, escaped(f"{inside}{error}"))

    def _warning(self, line: int, member: str, message: str) -> Fault:
        return Fault(self._path, line, member, escaped(message), is_error=False)


def _member(text: JsonText, message: str, where: str) -> str:
    """Return the full name of the member that an error is about, empty for none. where: of the plugin in its list."""
    about = [found[1] for found in _NAMED.finditer(message)]
    about += [member for words, member in UNNAMED.items() if words in message]
    names = (name for member in about for name in (f"{where}.{member}" if where else member, member))
    return next((name for name in names if text.has(name)), "")
