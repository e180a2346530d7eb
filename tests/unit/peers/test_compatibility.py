"""docs/compatibility.md says what the tests say of themselves, and how they say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.compatibility import PAGE, DeclarationError, Differs, Tried, declared, page


def test_page() -> None:
    """The page agrees with the tests' marks."""
    now = Path(PAGE).read_text()
    assert now == page(now), "docs/compatibility.md does not say what the tests say of themselves: `make compatibility`"


def test_marks(tmp_path: Path) -> None:
    """On tests, classes and whole modules; without versions all that are listed, the newest first."""
    (tmp_path / "test_some.py").write_text(
        "pytestmark = [pytest.mark.tried('cnitool', 'a ' 'list')]\n"
        "@pytest.mark.tried('plugins', 'DEL', versions=('1.1.1',))\n"
        "@pytest.mark.differs('static', theirs='t', ours='o', why='w')\n"
        "def test_it(): pass\n"
    )
    (tmp_path / "support.py").write_text("@pytest.mark.tried('nobody', 'this is no test')\ndef some(): pass\n")
    found = declared(str(tmp_path))
    file = found[0].file
    assert file.endswith("test_some.py")
    assert found == [
        Tried("cnitool", ("1.3.1", "1.1.2"), "a list", file),
        Tried("plugins", ("1.1.1",), "DEL", file),
        Differs("static", "t", "o", "w", file),
    ]


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ("tried('nobody', 'ADD')", "no nobody"),
        ("tried('plugins', 'ADD', versions=('0.0.1',))", "no plugins 0.0.1"),
        ("tried('plugins')", "what"),
        ("tried('plugins', what)", "what"),
        ("differs('static', theirs='t', ours='o')", "why"),
        ("tried('plugins', 'ADD | DEL')", "|"),
    ],
)
def test_refused(tmp_path: Path, mark: str, words: str) -> None:
    """What cannot be put into the page is an error that names the place."""
    (tmp_path / "test_some.py").write_text(f"import pytest\n\n@pytest.mark.{mark}\ndef test_it(): pass\n")
    with pytest.raises(DeclarationError, match=r"test_some\.py:3: ") as refused:
        declared(str(tmp_path))
    assert words in str(refused.value)
