"""A tar archive, compressed, whose every member has been through `redact`."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from collections.abc import Callable
from typing import Any

from cni.protocol.errors import CniError
from plumbline.report import redact

MOST_BYTES = 1 << 18
"""How much of a file is taken, its end: what a log says last matters most. Of JSON that is longer nothing is: a part of
it cannot be read, and what is in base64 in it not be seen.
"""


class Archive:
    """Collects members, below a folder of its own. What cannot be read is noted, and no reason to stop."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._members: dict[str, str] = {}
        self._errors: list[str] = []

    def text(self, name: str, whole: str) -> None:
        """Add a text under a name."""
        self._members[name] = redact.text(whole)

    def document(self, name: str, value: Any) -> None:
        """Add a value as JSON."""
        self._members[name] = json.dumps(redact.document(value), indent=2) + "\n"

    def file(self, name: str, path: str) -> None:
        """Add a regular file's text, or the last whole lines of it."""

        def read() -> None:
            self.text(name, _read(path))

        self.attempt(path, read)

    def attempt(self, what: str, collect: Callable[[], None]) -> None:
        """Do what adds members; note what was to be had and why not, if it fails."""
        try:
            collect()
        except (OSError, CniError, ValueError) as e:
            self._errors.append(f"{what}: {e}")

    def note(self, text: str) -> None:
        """Say in the archive that something is not in it."""
        self._errors.append(text)

    def packed(self) -> bytes:
        """Return the archive with all members, and with what went wrong in `errors.txt`."""
        members = dict(self._members)
        if self._errors:
            members["errors.txt"] = redact.text("\n".join(self._errors) + "\n")
        out = io.BytesIO()
        now = int(time.time())
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            for name, whole in sorted(members.items()):
                data = whole.encode("utf-8", "backslashreplace")
                info = tarfile.TarInfo(f"{self._folder}/{name.lstrip('/')}")
                info.size, info.mtime, info.mode = len(data), now, 0o600
                tar.addfile(info, io.BytesIO(data))
        return out.getvalue()


def _read(path: str) -> str:
    """Return the text of a regular file, or its last whole lines. Raises OSError, and ValueError for JSON that is too
    long.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        size = os.fstat(fd).st_size
        if size <= MOST_BYTES:
            return file.read(MOST_BYTES).decode("utf-8", "replace")
        if _begins_json(file.read(MOST_BYTES)):
            raise ValueError(f"it is JSON of {size} bytes, more than {MOST_BYTES}, and was left out")
        file.seek(size - MOST_BYTES)
        # Of the first line the beginning is missing, which may be what says that the rest is secret.
        return file.read(MOST_BYTES).partition(b"\n")[2].decode("utf-8", "replace")


def _begins_json(head: bytes) -> bool:
    """Return whether JSON begins here, of which a line alone is none; a log may have an object in each line."""
    if not head.lstrip().startswith((b"{", b"[")):
        return False
    try:
        return not isinstance(json.loads(head.lstrip().partition(b"\n")[0]), dict)
    except (ValueError, RecursionError):
        return True
