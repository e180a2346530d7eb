"""JSON text: equal to the standard library's, but for what we refuse."""

from __future__ import annotations

import json
import random

import pytest

from cni.protocol.jsontext import JSONError, beginning, dumps, loads
from cni.protocol.limits import JSON_CONTAINERS, JSON_DEPTH

TEXTS = [
    "{}",
    "[]",
    " [ 1 , 2.5 , -0 , 1e5 , -1E-2 , true , false , null ] ",
    '{"a": {"b": [{"c": "d"}, []]}, "": 0}',
    '{"a": 1, "a": 2}',
    '"\\u00e9 \\ud83d\\ude00 \\" \\\\ \\/ \\b\\f\\n\\r\\t"',
    '"é 😀 \x7f"',
    "\r\n\t 12345678901234567890123 \n",
    "[" * JSON_DEPTH + "]" * JSON_DEPTH,
]


@pytest.mark.parametrize("text", TEXTS)
def test_reads_as_the_standard_library(text: str) -> None:
    assert loads(text) == json.loads(text)


REFUSED = [
    pytest.param("", "no text", id="empty"),
    pytest.param(" \n", "no text", id="blank"),
    pytest.param("x", "expecting a value at line 1, column 1", id="word"),
    pytest.param("[1,\n 2,\n  x]", "expecting a value at line 3, column 3", id="position"),
    pytest.param("[", "expecting a value", id="unfinished-list"),
    pytest.param('{"a', "nterminated string", id="unfinished-string"),
    pytest.param('{"a":1,}', "at line 1, column", id="trailing-comma"),
    pytest.param("{a:1}", "at line 1, column 2", id="bare-key"),
    pytest.param('"\\x"', "escape", id="bad-escape"),
    pytest.param('"a\nb"', "control character", id="control-character"),
    pytest.param("1 2", "more text after the end of the value at line 1, column 3", id="garbage-after"),
    pytest.param("\u00a01", "expecting a value", id="other-whitespace"),
    pytest.param("\ufeff{}", "byte order mark", id="byte-order-mark"),
    pytest.param("NaN", "NaN is not a JSON number", id="nan"),
    pytest.param("[-Infinity]", "-Infinity is not a JSON number", id="infinity"),
    pytest.param("1e999", "out of range", id="huge-float"),
    pytest.param("9" * 5000, "Exceeds the limit", id="huge-integer"),
    pytest.param('"\\ud800"', "surrogate", id="half-surrogate"),
    pytest.param('{"\\uDFFF": 1}', "surrogate", id="half-surrogate-key"),
    pytest.param("[" * (JSON_DEPTH + 1) + "]" * (JSON_DEPTH + 1), "nested more than 200", id="deep"),
    pytest.param("[" * 100_000 + "]" * 100_000, "nested more than 200", id="very-deep"),
    pytest.param("[" * 1_000_000, "nested more than 200", id="very-deep-unfinished"),
    pytest.param('{"a":' * 200_000, "nested more than 200", id="very-deep-objects"),
    pytest.param("[" + "{}," * JSON_CONTAINERS + "1]", "more than 131072 arrays and objects", id="many"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(JSONError, match=message):
        loads(text)


DEEP = "[" * (JSON_DEPTH + 1) + "]" * (JSON_DEPTH + 1)
LENIENT = [
    pytest.param('{"a":1e999,"b":1}', {"a": None, "b": 1}, id="huge-float"),
    pytest.param("[" + "9" * 5000 + ",1]", [None, 1], id="huge-integer"),
    pytest.param('["\\ud800","\\udc00x","\\ud83d\\ude00","\\ud800\\u0041"]', ["\ufffd", "\ufffdx", "😀", "\ufffdA"],
                 id="half-surrogates"),
    pytest.param('{"\\udfff": 1}', {"\ufffd": 1}, id="half-surrogate-key"),
    pytest.param('{"a":' * 100_000 + "1" + "}" * 100_000, None, id="deep-objects"),
    pytest.param(f'[{DEEP},{{"b":"]"}}]', None, id="deep-beside"),
    pytest.param('{"a":' + "[" * 300 + '"]}[{\\"", {"x":[]}' + "]" * 300 + ',"b":2}', None, id="brackets-in-strings"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), LENIENT)
def test_lenient(text: str, expected: object) -> None:
    """What is JSON, but nothing that we can make a value of, counts as null; what is beside it is read."""
    with pytest.raises(JSONError):
        loads(text)
    found = loads(text, lenient=True)
    if expected is not None:
        assert found == expected
    elif isinstance(found, list):
        assert found[1] == {"b": "]"}
    else:
        assert isinstance(found, dict)
        assert found.get("b", 2) == 2


def test_lenient_reads_as_many_as_are_allowed() -> None:
    """The arrays and objects after them are null; what is no container is read to the end."""
    found = loads("[" + "[]," * (JSON_CONTAINERS + 4) + '"end"]', lenient=True)
    assert found == [[]] * (JSON_CONTAINERS - 1) + [None] * 5 + ["end"]
    assert loads("[" + "{}," * (JSON_CONTAINERS - 1) + "1]") == [{}] * (JSON_CONTAINERS - 1) + [1]


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[" * 300 + "}" * 300, "[" * 300 + '"' + "]" * 300, "[" * 300 + "]" * 299, DEEP + "x", "NaN"],
)
def test_lenient_is_not_careless(text: str) -> None:
    """What is no JSON is refused all the same."""
    with pytest.raises(JSONError):
        loads(text, lenient=True)


@pytest.mark.parametrize("text", TEXTS)
def test_lenient_reads_the_same(text: str) -> None:
    assert loads(text, lenient=True) == loads(text)


@pytest.mark.parametrize("value", [[1] * 1000, {"a": ["b" * 500]}, "x" * 99, 5, [], {"a": {}}], ids=repr)
@pytest.mark.parametrize("size", [0, 1, 80])
def test_beginning(value: object, size: int) -> None:
    whole = dumps(value, indent=0)
    found = beginning(value, size)
    assert whole.startswith(found)
    assert found == whole or len(found) > size


def test_many_brackets_are_not_depth() -> None:
    assert loads("[" + "[]," * 5000 + "[]]") == [[]] * 5001


VALUES: list[object] = [
    {},
    [],
    {"a": {}, "b": []},
    {"a": [1, -2, 3.5, 1e300, True, False, None], "é😀\x7f\0\n": {"c": ["d"]}},
    "\ud800",
    10**30,
]


@pytest.mark.parametrize("indent", [0, 2, 4])
@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_writes_as_the_standard_library(value: object, indent: int) -> None:
    assert dumps(value, indent) == _stdlib(value, indent)


def test_writes_tuples_as_lists() -> None:
    assert dumps((1, ("a",)), indent=0) == '[1,["a"]]'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]], ids=repr)
