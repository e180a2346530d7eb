"""The pictures in docs/pictures: all are there, whole, and fetch nothing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from lab import pictures
from lab.pictures import SHOTS, TEXTS, Shot, themes
from tests.support.plugin import REPOSITORY

FOLDER = Path(REPOSITORY, pictures.PICTURES)


@pytest.mark.parametrize("shot", SHOTS, ids=[shot.name for shot in SHOTS])
def test_what_is_there(shot: Shot) -> None:
    """Each is there in its themes, and has the name of the command."""
    for theme in themes(shot):
        root = ElementTree.parse(FOLDER / f"{shot.name}-{theme}.svg").getroot()
        shown = "".join(root.itertext()).replace("\xa0", " ")
        assert " ".join(("plumbline", *shot.arguments)) in shown
        assert "enp1s0" in shown


def test_the_nodes_own_picture() -> None:
    """What `tree` draws is there, too."""
    for name in TEXTS:
        assert (FOLDER / name).read_text().strip()
    ElementTree.parse(FOLDER / "node.svg")


@pytest.mark.parametrize("name", ["node", *(f"{shot.name}-{theme}" for shot in SHOTS for theme in themes(shot))])
def test_nothing_is_fetched(name: str) -> None:
    """No font, no picture and no script from elsewhere."""
    text = re.sub(r"<!--.*?-->", "", (FOLDER / f"{name}.svg").read_text(), flags=re.DOTALL)
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "<script" not in text
    assert not re.search(r"url\((?!#)", text)


@pytest.mark.parametrize("colour", [True, False])
def test_drawn(colour: bool) -> None:
    """The escape sequences of a terminal become colours, and no text is lost."""
    shot = Shot("x", ("vfs",), 40, colour)
    escape = "\x1b[32m" if colour else ""
    svg = pictures.drawn(shot, f"{escape}pod\x1b[0m  <&>\n", "light")
    root = ElementTree.fromstring(svg)
    text = "".join(root.itertext()).replace("\xa0", " ")
    assert "<&>" in text
    assert "plumbline vfs" in text
    assert ("#008000" in svg) is colour


PAGE = """a
<!-- vfs-80 -->
```
$ plumbline vfs
old
lines
```
<!-- vfs-200 -->
```
$ plumbline vfs
```
"""


def test_a_page_shows_the_output() -> None:
    """Only the block with that name is another, whatever is in the text, and doing it twice changes nothing."""
    changed = pictures.with_output(PAGE, "vfs-80", "new \\1\n")
    assert changed == PAGE.replace("old\nlines\n", "new \\1\n")
    assert pictures.with_output(changed, "vfs-80", "new \\1\n") == changed
    assert pictures.with_output(PAGE, "tree-80", "x\n") == PAGE
    assert pictures.with_output(PAGE, "vfs-200", "x\n") == PAGE.replace("vfs\n```\n", "vfs\nx\n```\n")
