"""What goes into a report. Nothing of the environment, no file that was not meant for plugins, no kubeconfig."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from plumbline import documents
from plumbline.doctor import checks
from plumbline.doctor.document import document as doctor_document
from plumbline.doctor.facts import Facts, configuration_files, gather
from plumbline.lint.document import document as lint_document
from plumbline.node import functions, recorded
from plumbline.node.model import Node
from plumbline.node.mounts import Mounts
from plumbline.node.roots import Roots
from plumbline.report import logs, sysfs
from plumbline.report.archive import Archive

ABOUT = """A report of `plumbline report`, for an issue.

Passwords, tokens and keys were taken out as far as they could be known by their names or their forms: (redacted).
Names of pods, of links and of this node, MAC and IP addresses are in it. Read it before you publish it.

node.json            what `plumbline status --json` and `plumbline vfs --json` print
tree.txt             what `plumbline tree --all` shows
show/                what `plumbline show` shows of each PF, and of each device that somebody has
doctor.json          what `plumbline doctor --json` prints
lint.json            what `plumbline lint --json` prints of the runtime's network configurations
system.json          kernel, machine, and what of the kernel's command line is about devices
installation.json    the plugins, their versions, and where the runtime looks for them
links.json           the links of the host
sysfs.json           attributes of PFs, VFs and the bridges above
records/             what plugins recorded, and host-local's addresses
results/             libcni's caches
kubelet.json         what the kubelet's device manager gave to which pod
configurations/      network configurations, and those of Plumbline
logs/                lines of logs that are about VFs and plugins
errors.txt           what could not be read
"""

PARAMETERS = ("iommu", "intel_iommu", "amd_iommu", "pci", "pcie", "vfio", "isolcpus", "hugepages", "default_hugepagesz")
"""Parameters of the kernel's command line that matter, also with something behind a dot; others may be secret."""


def fill(archive: Archive, node: Node, roots: Roots) -> None:
    """Put everything into an archive. node: as it was looked at."""
    facts = gather(node, roots)
    archive.text("README.txt", ABOUT)
    archive.document("node.json", documents.node(node))
    archive.document("doctor.json", doctor_document(node, checks.examine(facts)))
    archive.document("lint.json", lint_document(facts.faults))
    archive.document("system.json", _system(facts, roots))
    archive.document("installation.json", _installation(facts))
    archive.document("links.json", [documents.link(link) for link in node.links])
    archive.attempt("sysfs", lambda: archive.document("sysfs.json", sysfs.attributes(node, roots.sysfs)))
    _records(archive, roots)
    _results(archive, roots)
    archive.attempt(roots.checkpoint, lambda: archive.document("kubelet.json", _kubelet(roots)))
    _configurations(archive, facts, roots)
    _logs(archive, facts)
    if os.geteuid() != 0:
        archive.note("not run as root: records, configuration spaces and logs may be missing")


def _system(facts: Facts, roots: Roots) -> dict[str, Any]:
    words = functions.text(roots.proc, "cmdline").split()
    storage, mount = facts.storage, Mounts.of(roots).above(facts.storage.path)
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "release": facts.system.release,
        "version": os.uname().version,
        "machine": facts.system.machine,
        "distribution": _distribution(roots),
        "parameters": [word for word in words if word.partition("=")[0].partition(".")[0] in PARAMETERS],
        "iommus": facts.system.iommus,
        "modules": sorted(functions.entries(os.path.join(roots.sysfs, "module"))),
        "uptimeSeconds": float(functions.text(roots.proc, "uptime").partition(" ")[0] or 0),
        "state": {
            "path": storage.path,
            "mount": {"point": mount.point, "kind": mount.kind, "options": sorted(mount.options)},
            "freeBytes": storage.free_bytes,
            "freeFiles": storage.free_files,
        },
    }


def _distribution(roots: Roots) -> str:
    lines = functions.text(roots.etc, "os-release").splitlines()
    return next((line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME=")), "")


def _installation(facts: Facts) -> dict[str, Any]:
    return {
        "plumbline": {"path": sys.executable, **_file(sys.executable)},
        "runtime": {
            "binaries": facts.folders.binaries,
            "configurations": facts.folders.configurations,
            "by": facts.folders.by or None,
        },
        "plugins": [
            {
                "path": binary.path,
                "version": binary.version or None,
                "machine": binary.machine or None,
                "executable": binary.is_executable,
                "noexec": binary.noexec,
                **_file(binary.path),
            }
            for binary in facts.binaries
        ],
        "managers": [{"manager": claim.manager, "path": claim.path} for claim in facts.claims],
    }


def _file(path: str) -> dict[str, Any]:
    try:
        there = os.stat(path)
    except OSError:
        return {"bytes": None, "modified": None}
    return {"bytes": there.st_size, "modified": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(there.st_mtime))}


def _records(archive: Archive, roots: Roots) -> None:
    """Add records and host-local's addresses, without locks: plugins' folders below that of all records."""
    for folder in [*recorded.folders(roots), os.path.join(roots.state, "networks")]:
        for path in _files_below(folder):
            archive.file(f"records/{os.path.relpath(path, roots.state)}", path)


def _results(archive: Archive, roots: Roots) -> None:
    for folder in roots.results:
        for path in _files_below(folder):
            archive.file(f"results/{path.lstrip('/')}", path)


def _kubelet(roots: Roots) -> dict[str, Any]:
    """Return which devices which pod was given, and no more: what device plugins answered holds environments."""
    with open(roots.checkpoint, encoding="utf-8") as file:
        data = json.load(file).get("Data", {})
    kept = ("PodUID", "ContainerName", "ResourceName", "DeviceIDs")
    return {
        "PodDeviceEntries": [{key: entry.get(key) for key in kept} for entry in data.get("PodDeviceEntries") or ()],
        "RegisteredDevices": data.get("RegisteredDevices"),
    }


def _configurations(archive: Archive, facts: Facts, roots: Roots) -> None:
    paths = configuration_files(facts.folders.configurations)
    ours = os.path.join(roots.etc, "plumbline")
    paths += [path for path in _files_below(ours) if path.endswith(".json")]
    for path in paths:
        archive.file(f"configurations{path}", path)


def _logs(archive: Archive, facts: Facts) -> None:
    def kernel() -> None:
        archive.text("logs/kernel.txt", logs.kernel(facts.node))

    def journal() -> None:
        archive.text("logs/journal.txt", logs.journal())

    archive.attempt("/dev/kmsg", kernel)
    archive.attempt("journal", journal)
    for path in logs.of_plugins(facts.networks):
        archive.file(f"logs{path}", path)


def _files_below(folder: str) -> list[str]:
    """Return the regular files in a folder and below, links and locks left out."""
    found = []
    for where, _, names in os.walk(folder):
        paths = (os.path.join(where, name) for name in names if os.path.basename(where) not in ("lock", "adding"))
        found += [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
    return sorted(found)
