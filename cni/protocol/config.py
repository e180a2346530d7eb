"""The network configuration on standard input: the members that every plugin has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cni.protocol.convert import parse_result, read_dns
from cni.protocol.errors import DECODING_FAILURE, INCOMPATIBLE_VERSION, CniError, invalid_config
from cni.protocol.jsontext import JSONError, loads
from cni.protocol.limits import CONFIG_BYTES, NETWORK_NAME_BYTES
from cni.protocol.result import DNS, Result
from cni.protocol.section import VALID_ATTACHMENTS, VALID_ATTACHMENTS_ONCE, Section, note, refused
from cni.protocol.version import CURRENT, OLDEST, SUPPORTED

A = TypeVar("A")
T = TypeVar("T")

_ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_SAFE = _ALPHANUMERIC | frozenset("_.-")


def is_safe_name(name: str) -> bool:
    """Return whether the name starts alphanumeric and goes on with alphanumerics, `_`, `.` and `-`, all of ASCII.

    The specification demands it of network names and container IDs; such a name is safe as a part of a path.
    """
    return name[:1] in _ALPHANUMERIC and _SAFE.issuperset(name)


class NetConf:
    """One plugin's configuration.

    raw: the whole JSON object; section: the same for typed reading. ipam: None when absent or without type.
    runtime_config: `runtimeConfig`, what the runtime fills in for declared capabilities. args: `args.cni`.
    valid_attachments: (container ID, interface name) pairs for GC; None when the runtime sent no list.

    Building one raises CniError: code 1 for a version that we do not speak, code 7 for a field that is not allowed.
    `dns` and `prev_result` are read when they are asked for: DEL has to succeed without, and need not load what reads
    them. `read_results` finds out beforehand whether they can be read.

    lenient: what cannot be read counts as absent, then and later, and is noted in `warnings`, but for the members named
    in `needed`. That is for DEL, which has to give back what ADD gave by container ID and interface name alone, and has
    to say that all is well where ADD refused the same configuration. `name` is empty then if it is no name of a
    network: nobody may make a path of it without asking.
    """

    __slots__ = (
        "_lenient", "args", "cni_version", "ipam", "name", "raw", "runtime_config", "section", "type",
        "valid_attachments", "warnings",
    )  # fmt: skip

    def __init__(self, raw: dict[str, object], lenient: bool = False, needed: tuple[str, ...] = ()) -> None:
        self.raw = raw
        self.warnings: list[str] = []
        self._lenient = lenient
        self.section = Section(raw, "", self.warnings if lenient else None)
        strict = Section(raw)
        self.cni_version = self._read(CURRENT, version_of, raw, "cniVersion" in needed)
        self.name = self._read("", _network_name, strict, "name" in needed)
        self.type = self.section.string("type")
        self.ipam = self._read(None, _ipam, strict if "ipam" in needed else self.section, "ipam" in needed)
        self.runtime_config = self.section.section("runtimeConfig")
        self.args = self.section.section("args").section("cni")
        self.valid_attachments = self._read(None, _valid_attachments, strict, VALID_ATTACHMENTS in needed)

    def _read(self, otherwise: T, read: Callable[[A], T], source: A, is_needed: bool = False) -> T:
        """Return what a member holds, or `otherwise` when it cannot be read and need not be."""
        try:
            return read(source)
        except CniError as e:
            if is_needed or not self._lenient:
                raise
            note(self.warnings, e)
            return otherwise

    @property
    def dns(self) -> DNS:
        """The configuration's `dns`. Raises CniError (code 7)."""
        return read_dns(self.section.section("dns"))

    @property
    def prev_result(self) -> Result | None:
        """The configuration's `prevResult`, None when it has none. Raises CniError (code 7)."""
        raw = self.section.get("prevResult")
        if raw is None:
            return None
        return self._read(None, lambda value: parse_result(value, self.cni_version, "prevResult"), raw)

    def read_results(self) -> None:
        """Make sure that `dns` and `prev_result` can be read. Raises CniError (code 7)."""
        _ = self.dns, self.prev_result


def decode(stdin: bytes, max_bytes: int = CONFIG_BYTES, lenient: bool = False) -> dict[str, object]:
    """Return the JSON object that standard input holds. lenient: as in `loads`. Raises CniError (code 6)."""
    if len(stdin) > max_bytes:
        raise _undecodable(f"standard input is longer than {max_bytes} bytes, which is the limit")
    if not stdin.strip():
        raise _undecodable("standard input is empty")
    try:
        value = loads(stdin.decode(), lenient)
    except UnicodeDecodeError as e:
        raise _undecodable(f"not UTF-8: byte 0x{stdin[e.start]:02x} at offset {e.start}") from None
    except JSONError as e:
        raise _undecodable(f"not JSON: {e}") from None
    if not isinstance(value, dict):
        raise _undecodable("not a JSON object")
    return value


def _undecodable(reason: str) -> CniError:
    return CniError(DECODING_FAILURE, f"cannot decode the network configuration: {reason}")


def version_of(raw: dict[str, object]) -> str:
    """Return the configuration's cniVersion, 0.1.0 when it has none.

    Raises CniError: code 1 when we do not speak it, code 7 when it is not a string.
    """
    version = Section(raw).string("cniVersion") or OLDEST
    if version not in SUPPORTED:
        raise CniError(
            INCOMPATIBLE_VERSION,
            f"incompatible CNI versions: {refused('cniVersion', version, 'one that the plugin supports').msg}",
            f"the plugin supports {', '.join(SUPPORTED)}",
        )
    return version


def _network_name(section: Section) -> str:
    name = section.string("name")
    if not name:
        raise invalid_config("missing network name", 'the configuration has no "name"')
    if not is_safe_name(name):
        wanted = "a letter or digit, then letters, digits, '_', '.' and '-'"
        raise invalid_config(f"invalid characters found in network {refused('name', name, wanted).msg}")
    if len(name) > NETWORK_NAME_BYTES:
        raise refused("name", name, f"a name of at most {NETWORK_NAME_BYTES} bytes; this one has {len(name)}")
    return name


def _ipam(section: Section) -> Section | None:
    ipam = section.section("ipam")
    kind = ipam.string("type")
    if "/" in kind or kind in (".", ".."):
        raise refused("ipam.type", kind, "the name of an executable without a path")
    return ipam if kind else None


def _valid_attachments(section: Section) -> list[tuple[str, str]] | None:
    """null is no list. libcni sends it where a runtime has named no attachment of a network, and CRI-O asks GC of every
    network in its folder, also of those to which only Multus attaches pods: taken for an empty list, it would cost them
    their devices.
    """
    for key in (VALID_ATTACHMENTS, VALID_ATTACHMENTS_ONCE):
        if section.has(key):
            return [_whole(item) for item in section.sections(key)]
    return None


def _whole(section: Section) -> tuple[str, str]:
    """An entry that is not whole is refused: taken for nothing, it would cost a running pod its device."""
    container_id, ifname = section.string("containerID"), section.string("ifname")
    if not (container_id and ifname):
        raise section.lacks("ifname" if container_id else "containerID")
    return container_id, ifname
