"""Put a folder behind the launcher: the build's last step. The format is drawn in payload.h."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import subprocess
import tempfile
import zlib

ENTRY = struct.Struct("=QQII")
FOOTER = struct.Struct("=32s65s7xQQ8s")
MAGIC = b"plumbln2"
COMPILE = ("-O2", "-static", "-s", "-Wall", "-Wextra", "-Werror")


def pack(folder: str, name: str, target: str) -> None:
    """Write the single file `target`, which starts the program `name` of `folder`.

    The same content gives the same file, so the same digest. Raises OSError, and subprocess.CalledProcessError when the
    launcher does not compile.
    """
    contents, index = b"", b""
    for path in sorted(_paths(folder)):
        entry, content = _entry(folder, path)
        index += entry
        contents += content
    payload = contents + index
    digest = hashlib.sha256(payload).hexdigest()
    footer = FOOTER.pack(name.encode(), digest.encode(), len(index), len(payload), MAGIC)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    content = _launcher() + payload + footer
    if os.path.exists(target):
        os.unlink(target)  # a running binary cannot be written to
    with open(target, "wb") as file:
        file.write(content)
    os.chmod(target, 0o755)


def _paths(folder: str) -> list[str]:
    """Return the paths of all folders and files, relative to the folder."""
    return [
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, folders, names in os.walk(folder)
        for name in folders + names
    ]


def _entry(folder: str, path: str) -> tuple[bytes, bytes]:
    """Return one entry of the index (header and path), and the packed content. Symbolic links are followed."""
    full = os.path.join(folder, path)
    encoded = path.encode() + b"\0"
    if os.path.isdir(full):
        return ENTRY.pack(0, 0, stat.S_IFDIR | 0o700, len(encoded)) + encoded, b""
    with open(full, "rb") as file:
        content = file.read()
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)  # raw: the digest makes a checksum needless
    packed = compressor.compress(content) + compressor.flush()
    mode = 0o700 if os.access(full, os.X_OK) else 0o600
    return ENTRY.pack(len(content), len(packed), stat.S_IFREG | mode, len(encoded)) + encoded, packed


def _launcher() -> bytes:
    """Compile the launcher and return the executable."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launcher.c")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "launcher")
        subprocess.run([os.environ.get("CC", "musl-gcc"), *COMPILE, "-o", program, source], check=True)
        with open(program, "rb") as file:
            return file.read()
