"""Where stores may be: a configuration's `dataDir` and its network's name make folders and files on the host.

Whoever may write a network configuration must not thereby make files anywhere, block another plugin by a file in the
place of its folder, or reserve addresses of another network. So a store lies below the default folder, or below a
folder that the node's administrator lists, wherever links on the way lead to; never in a folder in which plugins keep
other things, and never in another network's store. To release what is there already takes less: see `release`.
"""

from __future__ import annotations

import os

from cni.linux.files import TEMPORARY_PREFIX, is_beneath
from cni.protocol.config import is_safe_name
from cni.protocol.errors import CniError, invalid_config
from cni.protocol.ip import address_or_none
from cni.protocol.limits import FILE_NAME_BYTES
from cni.protocol.section import refused
from ipam import nodeconfig
from ipam.host_local.store import LAST_RESERVED, LOCK, is_store

DEFAULT = "/var/lib/cni/networks"

OTHERS = (
    "/etc/cni", "/etc/plumbline", "/opt/cni", "/var/lib/cni/accelerated-bridge", "/var/lib/cni/cache",
    "/var/lib/cni/host-device", "/var/lib/cni/multus", "/var/lib/cni/results", "/var/lib/cni/sriov",
)  # fmt: skip
"""Folders in which plugins and runtimes keep other things. An administrator who lists one that holds these does not
mean them."""


class Places:
    """The folders in which stores may be. default: the usual one. node_config: path of the administrator's file."""

    __slots__ = ("_default", "_node_config")

    def __init__(self, default: str = DEFAULT, node_config: str = nodeconfig.PATH) -> None:
        self._default = default
        self._node_config = node_config

    def anyones(self, data_dir: str, network: str) -> str:
        """Return the same folder as `store`, also where none may be, for what changes nothing that is not the
        attachment's own. Empty when there can be no such folder.
        """
        data_dir = data_dir or self._default
        if not is_safe_name(network) or not data_dir.startswith("/"):
            return ""
        return os.path.realpath(os.path.join(data_dir, network))

    def store(self, data_dir: str, network: str) -> str:
        """Return the folder of the store for a `dataDir`, empty for the default, and a network's name.

        Raises CniError (code 7) that names field and value.
        """
        if not is_safe_name(network):  # DEL takes a configuration as it comes
            raise refused("name", network, "a name, which becomes that of a folder")
        if len(os.fsencode(network)) > FILE_NAME_BYTES:
            raise refused("name", network, f"at most {FILE_NAME_BYTES} bytes long for host-local: it is a folder")
        usual = os.path.join(self._default, network)
        if data_dir in ("", self._default) and not os.path.islink(usual):
            return usual
        data_dir = data_dir or self._default
        parts = [part for part in data_dir.split("/") if part]
        roots = [self._default, *nodeconfig.load(self._node_config).data_dirs]
        if not data_dir.startswith("/") or "." in parts or ".." in parts:
            raise self._refused(data_dir, "it must be absolute, without '.' and '..'", roots)
        store = os.path.realpath(os.path.join("/", *parts, network))
        root = next((one for one in map(os.path.realpath, roots) if is_beneath(store, [one]) and store != one), None)
        if root is None:
            raise self._refused(data_dir, f"that would make the store {store}", roots)
        others = [one for one in (*OTHERS, *roots) if is_beneath(os.path.realpath(one), [store])]
        others += [one for one in OTHERS if is_beneath(store, [one])]
        if others:
            raise self._refused(data_dir, f"the store would be {store}, and {others[0]} is for other things", roots)
        self._refuse_inside_a_store(data_dir, root, store, roots)
        return store

    def _refuse_inside_a_store(self, data_dir: str, root: str, store: str, roots: list[str]) -> None:
        """A folder in a store could have the name of an address or of the lock, and the network would suffer from it.
        The store need not be there yet.
        """
        between = os.path.relpath(store, root).split("/")
        for number in range(1, len(between)):
            above, name = os.path.join(root, *between[:number]), between[number]
            if is_store(above):
                raise self._refused(data_dir, f"{above} is the store of network {between[number - 1]}", roots)
            if _is_for_stores(name):
                raise self._refused(data_dir, f"{name} in {above} could be a file of the store of a network", roots)

    def _refused(self, data_dir: str, reason: str, roots: list[str]) -> CniError:
        wanted = f"{' or '.join(roots)}, or a folder below that is no network's store"
        details = f"{reason}; other folders can be allowed as dataDirs in {self._node_config}; nothing was changed"
        return invalid_config(refused("ipam.dataDir", data_dir, wanted).msg, details)


def _is_for_stores(name: str) -> bool:
    """Return whether a file in a store could have this name."""
    return name == LOCK or name.startswith((LAST_RESERVED, TEMPORARY_PREFIX)) or address_or_none(name) is not None
