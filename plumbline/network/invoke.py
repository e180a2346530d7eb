"""One plugin, executed once, as libcni does it (specification 1.1.0, section 2)."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cni.protocol.convert import parse_result, render_result
from cni.protocol.errors import CniError, escaped
from cni.protocol.version import CURRENT, OLDEST
from ipam import executable
from plumbline.errors import Status, VerbError
from plumbline.network import gojson
from plumbline.network.attachment import NOBODY, Attachment
from plumbline.network.configuration import Document

BUNDLED, BEFORE, OWN = "LD_LIBRARY_PATH", "LD_LIBRARY_PATH_ORIG", "_PYI_"
"""What PyInstaller's start of a one-file program adds to the environment, for this program and no other: the folder of
its libraries, what was there before, and variables that begin so.
"""

WITHOUT_EMPTY = ("0.1.0", "0.2.0")
"""Versions that have no form for a result without addresses, which a plugin gives all the same: it is left as it is."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One run. plugin: its type. seconds: how long it took. code, msg, details: its error, code 0 for none. said: what
    it wrote to standard error. result: of ADD.
    """

    plugin: str
    command: str
    seconds: float = 0.0
    code: int = 0
    msg: str = ""
    details: str = ""
    said: str = ""
    result: Document | None = None

    @property
    def is_good(self) -> bool:
        """Whether it succeeded."""
        return self.code == 0

    def __str__(self) -> str:
        told = f"{self.msg}; {self.details}" if self.details else self.msg
        return escaped(f"{self.plugin} at {self.command}: {told} (code {self.code})")


def find(kind: str, folders: list[str]) -> str:
    """Return the path of a plugin's executable. Raises VerbError that names the folders."""
    for path in (os.path.join(folder, kind) for folder in folders):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise VerbError(
        Status.FAILURE,
        f"there is no executable {kind} in {os.pathsep.join(folders) or 'no folder'}; nothing was executed",
        "--bin-dir, or CNI_PATH, names the folders of plugins",
    )


def run(conf: Document, command: str, attachment: Attachment, folders: list[str], own: Mapping[str, str]) -> Ran:
    """Execute a plugin and return how it went. conf: what it gets. own: our environment, which it gets as well.

    Raises VerbError where there is none.
    """
    kind = str(conf["type"])
    path = find(kind, folders)
    environ = {**environment(own), **attachment.variables(command, folders)}
    began = time.monotonic()
    try:
        done = executable.run(path, environ, gojson.written(conf))
    except CniError as e:
        return Ran(kind, command, time.monotonic() - began, e.code, e.msg, e.details)
    seconds, said = time.monotonic() - began, done.stderr.decode("utf-8", "replace").strip()
    if done.status != 0:
        return Ran(kind, command, seconds, *_error(done.status, done.stdout), said)
    if command != "ADD":
        return Ran(kind, command, seconds, said=said)
    try:
        return Ran(kind, command, seconds, said=said, result=_result(done.stdout, str(conf.get("cniVersion", ""))))
    except (ValueError, CniError) as e:
        shown = done.stdout[: executable.MAX_OUTPUT_BYTES].decode("utf-8", "replace")[:200]
        return Ran(kind, command, seconds, 6, f"its result makes no sense: {e}", f"it wrote {shown!a}", said)


def speaks(kind: str, folders: list[str], own: Mapping[str, str]) -> list[str]:
    """Return the versions of the specification that a plugin supports, none where it does not tell (VERSION).

    Raises VerbError where there is no such plugin.
    """
    environ = {**environment(own), **NOBODY.variables("VERSION", folders)}
    try:
        done = executable.run(find(kind, folders), environ, gojson.written({"cniVersion": CURRENT}))
        versions = json.loads(done.stdout)["supportedVersions"]
        return [str(version) for version in versions]
    except (CniError, ValueError, LookupError, TypeError):
        return []


def environment(own: Mapping[str, str], is_frozen: bool = hasattr(sys, "frozen")) -> dict[str, str]:
    """Return the environment for another program: our own, without what is there for this one's libraries. is_frozen:
    whether PyInstaller made this program.
    """
    if not is_frozen:
        return dict(own)
    found = {key: value for key, value in own.items() if key not in (BUNDLED, BEFORE) and not key.startswith(OWN)}
    return {**found, BUNDLED: own[BEFORE]} if BEFORE in own else found


def as_version(result: Document, version: str) -> Document:
    """Return a result in a version of the specification, empty for its own. Raises CniError."""
    own = str(result.get("cniVersion") or version or OLDEST)
    if own in WITHOUT_EMPTY and version in ("", own):
        return result
    return render_result(parse_result(result, own), version or own)


def _result(stdout: bytes, version: str) -> Document:
    """Return a result as libcni passes it on: in the version that it says, without members that nobody knows."""
    whole = json.loads(stdout)
    if not isinstance(whole, dict):
        raise ValueError("it is no JSON object")
    return as_version({**whole, "cniVersion": whole.get("cniVersion") or version}, "")


def _error(status: int, stdout: bytes) -> tuple[int, str, str]:
    """Return code, message and details of an error."""
    how = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
    try:
        said = json.loads(stdout)
    except ValueError:
        said = None
    if isinstance(said, dict) and isinstance(said.get("code"), int) and isinstance(said.get("msg"), str):
        return said["code"] or 999, said["msg"], str(said.get("details") or "")
    shown = stdout.decode("utf-8", "replace").strip()[:200]
    return 999, f"{how}, without an error that can be understood", f"it wrote {shown!a}" if shown else ""
