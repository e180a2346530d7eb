"""The record of an attachment, in the format of sriov-cni: either implementation can finish what the other began.

{"cniVersion": "1.0.0", "name": "blue", "type": "sriov", "ipam": {"type": "host-local"},    the configuration
 "deviceID": "0000:03:02.6", "Master": "ens2f0", "VFID": 6, "MAC": "...", "MTU": 1500,      the VF; what was asked for
 "vlan": 100, "vlanQoS": 3, "vlanProto": "802.1q", "spoofchk": "off", "trust": "on", ...
 "OrigVfState": {"HostIFName": "ens2f0v6", "EffectiveMAC": "...", "MTU": 1500,              as it was before ADD
                 "AdminMAC": "...", "SpoofChk": true, "Trust": false, "Vlan": 0, "VlanQoS": 0, "VlanProto": 33024,
                 "MinTxRate": 0, "MaxTxRate": 0, "LinkState": 0},
 "containerID": "c0ffee", "ifName": "net1",                                                 ours: whose (state)
 "plumbline": {...}}                                                                        ours (cni.attach.record)

What was not asked for has no key: sriov-cni restores what has one. Numbers of link states are the kernel's, VlanProto
is the number of an EtherType. HostIFName is empty for a VF on a userspace driver. A record that sriov-cni wrote lacks
what is marked as ours; it counts as unknown then.
"""

from __future__ import annotations

from cni.attach import record
from cni.linux.netlink.link import Link
from cni.linux.netlink.vf import ETH_P_8021AD, LINK_STATES, VF
from cni.protocol.section import Section
from plugins.sriov.config import PROTOCOLS
from plugins.vf import record as vf_record
from plugins.vf.attachment import VfAttachment
from plugins.vf.config import VfConfig, Vlan


def to_record(attachment: VfAttachment, conf: Section) -> dict[str, object]:
    """Return what `state.Store.save` is to keep. conf: the network configuration."""
    wanted, original, table = attachment.wanted, attachment.original or Link(0, ""), attachment.table or VF(-1)
    whole = vf_record.copied(conf)
    whole |= {"deviceID": wanted.address, "Master": record.stored(attachment.pf), "VFID": max(attachment.index, 0)}
    whole["MAC"] = wanted.mac
    if wanted.mtu is not None:
        whole["MTU"] = wanted.mtu
    if wanted.vlan is not None:
        protocol = next(name for name, number in PROTOCOLS.items() if number == wanted.vlan.protocol)
        whole |= {"vlan": wanted.vlan.id, "vlanQoS": wanted.vlan.qos, "vlanProto": protocol}
    whole |= vf_record.switches(wanted)
    if wanted.link_state:
        whole["link_state"] = wanted.link_state
    if wanted.min_tx_rate is not None:
        whole["min_tx_rate"] = wanted.min_tx_rate
    if wanted.max_tx_rate is not None:
        whole["max_tx_rate"] = wanted.max_tx_rate
    whole["OrigVfState"] = {
        "HostIFName": record.stored(original.name),
        "EffectiveMAC": original.mac,
        "MTU": original.mtu,
        "AdminMAC": table.mac,
        "SpoofChk": bool(table.spoofchk),
        "Trust": bool(table.trust),
        "Vlan": table.vlan,
        "VlanQoS": table.qos,
        "VlanProto": table.protocol,
        "MinTxRate": table.min_tx_rate,
        "MaxTxRate": table.max_tx_rate,
        "LinkState": LINK_STATES.index(table.link_state),
    }
    whole[record.OURS] = record.own(attachment)
    return whole


def from_record(raw: dict[str, object]) -> VfAttachment:
    """Return the attachment of a record, ours or sriov-cni's. Raises CniError naming what is wrong with it."""
    section = Section(raw, "record")
    wanted = VfConfig(vf_record.address(section, "OrigVfState"))
    state, ours = section.section("OrigVfState"), section.section(record.OURS)
    wanted.mac = vf_record.mac(section, "MAC")
    wanted.mtu = section.optional_integer("MTU", 0, record.MAX_MTU)
    wanted.vlan = _vlan(section)
    vf_record.read_switches(section, wanted)
    wanted.link_state = section.string("link_state")
    wanted.min_tx_rate = section.optional_integer("min_tx_rate", 0, record.MAX_U32)
    wanted.max_tx_rate = section.optional_integer("max_tx_rate", 0, record.MAX_U32)
    pf = record.link_name(section, "Master")
    index = section.integer("VFID", 0, 0, record.MAX_U32) if pf else -1
    mtu = record.mtu(state, "MTU")
    original = record.read_link(state.string("HostIFName"), vf_record.mac(state, "EffectiveMAC"), mtu, ours)
    return vf_record.attachment(section, wanted, pf, index, original, _table(state, index) if pf else None)


def _table(state: Section, index: int) -> VF:
    table = VF(index)
    table.mac = vf_record.mac(state, "AdminMAC")
    table.spoofchk = state.boolean("SpoofChk")
    table.trust = state.boolean("Trust")
    table.vlan = state.integer("Vlan", 0, 0, record.MAX_U32)
    table.qos = state.integer("VlanQoS", 0, 0, record.MAX_U32)
    table.protocol = state.integer("VlanProto", 0, 0, 0xFFFF) or table.protocol
    table.min_tx_rate = state.integer("MinTxRate", 0, 0, record.MAX_U32)
    table.max_tx_rate = state.integer("MaxTxRate", 0, 0, record.MAX_U32)
    table.link_state = LINK_STATES[state.integer("LinkState", 0, 0, len(LINK_STATES) - 1)]
    return table


def _vlan(section: Section) -> Vlan | None:
    vlan = section.optional_integer("vlan")
    if vlan is None:
        return None
    name = section.string("vlanProto").lower() or "802.1q"
    return Vlan(vlan, section.integer("vlanQoS"), PROTOCOLS.get(name, ETH_P_8021AD))
