"""Who else makes VFs of a PF, as their files say: two who do undo each other's work, and pods lose their VFs by that.

- the SR-IOV network operator keeps for each PF what it has applied in `sriov-operator/pci/<address>`;
- NetworkManager enforces the number of a profile that has a section [sriov], also 0 (NetworkManager's settings-sriov);
- netplan makes VFs of an interface with `virtual-function-count`, and for those that name it as their `link`.
"""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Iterator

from plumbline.errors import Status, VerbError
from plumbline.node import functions
from plumbline.node.model import Pf

NETPLAN_KEYS = ("virtual-function-count", "embedded-switch-mode")


def refuse(attempt: str, pf: Pf, etc: str, run: str) -> None:
    """Raise VerbError (4) where somebody else makes VFs of a PF. etc, run: where configuration lies."""
    found = claims(pf, etc, run)
    if found:
        raise VerbError(
            Status.IN_USE,
            f"{attempt}: refused, since {found[0]}; nothing was changed",
            "take the PF out of there first, or both undo each other's work; --force does it nevertheless",
        )


def claims(pf: Pf, etc: str, run: str) -> list[str]:
    """Return who makes VFs of a PF, and which file says so."""
    names = {pf.name, *(pf.link.altnames if pf.link is not None else ())}
    profiles = (os.path.join(x, "NetworkManager/system-connections") for x in (etc, run))
    plans = (path for path in _files(os.path.join(etc, "netplan"), os.path.join(run, "netplan")) if _is_yaml(path))
    return [
        *_operator(pf, etc),
        *(f"NetworkManager makes its VFs ({path})" for path in _files(*profiles) if _is_profile_of(path, pf, names)),
        *(f"netplan makes its VFs ({path})" for path in plans if names & set(netplan_pfs(functions.text(path)))),
    ]


def _is_yaml(path: str) -> bool:
    return path.endswith((".yaml", ".yml"))


def _operator(pf: Pf, etc: str) -> Iterator[str]:
    path = os.path.join(etc, "sriov-operator/pci", pf.address)
    if not os.path.exists(path):
        return
    try:
        applied = json.loads(functions.text(path))
    except ValueError:
        applied = {}
    # It has only the VFs of such a PF, which others make.
    if not (isinstance(applied, dict) and applied.get("externallyManaged")):
        yield f"the SR-IOV network operator makes its VFs ({path})"


def _is_profile_of(path: str, pf: Pf, names: set[str]) -> bool:
    profile = configparser.RawConfigParser(strict=False, delimiters="=", comment_prefixes="#")
    try:
        profile.read_string(functions.text(path) + "\n")
    except configparser.Error:
        return False
    if not profile.has_section("sriov"):
        return False
    name = profile.get("connection", "interface-name", fallback="")
    mac = profile.get("ethernet", "mac-address", fallback="").lower()
    return name in names or (bool(mac) and pf.link is not None and mac == pf.link.mac)


def netplan_pfs(text: str) -> list[str]:
    """Return the interfaces that a file of netplan's makes VFs of. text: YAML in its usual form, of indented lines."""
    found = []
    path: list[tuple[int, str]] = []
    names: dict[str, str] = {}
    for line in text.splitlines():
        content = line.split(" #")[0].rstrip()
        key, colon, value = content.strip().partition(":")
        if not colon or content.lstrip().startswith("#"):
            continue
        indent = len(content) - len(content.lstrip())
        path = [*(x for x in path if x[0] < indent), (indent, key.strip("\"'"))]
        keys = [x for _, x in path]
        value = value.strip().strip("\"'")
        if len(keys) < 4 or keys[1] != "ethernets":
            continue
        if keys[3] == "set-name" and value:
            names[keys[2]] = value
        elif keys[3] in NETPLAN_KEYS:
            found.append(keys[2])
        elif keys[3] == "link" and value:
            found.append(value)
    return [*found, *(names[x] for x in found if x in names)]


def _files(*folders: str) -> Iterator[str]:
    for folder in folders:
        yield from (os.path.join(folder, name) for name in sorted(functions.entries(folder)))
