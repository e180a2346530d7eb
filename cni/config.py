"""The network configuration on standard input: the members that every plugin has in common."""

from __future__ import annotations

from cni.convert import parse_result, read_dns
from cni.errors import DECODING_FAILURE, INCOMPATIBLE_VERSION, CniError, invalid_config
from cni.jsontext import JSONError, loads
from cni.limits import CONFIG_BYTES
from cni.section import Section, refused
from cni.version import OLDEST, SUPPORTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.result import DNS, Result

__all__ = ["NetConf", "Section", "decode", "is_safe_name", "parse", "refused", "version_of"]

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
    """

    __slots__ = (
        "args",
        "cni_version",
        "ipam",
        "name",
        "raw",
        "runtime_config",
        "section",
        "type",
        "valid_attachments",
    )

    def __init__(self, raw: dict[str, object]) -> None:
        self.raw = raw
        self.section = section = Section(raw)
        self.cni_version = version_of(raw)
        self.name = _network_name(section)
        self.type = section.string("type")
        self.ipam = _ipam(section)
        self.runtime_config = section.section("runtimeConfig")
        self.args = section.section("args").section("cni")
        self.valid_attachments = _valid_attachments(section)

    @property
    def dns(self) -> DNS:
        """The configuration's `dns`. Raises CniError (code 7)."""
        return read_dns(self.section.section("dns"))

    @property
    def prev_result(self) -> Result | None:
        """The configuration's `prevResult`, None when it has none. Raises CniError (code 7)."""
        raw = self.section.get("prevResult")
        return None if raw is None else parse_result(raw, self.cni_version, "prevResult")

    def read_results(self) -> None:
        """Make sure that `dns` and `prev_result` can be read. Raises CniError (code 7)."""
        _ = self.dns, self.prev_result


def parse(stdin: bytes, max_bytes: int = CONFIG_BYTES) -> NetConf:
    """Return the configuration that standard input holds. Raises CniError, code 6 or as NetConf does."""
    return NetConf(decode(stdin, max_bytes))


def decode(stdin: bytes, max_bytes: int = CONFIG_BYTES) -> dict[str, object]:
    """Return the JSON object that standard input holds. Raises CniError (code 6)."""
    if len(stdin) > max_bytes:
        raise _undecodable(f"standard input is longer than {max_bytes} bytes")
    if not stdin.strip():
        raise _undecodable("standard input is empty")
    try:
        value = loads(stdin.decode())
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
    return name


def _ipam(section: Section) -> Section | None:
    ipam = section.section("ipam")
    kind = ipam.string("type")
    if "/" in kind or kind in (".", ".."):
        raise refused("ipam.type", kind, "the name of an executable without a path")
    return ipam if kind else None


def _valid_attachments(section: Section) -> list[tuple[str, str]] | None:
    """The specification has `cni.dev/valid-attachments`, its text once `cni.dev/attachments`; libcni sends both."""
    for key in ("cni.dev/valid-attachments", "cni.dev/attachments"):
        if section.has(key):
            return [(_needed(item, "containerID"), _needed(item, "ifname")) for item in section.sections(key)]
    return None


def _needed(section: Section, key: str) -> str:
    """An entry that is not whole is refused: taken for nothing, it would cost a running pod its device."""
    value = section.string(key)
    if not value:
        raise refused(section.where, section.raw, f'an object with "{key}"')
    return value
