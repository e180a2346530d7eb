"""Who else means to manage PFs: two managers undo each other's work, and one of them removes VFs that pods have.

- the SR-IOV network operator keeps what it applied in /etc/sriov-operator, `pci/ADDRESS` for each PF;
- netplan: `virtual-function-count` or `embedded-switch-mode` of an interface, and its VFs name it as their `link`
  (netplan(5));
- NetworkManager: a profile with a section [sriov], whose number it enforces, 0 too (nm-settings-keyfile(5)); not its
  mere running;
- systemd: `SR-IOVVirtualFunctions=` in a .link file, [SR-IOV] in a .network file (systemd.link(5), systemd.network(5)).

Of their files only that is told: other lines may hold passwords.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from plumbline.node import functions
from plumbline.node.foreign import loaded, member
from plumbline.node.model import Pf
from plumbline.node.roots import Roots

OPERATOR, NETPLAN, NETWORK_MANAGER, SYSTEMD = "the SR-IOV network operator", "netplan", "NetworkManager", "systemd"

NETPLAN_KEYS = ("virtual-function-count", "embedded-switch-mode")
NETPLAN_MATCHES = ("macaddress", "name")
SYSTEMD_MATCHES = ("macaddress", "permanentmacaddress", "originalname", "name", "path")


@dataclass(frozen=True, slots=True)
class Claim:
    """manager: who; path: of the file or folder that says so. names: of the PFs that it is about, as `of` returns them,
    `*` and `?` standing for any characters; None where no PF is named, and it may be about any of the node.
    """

    manager: str
    path: str
    names: frozenset[str] | None = None

    def covers(self, names: Iterable[str]) -> bool:
        """Return whether it is about a PF, or may be. names: those that the PF has."""
        return self.names is None or any(fnmatchcase(name, wanted) for name in names for wanted in self.names)


def names_of(pf: Pf) -> set[str]:
    """Return how files may name a PF: by its address, and by names and MAC address of its link."""
    link = pf.link
    return {pf.name, pf.address, *((*link.altnames, link.mac.lower()) if link is not None else ())} - {""}


def all_on(roots: Roots) -> list[Claim]:
    """Return who claims PFs on this node; files that cannot be read or understood claim none."""
    return [*_operator(roots), *_netplan(roots), *_network_manager(roots), *_systemd(roots)]


def _operator(roots: Roots) -> Iterator[Claim]:
    folder = os.path.join(roots.etc, "sriov-operator")
    if not os.path.isdir(folder):
        return
    kept = os.path.join(folder, "pci")
    addresses = functions.entries(kept)
    for address in sorted(addresses):
        path = os.path.join(kept, address)
        # Of such a PF it has only the VFs, which others make.
        if not member(loaded(path), "externallyManaged"):
            yield Claim(OPERATOR, path, frozenset((address.lower(),)))
    if not addresses:
        yield Claim(OPERATOR, folder)


def _netplan(roots: Roots) -> Iterator[Claim]:
    for path in _files(roots, "netplan", (".yaml",)):
        names = netplan_names(functions.text(path))
        if names:
            yield Claim(NETPLAN, path, names)


def _network_manager(roots: Roots) -> Iterator[Claim]:
    for path in _files(roots, "NetworkManager/system-connections", ("",)):
        profile = _ini(functions.text(path))
        if profile.has_section("sriov"):
            name = profile.get("connection", "interface-name", fallback="")
            mac = profile.get("ethernet", "mac-address", fallback="").lower()
            yield Claim(NETWORK_MANAGER, path, frozenset((name, mac)) - {""})


def _systemd(roots: Roots) -> Iterator[Claim]:
    for path in _files(roots, "systemd/network", (".link", ".network")):
        unit = _ini(functions.text(path))
        if unit.has_section("SR-IOV") or unit.has_option("Link", "SR-IOVVirtualFunctions"):
            words = (word for key in SYSTEMD_MATCHES for word in unit.get("Match", key, fallback="").split())
            yield Claim(SYSTEMD, path, frozenset(_plain(word.removeprefix("pci-")) for word in words))


def netplan_names(text: str) -> frozenset[str]:
    """Return the interfaces that a file of netplan's makes VFs of: names, patterns of names, and MAC addresses.

    text: YAML in its usual form, of indented lines.
    """
    found = set()
    also: dict[str, set[str]] = {}
    for keys, value in _yaml(text):
        if len(keys) < 4 or keys[1] != "ethernets":
            continue
        if keys[3] in NETPLAN_KEYS:
            found.add(keys[2])
        elif keys[3] == "link":
            found.add(value)
        elif keys[3] == "set-name" or (keys[3] == "match" and keys[-1] in NETPLAN_MATCHES):
            also.setdefault(keys[2], set()).add(_plain(value))
    return frozenset(found.union(*(also.get(name, ()) for name in found)))


def _yaml(text: str) -> Iterator[tuple[list[str], str]]:
    """Give the values in YAML that is written in lines, each with the keys that lead to it."""
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        content = line.split(" #")[0].rstrip()
        key, colon, value = content.strip().partition(":")
        if not colon or content.lstrip().startswith("#"):
            continue
        indent = len(content) - len(content.lstrip())
        path = [*(x for x in path if x[0] < indent), (indent, _unquoted(key))]
        keys = [x for _, x in path]
        if value.strip().startswith("{"):
            pairs = (pair.partition(":") for pair in value.strip().strip("{}").split(","))
            yield from (([*keys, _unquoted(inner)], _unquoted(of)) for inner, _, of in pairs)
        else:
            yield keys, _unquoted(value)


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'")


def _ini(text: str) -> configparser.RawConfigParser:
    """Return the sections of a file, none where it has another form."""
    found = configparser.RawConfigParser(strict=False, allow_no_value=True, delimiters="=", comment_prefixes=("#", ";"))
    try:
        found.read_string(text + "\n")
    except configparser.Error:
        found.clear()
    return found


def _plain(word: str) -> str:
    """Return a name as it is, a MAC address in small letters."""
    return word.lower() if word.count(":") == 5 else word


def _files(roots: Roots, folder: str, endings: tuple[str, ...]) -> Iterator[str]:
    for base in (roots.etc, roots.run):
        names = sorted(functions.entries(os.path.join(base, folder)))
        yield from (os.path.join(base, folder, name) for name in names if name.endswith(endings))
