"""Who else means to manage PFs: two managers undo each other's work, and one of them removes VFs that pods have.

- the SR-IOV network operator keeps what it applied in /etc/sriov-operator, `pci/ADDRESS` for each PF;
- netplan: `virtual-function-count` or `embedded-switch-mode` below a PF (netplan(5));
- NetworkManager: a connection with an [sriov] section (nm-settings-keyfile(5)), not its mere running;
- systemd: `SR-IOVVirtualFunctions=` in a .link file, [SR-IOV] in a .network file (systemd.link(5), systemd.network(5)).

Of their files only that is told: other lines may hold passwords.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from plumbline.node import functions
from plumbline.node.roots import Roots

OPERATOR, NETPLAN, NETWORK_MANAGER, SYSTEMD = "the SR-IOV operator", "netplan", "NetworkManager", "systemd"


@dataclass(frozen=True, slots=True)
class Claim:
    """manager: who; path: of the file or folder that says so. words: what stands in it, of which one may name a PF;
    None for all PFs of the node.
    """

    manager: str
    path: str
    words: frozenset[str] | None = None

    def covers(self, *names: str) -> bool:
        """Return whether it is about a PF. names: those that the PF has: of its link, its address, its MAC address."""
        return self.words is None or any(name.lower() in self.words for name in names if name)


def all_on(roots: Roots) -> list[Claim]:
    """Return who claims PFs on this node."""
    return [*_operator(roots), *_netplan(roots), *_network_manager(roots), *_systemd(roots)]


def _operator(roots: Roots) -> Iterator[Claim]:
    folder = os.path.join(roots.etc, "sriov-operator")
    if not os.path.isdir(folder):
        return
    kept = os.path.join(folder, "pci")
    addresses = functions.entries(kept)
    for address in sorted(addresses):
        yield Claim(OPERATOR, os.path.join(kept, address), frozenset((address.lower(),)))
    if not addresses:
        yield Claim(OPERATOR, folder)


def _netplan(roots: Roots) -> Iterator[Claim]:
    for base in (roots.etc, roots.run):
        yield from _matching(os.path.join(base, "netplan"), (".yaml",), NETPLAN, _NETPLAN)


def _network_manager(roots: Roots) -> Iterator[Claim]:
    for base in (roots.etc, roots.run):
        folder = os.path.join(base, "NetworkManager/system-connections")
        yield from _matching(folder, ("",), NETWORK_MANAGER, _NETWORK_MANAGER)


def _systemd(roots: Roots) -> Iterator[Claim]:
    for base in (roots.etc, roots.run):
        yield from _matching(os.path.join(base, "systemd/network"), (".link", ".network"), SYSTEMD, _SYSTEMD)


_NETPLAN = re.compile(r"^\s*(virtual-function-count|embedded-switch-mode)\s*:", re.MULTILINE)
_NETWORK_MANAGER = re.compile(r"^\[sriov\]", re.MULTILINE)
_SYSTEMD = re.compile(r"^(SR-IOVVirtualFunctions\s*=|\[SR-IOV\])", re.MULTILINE)


def _matching(folder: str, endings: tuple[str, ...], manager: str, sign: re.Pattern[str]) -> Iterator[Claim]:
    for name in sorted(functions.entries(folder)):
        text = functions.text(folder, name) if name.endswith(endings) else ""
        if sign.search(text):
            yield Claim(manager, os.path.join(folder, name), frozenset(re.findall(r"[\w:.@-]+(?<!:)", text.lower())))
