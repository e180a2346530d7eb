"""A plugin's binary, or the operator's command: which machine it is for, and what it says when it is run."""

from __future__ import annotations

import errno
import json
import os
import platform
import subprocess

from plumbline.node import binaries

VERSION_TIMEOUT_S = 20.0

COMMAND = "plumbline"
"""What the operator's command is called."""

OURS = "Plumbline "
"""What stands in what our binaries say of themselves, and in nobody else's."""


class UnfitError(Exception):
    """A binary that cannot be used here, and why."""


def refuse_foreign(path: str, machine: str = "") -> None:
    """Raise UnfitError for a file that is no executable for a machine, by itself this one, named as by uname(2)."""
    try:
        with open(path, "rb") as file:
            there = binaries.machine(file.read(binaries.HEADER_BYTES))
    except OSError as e:
        raise UnfitError(f"{path} cannot be read: {e.strerror}") from e
    here = machine or platform.machine()
    if not there:
        raise UnfitError(f"{path} is no executable")
    if there != here:
        raise UnfitError(f"{path} is for {there}, and this node is {here}")


def verify(path: str, name: str) -> None:
    """Run a binary as what its name says. Raises UnfitError where it is not that."""
    if name != COMMAND:
        versions(path)
    elif not (said := about(path)).startswith(OURS):
        raise UnfitError(
            f"{path} is not the operator's command, or does not run here: {said[:200] or 'it said nothing'}"
        )


def versions(path: str) -> list[str]:
    """Run a plugin's VERSION; return the versions of the specification that it supports. Raises UnfitError."""
    try:
        answer = subprocess.run(
            [path],
            env={"CNI_COMMAND": "VERSION", "PATH": os.defpath},
            input=b'{"cniVersion": "1.1.0"}',
            capture_output=True,
            timeout=VERSION_TIMEOUT_S,
            check=False,
        )
        supported = json.loads(answer.stdout)["supportedVersions"]
    except OSError as e:
        raise UnfitError(f"{path} cannot be run: {_reason(e, path)}") from e
    except subprocess.TimeoutExpired as e:
        raise UnfitError(f"{path} has not answered VERSION within {VERSION_TIMEOUT_S:g} s") from e
    except (ValueError, KeyError, TypeError) as e:
        said = (answer.stdout + answer.stderr).decode(errors="replace").strip()[:200]
        raise UnfitError(f"{path} does not answer VERSION (exit status {answer.returncode}): {said}") from e
    return [str(version) for version in supported]


def about(path: str) -> str:
    """Return what a binary says of itself, empty where it cannot be run: a command its version, a plugin, whatever its
    arguments, its name (CNI specification, first lines of every plugin).
    """
    try:
        answer = subprocess.run(
            [path, "--version"],
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (answer.stdout + answer.stderr).decode(errors="replace").strip()


def _reason(error: OSError, path: str) -> str:
    if error.errno == errno.EACCES and os.statvfs(path).f_flag & os.ST_NOEXEC:
        return f"{os.path.dirname(path)} is on a file system mounted noexec"
    return error.strerror or str(error)
