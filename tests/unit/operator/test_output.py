"""Tables, and what is printed of texts that others have chosen."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import pytest
from rich.console import Console

from cni.protocol.errors import escaped
from plumbline import output
from plumbline.output import Column, table
from plumbline.verbs import vfs
from tests.unit.operator import nodes

Row = tuple[str, str, str]
COLUMNS: list[Column[Row]] = [
    Column("NAME", lambda row: row[0], 9, lambda _: "bold"),
    Column("FIRST", lambda row: row[1], 1),
    Column("SECOND", lambda row: row[2], 1, lambda _: "green"),
]
ROWS: list[Row] = [("eth0", "a" * 10, "b" * 20), ("eth1", "", "c")]


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Return what terminals do."""
        return True


def printed(rows: list[Any], columns: Iterable[Column[Any]], width: int) -> list[str]:
    """Return the lines of a table as wide as that."""
    target = io.StringIO()
    console = Console(file=target, width=width, highlight=False)
    console.print(table(rows, columns, width)[0])
    return target.getvalue().splitlines()


def test_all_columns() -> None:
    """Each is as wide as its longest text; where nothing is known there is a dash. No line has more than its texts."""
    assert printed(ROWS, COLUMNS, 80) == [
        "NAME  FIRST       SECOND",
        f"eth0  {'a' * 10}  {'b' * 20}",
        "eth1  -           c",
    ]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [(80, []), (38, []), (37, ["SECOND"]), (18, ["SECOND"]), (17, ["SECOND"]), (1, ["SECOND"])],
)
def test_columns_give_way(width: int, left_out: list[str]) -> None:
    """The least important ones, from the right, and never all: two stay."""
    assert table(ROWS, COLUMNS, width)[1] == left_out


def test_what_matters_stays() -> None:
    """The importance counts, not the place."""
    least: Column[Row] = Column("LEAST", lambda row: row[0], 0)
    columns = [least, *COLUMNS]
    assert table(ROWS, columns, 20)[1] == ["LEAST", "SECOND"]
    assert printed(ROWS, columns, 20)[0].split() == ["NAME", "FIRST"]


def test_a_column_that_is_empty_in_all_rows_is_not_there() -> None:
    """Nobody misses it, so that it has not given way either."""
    rows: list[Row] = [("eth0", "", "x"), ("eth1", "", "y")]
    assert (printed(rows, COLUMNS, 80)[0].split(), table(rows, COLUMNS, 80)[1]) == (["NAME", "SECOND"], [])


def test_no_rows() -> None:
    """There is no column then, and nothing fails."""
    assert printed([], COLUMNS, 80) == [""]


def test_columns_may_be_any_iterable() -> None:
    """They are gone through more than once."""
    assert printed(ROWS, iter(COLUMNS), 80)[0].split() == ["NAME", "FIRST", "SECOND"]


def test_wide_characters_count_twice() -> None:
    """A terminal gives them two columns."""
    rows: list[Row] = [("日本", "x", "y")]
    assert table(rows, COLUMNS, 20)[1] == []
    assert printed(rows, COLUMNS, 80)[1] == "日本  x      y"


@pytest.mark.parametrize(("width", "titles"), [(80, "VF ADDRESS STATE OWNER IF VLAN"), (200, "all")])
def test_vfs_at_two_widths(width: int, titles: str) -> None:
    """At 80 columns it is said who has what, at 200 all; no line is longer than the terminal."""
    node = nodes.full()
    _, left_out = table(node.vfs, vfs.COLUMNS, width)
    lines = printed(node.vfs, vfs.COLUMNS, width)
    shown = lines[0].split()
    assert set(shown) | set(left_out) == {column.title for column in vfs.COLUMNS}
    if titles == "all":
        assert left_out == []
    else:
        assert set(titles.split()) <= set(shown)
    assert len(lines) == 1 + len(node.vfs)
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("stream", "environment", "coloured"),
    [(Terminal(), {}, True), (Terminal(), {"NO_COLOR": "1"}, False), (io.StringIO(), {}, False)],
    ids=["terminal", "NO_COLOR", "file"],
)
def test_colour(stream: io.StringIO, environment: dict[str, str], coloured: bool) -> None:
    """On a terminal only, and never where NO_COLOR is set: bold may stay."""
    console = output.console(stream, {"TERM": "xterm-256color", "COLUMNS": "80", **environment})
    console.print(table(ROWS, COLUMNS, console.width)[0])
    assert ("\x1b[32m" in stream.getvalue()) is coloured
    assert ("\x1b[1m" in stream.getvalue()) is isinstance(stream, Terminal)


def test_a_file_has_no_width() -> None:
    """A line of a file is never broken, nor cut."""
    stream = io.StringIO()
    console = output.console(stream)
    console.print("x " * 500)
    assert stream.getvalue() == "x " * 500 + "\n"
    console.print(table([("eth0", "a" * 300, "b" * 300)], COLUMNS, console.width)[0])
    assert "a" * 300 + "  " + "b" * 300 in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eth0", "eth0"),
        ("日本", "日本"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\udcff", "\\udcff"),
        ("\u202egnp", "\\u202egnp"),
        ("\x9b2J", "\\x9b2J"),
    ],
)
def test_plain(text: str, expected: str) -> None:
    """What moves the cursor or turns the text around is shown, not done."""
    assert escaped(text) == expected
    assert printed([(text, "x", "y")], COLUMNS, 80)[1].split("  ")[0] == expected


def test_brackets_are_no_markup() -> None:
    """A path in brackets is what it is, and no end of a style."""
    stream = io.StringIO()
    output.print_unknown(output.console(stream), ["[/bold] of [red]x"])
    assert stream.getvalue() == "not known: [/bold] of [red]x\n"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """It is ASCII, and with `compact` one line."""
    document = {"name": "\x1b\udcff日", "list": [1, None]}
    output.print_json(document)
    output.print_json(document, compact=True)
    told = capsys.readouterr().out
    assert told.isascii()
    whole, line = told[: told.rindex("{")], told[told.rindex("{") :]
    assert json.loads(whole) == json.loads(line) == document
    assert (line.count("\n"), "\x1b" in told) == (1, False)


def test_a_reader_who_has_seen_enough() -> None:
    """The end of a pipe is an exception, not the end of the process."""

    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    console = output.console(Closed())
    with pytest.raises(BrokenPipeError):
        console.print("x")
