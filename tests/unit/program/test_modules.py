"""What would be missing in a binary is found when it is built, not in the error path that needs it."""

from __future__ import annotations

import marshal
import os
from pathlib import Path
from typing import Any

import pytest

from program.contents import EXTENSIONS, STANDARD_LIBRARY, WHILE_LOADED
from program.modules import check_imports, compiled

MISSING = {
    "a module": ("import json\n", "json"),
    "of a function": ("def f():\n    from traceback import format_exc\n", "traceback"),
    "a module of a package": ("from package import nosuch\n", "package.nosuch"),
    "besides what is for type checkers": ("if TYPE_CHECKING:\n    import ssl\nelse:\n    import shlex\n", "shlex"),
    "what is there only while modules are loaded": ("import re\ndef f():\n    import copy\n", "copy"),
    "with an excuse of another module": ("import ctypes\n", "ctypes"),
}


@pytest.mark.parametrize(("code", "missing"), MISSING.values(), ids=MISSING)
def test_missing_module(code: str, missing: str, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").write_text("")
    (tmp_path / "main.py").write_text(code)
    modules = {"__main__": str(tmp_path / "main.py"), "package": str(tmp_path / "package/__init__.py")}
    modules |= {name: os.__file__ for name in STANDARD_LIBRARY + WHILE_LOADED}
    with pytest.raises(ImportError, match=rf"__main__\S* imports {missing},"):
        check_imports(modules, EXTENSIONS)


def test_what_is_for_type_checkers_only_is_left_out(tmp_path: Path) -> None:
    """No module of ours looks at annotations, and what they say about names stays as it was."""
    source = tmp_path / "annotated.py"
    source.write_text(
        "def add(a: 'zeroth', b: 'second' = 2, *, c: 'third' = 3) -> 'fourth':\n"
        "    total: 'fifth' = a + b + c\n"
        "    return total\n"
        "def local():\n"
        "    add: 'sixth'\n"
        "    return add\n"
        "class Record:\n"
        "    kept: 'seventh' = 1\n"
        "    def method(self, a: 'eighth') -> 'ninth': ...\n"
    )
    header, _, code = compiled({"annotated": str(source)}).partition(b"\n")
    assert header == b"annotated 0 %d" % len(code)
    module: dict[str, Any] = {}
    exec(marshal.loads(code), module)
    assert module["add"](1) == 6
    assert module["add"].__annotations__ == {}
    with pytest.raises(UnboundLocalError):
        module["local"]()
    assert module["Record"].kept == 1
    assert module["Record"].__annotations__ == {"kept": "seventh"}  # a dataclass would need it
    for word in (b"zeroth", b"second", b"third", b"fourth", b"fifth", b"sixth", b"eighth", b"ninth"):
        assert word not in code


def test_names_in_stack_traces(tmp_path: Path) -> None:
    """They cannot be opened, in whatever folder a plugin is started."""
    (tmp_path / "__init__.py").write_text("")
    assert b"<cni/linux/netlink/__init__.py>" in compiled({"cni.linux.netlink": str(tmp_path / "__init__.py")})
