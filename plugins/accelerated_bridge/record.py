"""The record of an attachment, in the format of accelerated-bridge-cni: either can finish what the other began.

{"cniVersion": "1.0.0", "name": "blue", "type": "accelerated-bridge", "ipam": {"type": "host-local"},
 "deviceID": "0000:03:02.6", "bridge": "br1,br2", "vlan": 100, "trunk": [7, 100, 101], "setUplinkVlan": true,
 "mac": "...", "mtu": 1500, "pf_name": "ens2f0", "vfid": 6, "actual_bridge": "br1", "representor": "ens2f0_6",
 "cont_if_names": "net1", "IsUserspaceDriver": false,
 "orig_vf_state": {"host_if_name": "ens2f0v6", "admin_mac": "...", "effective_mac": "...", "mtu": 1500},
 "orig_rep_state": {"mtu": 1500},
 "trust": "on", "spoofchk": "off",                                 ours: what accelerated-bridge-cni does not know
 "containerID": "c0ffee", "ifName": "net1",                        ours: whose (state)
 "plumbline": {...,                                                ours (cni.attach.record), and of the representor:
               "table": {"trust": false, "spoofchk": true},        the VF's switches as they were, as far as known
               "representor": {"index": 9, "port": "pf0vf6", "up": false, "master": "", "vlans": {"1": 6},
                               "bridgeIndex": 12, "uplink": "ens2f0", "uplinkIndex": 3, "uplinkVlans": [7]}}}

A record that accelerated-bridge-cni wrote lacks what is marked as ours; it counts as unknown then, and the VLANs on the
uplink as brought by that attachment. Some of its versions have `trunk` as the configuration has it, or the list under
another name, `trunk_vlan_list`. `vlans` are those of `cni.linux.netlink.bridge.Port`.
"""

from __future__ import annotations

from cni.attach import record
from cni.linux import pci
from cni.linux.netlink.link import Link, is_name
from cni.linux.netlink.vf import VF
from cni.protocol.section import Section, refused
from plugins.accelerated_bridge.config import MAX_VLAN, BridgeConfig
from plugins.accelerated_bridge.port import RepresentorPort
from plugins.vf import record as vf_record
from plugins.vf.attachment import VfAttachment

STATE_FOLDER = "/var/lib/cni/accelerated-bridge"
_MAX_VLAN = 0xFFF


def to_record(attachment: VfAttachment, conf: Section) -> dict[str, object]:
    """Return what `state.Store.save` is to keep. conf: the network configuration."""
    wanted, original, port = attachment.wanted, attachment.original or Link(0, ""), attachment.beside
    assert isinstance(wanted, BridgeConfig)
    assert isinstance(port, RepresentorPort)
    table = attachment.table or VF(-1)
    whole = vf_record.copied(conf)
    whole |= {
        "deviceID": wanted.address,
        "bridge": ",".join(record.stored(name) for name in wanted.bridges),
        "vlan": wanted.native,
        "trunk": wanted.trunk,
        "setUplinkVlan": wanted.on_uplink,
        "debug": conf.boolean("debug"),
        "mac": wanted.mac,
        "mtu": wanted.mtu or 0,
        "pf_name": record.stored(attachment.pf),
        "vfid": attachment.index,
        "actual_bridge": record.stored(port.bridge),
        "representor": record.stored(port.original.name),
        "cont_if_names": attachment.owner.ifname,
        "IsUserspaceDriver": attachment.original is None,
        **vf_record.switches(wanted),
        "orig_vf_state": {
            "host_if_name": record.stored(original.name),
            "admin_mac": table.mac,
            "effective_mac": original.mac,
            "mtu": original.mtu,
        },
        "orig_rep_state": {"mtu": port.original.mtu},
    }
    switches = (("trust", table.trust), ("spoofchk", table.spoofchk))
    whole[record.OURS] = {
        **record.own(attachment),
        "table": {key: value for key, value in switches if value is not None},
        "representor": {
            "index": port.original.index,
            "port": port.original.port,
            "up": port.original.up,
            "master": record.stored(port.master),
            "vlans": {str(vlan): flags for vlan, flags in port.original_vlans.items()},
            "bridgeIndex": port.bridge_index,
            "uplink": record.stored(port.uplink),
            "uplinkIndex": port.uplink_index,
            "uplinkVlans": port.uplink_vlans,
        },
    }
    return whole


