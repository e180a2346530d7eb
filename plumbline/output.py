"""What a verb prints: tables and trees for a person, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = TypeVar("Row")

UNBOUNDED = 10_000
"""The width, in columns, where no terminal has one: a line of a file is never broken."""

GAP = 2
"""Columns between two columns of a table."""

UNKNOWN = "-"
"""What stands in a table where nothing is known, or nothing is there."""


def console(stream: Any = None) -> Console:
    """Return where to print. Colour is for terminals only, and for none where NO_COLOR is set (rich sees to both)."""
    target = stream or sys.stdout
    return Console(
        file=target, highlight=False, soft_wrap=False, width=None if target.isatty() else UNBOUNDED, emoji=False
    )


def print_json(document: object) -> None:
    """Print a document, one of the schemas' (docs/schema)."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table. value: its text of a row, empty for nothing. style: as rich has it, of a row. importance:
    the columns with the lowest give way on a terminal that is too narrow.
    """

    title: str
    value: Callable[[Row], str]
    importance: int = 1
    style: Callable[[Row], str] = lambda _: ""


def table(rows: Sequence[Row], columns: Iterable[Column[Row]], width: int) -> tuple[Table, list[str]]:
    """Return a table, one line a row, and the titles of the columns that have given way, or are empty in all rows.

    width: in columns of the terminal. Two columns stay in any case.
    """
    texts = {column.title: [column.value(row) for row in rows] for column in columns}
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
    return made, left_out


def _cells(text: str) -> int:
    return Text(text).cell_len
