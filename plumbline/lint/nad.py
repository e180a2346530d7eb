"""NetworkAttachmentDefinitions: where in a file the configurations are that they hold.

A definition is a Kubernetes object whose `spec.config` is a string of JSON (k8s.cni.cncf.io/v1, Kubernetes Network
Custom Resource Definition De-facto Standard, 3.2). Of YAML (1.2) that shape is read, and no more: block mappings, plain
and quoted scalars, block scalars; no anchors, tags, flow collections or tabs. What cannot be read is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cni.protocol.jsontext import JSONError, loads
from plumbline.lint.text import JsonText, Unreadable

KIND = "NetworkAttachmentDefinition"
RESOURCE = "k8s.v1.cni.cncf.io/resourceName"
"""The annotation from which a pod's device plugin resource is known."""


@dataclass(frozen=True, slots=True)
class Definition:
    """name: of the definition. line: on which it begins. resource: whether it names a device plugin's resource.
    config: None where it has none, which means that a file of that name in /etc/cni/net.d holds it.
    """

    name: str
    line: int
    resource: str
    config: JsonText | None


def in_json(value: object, text: JsonText, where: str = "") -> Iterator[Definition]:
    """Give the definitions in a JSON value, an object or a list of them. where: the full name of the value."""
    if not isinstance(value, dict):
        return
    if value.get("kind") == KIND:
        yield _of_object(value, text, where)
    items = value.get("items")
    for index, item in enumerate(items if isinstance(items, list) else ()):
        yield from in_json(item, text, f"{where}.items[{index}]".removeprefix("."))


def _of_object(value: dict[str, object], text: JsonText, where: str) -> Definition:
    metadata, spec = _dict(value.get("metadata")), _dict(value.get("spec"))
    line = text.line(f"{where}.spec.config".removeprefix("."))
    config = spec.get("config")
    if config is not None and not isinstance(config, str):
        raise Unreadable(line, "spec.config is no string: the configuration has to be JSON within a string")
    resource = str(_dict(metadata.get("annotations")).get(RESOURCE) or "")
    held = JsonText(config, line, is_folded=True) if config else None
    return Definition(str(metadata.get("name") or ""), text.line(where), resource, held)


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


# YAML ---------------------------------------------------------------------------------------------------------------

_KEY = re.compile(r"""(?P<indent> *)(?P<key>"[^"]*"|'[^']*'|[\w./-]+) *:(?: +(?P<rest>.*?))? *$""")
_BLOCK = re.compile(r"[|>][+-]?[1-9]?[+-]?(?: +#.*)?$")
_OUR_KIND = re.compile(rf"""["']?kind["']? *: +["']?{KIND}["']? *(#.*)?$""")
_SEPARATOR = re.compile(r"(---|\.\.\.)(\s|$)")


def in_yaml(text: str) -> list[Definition]:
    """Return the definitions in a YAML text; documents of another kind are left out. Raises Unreadable."""
    found = []
    lines = text.splitlines()
    begin = 0
    for end in [*(n for n, line in enumerate(lines) if _SEPARATOR.match(line)), len(lines)]:
        if any(_OUR_KIND.match(line) for line in lines[begin:end]):
            found.append(_of_scalars(_Scalars(lines[:end], begin).all()))
        begin = end + 1
    return found


@dataclass(frozen=True, slots=True)
class _Scalar:
    """A scalar's text, and the line on which it begins. is_folded: whether its line ends are not those of the file."""

    text: str
    line: int
    is_folded: bool = False


def _of_scalars(scalars: dict[tuple[str, ...], _Scalar]) -> Definition:
    config = scalars.get(("spec", "config"))
    if config is not None and not config.text.strip():
        config = None
    return Definition(
        name=_text(scalars, "metadata", "name"),
        line=min(scalar.line for scalar in scalars.values()),
        resource=_text(scalars, "metadata", "annotations", RESOURCE),
        config=None if config is None else JsonText(config.text, config.line, config.is_folded),
    )