def test_does_not_write_what_is_no_number(value: object) -> None:
    with pytest.raises(JSONError, match="not a JSON number"):
        dumps(value)


@pytest.mark.parametrize("value", [b"", {1: 2}, {1, 2}, object], ids=repr)
def test_does_not_write_other_types(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def test_random_values() -> None:
    rng = random.Random(20)
    for _ in range(300):
        value = _random_value(rng, 4)
        for indent in (0, 4):
            text = dumps(value, indent)
            assert text == _stdlib(value, indent)
            assert loads(text) == value


def test_every_beginning() -> None:
    """A text may end, or hold a zero, anywhere."""
    whole = ' {"a\\u00e9\\n": [-1.5e+3, 20, true, false, null, {}, [] ], "b": {"c" : "\\ud83d\\ude00 d"}}'
    assert loads(whole) == json.loads(whole)
    for end in range(len(whole)):
        for text in (whole[:end], whole[:end] + "\0", whole[:end] + "\0" + whole[end:]):
            with pytest.raises(JSONError):
                loads(text)


def test_random_damage() -> None:
    """Whatever the standard library refuses we refuse, with our own error; the rest means the same."""
    rng = random.Random(21)
    for _ in range(2000):
        text = list(dumps(_random_value(rng, 3), rng.choice((0, 4))))
        for _ in range(rng.randrange(3)):
            text[rng.randrange(len(text))] = rng.choice('[]{}",:\\ux0-.eEn\n\0é ')
        damaged = "".join(text)
        try:
            expected = json.loads(damaged)
        except ValueError:
            with pytest.raises(JSONError):
                loads(damaged)
            continue
        try:
            assert loads(damaged) == expected
        except JSONError as e:
            assert "surrogate" in str(e) or "out of range" in str(e)  # noqa: PT017


def _stdlib(value: object, indent: int) -> str:
    return json.dumps(value, indent=indent or None, separators=(",", ": " if indent else ":"))


def _random_value(rng: random.Random, depth: int) -> object:
    kind = rng.randrange(8 if depth else 6)
    if kind == 6:
        return [_random_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 7:
        return {_random_text(rng): _random_value(rng, depth - 1) for _ in range(rng.randrange(4))}
    scalars: list[object] = [None, True, False, rng.randrange(-(10**20), 10**20), rng.uniform(-1e9, 1e9)]
    return scalars[kind] if kind < 5 else _random_text(rng)


def _random_text(rng: random.Random) -> str:
    return "".join(chr(rng.choice((rng.randrange(0xD800), rng.randrange(128)))) for _ in range(rng.randrange(8)))
