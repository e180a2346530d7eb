"""What the architecture page names is there: a page that leads nowhere is worse than none."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Iterator

import pytest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

with open(os.path.join(REPOSITORY, "docs/architecture.md"), encoding="utf-8") as _page:
    QUOTED = sorted(set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", _page.read(), flags=re.M | re.S))))

PATHS = [text for text in QUOTED if re.fullmatch(r"\w[\w-]*(/[\w-]+)*(/|/[\w-]+|\.(py|md|toml|txt|spec))", text)]
NAMES = [text for text in QUOTED if text not in PATHS and re.fullmatch(r"_\w+|[A-Za-z]\w*(\.\w+)+", text)]


def _files() -> list[str]:
    listed = ["git", "-C", REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()


def _defined(tree: ast.Module | ast.ClassDef, within: str) -> Iterator[str]:
    """Give the whole names of what a module or a class defines, and of the attributes of its objects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield f"{within}.{node.id if isinstance(node, ast.Name) else node.attr}"
    for child in tree.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield f"{within}.{child.name}"
        if isinstance(child, ast.ClassDef):
            yield from _defined(child, f"{within}.{child.name}")


@pytest.fixture(scope="module")
def names() -> list[str]:
    """The whole names of all modules, and of all that they define."""
    found = []
    for file in _files():
        if file.endswith(".py") and os.path.exists(os.path.join(REPOSITORY, file)):
            module = file.removesuffix(".py").replace("/", ".")
            with open(os.path.join(REPOSITORY, file), encoding="utf-8") as source:
                found += [module, *_defined(ast.parse(source.read()), module)]
    return found


@pytest.mark.parametrize("path", PATHS)
def test_paths(path: str) -> None:
    """A file or a folder, of which the page may give the end only."""
    end = path.rstrip("/")
    assert any(f"/{file}/".find(f"/{end}/") >= 0 or f"/{file}".endswith(f"/{end}.py") for file in _files())


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str, names: list[str]) -> None:
    """A module, class, function or constant, of which the page may give the end only."""
    assert any(f".{whole}".endswith(f".{name}") for whole in names)


def test_what_is_looked_for() -> None:
    assert {"plugins/vf/plan.py", "tests/support/mover.py", "plumbline/", "pyproject.toml"} <= set(PATHS)
    assert {"Claims.detach", "_cni_error", "restore.rename", "skel.main"} <= set(NAMES)