def _text(scalars: dict[tuple[str, ...], _Scalar], *path: str) -> str:
    return scalars[path].text if path in scalars else ""


class _Scalars:
    """Reads the scalars of one document's mappings, by the names that lead to them."""

    def __init__(self, lines: list[str], at: int) -> None:
        self._lines = lines
        self._at = at
        self._open: list[tuple[int, str]] = []

    def all(self) -> dict[tuple[str, ...], _Scalar]:
        """Return all. Raises Unreadable."""
        found: dict[tuple[str, ...], _Scalar] = {}
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            bare = line.strip()
            if not bare or bare.startswith("#"):
                continue
            key = _KEY.match(line)
            if key is None:
                if self._is_in("spec") or not self._open:
                    raise self._unreadable('a line of the form "name: value"')
                continue  # a list, or the rest of a long text, in metadata
            self._enter(len(key["indent"]), key["key"].strip("\"'"))
            scalar = self._scalar(key["rest"] or "", len(key["indent"]), key.start("rest"))
            if scalar is not None:
                found[tuple(name for _, name in self._open)] = scalar
        return found

    def _enter(self, indent: int, name: str) -> None:
        while self._open and self._open[-1][0] >= indent:
            self._open.pop()
        self._open.append((indent, name))

    def _is_in(self, name: str) -> bool:
        return bool(self._open) and self._open[0][1] == name

    def _scalar(self, rest: str, indent: int, column: int) -> _Scalar | None:
        """Return the scalar that begins on the line before `_at`, None for a mapping."""
        if _BLOCK.match(rest):
            return self._block(indent)
        if rest[:1] in ("'", '"'):
            return self._quoted(rest[0], column)
        if rest[:1] in ("{", "[", "&", "*", "!", "@", "`") and self._is_in("spec"):
            raise self._unreadable("a string: JSON below `config: |`, or within single quotes,", at_spec=True)
        if not rest or rest.startswith("#"):
            return None
        return _Scalar(re.sub(r" +#.*", "", rest), self._at)

    def _block(self, indent: int) -> _Scalar:
        first, kept = self._at, []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                break
            kept.append(line)
            self._at += 1
        return _Scalar("\n".join(kept), first + 1)

    def _quoted(self, quote: str, column: int) -> _Scalar:
        """A line end within quotes stands for a space, which to JSON is the same."""
        first = self._at
        rest = self._lines[first - 1][column + 1 :]
        kept = []
        while (end := _end_of_quoted(rest, quote)) < 0:
            kept.append(rest)
            if self._at >= len(self._lines):
                self._at = first
                raise self._unreadable(f"an end of the text that begins with {quote}")
            rest = self._lines[self._at]
            self._at += 1
        text = "\n".join([*kept, rest[:end]])
        if quote == "'":
            return _Scalar(text.replace("''", "'"), first)
        plain = self._unescaped(text, first)
        return _Scalar(plain, first, is_folded=plain.count("\n") != text.count("\n"))

    def _unescaped(self, text: str, line: int) -> str:
        """Return the text of a scalar in double quotes, whose escapes are nearly JSON's."""
        try:
            return "\n".join(str(loads(f'"{part}"')) for part in text.replace("\t", " ").split("\n"))
        except JSONError:
            raise Unreadable(line, "cannot read this text in double quotes; use `config: |` instead") from None

    def _unreadable(self, wanted: str, at_spec: bool = False) -> Unreadable:
        line = self._lines[self._at - 1].strip()
        what = "spec.config" if at_spec else "YAML"
        return Unreadable(self._at, f"cannot read {what} here: {line[:40]!a} where {wanted} is expected")


def _end_of_quoted(text: str, quote: str) -> int:
    """Return where the closing quote is, -1 where there is none."""
    at = 0
    while at < len(text):
        if quote == '"' and text[at] == "\\":
            at += 2
        elif text[at] != quote:
            at += 1
        elif quote == "'" and text[at + 1 : at + 2] == "'":
            at += 2
        else:
            return at
    return -1
