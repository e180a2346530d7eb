"""Are the plugins installed where they are looked for, and can they run on this kernel?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from plumbline.doctor.facts import Facts
from plumbline.doctor.finding import Finding, failure, good, listed, skipped, warning
from plumbline.node.binaries import Binary
from plumbline.node.model import State

OLDEST_KERNEL = (4, 18)
INSTALL = "plumbline install"


def kernel(facts: Facts) -> Iterator[Finding]:
    """The plugins use interfaces of Linux 4.18 (README.md)."""
    numbers = re.match(r"(\d+)\.(\d+)", facts.system.release)
    found = (int(numbers[1]), int(numbers[2])) if numbers else OLDEST_KERNEL
    if found < OLDEST_KERNEL:
        yield failure("", facts.system.release, "Linux 4.18 or later")
    else:
        yield good("", facts.system.release)


def modules(facts: Facts) -> Iterator[Finding]:
    """Modules that the networks and the VFs of this node need: for bridges, for programs, for vDPA devices."""
    needed = {
        "bridge": "network of type accelerated-bridge" if facts.of_type("accelerated-bridge") else "",
        "vfio_pci": "VF that a program has through vfio" if _any_busy(facts) else "",
        "vhost_vdpa": "VF with a vDPA device" if any(vf.vdpa is not None for vf in facts.node.vfs) else "",
    }
    for name in facts.system.lacking:
        if needed.get(name):
            package = f"install the package that has {name} of kernel {facts.system.release}, or build it"
            yield failure(name, f"missing, and there is a {needed[name]}", package)
        else:
            yield skipped(name, "missing, and nothing here needs it")
    if not facts.system.lacking:
        yield good("", f"{listed(needed)}: loaded, built in, or there to be loaded")


def _any_busy(facts: Facts) -> bool:
    return any(vf.state is State.BUSY or vf.driver == "vfio-pci" for vf in facts.node.vfs)


def folder(facts: Facts) -> Iterator[Finding]:
    """A plugin that lies where the runtime does not look is none."""
    folders = facts.folders.binaries
    here = [binary for binary in facts.binaries if binary.folder in folders and binary.version]
    elsewhere = [binary for binary in facts.binaries if binary.folder not in folders and binary.version]
    chosen = f"{listed(folders)}" + (f", as {facts.folders.by} says" if facts.folders.by else "")
    if here:
        yield good("", f"{listed([binary.name for binary in here])} in {chosen}")
    elif elsewhere:
        where = listed(sorted({binary.folder for binary in elsewhere}))
        yield failure("", f"plugins are in {where}; the runtime looks in {chosen}", INSTALL)
    else:
        yield failure("", f"no plugin of Plumbline in {chosen}", INSTALL)


def executable(facts: Facts) -> Iterator[Finding]:
    """A copy by scp or from an archive may have lost its mode."""
    for binary in _looked_for(facts):
        if binary.is_executable:
            yield good(binary.path, "executable")
        else:
            yield failure(binary.path, "not executable", f"chmod 755 {binary.path}")


def noexec(facts: Facts) -> Iterator[Finding]:
    """On hardened nodes /opt or /var may be mounted noexec: execve(2) is EACCES whatever the file's mode is."""
    for binary in _looked_for(facts):
        if binary.noexec:
            remedy = f"findmnt -T {binary.path}; mount it without noexec, or have the runtime look elsewhere (bin_dir)"
            yield failure(binary.path, "on a mount with noexec", remedy)
        else:
            yield good(binary.path, "its mount allows execution")


def architecture(facts: Facts) -> Iterator[Finding]:
    """A binary for another processor: ENOEXEC, which runtimes report as "exec format error"."""
    for binary in _looked_for(facts):
        if binary.machine == facts.system.machine:
            yield good(binary.path, binary.machine)
        else:
            found = f"for {binary.machine}" if binary.machine else "no ELF file"
            yield failure(binary.path, f"{found}, this node is {facts.system.machine}", INSTALL)


def version(facts: Facts) -> Iterator[Finding]:
    """One version of all plugins: they share records. A reference plugin may have the name of one of ours."""
    ours = [binary for binary in facts.binaries if binary.version]
    runs = [binary for binary in _looked_for(facts) if binary.version]
    for binary in _looked_for(facts):
        if binary not in runs:
            yield skipped(binary.path, "another project's: no version of Plumbline in it")
    versions = sorted({binary.version for binary in ours})
    if len(versions) > 1:
        each = [f"{binary.path} {binary.version}" for binary in ours]
        yield warning("", f"{len(versions)} versions: {listed(each, 8)}", f"{INSTALL}; remove the others")
    elif versions:
        yield good("", versions[0])
    else:
        yield skipped("", "no plugin of Plumbline is here")


def udev(facts: Facts) -> Iterator[Finding]:
    """Without udev, VFs keep the kernel's names, and nobody knows what makers and models are called."""
    if facts.system.has_udev:
        yield good("", "runs")
    else:
        yield warning("", "does not run", "systemctl status systemd-udevd; in a container: mount the host's /run/udev")


def _looked_for(facts: Facts) -> list[Binary]:
    """Return the plugins that the runtime finds: of several of one name, the first."""
    found: dict[str, Binary] = {}
    for place in facts.folders.binaries:
        for binary in facts.binaries:
            if binary.folder == place:
                found.setdefault(binary.name, binary)
    return list(found.values())
