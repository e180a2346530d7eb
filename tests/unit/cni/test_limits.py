"""The limits and the page about them."""

from __future__ import annotations

import re
from pathlib import Path

from cni.protocol import limits

PAGE = Path(__file__).parents[3] / "docs" / "limits.md"


def test_the_page_lists_every_limit() -> None:
    """Each constant has a row in the table of docs/limits.md that begins with its name and its value, and no row is
    about a constant that is not there. Whoever adds a limit adds its row, with the error that names it.
    """
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (\S+) \|", PAGE.read_text(), re.MULTILINE))
    values = {name: str(value) for name, value in vars(limits).items() if name.isupper() and name[0] != "_"}
    values.pop("TYPE_CHECKING", None)
    missing = {name: value for name, value in values.items() if name not in rows}
    assert not missing, f"docs/limits.md has no row for {missing}"
    assert rows == values


def test_every_limit_is_explained() -> None:
    """Each constant has a comment beside it."""
    source = Path(str(limits.__file__)).read_text()
    for name in re.findall(r"^([A-Z_]+)(?:: \w+)? = ", source, re.MULTILINE):
        assert re.search(rf"^{name}(?:: \w+)? = .*  # \S", source, re.MULTILINE), f"{name} is not explained"
