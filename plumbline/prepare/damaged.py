"""Damaged records: nobody knows by them who has which VF. One that names a VF of this node keeps the PF of that VF from
being changed; one that names none keeps all PFs from it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from cni.linux import boot, files
from cni.protocol.errors import CniError
from plumbline.errors import Status, VerbError
from plumbline.node.model import Node, Pf
from plumbline.node.recorded import PLUGINS

_PATH = re.compile(r"\brecord (/.+?) is (?:damaged|not used|no record)")  # cni.attach.state
_NAMED = re.compile(r"\bthe record of (.+?) of (.+?) is damaged")  # cni.attach.records
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def refuse(attempt: str, pf: Pf, node: Node, is_first_of_boot: bool) -> None:
    """Raise VerbError where a damaged record may be about a VF of a PF. attempt: what is not done then.

    is_first_of_boot: whether no pod has been started since the boot. A record that was written before it is about
    nobody, then.
    """
    for line in node.damaged:
        paths = _paths(line)
        if is_first_of_boot and paths and all(_is_of_boot_before(path) for path in paths):
            continue
        about = _pfs(paths, node)
        if not about or pf.address in about:
            raise VerbError(
                Status.FAILURE,
                f"{attempt}: nothing was changed, since it is not known who has {_whose(about, pf)}: {line}",
                "once its pod is gone: remove the file, and `plumbline release` the VF",
            )


def _whose(about: set[str], pf: Pf) -> str:
    return f"VFs of {pf.name}" if about else "VFs"


def _paths(line: str) -> list[str]:
    """Return the files that a line is about, none where it does not tell."""
    named = _PATH.search(line)
    if named is not None:
        return [named[1]]
    owner = _NAMED.search(line)
    if owner is None:
        return []
    end = f"{owner[2]}-{owner[1]}"
    folders = {plugin.state_folder for plugin in PLUGINS}
    return [os.path.join(folder, name) for folder in sorted(folders) for name in _names(folder) if name.endswith(end)]


def _names(folder: str) -> list[str]:
    try:
        return files.names(folder)
    except CniError:
        return []


def _is_of_boot_before(path: str) -> bool:
    try:
        return os.stat(path).st_mtime_ns < boot.began_ns()
    except OSError:
        return False


def _pfs(paths: Iterable[str], node: Node) -> set[str]:
    """Return the addresses of the PFs that files name, themselves or by one of their VFs; none where one names none."""
    owners = {vf.address: pf.address for pf in node.pfs for vf in pf.vfs if vf.address}
    owners |= {pf.address: pf.address for pf in node.pfs}
    found: set[str] = set()
    for path in paths:
        named = {owners[address] for address in _addresses(path) if address in owners}
        if not named:
            return set()
        found |= named
    return found


def _addresses(path: str) -> set[str]:
    """Return what looks like a PCI address in a file, and in its name."""
    try:
        content = files.read(path) or b""
    except CniError:
        content = b""
    return set(_ADDRESS.findall(f"{os.path.basename(path)} {content.decode(errors='replace')}".lower()))
