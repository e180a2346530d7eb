"""JSON to values and back, without the `json` package, which costs 6 ms of start-up because it imports `re`.

Reading uses the C scanner that `json` itself is built on; writing is a small encoder of our own. What can be read is
what RFC 8259 allows, minus what would make trouble later: NaN and infinite numbers, lone surrogates (they cannot be
written to a file or be part of a path), and nesting deeper than MAX_DEPTH.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_scanner

MAX_DEPTH = 200
"""How many arrays and objects may be nested. No configuration comes near; the interpreter's own limit differs by
version and by where it is called from."""

_WHITESPACE = " \t\n\r"
_INFINITY = float("inf")


class JSONError(ValueError):
    """The text is not the JSON that we accept; the message says what is wrong, and where if that is known."""


def _finite(text: str) -> float:
    value = float(text)
    if value in (_INFINITY, -_INFINITY):
        raise JSONError(f"the number {text[:40]} is out of range")
    return value


def _no_constant(name: str) -> object:
    raise JSONError(f"{name} is not a JSON number")


class _Context:
    """What the C scanner wants to be told (CPython, Modules/_json.c, scanner_new)."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = staticmethod(_finite)
    parse_int = int
    parse_constant = staticmethod(_no_constant)
    memo: dict[str, str] = {}  # noqa: RUF012  (the C scanner keeps its own)


def loads(text: str) -> object:
    """Return the value that the JSON text describes; of equal keys in an object the last wins.

    Raises JSONError.
    """
    start = len(text) - len(text.lstrip(_WHITESPACE))
    try:
        value, end = make_scanner(_Context)(text, start)  # type: ignore[arg-type]  # duck-typed
    except StopIteration as e:
        raise JSONError(_located(_expectation(text), text, e.value)) from None
    except RecursionError:
        raise JSONError(f"nested more than {MAX_DEPTH} levels deep") from None
    except SystemError:
        # CPython 3.11 can only say what is wrong when json.decoder is loaded already; later versions load it then.
        import json.decoder  # noqa: F401

        return loads(text)
    except JSONError:
        raise
    except ValueError as e:
        from json import JSONDecodeError

        reason = _located(e.msg, text, e.pos) if isinstance(e, JSONDecodeError) else str(e)
        raise JSONError(reason) from None
    if text[end:].strip(_WHITESPACE):
        raise JSONError(_located("more text after the end of the value", text, end))
    if text.count("[") + text.count("{") > MAX_DEPTH or "\\ud" in text or "\\uD" in text:
        _verify(value, 0)
    return value


def _expectation(text: str) -> str:
    if not text.strip(_WHITESPACE):
        return "no text"
    if text.startswith("\ufeff"):
        return "a byte order mark is not allowed"
    return "expecting a value"


def _located(reason: str, text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f"{reason} at line {line}, column {column}"


def _verify(value: object, depth: int) -> None:
    """Refuse deep nesting and lone surrogates. Called only for a text that may hold them."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise JSONError(f"half of a surrogate pair in {encode_basestring_ascii(value[:40])}") from None
    elif isinstance(value, dict | list):
        if depth == MAX_DEPTH:
            raise JSONError(f"nested more than {MAX_DEPTH} levels deep")
        for item in value:
            _verify(item, depth + 1)
        if isinstance(value, dict):
            for item in value.values():
                _verify(item, depth + 1)


def dumps(value: object, indent: int = 4) -> str:
    """Return the value (str, int, float, bool, None, list, tuple, dict with str keys) as ASCII JSON text.

    indent: spaces per level, one member per line; 0 means all in one line without spaces.
    Raises JSONError for a number that JSON does not have, TypeError for any other type.
    """
    return _encode(value, "\n" if indent else "", " " * indent)


def _encode(value: object, newline: str, indent: str) -> str:
    """newline: what starts a line at the current level, empty when all goes in one line."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        if value - value != 0:  # holds for NaN and both infinities
            raise JSONError(f"{value} is not a JSON number")
        return float.__repr__(value)
    inner = newline + indent
    if isinstance(value, dict):
        colon = ": " if newline else ":"
        # A key that is not a string makes encode_basestring_ascii raise TypeError.
        members = [encode_basestring_ascii(key) + colon + _encode(item, inner, indent) for key, item in value.items()]
        return "{" + inner + ("," + inner).join(members) + newline + "}" if members else "{}"
    if isinstance(value, list | tuple):
        items = [_encode(item, inner, indent) for item in value]
        return "[" + inner + ("," + inner).join(items) + newline + "]" if items else "[]"
    raise TypeError(f"{type(value).__name__} has no JSON form")
