"""What the node's administrator decides for all plugins, in one file that pods cannot reach.

/etc/plumbline/node.json, all members optional:

    {"builtinIPAM": false}   execute host-local and static from CNI_PATH instead of running them in-process
"""

from __future__ import annotations

from cni.errors import CniError, invalid_config
from cni.files import read
from cni.jsontext import JSONError, loads
from cni.section import Section

PATH = "/etc/plumbline/node.json"


class NodeConfig:
    """builtin_ipam: whether the IPAM types that we have built in run in-process."""

    __slots__ = ("builtin_ipam",)

    def __init__(self, builtin_ipam: bool = True) -> None:
        self.builtin_ipam = builtin_ipam


def load(path: str = PATH) -> NodeConfig:
    """Return what the file says; an absent file and an absent member mean the default.

    Raises CniError: code 7 when it makes no sense, code 5 when it cannot be read. To go on with defaults instead would
    do what the administrator forbade.
    """
    data = read(path)
    if data is None:
        return NodeConfig()
    try:
        value = loads(data.decode())
        if not isinstance(value, dict):
            raise JSONError("not a JSON object")
        return NodeConfig(Section(value).boolean("builtinIPAM", default=True))
    except (UnicodeDecodeError, JSONError) as e:
        raise invalid_config(f"cannot understand {path}: {e}") from None
    except CniError as e:
        raise invalid_config(f"cannot understand {path}: {e.msg}") from None
