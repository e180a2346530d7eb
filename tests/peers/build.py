"""Builds peers, each from its own Go module, with the libraries that its own go.sum names.

A peer built against newer libraries than it was released with may behave differently, so each module is the main one of
its build: `go build` in the module's own folder, not `go install PACKAGE@VERSION`, which refuses a module whose go.mod
replaces a library. The module's checksums are compared with the list's, those of its libraries with its go.sum by Go
itself; so nobody else need be asked for them.

    ~/.cache/plumbline/peers/       or below $XDG_CACHE_HOME
        lock                        held by who builds
        work/                       what Go downloads and compiles; goes when all is built
        plugins-1.10.0/             appears by one rename
            built-from.json         the entry of the list
            host-device ...
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tests.peers import STAMP, Module, cache_folder, go, work_folder
from tests.peers.go import PeerError


def build(modules: list[Module]) -> None:
    """Build the modules that are not there yet; who builds already is waited for. Raises PeerError if one fails."""
    if all(module.is_built for module in modules):
        return
    with _alone():
        for module in modules:
            if not module.is_built:  # by now
                print(f"peers: building {module.name} {module.version}", flush=True)
                _build(module)
        shutil.rmtree(work_folder(), ignore_errors=True)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of the cache; the kernel releases it with the process."""
    os.makedirs(work_folder(), exist_ok=True)
    with open(os.path.join(cache_folder(), "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(module: Module) -> None:
    tool = go.find(module.go)
    source = _download(module, tool)
    with tempfile.TemporaryDirectory(dir=work_folder()) as folder:
        made = os.path.join(folder, "made")
        os.mkdir(made)  # unlike the temporary one, for everybody to read
        packages = [f"./{package}" for package in module.programs.values()]
        _run(module, tool, "build", "-C", source, "-o", made, *packages)
        for program, package in module.programs.items():
            os.rename(os.path.join(made, os.path.basename(package)), os.path.join(made, program))
        with open(os.path.join(made, STAMP), "w") as file:
            file.write(module.stamp)
        if os.path.exists(module.folder):
            os.rename(module.folder, os.path.join(folder, "before"))
        os.rename(made, module.folder)


def _download(module: Module, tool: str) -> str:
    """Return the folder with the module's source, which is what the list has checksums of."""
    wanted = f"{module.module}@v{module.version}"
    answer = json.loads(_run(module, tool, "mod", "download", "-json", wanted))
    if (answer["Sum"], answer["GoModSum"]) != (module.sum, module.go_mod_sum):
        raise PeerError(
            f"{module.name} {module.version} is not what tests/peers/peers.toml has: {wanted} has the checksums "
            f"{answer['Sum']} and {answer['GoModSum']} (go.mod), and should have {module.sum} and {module.go_mod_sum}. "
            "It is not built; find out who changed it"
        )
    return str(answer["Dir"])


def _run(module: Module, tool: str, *arguments: str) -> str:
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, env=go.environ(), cwd="/")
    if done.returncode != 0:
        said = "\n".join(line for line in done.stderr.splitlines() if not line.startswith("go: downloading "))
        raise PeerError(f"{module.name} {module.version}: `{tool} {' '.join(arguments)}` failed: {said}{done.stdout}")
    return done.stdout
