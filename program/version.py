"""Which sources a binary is built of: the version in pyproject.toml, and the commit. Run as a program, it says so."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = ("build.spec", "cni", "ipam", "plugins", "plumbline", "program", "pyproject.toml", "requirements.txt")
"""What has a say in what a binary is."""

COMMIT_DIGITS = 12
UNKNOWN = "unknown"


def described(root: str = ROOT) -> str:
    """Return version and commit for a person: `0.1.0, commit 0123456789ab`.

    root: of the sources. The commit has `-dirty` behind it if SOURCES are not as in it, and is `unknown` outside a
    checkout. Raises OSError, and KeyError and tomllib.TOMLDecodeError for a pyproject.toml without a version.
    """
    with open(os.path.join(root, "pyproject.toml"), "rb") as file:
        version = tomllib.load(file)["project"]["version"]
    return f"{version}, commit {_commit(root)}"


def described_with_libraries() -> str:
    """Return the same with what runs it, as a binary says it (link.py), for a plugin that runs from the source."""
    python = ".".join(map(str, sys.version_info[:3]))
    library = (os.confstr("CS_GNU_LIBC_VERSION") or UNKNOWN).removeprefix("glibc ")
    return f"{described()}, CPython {python}, GNU C library {library}, from the source"


def _commit(root: str) -> str:
    try:
        if not os.path.samefile(_git(root, "rev-parse", "--show-toplevel"), root):
            return UNKNOWN  # the sources lie in a checkout of something else
        commit = _git(root, "rev-parse", "HEAD")[:COMMIT_DIGITS]
        changes = _git(root, "status", "--porcelain", "--", *SOURCES)
    except (OSError, subprocess.CalledProcessError):  # no git, no checkout, no commit
        return UNKNOWN
    return f"{commit}-dirty" if changes else commit


def _git(root: str, *arguments: str) -> str:
    """Return what git says of the sources, whoever owns them. In a hook its variables speak of another repository."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", "-c", f"safe.directory={root}", "--no-optional-locks", *arguments],
        cwd=root, env=environ, check=True, capture_output=True, text=True,
    ).stdout.rstrip("\n")  # fmt: skip


if __name__ == "__main__":
    print(described())
