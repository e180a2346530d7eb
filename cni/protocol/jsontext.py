"""JSON to values and back, in less than half of the time that `json` takes for a request (docs/performance.md).

What can be read is what RFC 8259 allows, minus what would make trouble later: NaN and infinite numbers, lone surrogates
(they cannot be written to a file or be part of a path), and nesting deeper than JSON_DEPTH. Reading takes time in
proportion to the text, whatever it holds, and so does writing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cni.protocol.limits import JSON_CONTAINERS, JSON_DEPTH

_END = "\0"
"""What is put behind the text, so that a character can be looked at without asking whether there is one: no value and
no whitespace holds it."""

_WHITESPACE = " \t\n\r"
_INFINITY = float("inf")
_WORDS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
_IN_NUMBERS = "+-.0123456789eE"
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPED = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class JSONError(ValueError):
    """The text is not the JSON that we accept; the message says what is wrong, and where."""


@dataclass(slots=True)
class _Reading:
    """How a text is read. containers_left: how many arrays and objects may come."""

    lenient: bool
    containers_left: int = JSON_CONTAINERS


def loads(text: str, lenient: bool = False) -> object:
    """Return the value that the JSON text describes; of equal keys in an object the last wins.

    lenient: JSON which is right, but of which we make no value, is no error: what is nested too deeply, the arrays and
    objects that are too many, and numbers out of range are null, half a surrogate pair is U+FFFD. Raises JSONError.
    """
    size = len(text)
    text += _END
    start = _skip(text, 0)
    if start == size:
        raise JSONError("no text")
    if text.startswith("\ufeff"):
        raise _refusal("a byte order mark is not allowed", text, 0)
    value, end = _value(text, start, 0, _Reading(lenient))
    end = _skip(text, end)
    if end < size:
        raise _refusal("more text after the end of the value", text, end)
    return value


def _refusal(reason: str, text: str, at: int) -> JSONError:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return JSONError(f"{reason} at line {line}, column {column}")


def _skip(text: str, at: int) -> int:
    """Return where the whitespace that may begin at `at` ends."""
    while text[at] in _WHITESPACE:
        at += 1
    return at


def _value(text: str, at: int, depth: int, reading: _Reading) -> tuple[object, int]:
    """Return the value that begins at `at` and where it ends. depth: of arrays and objects around it."""
    first = text[at]
    if first == '"':
        return _string(text, at + 1, reading.lenient)
    if first in "{[":
        reading.containers_left -= 1
        if depth < JSON_DEPTH and reading.containers_left >= 0:
            return (_object if first == "{" else _array)(text, _skip(text, at + 1), depth + 1, reading)
        if reading.lenient:
            return None, _end_of_nested(text, at)
        if depth < JSON_DEPTH:
            raise _refusal(f"more than {JSON_CONTAINERS} arrays and objects", text, at)
        raise _refusal(f"nested more than {JSON_DEPTH} levels deep", text, at)
    if first in _WORDS:
        word, value = _WORDS[first]
        if text.startswith(word, at):
            return value, at + len(word)
    return _number(text, at, reading.lenient)


def _end_of_nested(text: str, at: int) -> int:
    """Return where the array or object that begins at `at` ends. What is in it is looked at for its brackets only."""
    start = at
    open_brackets: list[str] = []
    while True:
        character = text[at]
        at += 1
        if character == '"':
            _, at = _string(text, at, lenient=True)
        elif character in "{[":
            open_brackets.append("}" if character == "{" else "]")
        elif character in "}]":
            if open_brackets.pop() != character:
                raise _refusal(f'unexpected "{character}"', text, at - 1)
            if not open_brackets:
                return at
        elif character == _END and at == len(text):
            raise _refusal("unterminated value", text, start)


def _object(text: str, at: int, depth: int, reading: _Reading) -> tuple[dict[str, object], int]:
    """Return the object whose first member, or end, is at `at`, and where it ends."""
    members: dict[str, object] = {}
    if text[at] == "}":
        return members, at + 1
    while True:
        if text[at] != '"':
            raise _refusal("expecting a name in double quotes", text, at)
        key, at = _string(text, at + 1, reading.lenient)
        if text[at] != ":":
            at = _skip(text, at)
            if text[at] != ":":
                raise _refusal('expecting ":" after a name', text, at)
        members[key], at = _value(text, _skip(text, at + 1), depth, reading)
        at = _skip(text, at)
        if text[at] == "}":
            return members, at + 1
        if text[at] != ",":
            raise _refusal('expecting "," or "}"', text, at)
        at = _skip(text, at + 1)


def _array(text: str, at: int, depth: int, reading: _Reading) -> tuple[list[object], int]:
    """Return the array whose first item, or end, is at `at`, and where it ends."""
    items: list[object] = []
    if text[at] == "]":
        return items, at + 1
    while True:
        item, at = _value(text, at, depth, reading)
        items.append(item)
        at = _skip(text, at)
        if text[at] == "]":
            return items, at + 1
        if text[at] != ",":
            raise _refusal('expecting "," or "]"', text, at)
        at = _skip(text, at + 1)


def _string(text: str, at: int, lenient: bool) -> tuple[str, int]:
    """Return the string whose opening quote is before `at`, and where it ends."""
    end = text.find('"', at)
    content = text[at:end]
    if end >= 0 and "\\" not in content and content.isprintable():  # nearly always
        return content, end + 1
    parts: list[str] = []
    begin, size = at, len(text) - len(_END)
    while True:
        if at >= size:
            raise _refusal("unterminated string", text, begin - 1)
        character = text[at]
        if character < " ":
            raise _refusal("control character in a string", text, at)
        if character == '"':
            return "".join(parts), at + 1
        if character == "\\":
            character, at = _escape(text, at, lenient)
        else:
            at += 1
        parts.append(character)


def _escape(text: str, at: int, lenient: bool) -> tuple[str, int]:
    """Return the character that the escape sequence at `at` stands for, and where the sequence ends (section 7)."""
    kind = text[at + 1 : at + 2]
    if kind in _ESCAPES:
        return _ESCAPES[kind], at + 2
    if kind != "u":
        raise _refusal("unknown escape sequence", text, at)
    code = _hexadecimal(text, at)
    if not 0xD800 <= code < 0xE000:
        return chr(code), at + 6
    low = _hexadecimal(text, at + 6) if code < 0xDC00 and text.startswith("\\u", at + 6) else 0
    if not 0xDC00 <= low < 0xE000:
        if lenient:
            return "\ufffd", at + 6
        raise _refusal("half of a surrogate pair", text, at)
    return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), at + 12


def _hexadecimal(text: str, at: int) -> int:
    digits = text[at + 2 : at + 6]
    if len(digits) < 4 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise _refusal("expecting four hexadecimal digits after \\u", text, at)
    return int(digits, 16)


def _number(text: str, at: int, lenient: bool) -> tuple[int | float | None, int]:
    """Return the number that begins at `at`, and where it ends (section 6)."""
    end = at
    while text[end] in _IN_NUMBERS:
        end += 1
    token = text[at:end]
    if token.isdecimal() and (token[0] != "0" or token == "0") and len(token) < 20:  # nearly always
        return int(token), end
    mantissa, exponent_mark, exponent = token.replace("E", "e").partition("e")
    whole, point, fraction = mantissa.removeprefix("-").partition(".")
    if (
        not whole.isdecimal()
        or (whole[0] == "0" and len(whole) > 1)
        or (point and not fraction.isdecimal())
        or (exponent_mark and not exponent.removeprefix("-" if exponent[:1] == "-" else "+").isdecimal())
    ):
        for word in _NO_NUMBERS:
            if text.startswith(word, at):
                raise _refusal(f"{word} is not a JSON number", text, at)
        raise _refusal(f"{token[:40]} is not a number" if token else "expecting a value", text, at)
    try:
        value = float(token) if point or exponent_mark else int(token)
        fault = f"the number {token[:40]} is out of range" if abs(value) == _INFINITY else ""
    except ValueError as e:  # more digits than the interpreter converts
        value, fault = 0, str(e)
    if fault and not lenient:
        raise _refusal(fault, text, at)
    return None if fault else value, end


def dumps(value: object, indent: int = 4) -> str:
    """Return the value (str, int, float, bool, None, list, tuple, dict with str keys) as ASCII JSON text.

    indent: spaces per level, one member per line; 0 means all in one line without spaces.
    Raises JSONError for a number that JSON does not have, TypeError for any other type.
    """
    parts: list[str] = []
    _encode(value, "\n" if indent else "", " " * indent, parts.append)
    return "".join(parts)


def beginning(value: object, size: int) -> str:
    """Return the first characters of the value in one line, without writing the rest: at least one more than `size`
    if there are so many. Raises as `dumps`.
    """
    parts: list[str] = []
    left = size

    def add(part: str) -> None:
        nonlocal left
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise _Enough

    with suppress(_Enough):
        _encode(value, "", "", add)
    return "".join(parts)


class _Enough(Exception):  # noqa: N818  (no error)
    """As much is written as was asked for."""


def _encode(value: object, newline: str, indent: str, write: Callable[[str], None]) -> None:
    """newline: what starts a line at the current level, empty when all goes in one line. write: takes the parts."""
    if isinstance(value, str):
        write(_quoted(value))
    elif value is None or isinstance(value, bool):
        write({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, int):
        write(int.__repr__(value))
    elif isinstance(value, float):
        if value - value != 0:  # holds for NaN and both infinities
            raise JSONError(f"{value} is not a JSON number")
        write(float.__repr__(value))
    elif isinstance(value, dict):
        inner = newline + indent
        separator, colon = "{" + inner, ": " if newline else ":"
        for key, item in value.items():
            write(f"{separator}{_quoted(key)}{colon}")
            separator = "," + inner
            _encode(item, inner, indent, write)
        write(newline + "}" if value else "{}")
    elif isinstance(value, list | tuple):
        inner = newline + indent
        separator = "[" + inner
        for item in value:
            write(separator)
            separator = "," + inner
            _encode(item, inner, indent, write)
        write(newline + "]" if value else "[]")
    else:
        raise TypeError(f"{type(value).__name__} has no JSON form")


def _quoted(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{type(text).__name__} is not a name in JSON")
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:  # nearly always
        return f'"{text}"'
    return f'"{"".join([_escaped(character) for character in text])}"'


def _escaped(character: str) -> str:
    if " " <= character < "\x7f":
        return _ESCAPED.get(character, character)
    code = ord(character)
    if code > 0xFFFF:
        return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code - 0x10000 & 0x3FF):04x}"
    return _ESCAPED.get(character, f"\\u{code:04x}")
