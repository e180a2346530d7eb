"""Which functions of the C library an interpreter calls whose memory becomes an image: those in functions.toml only.

What the C library keeps to itself is not in an image. So of what CPython has had it keep, at its start or when modules
were loaded, it knows nothing in a process. Whether a function that keeps something may be called, a person has to say.
"""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "functions.toml")

VARIANT = re.compile(r"(?:__(?:isoc\d\d_)?)?(\w+?)(?:64)?(?:_2|_chk)?")
"""A name by which headers have a function called: for another C standard, for 64-bit offsets, or with the size of a
buffer, which is checked."""


def check_functions(path: str, ours: Iterable[str], parts: Iterable[str]) -> None:
    """Raise ValueError if an object file calls a function that is not in the list.

    path: of the object. ours: objects that are linked to it, whose functions may be called. parts: objects and
    libraries that it was made of, to name in which the call is.
    """
    compilers = subprocess.run(["gcc", "-print-libgcc-file-name"], check=True, capture_output=True, text=True).stdout
    allowed = listed() | {name for x in (*ours, compilers.strip()) for _, name in _symbols(x, "--defined-only")}
    new = {name for _, name in _symbols(path, "--undefined-only") if plain(name) not in allowed and name not in allowed}
    if new:
        where = sorted({f"{name}() in {part}" for file in parts for part, name in _symbols(file, "-u") if name in new})
        raise ValueError(
            f"CPython calls functions of the C library that it has not called before: {', '.join(where)}. If what they "
            f"keep in the C library may be lost between an image and a process, add them to {LIST}, which says more"
        )


def listed() -> frozenset[str]:
    """Return the names in the list. Raises OSError, and tomllib.TOMLDecodeError or KeyError for what is no list."""
    with open(LIST, "rb") as file:
        groups = tomllib.load(file)["group"]
    return frozenset(name for group in groups for name in group["functions"].split())


def plain(name: str) -> str:
    """Return what a function is called in manuals: `open` for `__open64_2`."""
    found = VARIANT.fullmatch(name)
    return found[1] if found else name


def _symbols(path: str, which: str) -> Iterator[tuple[str, str]]:
    """Give (object, name) for each symbol in an object file or library."""
    listing = subprocess.run(["nm", "-A", which, path], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        *_, name = line.split()
        place = line.split(":")
        yield os.path.basename(place[-2]), name
