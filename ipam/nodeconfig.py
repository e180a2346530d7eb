"""What the node's administrator decides for all plugins, in one file that pods cannot reach.

/etc/plumbline/node.json, all members optional:

    {"builtinIPAM": false,            execute host-local and static from CNI_PATH instead of running them in-process
     "dataDirs": ["/srv/networks"],   folders in which, or below which, host-local may keep stores (`dataDir`)
     "resolvConfDirs": ["/srv/dns"]}  folders in which, or below which, a file that `resolvConf` names may lie
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cni.linux.files import read
from cni.protocol.errors import CniError, invalid_config
from cni.protocol.jsontext import JSONError, loads
from cni.protocol.section import Section, refused

PATH = "/etc/plumbline/node.json"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """builtin_ipam: whether the IPAM types that we have built in run in-process. data_dirs, resolv_conf_dirs: folders
    that are allowed beside the usual ones; absolute, without `.` and `..`.
    """

    builtin_ipam: bool = True
    data_dirs: list[str] = field(default_factory=list)
    resolv_conf_dirs: list[str] = field(default_factory=list)


def load(path: str = PATH) -> NodeConfig:
    """Return what the file says; an absent file and an absent member mean the default.

    Raises CniError: code 7 when it makes no sense, code 5 when it cannot be read. To go on with defaults instead would
    do what the administrator forbade.
    """
    data = read(path, follow=True)  # tools that distribute configuration make it a link
    if data is None:
        return NodeConfig()
    try:
        value = loads(data.decode())
        if not isinstance(value, dict):
            raise JSONError("not a JSON object")
        section = Section(value)
        built_in = section.boolean("builtinIPAM", default=True)
        return NodeConfig(built_in, _folders(section, "dataDirs"), _folders(section, "resolvConfDirs"))
    except (UnicodeDecodeError, JSONError, CniError) as e:
        raise invalid_config(f"cannot understand {path}: {e}") from None


def _folders(section: Section, key: str) -> list[str]:
    """The root folder is none to list: it would allow everything, the plugins' own folders among it."""
    folders = section.strings(key)
    for index, folder in enumerate(folders):
        root, *parts = folder.rstrip("/").split("/")
        if root or not parts or any(part in ("", ".", "..") for part in parts):
            wanted = "an absolute path without '.' and '..', and not '/'"
            raise refused(f"{section.name_of(key)}[{index}]", folder, wanted)
    return [folder.rstrip("/") for folder in folders]
