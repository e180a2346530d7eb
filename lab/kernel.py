"""The guest's kernel: the distribution's, with the modules that it leaves out, made once and kept.

    build/lab/kernel/
        boot/vmlinuz-RELEASE
        lib/modules/RELEASE/...     with updates/NAME.ko for each of MODULES
        complete.json               {"recipe": digest, "release": ..., "files": {path: bytes}}

The folder is made beside its place and appears by one rename, so there is never a half-made one. It is not looked into,
but each file must be there in its size. The recipe is what makes it: a change of this module makes the folder anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import packages
from lab.errors import LabError
from lab.places import CACHE

FOLDER = CACHE / "kernel"
DOWNLOADS = CACHE / "packages"
_STAMP = "complete.json"
_LAYOUT = 1
"""To be raised when this module makes another tree from the same packages."""


class Module:
    """A kernel module that the distribution may leave out, built from its kernel source.

    name: what modprobe calls it.
    folder: its folder in the kernel's source.
    settings: what make is given so that it builds the module, for instance "CONFIG_NETDEVSIM=m".
    beside: files from elsewhere in the source that are copied into its folder and become modules of their own.
    """

    def __init__(self, name: str, folder: str, settings: tuple[str, ...], beside: tuple[str, ...] = ()) -> None:
        self.name = name
        self.folder = folder
        self.settings = settings
        self.beside = beside

    def description(self) -> list[Any]:
        """Return what the module is made from, for the recipe's digest."""
        return [self.name, self.folder, self.settings, self.beside]


MODULES = (
    Module("netdevsim", "drivers/net/netdevsim", ("CONFIG_NETDEVSIM=m",)),
    Module(
        "vdpa_sim_net",
        "drivers/vdpa/vdpa_sim",
        (
            *("CONFIG_VDPA_SIM=m", "CONFIG_VDPA_SIM_NET=m"),
            # Its queues are vhost's, of which the distribution leaves out the part that works on the host's side.
            "KCFLAGS=-DCONFIG_VHOST_IOTLB_MODULE=1 -DCONFIG_VHOST_RING_MODULE=1",
        ),
        beside=("drivers/vhost/vringh.c",),
    ),
)


class Prepared:
    """A kernel ready to boot: its release and the path of its image."""

    def __init__(self, release: str) -> None:
        self.release = release
        self.image = FOLDER / "boot" / f"vmlinuz-{release}"


def prepared() -> Prepared | None:
    """Return the kernel that was prepared before, None if there is none, or a damaged one or one of another recipe."""
    try:
        stamp = json.loads((FOLDER / _STAMP).read_text())
        sound = stamp["recipe"] == _recipe() and stamp["files"] == _sizes(FOLDER)
        return Prepared(stamp["release"]) if sound else None
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def prepare(say: Callable[[str], None]) -> Prepared:
    """Fetch, unpack and complete the newest kernel of the distribution, in place of what was prepared before.

    say: called with a line about each step that takes time. Only one process may be here at a time.
    Raises LabError.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    for leftover in CACHE.glob("kernel.*"):
        shutil.rmtree(leftover)
    if FOLDER.exists():
        say(f"{FOLDER} is damaged, or was made by another version of the lab: making it anew")
    packages.update()
    kernel = packages.newest_kernel()
    with tempfile.TemporaryDirectory(prefix="kernel.", dir=CACHE, ignore_cleanup_errors=True) as work:
        new = Path(work) / "new"
        new.mkdir()
        say(f"fetching kernel {kernel.release}")
        downloads = packages.fetch(kernel.image, DOWNLOADS)
        for package in downloads:
            packages.unpack(package, new)
        _keep_only_kernel(new, kernel.release)
        missing = [module for module in MODULES if not list((new / "lib").rglob(f"{module.name}.ko*"))]
        if missing:
            say(f"building {', '.join(module.name for module in missing)} for kernel {kernel.release}")
            sources = packages.fetch(kernel.build, DOWNLOADS)
            downloads += sources
            _build(missing, kernel.release, sources, new, Path(work) / "build")
        _run("depmod", "-b", str(new), kernel.release)
        _publish(new, kernel.release)
    # Those of this kernel save a download if the cache has to be made anew.
    for path in set(DOWNLOADS.iterdir()) - set(downloads):
        path.unlink()
    return Prepared(kernel.release)


def _recipe() -> str:
    described = json.dumps([_LAYOUT, [module.description() for module in MODULES]])
    return hashlib.sha256(described.encode()).hexdigest()


def _sizes(folder: Path) -> dict[str, int]:
    """Return the size in bytes of every file below a folder by its path, but for the stamp itself."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.isfile(path):
                found[os.path.relpath(path, folder)] = os.path.getsize(path)
    found.pop(_STAMP, None)
    return found


