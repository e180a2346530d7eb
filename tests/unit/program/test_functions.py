"""The functions of the C library that CPython may call are those that somebody has thought about."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from program.functions import LIST, check_functions, listed, plain

VARIANTS = {
    "open": "open",
    "open64": "open",
    "__open64_2": "open",
    "__printf_chk": "printf",
    "__isoc99_sscanf": "sscanf",
    "__isoc23_strtol": "strtol",
    "fstatat64": "fstatat",
    "preadv64v2": "preadv64v2",
    "_exit": "_exit",
    "__errno_location": "errno_location",
    "log10": "log10",
    "epoll_create1": "epoll_create1",
}


@pytest.mark.parametrize(("name", "known_as"), VARIANTS.items())
def test_name(name: str, known_as: str) -> None:
    """Headers have others called than manuals name."""
    assert plain(name) == known_as


def compiled(folder: Path, name: str, code: str) -> str:
    (folder / f"{name}.c").write_text(code)
    subprocess.run(["gcc", "-O2", "-c", f"{name}.c"], cwd=folder, check=True)
    return str(folder / f"{name}.o")


RANDOM = "#include <stdlib.h>\nlong draw(void)\n{\n    return random() + rand();\n}\n"


def test_new_function(tmp_path: Path) -> None:
    """The error says which, where it is called, and where the list is."""
    path = compiled(tmp_path, "draw", RANDOM)
    with pytest.raises(ValueError, match=rf"not called before: rand\(\) in draw.o, random\(\) in draw.o\. .* {LIST},"):
        check_functions(path, [], [path])


def test_new_function_in_a_library(tmp_path: Path) -> None:
    """The object is named, not the library."""
    part, other = compiled(tmp_path, "draw", RANDOM), compiled(tmp_path, "other", "int nothing;\n")
    library = str(tmp_path / "libdraw.a")
    subprocess.run(["ar", "rc", library, other, part], check=True)
    with pytest.raises(ValueError, match=r"rand\(\) in draw.o, random\(\) in draw.o\. "):
        check_functions(part, [], [library])


def test_functions_of_our_own(tmp_path: Path) -> None:
    """And those of the compiler, such as what it divides long numbers with."""
    path = compiled(
        tmp_path,
        "calls",
        "#include <string.h>\nvoid ours(void);\n"
        "unsigned __int128 calls(unsigned __int128 a, unsigned __int128 b, const char *text)\n"
        "{\n    ours();\n    return a / b + strlen(text);\n}\n",
    )
    called = subprocess.run(["nm", "-u", path], check=True, capture_output=True, text=True).stdout.split()
    assert {"__udivti3", "ours", "strlen"} <= set(called)
    check_functions(path, [compiled(tmp_path, "ours", "void ours(void)\n{\n}\n")], [path])
    with pytest.raises(ValueError, match=r"before: ours\(\) in calls.o\."):
        check_functions(path, [], [path])


def test_list() -> None:
    """A function has one reason, and each reason functions."""
    with open(LIST, "rb") as file:
        groups = tomllib.load(file)["group"]
    names = [name for group in groups for name in group["functions"].split()]
    assert sorted(names) == sorted(listed())
    assert [group["why"] for group in groups if not group["functions"].split()] == []
    assert all(group["why"].strip() for group in groups)
    assert [name for name in names if plain(name) != name] == []
