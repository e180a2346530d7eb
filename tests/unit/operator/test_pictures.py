"""How pictures and pages are made of what a terminal shows."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from lab import pictures
from lab.pictures import Shot


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
