"""What would be missing in a binary is found when it is built, not in the error path that needs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from program.contents import EXTENSIONS, STANDARD_LIBRARY
from program.modules import check_imports

MISSING = {
    "a module": ("import json\n", "json"),
    "of a function": ("def f():\n    from traceback import format_exc\n", "traceback"),
    "a module of a package": ("from package import nosuch\n", "package.nosuch"),
    "besides what is for type checkers": ("if TYPE_CHECKING:\n    import re\nelse:\n    import enum\n", "enum"),
    "with an excuse of another module": ("import ctypes\n", "ctypes"),
}


@pytest.mark.parametrize(("code", "missing"), MISSING.values(), ids=MISSING)
def test_missing_module(code: str, missing: str, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").write_text("")
    (tmp_path / "main.py").write_text(code)
    modules = {"__main__": str(tmp_path / "main.py"), "package": str(tmp_path / "package/__init__.py")}
    modules |= {name: os.__file__ for name in STANDARD_LIBRARY}
    with pytest.raises(ImportError, match=f"__main__ imports {missing},"):
        check_imports(modules, EXTENSIONS)
