"""Put a folder behind the launcher: the build's last step. The format is drawn in launcher.c."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import subprocess
import tempfile

ENTRY = struct.Struct("=QII")
FOOTER = struct.Struct("=32s65s7xQ8s")
MAGIC = b"plumbln1"
FLAGS = ("-O2", "-static", "-s", "-Wall", "-Wextra", "-Werror")


def pack(folder: str, name: str, target: str) -> None:
    """Write the single file `target`, which starts the program `name` of `folder`.

    The same content gives the same file, so the same digest. Raises OSError, and subprocess.CalledProcessError when the
    launcher does not compile.
    """
    payload = b"".join(_entry(folder, path) for path in sorted(_paths(folder)))
    digest = hashlib.sha256(payload).hexdigest()
    footer = FOOTER.pack(name.encode(), digest.encode(), len(payload), MAGIC)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    temporary = target + ".new"
    with open(temporary, "wb") as file:
        file.write(_launcher() + payload + footer)
    os.chmod(temporary, 0o755)
    os.rename(temporary, target)  # a running binary cannot be written to


def _paths(folder: str) -> list[str]:
    """Return the paths of all folders and files, relative to the folder."""
    return [
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, folders, names in os.walk(folder)
        for name in folders + names
    ]


def _entry(folder: str, path: str) -> bytes:
    """Return one entry: header, path, content. Symbolic links are followed."""
    full = os.path.join(folder, path)
    encoded = path.encode() + b"\0"
    if os.path.isdir(full):
        return ENTRY.pack(0, stat.S_IFDIR | 0o700, len(encoded)) + encoded
    with open(full, "rb") as file:
        content = file.read()
    mode = 0o700 if os.access(full, os.X_OK) else 0o600
    return ENTRY.pack(len(content), stat.S_IFREG | mode, len(encoded)) + encoded + content


def _launcher() -> bytes:
    """Compile the launcher and return the executable."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launcher.c")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "launcher")
        subprocess.run([os.environ.get("CC", "musl-gcc"), *FLAGS, "-o", program, source], check=True)
        with open(program, "rb") as file:
            return file.read()