def _keep_only_kernel(tree: Path, release: str) -> None:
    """Bring the image package's content into the one form that virtme-run finds: modules below lib, not usr/lib."""
    merged = tree / "usr" / "lib" / "modules"
    if merged.exists():
        (tree / "lib").mkdir(exist_ok=True)
        merged.rename(tree / "lib" / "modules")
    for link in ("build", "source"):  # they point to where the headers would be if they were installed
        (tree / "lib" / "modules" / release / link).unlink(missing_ok=True)
    shutil.rmtree(tree / "usr", ignore_errors=True)
    if not (tree / "boot" / f"vmlinuz-{release}").exists():
        raise LabError(f"the kernel package holds no boot/vmlinuz-{release}: its layout is new to lab/kernel.py")


def _build(modules: list[Module], release: str, sources: list[Path], tree: Path, work: Path) -> None:
    """Build modules in a work folder, from the packages with headers and source, and add them to the kernel's tree."""
    work.mkdir()
    for package in sources:
        packages.unpack(package, work)
    headers = work / "usr" / "src" / f"linux-headers-{release}"
    # The headers name the common part by the path at which it would be installed.
    common = headers / "Makefile"
    common.write_text(common.read_text().replace("/usr/src/", f"{work}/usr/src/"))
    (archive,) = (work / "usr" / "src").glob("linux-source-*.tar.xz")
    source = work / "source"
    _unpack_source(archive, source, [path for module in modules for path in (module.folder, *module.beside)])
    updates = tree / "lib" / "modules" / release / "updates"
    updates.mkdir(exist_ok=True)
    for module in modules:
        folder = source / module.folder
        with open(folder / "Makefile", "a") as makefile:
            for path in module.beside:
                shutil.copy(source / path, folder)
                makefile.write(f"\nobj-m += {Path(path).stem}.o\n")
        # The type information is for BPF only, and would need pahole.
        _run(
            *("make", "-C", str(headers), f"M={folder}", f"-j{os.cpu_count() or 1}"),
            *("CC=gcc", "CONFIG_DEBUG_INFO_BTF_MODULES=", *module.settings, "modules"),
        )
        for built in folder.rglob("*.ko"):
            shutil.copy(built, updates)
        if not (updates / f"{module.name}.ko").exists():
            raise LabError(f"building {module.folder} of the kernel's source made no {module.name}.ko")


def _unpack_source(archive: Path, folder: Path, wanted: list[str]) -> None:
    """Unpack files and folders of the kernel's source, without the one top folder."""
    folder.mkdir()
    top = archive.name.removesuffix(".tar.xz")
    members = [f"{top}/{path}" for path in wanted]
    _run("tar", "--extract", f"--file={archive}", f"--directory={folder}", "--strip-components=1", *members)


def _publish(new: Path, release: str) -> None:
    stamp = {"recipe": _recipe(), "release": release, "files": _sizes(new)}
    (new / _STAMP).write_text(json.dumps(stamp))
    os.sync()  # after a power cut, the rename must not be there without the files
    if FOLDER.exists():
        FOLDER.rename(new.parent / "old")
    new.rename(FOLDER)


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        last = "\n".join(done.stdout.splitlines()[-20:])
        raise LabError(f"`{' '.join(command)}` failed with exit status {done.returncode}:\n{last}")
