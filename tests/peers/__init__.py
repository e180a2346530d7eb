"""Callers and peers of the tests: which there are (peers.toml), and where the programs of each are.

`python -m tests.peers` builds those that are Go modules (tests/peers/build.py), `scripts/setup test` calls it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from dataclasses import asdict, dataclass
from functools import cache

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers.toml")
STAMP = "built-from.json"


def cache_folder() -> str:
    """Return where peers are kept that were built, one folder each; it is outside the tree, for all its checkouts."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "plumbline", "peers")


def work_folder() -> str:
    """Return the folder for what building needs on the way."""
    return os.path.join(cache_folder(), "work")


@dataclass(frozen=True)
class Module:
    """A peer that is built from its own Go module. programs: {name: package below the module}."""

    name: str
    version: str
    module: str
    sum: str
    go_mod_sum: str
    go: str
    programs: dict[str, str]

    @property
    def folder(self) -> str:
        """Where its programs are once it is built."""
        return os.path.join(cache_folder(), f"{self.name}-{self.version}")

    @property
    def stamp(self) -> str:
        """What the folder says that it was built from: the entry in the list."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @property
    def is_built(self) -> bool:
        """Whether it is there, and was built from what the list says today."""
        try:
            with open(os.path.join(self.folder, STAMP)) as file:
                return file.read() == self.stamp
        except FileNotFoundError:
            return False

    def lacks(self) -> str | None:
        """Return why it cannot be used, None if it can."""
        return None if self.is_built else f"it is not in {self.folder} as tests/peers/peers.toml has it"


@dataclass(frozen=True)
class Package:
    """A peer that is the distribution's package."""

    name: str
    version: str
    package: str
    folder: str

    def lacks(self) -> str | None:
        """Return why it cannot be used, None if it can."""
        query = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Version}", self.package]
        found = subprocess.run(query, capture_output=True, text=True).stdout
        if not found.startswith("ii "):
            return f"the package {self.package} is not installed"
        return None if begins(found[3:], self.version) else f"the package {self.package} is {found[3:]}"


def begins(packaged: str, version: str) -> bool:
    """Whether a package's version is of an upstream version: 1:1.6.20~ds1-1 is of 1.6, and of 1.6.20."""
    return re.match(rf"(\d+:)?{re.escape(version)}(?!\d)", packaged) is not None


@cache
def listed() -> tuple[Module | Package, ...]:
    """Return all peers."""
    with open(LIST, "rb") as file:
        found = tomllib.load(file)
    return (*(Module(**each) for each in found["module"]), *(Package(**each) for each in found["package"]))


def versions(name: str) -> list[str]:
    """Return the versions of a peer, the newest first: what a test is parametrized by.

    Raises KeyError if nothing of that name is listed.
    """
    found = [each.version for each in listed() if each.name == name]
    if not found:
        raise KeyError(f"tests/peers/peers.toml has no {name}")
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")], reverse=True)


def peer(name: str, version: str | None = None) -> str:
    """Return the folder with a peer's programs, of the newest version if none is given.

    One that is not there is the test's failure, not a reason to skip. Raises KeyError if no such peer is listed.
    """
    wanted = version or versions(name)[0]
    one = next((each for each in listed() if (each.name, each.version) == (name, wanted)), None)
    if one is None:
        raise KeyError(f"tests/peers/peers.toml has no {name} {wanted}")
    lacks = one.lacks()
    assert lacks is None, f"{name} {wanted}: {lacks}; `scripts/setup test` makes it, or says why it cannot"
    return one.folder
