"""The accelerated-bridge part of a network configuration: the VF, the bridge, and the VLANs of the port."""

from __future__ import annotations

from dataclasses import dataclass, field

from cni.linux.netlink.bridge import PVID, UNTAGGED
from cni.linux.netlink.link import is_name
from cni.protocol.config import NetConf
from cni.protocol.section import Section, refused
from plugins.vf import config
from plugins.vf.config import VfConfig

DEFAULT_BRIDGE = "cni0"
MAX_VLAN = 4094  # IEEE 802.1Q, 9.6: 0 and 4095 are no VLANs


@dataclass(slots=True)
class BridgeConfig(VfConfig):
    """What the user asks for.

    bridges: names, at least one; several mean the one that the uplink is in. native: the VLAN of what is untagged, 0
    when none is asked for. trunk: the VLANs that are let through with their tags, in ascending order. on_uplink:
    whether these VLANs are set on the uplink, too.
    """

    bridges: list[str] = field(default_factory=lambda: [DEFAULT_BRIDGE])
    native: int = 0
    trunk: list[int] = field(default_factory=list)
    on_uplink: bool = False

    def vlans(self) -> dict[int, int]:
        """Return the VLANs of the port, as in `netlink.bridge.Port`; empty for what the bridge gives every port."""
        native = {self.native: PVID | UNTAGGED} if self.native else {}
        return {**dict.fromkeys(self.trunk, 0), **native}


def parse(conf: NetConf, args: str) -> BridgeConfig:
    """Read and check all parameters; nothing on the host is looked at.

    args: CNI_ARGS. Raises CniError (code 7) naming field and value; code 4 for CNI_ARGS.
    """
    section = conf.section
    wanted = BridgeConfig(config.address_needed(conf))
    config.common(wanted, conf, args)
    wanted.bridges = bridges(section)
    _read_vlans(section, wanted)
    wanted.on_uplink = section.boolean("setUplinkVlan")
    section.boolean("debug")  # of the right type, if it is there; cni.skel looks at it
    return wanted


def bridges(section: Section) -> list[str]:
    """Return the names of the bridges. Raises CniError (code 7)."""
    text = section.string("bridge") or DEFAULT_BRIDGE
    names = [name.strip() for name in text.split(",")]
    if not all(is_name(name) for name in names):
        raise refused("bridge", text, "the name of a bridge, or several with commas between them")
    return names


def vlans(section: Section) -> dict[int, int]:
    """Return the VLANs of the port, as `BridgeConfig.vlans` does. Raises CniError (code 7)."""
    wanted = BridgeConfig("")
    _read_vlans(section, wanted)
    return wanted.vlans()


def _read_vlans(section: Section, wanted: BridgeConfig) -> None:
    wanted.native = section.integer("vlan", 0, 0, MAX_VLAN)
    wanted.trunk = sorted({vlan for item in section.sections("trunk") for vlan in _members(item)})


def _members(item: Section) -> list[int]:
    """Return the VLANs that one member of `trunk` names: one by `id`, a range by `minID` and `maxID`, or both."""
    vlan = item.optional_integer("id", 1, MAX_VLAN)
    first = item.optional_integer("minID", 1, MAX_VLAN)
    last = item.optional_integer("maxID", 1, MAX_VLAN)
    if (first is None) != (last is None):
        raise refused(item.where, item.raw, 'an object with both "minID" and "maxID", or neither')
    if vlan is None and first is None:
        raise refused(item.where, item.raw, 'an object with "id", or with "minID" and "maxID"')
    if first is not None and last is not None and first > last:
        raise refused(item.name_of("minID"), first, f"at most maxID, which is {last}")
    found = [] if vlan is None else [vlan]
    return found + ([] if first is None or last is None else list(range(first, last + 1)))
