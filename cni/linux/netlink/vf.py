"""The table of virtual functions that a PF's link carries: read one entry, set one of its attributes (linux/if_link.h).

The kernel tells and takes settings of a VF through its physical function only: IFLA_VFINFO_LIST in a message about the
PF's link (net/core/rtnetlink.c, rtnl_fill_vfinfo and do_setvfinfo). There is no asking for a single entry, so the whole
table is read; without its statistics, 256 entries have some 50 KB.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass

from cni.linux.netlink import codec
from cni.linux.netlink.link import IFINFOMSG, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS, RTM_GETLINK, RTM_SETLINK, header
from cni.linux.netlink.socket import NetlinkSocket

RTEXT_FILTER_VF = 1

IFLA_VFINFO_LIST = 22
IFLA_VF_INFO = 1
IFLA_VF_MAC = 1
IFLA_VF_VLAN = 2
IFLA_VF_SPOOFCHK = 4
IFLA_VF_LINK_STATE = 5
IFLA_VF_RATE = 6
IFLA_VF_TRUST = 9
IFLA_VF_VLAN_LIST = 12
IFLA_VF_VLAN_INFO = 1

ETH_P_8021Q = 0x8100
ETH_P_8021AD = 0x88A8
LINK_STATES = ("auto", "enable", "disable")
"""In the order of their numbers, IFLA_VF_LINK_STATE_*."""

_MAC_BYTES = 32  # MAX_ADDR_LEN: the kernel copies that much, whatever the link's type
_TWO = struct.Struct("=II")
_THREE = struct.Struct("=III")
_VLAN_INFO = struct.Struct("=III2sxx")  # the protocol is in network byte order
_BYTES = {
    IFLA_VF_MAC: 4 + _MAC_BYTES,
    IFLA_VF_VLAN: _THREE.size,
    IFLA_VF_SPOOFCHK: _TWO.size,
    IFLA_VF_LINK_STATE: _TWO.size,
    IFLA_VF_RATE: _THREE.size,
    IFLA_VF_TRUST: _TWO.size,
}
"""The attributes that are read, and how long they are at least. All of these begin with the VF's index, which
IFLA_VF_BROADCAST and IFLA_VF_STATS, for two, do not.
"""


@dataclass(slots=True)
class VF:
    """One entry of the table.

    index: of the VF at its PF. mac: the administrative one, all zero when none is set. vlan, qos: 0 for none. protocol:
    ETH_P_8021Q or ETH_P_8021AD. link_state: one of LINK_STATES. min_tx_rate, max_tx_rate: Mbit/s, 0 for no limit.
    spoofchk, trust: None when the driver does not tell.
    """

    index: int
    mac: str = ""
    vlan: int = 0
    qos: int = 0
    protocol: int = ETH_P_8021Q
    link_state: str = "auto"
    min_tx_rate: int = 0
    max_tx_rate: int = 0
    spoofchk: bool | None = None
    trust: bool | None = None


def get(socket: NetlinkSocket, pf: int, index: int, mac_bytes: int = 6) -> VF | None:
    """Return the entry of one VF, None when the driver does not tell about it.

    pf: the index of the PF's link. mac_bytes: how long a MAC address of its kind is. Raises NetlinkError.
    """
    mask = codec.u32(IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS)
    body = socket.get(RTM_GETLINK, header(pf) + mask, f"look up VF {index} of link with index {pf}")
    for kind, table in codec.attributes(body, IFINFOMSG.size):
        if kind == IFLA_VFINFO_LIST:
            for _, entry in codec.attributes(table):
                found = parse(entry, mac_bytes)
                if found.index == index:
                    return found
    return None


def parse(entry: bytes, mac_bytes: int = 6) -> VF:
    """Return the VF that one IFLA_VF_INFO describes."""
    vf = VF(-1)
    for kind, value in codec.attributes(entry):
        if kind == IFLA_VF_VLAN_LIST:
            _parse_vlans(vf, value)
            continue
        if len(value) < _BYTES.get(kind, len(value) + 1):
            continue
        vf.index, setting = _TWO.unpack_from(value)
        if kind == IFLA_VF_MAC:
            vf.mac = value[4 : 4 + mac_bytes].hex(":")
        elif kind == IFLA_VF_VLAN:
            _, vf.vlan, vf.qos = _THREE.unpack_from(value)
        elif kind == IFLA_VF_SPOOFCHK:
            vf.spoofchk = _flag(setting)
        elif kind == IFLA_VF_TRUST:
            vf.trust = _flag(setting)
        elif kind == IFLA_VF_LINK_STATE and setting < len(LINK_STATES):
            vf.link_state = LINK_STATES[setting]
        elif kind == IFLA_VF_RATE:
            _, vf.min_tx_rate, vf.max_tx_rate = _THREE.unpack_from(value)
    return vf


def _parse_vlans(vf: VF, value: bytes) -> None:
    """Drivers have one VLAN at most, and the list is the only place that tells its protocol."""
    for kind, info in codec.attributes(value):
        if kind == IFLA_VF_VLAN_INFO and len(info) >= _VLAN_INFO.size:
            _, vf.vlan, vf.qos, protocol = _VLAN_INFO.unpack_from(info)
            # A driver that leaves it at 0 means what it always meant.
            vf.protocol = int.from_bytes(protocol, "big") or ETH_P_8021Q
            return


def _flag(setting: int) -> bool | None:
    """The kernel says -1 where the driver says nothing."""
    return None if setting == 0xFFFFFFFF else bool(setting)


def set_mac(socket: NetlinkSocket, pf: int, index: int, mac: str) -> None:
    """Set the administrative MAC address. pf: the index of the PF's link. Raises NetlinkError, as all below."""
    value = codec.hardware_address(mac).ljust(_MAC_BYTES, b"\0")
    _set(socket, pf, codec.attribute(IFLA_VF_MAC, index.to_bytes(4, sys.byteorder) + value))


