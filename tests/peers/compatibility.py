"""The tables of docs/compatibility.md: what tests say of themselves by the marks `tried` and `differs`.

    @pytest.mark.tried("cnitool", "a list with tuning and sbr behind ours", versions=("1.3.1",))
    @pytest.mark.differs("host-device", theirs="leaves an alias", ours="clears it", why="the link is as it was")

The marks are read from the tests' source, so that those of the lab count as well, which cannot be imported elsewhere.
Their arguments are literals, then. `python -m tests.peers.compatibility` writes the tables into the page.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests import peers
from tests.support.plugin import REPOSITORY

PAGE = os.path.join(REPOSITORY, "docs", "compatibility.md")
BEGIN, END = "<!-- {}: written by tests/peers/compatibility.py -->", "<!-- the end of {} -->"


class DeclarationError(Exception):
    """A mark says what cannot be put into the page."""


@dataclass(frozen=True, order=True)
class Tried:
    """What a caller or peer does in a test. file: from the root of the repository."""

    peer: str
    versions: tuple[str, ...]
    what: str
    file: str


@dataclass(frozen=True, order=True)
class Differs:
    """A difference on purpose from a Go plugin, and why."""

    plugin: str
    theirs: str
    ours: str
    why: str
    file: str


def declared(folder: str = os.path.join(REPOSITORY, "tests")) -> list[Tried | Differs]:
    """Return what all tests below a folder say. Raises DeclarationError, and names the place."""
    return [each for path in _sources(folder) for each in _marks(path)]


def _sources(folder: str) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        yield from (os.path.join(root, name) for name in sorted(files) if name.startswith("test_"))


def _marks(path: str) -> Iterator[Tried | Differs]:
    with open(path) as file:
        tree = ast.parse(file.read())
    name = os.path.relpath(path, REPOSITORY)
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    for node in sorted(calls, key=lambda call: call.lineno):
        if (mark := ast.unparse(node.func)) not in _MARKS:
            continue
        try:
            positional = [ast.literal_eval(each) for each in node.args]
            named = {str(each.arg): ast.literal_eval(each.value) for each in node.keywords}
            if "|" in "".join(map(str, [*positional, *named.values()])):
                raise ValueError("| would end a column")
            one = _MARKS[mark](name, *positional, **named)
        except (KeyError, TypeError, ValueError) as error:
            raise DeclarationError(f"{name}:{node.lineno}: {ast.unparse(node)}: {error}") from error
        yield one


def _tried(file: str, peer: str, what: str, versions: tuple[str, ...] | None = None) -> Tried:
    listed = peers.versions(peer)
    if unknown := set(versions or ()) - set(listed):
        raise ValueError(f"tests/peers/peers.toml has no {peer} {', '.join(sorted(unknown))}")
    return Tried(peer, tuple(version for version in listed if versions is None or version in versions), what, file)


def _differs(file: str, plugin: str, theirs: str, ours: str, why: str) -> Differs:
    return Differs(plugin, theirs, ours, why, file)


_MARKS: dict[str, Callable[..., Tried | Differs]] = {"pytest.mark.tried": _tried, "pytest.mark.differs": _differs}


def page(now: str) -> str:
    """Return the page as it should be, given as it is. Raises DeclarationError, ValueError if a table has no place."""
    found = declared()
    tried = sorted(each for each in found if isinstance(each, Tried))
    differs = sorted(each for each in found if isinstance(each, Differs))
    now = _with(now, "tried", ["caller or peer", "versions", "what is tried", "where"],
                [[e.peer, ", ".join(e.versions), e.what, _link(e.file)] for e in tried])  # fmt: skip
    return _with(now, "differs", ["plugin", "the Go plugin", "ours", "why", "where"],
                 [[e.plugin, e.theirs, e.ours, e.why, _link(e.file)] for e in differs])  # fmt: skip


def _with(text: str, name: str, header: list[str], rows: list[list[str]]) -> str:
    """Return a text with a table in the place that has a name."""
    before, rest = text.split(BEGIN.format(name))
    _, after = rest.split(END.format(name))
    lines = [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
    return "\n".join([before + BEGIN.format(name), *lines, END.format(name) + after])


def _link(file: str) -> str:
    return f"[{os.path.basename(file).removesuffix('.py')}](../{file})"


def main() -> None:
    """Write the tables into the page."""
    with open(PAGE) as file:
        now = file.read()
    with open(PAGE, "w") as file:
        file.write(page(now))


if __name__ == "__main__":
    main()
