"""The machine under it all: its kernel, what of that is built and loaded, and whether an IOMMU is on."""

from __future__ import annotations

import fnmatch
import os
import time
from dataclasses import dataclass, field

from plumbline.node import functions
from plumbline.node.roots import Roots


@dataclass(frozen=True, slots=True)
class System:
    """A machine.

    release: of the kernel, such as 6.1.0-13-amd64. machine: its architecture, as uname(2) says it. iommus: the units
    that are on. lacking: of the modules that were asked for, those that are neither loaded, nor built in, nor there to
    be loaded. time_ns: the clock, in nanoseconds since 1970. boot_id: empty where it cannot be read. has_udev: whether
    udev runs.
    """

    release: str
    machine: str = "x86_64"
    iommus: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    time_ns: int = 0
    boot_id: str = ""
    has_udev: bool = True


@dataclass(slots=True)
class Modules:
    """The modules of a kernel. sysfs: where that is mounted; folder: /lib/modules/RELEASE."""

    sysfs: str
    folder: str
    _known: frozenset[str] | None = field(default=None, init=False)

    @classmethod
    def of_running(cls, roots: Roots) -> Modules:
        """Return those of the kernel that runs."""
        return cls(roots.sysfs, os.path.join(roots.modules, os.uname().release))

    def has(self, name: str) -> bool:
        """Return whether a module is loaded, built in, or can be loaded. name: with `_` or `-`, which are the same."""
        name = _plain(name)
        return os.path.isdir(os.path.join(self.sysfs, "module", name)) or name in self._listed()

    def for_device(self, modalias: str) -> str:
        """Return the module whose driver a device is for, empty where there is none (modules.alias, depmod(8))."""
        lines = (line.split() for line in functions.text(self.folder, "modules.alias").splitlines())
        found = (parts for parts in lines if len(parts) == 3 and parts[0] == "alias")
        return next((module for _, pattern, module in found if fnmatch.fnmatchcase(modalias, pattern)), "")

    def _listed(self) -> frozenset[str]:
        if self._known is None:
            paths = functions.text(self.folder, "modules.builtin").splitlines()
            paths += [line.partition(":")[0] for line in functions.text(self.folder, "modules.dep").splitlines()]
            self._known = frozenset(_plain(os.path.basename(path).partition(".ko")[0]) for path in paths)
        return self._known


def look(roots: Roots, needed: tuple[str, ...]) -> System:
    """Return what the machine is like. needed: names of modules to look for."""
    system = os.uname()
    modules = Modules.of_running(roots)
    return System(
        release=system.release,
        machine=system.machine,
        iommus=tuple(sorted(functions.entries(os.path.join(roots.sysfs, "class/iommu")))),
        lacking=tuple(name for name in needed if not modules.has(name)),
        time_ns=time.time_ns(),
        boot_id=functions.text(roots.proc, "sys/kernel/random/boot_id"),
        has_udev=has_udev(roots),
    )


def has_udev(roots: Roots) -> bool:
    """Return whether udev runs: it listens there."""
    return os.path.exists(os.path.join(roots.run, "udev/control"))


def _plain(name: str) -> str:
    return name.replace("-", "_")
