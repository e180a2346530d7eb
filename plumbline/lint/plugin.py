"""One plugin's configuration through the parsers of that plugin and its IPAM; nothing on the host is looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any

from cni.protocol.config import NetConf
from cni.protocol.errors import CniError, invalid_config
from cni.protocol.request import Request
from cni.protocol.section import VALID_ATTACHMENTS, VALID_ATTACHMENTS_ONCE, Section
from ipam import members
from ipam.delegate import NOT_IPAM
from ipam.host_local import config as host_local_config
from ipam.static import config as static_config
from plugins.accelerated_bridge import config as accelerated_bridge
from plugins.host_device import config as host_device
from plugins.sriov import config as sriov

__all__ = ["OURS", "VF_PLUGINS", "errors", "unknown_members"]

VF_PLUGINS = ("sriov", "accelerated-bridge")
OURS = (*VF_PLUGINS, "host-device")

ANY_DEVICE = "0000:00:00.0"
"""What stands for the VF that the device plugin chooses when a pod comes."""

COMMON = frozenset((
    "cniVersion", "name", "type", "ipam", "dns", "capabilities", "runtimeConfig", "args", "prevResult", "deviceID",
    "disableCheck", "disableGC", "logLevel", "logFile", VALID_ATTACHMENTS, VALID_ATTACHMENTS_ONCE,
))  # fmt: skip
"""Members that the runtime, libcni or the door knows in any plugin's configuration."""

FOR_RUNTIMES = frozenset((VALID_ATTACHMENTS, VALID_ATTACHMENTS_ONCE, "prevResult", "runtimeConfig"))
"""Those of them that nobody writes into a file."""

FREE = frozenset(("dns", "capabilities", "runtimeConfig", "args", "prevResult"))
"""Members in which anything may stand."""

IPAM_MEMBERS = {
    "ipam": members.IPAM,
    "ranges": members.RANGE,
    "addresses": members.ADDRESS,
    "routes": members.ROUTE,
    "dns": members.DNS,
}
"""What is known in the parts of `ipam`, by whichever IPAM plugin, by the name of the list or object."""


class Asked(dict[str, object]):
    """A JSON object that notes which members a parser has asked for: these are the known ones, and no list of them need
    be kept.
    """

    def __init__(self, raw: dict[str, object]) -> None:
        super().__init__({key: _asked(value) for key, value in raw.items()})
        self.names: set[str] = set()

    def __contains__(self, key: object) -> bool:
        self.names.add(str(key))
        return super().__contains__(key)


def _asked(value: object) -> object:
    if isinstance(value, dict):
        return Asked(value)
    return [_asked(item) for item in value] if isinstance(value, list) else value


def errors(raw: Asked) -> list[CniError]:
    """Return what the plugin and its IPAM would refuse, the first error of each. raw: with `name` and `cniVersion`."""
    try:
        conf = NetConf(raw)
        conf.read_results()
    except CniError as e:
        return [e]
    device = OF_DEVICE.get(conf.type)
    tries: list[Callable[[NetConf], object]] = [] if device is None else [device, _ipam]
    return [error for error in (_error(read, conf) for read in tries) if error is not None]


def _error(read: Callable[[NetConf], object], conf: NetConf) -> CniError | None:
    try:
        read(conf)
    except CniError as e:
        return e
    return None


def _with_device(read: Callable[[NetConf, str], object]) -> Callable[[NetConf], object]:
    """Return a parser that does not mind a configuration without a VF."""

    def read_any(conf: NetConf) -> object:
        if not conf.section.has("deviceID") and not conf.runtime_config.has("deviceID"):
            dict.__setitem__(conf.raw, "deviceID", ANY_DEVICE)
            try:
                return read(NetConf(conf.raw), "")
            finally:
                dict.pop(conf.raw, "deviceID")
        return read(conf, "")

    return read_any


OF_DEVICE: dict[str, Callable[[NetConf], object]] = {
    "sriov": _with_device(sriov.parse),
    "accelerated-bridge": _with_device(accelerated_bridge.parse),
    "host-device": lambda conf: host_device.parse(conf, required=False),
}


def _ipam(conf: NetConf) -> object:
    kind = conf.ipam.string("type") if conf.ipam is not None else ""
    request = Request("ADD")
    if kind in NOT_IPAM:
        raise invalid_config(f'ipam.type: "{kind}" is not allowed; it must be an IPAM plugin, such as host-local')
    if kind == "static":
        return static_config.parse(request, conf)
    if kind == "host-local" and not host_local_config.is_left_to_runtime(conf):
        return host_local_config.parse(request, conf)
    return None


def unknown_members(raw: Asked) -> Iterator[tuple[str, str]]:
    """Give the full name of each member that no parser has asked for, and what to say of it; of many, the first ones.
    raw: after `errors`, which found none.
    """
    found = _unknown(raw, "", COMMON)
    yield from islice(found, members.MOST)
    if next(found, None) is not None:
        yield "", "and more members that are not known"


def _unknown(raw: Asked, where: str, known: Collection[str]) -> Iterator[tuple[str, str]]:
    names = {*known, *raw.names}
    if not names:
        return  # nobody has looked into it
    section = Section(dict(raw), where)
    unknown = set(members.unknown(section, names))
    for name in sorted(unknown):
        yield section.name_of(name), members.sentence(section, name, sorted(names - FOR_RUNTIMES))
    for key, value in raw.items():
        if key not in unknown and (where or key not in FREE):
            inside = IPAM_MEMBERS.get(key, ()) if where.startswith("ipam") or key == "ipam" else ()
            for place, child in _children(value, section.name_of(key)):
                yield from _unknown(child, place, inside)


def _children(value: Any, where: str) -> Iterator[tuple[str, Asked]]:
    """Give the objects in a value, with their places."""
    if isinstance(value, Asked):
        yield where, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _children(item, f"{where}[{index}]")
