"""JSON text in a file, and on which line each of its members stands."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from cni.protocol.jsontext import JSONError, loads

_SPACE = re.compile(r"[ \t\n\r]*")
_PLACE = re.compile(r" at line (\d+), column (\d+)$")
_DECODER = json.JSONDecoder()


class Unreadable(Exception):  # noqa: N818  (it is said as a fault)
    """The text is no JSON that the plugins read. line: of the file."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(slots=True)
class JsonText:
    """A JSON text. first_line: the line of the file on which it begins, from 1. is_folded: whether all of it is on that
    line, since it is itself a string of JSON there.
    """

    text: str
    first_line: int = 1
    is_folded: bool = False
    repeated: list[str] = field(default_factory=list, init=False)
    """Members that stand there twice; the last one counts."""
    _places: dict[str, int] = field(default_factory=dict, init=False)

    def value(self) -> object:
        """Return the value that it describes. Raises Unreadable."""
        try:
            value = loads(self.text)
        except JSONError as e:
            said = _PLACE.search(str(e))
            line, column = (int(said[1]), int(said[2])) if said else (1, 1)
            raise Unreadable(self._of_file(line), f"not JSON: {_PLACE.sub('', str(e))}, column {column}") from None
        _Places(self.text, self._places, self.repeated).value(_skip(self.text, 0), "")
        return value

    def has(self, member: str) -> bool:
        """Return whether it has a member of that full name, after `value`; upper and lower case are the same."""
        return member.lower() in self._places

    def line(self, member: str) -> int:
        """Return the line of the file on which a member stands, or what is nearest around it; after `value`."""
        name = member.lower()
        while name and name not in self._places:
            name = name[: max(name.rfind("."), name.rfind("["), 0)]
        return self._of_file(self.text.count("\n", 0, self._places.get(name, 0)) + 1)

    def _of_file(self, line: int) -> int:
        return self.first_line if self.is_folded else self.first_line + line - 1


class _Places:
    """Finds where each member of a text begins that `loads` has accepted. By lower-case names: plugins look so."""

    def __init__(self, text: str, found: dict[str, int], repeated: list[str]) -> None:
        self._text = text
        self._found = found
        self._repeated = repeated

    def value(self, at: int, name: str) -> int:
        """Note what is in the value that begins at `at`; return where it ends."""
        self._found.setdefault(name.lower(), at)
        first = self._text[at]
        if first == "{":
            return self._object(_skip(self._text, at + 1), name)
        if first == "[":
            return self._array(_skip(self._text, at + 1), name)
        return int(_DECODER.raw_decode(self._text, at)[1])

    def _object(self, at: int, name: str) -> int:
        keys = set()
        while self._text[at] != "}":
            key, end = _DECODER.raw_decode(self._text, at)
            member = f"{name}.{key}" if name else key
            if key in keys:
                self._repeated.append(member)
            keys.add(key)
            self._found[member.lower()] = at
            at = self.value(_skip(self._text, _skip(self._text, end) + 1), member)
            at = self._after_comma(at)
        return at + 1

    def _array(self, at: int, name: str) -> int:
        index = 0
        while self._text[at] != "]":
            at = self._after_comma(self.value(at, f"{name}[{index}]"))
            index += 1
        return at + 1

    def _after_comma(self, at: int) -> int:
        at = _skip(self._text, at)
        return _skip(self._text, at + 1) if self._text[at] == "," else at


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()
