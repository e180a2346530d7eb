"""What a verb prints: tables and trees for a person, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from cni.protocol.errors import escaped

Row = TypeVar("Row")

UNBOUNDED = 10_000
"""The width, in columns, where no terminal has one: a line of a file is never broken."""

GAP = 2
"""Columns between two columns of a table."""

UNKNOWN = "-"
"""What stands in a table where nothing is known, or nothing is there."""


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Whoever read has seen enough: `plumbline vfs | head`. rich would end the process with status 1."""
        raise BrokenPipeError


def console(stream: Any = None, environment: Mapping[str, str] | None = None) -> Console:
    """Return where to print. Colour is for terminals only, and for none where NO_COLOR is set (rich sees to both).

    stream, environment: where to print and the variables that count, by themselves the process's. Square brackets are
    no markup: texts of others are printed.
    """
    target = stream or sys.stdout
    width = None if target.isatty() else UNBOUNDED
    return _Console(file=target, width=width, highlight=False, emoji=False, markup=False, _environ=environment)


def print_json(document: object, compact: bool = False) -> None:
    """Print a document, one of the schemas' (docs/schema), as JSON. compact: in one line.

    It is ASCII, so that nothing in it moves a terminal's cursor.
    """
    layout: dict[str, Any] = {"separators": (",", ":")} if compact else {"indent": 2}
    print(json.dumps(document, **layout), flush=True)


def print_unknown(console: Console, unknown: Iterable[str]) -> None:
    """Say what could not be read, and why."""
    for text in unknown:
        console.print(f"not known: {escaped(text)}", style="yellow")


class Ragged:
    """A table whose lines end where their texts do: rich fills the last column, which shows when a line is copied, or
    where the terminal is made narrower.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See `Console`."""
        for line in console.render_lines(self._table, options, pad=False):
            while line and not line[-1].text.rstrip():
                line.pop()
            if line:
                line[-1] = Segment(line[-1].text.rstrip(), line[-1].style)
            yield from [*line, Segment.line()]


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table. value: its text of a row, empty for nothing. style: as rich has it, of a row. importance:
    the columns with the lowest give way on a terminal that is too narrow.
    """

    title: str
    value: Callable[[Row], str]
    importance: int = 1
    style: Callable[[Row], str] = lambda _: ""


def table(rows: Sequence[Row], columns: Iterable[Column[Row]], width: int) -> tuple[Ragged, list[str]]:
    """Return a table, one line a row, and the titles of the columns that have given way. One that would be empty in all
    rows is not there.

    width: in columns of the terminal. Two columns stay in any case.
    """
    columns = list(columns)
    texts = {column.title: [escaped(column.value(row)) for row in rows] for column in columns}
    kept = [column for column in columns if any(texts[column.title])]
    needed = {x.title: max(map(_cells, [x.title, *(text or UNKNOWN for text in texts[x.title])])) for x in kept}
    left_out: list[str] = []
    while len(kept) > 2 and sum(needed[x.title] + GAP for x in kept) - GAP > width:
        # Of those that matter least, the last one.
        victim = min(reversed(kept), key=lambda x: x.importance)
        kept.remove(victim)
        left_out.append(victim.title)
    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column in kept:
        made.add_column(column.title, no_wrap=True, overflow="ellipsis")
    for number, row in enumerate(rows):
        made.add_row(*(Text(texts[x.title][number] or UNKNOWN, style=x.style(row)) for x in kept))
    return Ragged(made), left_out


def _cells(text: str) -> int:
    return Text(text).cell_len
