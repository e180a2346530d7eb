"""What a verb has changed: of two looks at the same thing, what differs, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

ABSENT = "none"


def lines(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Give a line for each member that differs, `name: before -> after`, the names of members of members joined."""
    flat_before, flat_after = dict(_flat(before)), dict(_flat(after))
    for name in {**flat_before, **flat_after}:
        one, other = flat_before.get(name), flat_after.get(name)
        if one != other:
            yield f"{name}: {_told(one)} -> {_told(other)}"


def show(console: Console, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Print what differs, or that nothing does."""
    found = list(lines(before, after))
    console.print("changed:" if found else "nothing has changed", style="dim")
    for line in found:
        console.print(f"  {line}", soft_wrap=True)


def _flat(document: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        name = f"{above}.{key}" if above else key
        if isinstance(value, dict):
            yield from _flat(value, name)
        else:
            yield name, value


def _told(value: Any) -> str:
    if value is None or value == "" or value == []:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