def set_vlan(socket: NetlinkSocket, pf: int, index: int, vlan: int, qos: int, protocol: int) -> None:
    """Set VLAN ID (0 for none), priority and protocol.

    802.1Q goes by the attribute that has always been there, which means that and which every driver takes: some refuse
    the one that names a protocol, whatever it names.
    """
    if protocol == ETH_P_8021Q:
        _set(socket, pf, codec.attribute(IFLA_VF_VLAN, _THREE.pack(index, vlan, qos)))
    else:
        info = codec.attribute(IFLA_VF_VLAN_INFO, _VLAN_INFO.pack(index, vlan, qos, protocol.to_bytes(2, "big")))
        _set(socket, pf, codec.nested(IFLA_VF_VLAN_LIST, info))


def set_spoofchk(socket: NetlinkSocket, pf: int, index: int, on: bool) -> None:
    """Have the NIC check the sender's address of what the VF sends, or not."""
    _set(socket, pf, codec.attribute(IFLA_VF_SPOOFCHK, _TWO.pack(index, on)))


def set_trust(socket: NetlinkSocket, pf: int, index: int, on: bool) -> None:
    """Trust the VF: let it change its MAC address and be promiscuous, or not."""
    _set(socket, pf, codec.attribute(IFLA_VF_TRUST, _TWO.pack(index, on)))


def set_link_state(socket: NetlinkSocket, pf: int, index: int, state: str) -> None:
    """Set what the VF sees of the port: one of LINK_STATES."""
    _set(socket, pf, codec.attribute(IFLA_VF_LINK_STATE, _TWO.pack(index, LINK_STATES.index(state))))


def set_rates(socket: NetlinkSocket, pf: int, index: int, minimum: int, maximum: int) -> None:
    """Set the transmit rates in Mbit/s, 0 for no limit."""
    _set(socket, pf, codec.attribute(IFLA_VF_RATE, _THREE.pack(index, minimum, maximum)))


def _set(socket: NetlinkSocket, pf: int, setting: bytes) -> None:
    socket.change(RTM_SETLINK, header(pf) + codec.nested(IFLA_VFINFO_LIST, codec.nested(IFLA_VF_INFO, setting)))