def from_record(raw: dict[str, object], state_folder: str = STATE_FOLDER, sysfs_root: str = pci.ROOT) -> VfAttachment:
    """Return the attachment of a record, ours or accelerated-bridge-cni's. Raises CniError naming what is wrong.

    state_folder, sysfs_root: as in `RepresentorPort`.
    """
    section = Section(raw, "record")
    wanted = BridgeConfig(vf_record.address(section, "orig_vf_state"))
    state, ours = section.section("orig_vf_state"), section.section(record.OURS)
    wanted.mac = vf_record.mac(section, "mac")
    wanted.mtu = record.mtu(section, "mtu") or None
    wanted.bridges = _bridges(section)
    wanted.native = section.integer("vlan", 0, 0, _MAX_VLAN)
    wanted.trunk = _trunk(section)
    wanted.on_uplink = section.boolean("setUplinkVlan")
    vf_record.read_switches(section, wanted)
    pf, index = record.link_name(section, "pf_name"), section.integer("vfid", 0, 0, record.MAX_U32)
    mtu = record.mtu(state, "mtu")
    original = record.read_link(state.string("host_if_name"), vf_record.mac(state, "effective_mac"), mtu, ours)
    table = VF(index)
    table.mac = vf_record.mac(state, "admin_mac")
    switches = ours.section("table")
    table.trust, table.spoofchk = (
        switches.boolean(key) if switches.has(key) else None for key in ("trust", "spoofchk")
    )
    found = vf_record.attachment(section, wanted, pf, index, original, table)
    found.beside = _port(section, ours, found, mtu, state_folder, sysfs_root)
    return found


def _bridges(section: Section) -> list[str]:
    names = [record.restored(name) for name in section.string("bridge").split(",")]
    for name in names:
        if name and not is_name(name):
            raise refused(section.name_of("bridge"), name, "names of links")
    return names


def _trunk(section: Section) -> list[int]:
    """Return the VLANs of a record's trunk, in whichever form. In an object 0 is as absent, half a range nothing."""
    if section.has("trunk_vlan_list"):
        return section.integers("trunk_vlan_list", 0, _MAX_VLAN)
    trunk = section.get("trunk")
    if not isinstance(trunk, list) or not all(isinstance(item, dict) for item in trunk):
        return section.integers("trunk", 0, _MAX_VLAN)
    found: set[int] = set()
    for item in section.sections("trunk"):
        vlan, first, last = (item.optional_integer(key, 0, _MAX_VLAN) for key in ("id", "minID", "maxID"))
        found |= {vlan} if vlan else set()
        found |= set(range(first, last + 1)) if first and last else set()
    return sorted(found)


def _port(
    section: Section, ours: Section, found: VfAttachment, vf_mtu: int, state_folder: str, sysfs_root: str
) -> RepresentorPort | None:
    name = record.link_name(section, "representor")
    if not name:
        return None
    wanted = found.wanted
    assert isinstance(wanted, BridgeConfig)
    known = ours.section("representor")
    original = Link(known.integer("index", 0, 0, record.MAX_INDEX), name)
    original.mtu = record.mtu(section.section("orig_rep_state"), "mtu")
    original.port = record.word(known, "port")
    original.up = known.boolean("up")  # accelerated-bridge-cni takes it down
    is_ours = section.has(record.OURS)
    mtu = wanted.mtu or (vf_mtu if is_ours else 0)  # accelerated-bridge-cni sets one only if it is asked for
    into = record.link_name(section, "actual_bridge")
    port = RepresentorPort(original, into, wanted.vlans(), mtu, found.pf, state_folder, sysfs_root)
    port.vf, port.vf_index = wanted.address, found.index
    port.exact = is_ours  # accelerated-bridge-cni leaves a default VLAN that is not 1
    port.master = record.link_name(known, "master")
    vlans = known.section("vlans")
    port.original_vlans = {_vlan(vlans, key): vlans.integer(key, 0, 0, 0xFFFF) for key in vlans.raw}
    port.bridge_index = known.integer("bridgeIndex", 0, 0, record.MAX_INDEX)
    port.uplink = record.link_name(known, "uplink")
    port.uplink_index = known.integer("uplinkIndex", 0, 0, record.MAX_INDEX)
    if is_ours:
        port.uplink_vlans = known.integers("uplinkVlans", 0, _MAX_VLAN)
    elif wanted.on_uplink:
        port.uplink_vlans = sorted(port.vlans)
    return port


def _vlan(vlans: Section, key: str) -> int:
    if not key.isascii() or not key.isdecimal() or len(key) > 4 or int(key) > MAX_VLAN:
        raise refused(vlans.where, key, "an object whose members are called as VLANs are numbered")
    return int(key)
