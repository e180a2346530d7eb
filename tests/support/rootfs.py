"""A root file system with busybox in it, as a folder or as an image: nothing is fetched for it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile

BUSYBOX = "/usr/bin/busybox"
"""Of Debian's package busybox-static: it needs no libraries."""

APPLETS = ("sh", "ip", "cat", "ping", "sleep", "true", "false")


def folder(path: str) -> str:
    """Make the root file system in a folder, and return its path."""
    for name in ("bin", "dev", "proc", "sys", "etc", "tmp", "run"):
        os.makedirs(f"{path}/{name}", exist_ok=True)
    shutil.copy(BUSYBOX, f"{path}/bin/busybox")
    for applet in APPLETS:
        os.symlink("busybox", f"{path}/bin/{applet}")
    return path


def archive(path: str, name: str, *command: str) -> str:
    """Write an image with busybox alone into a tar as `docker save` writes it, and return its path.

    name: the image's, with its tag. command: what a container of it executes.
    """
    layer = _tar({"bin/busybox": (_read(BUSYBOX), 0o755)})
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": command},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    whole = {
        "manifest.json": (json.dumps(manifest).encode(), 0o644),
        "config.json": (json.dumps(config).encode(), 0o644),
        "layer.tar": (layer, 0o644),
    }
    with open(path, "wb") as file:
        file.write(_tar(whole))
    return path


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """Return a tar of files, each with its content and its mode."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
