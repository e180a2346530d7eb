"""The record of an attachment, in the format of sriov-cni: either implementation can finish what the other began.

{"cniVersion": "1.0.0", "name": "blue", "type": "sriov", "ipam": {"type": "host-local"},    the configuration
 "deviceID": "0000:03:02.6", "Master": "ens2f0", "VFID": 6, "MAC": "...", "MTU": 1500,      the VF; what was asked for
 "vlan": 100, "vlanQoS": 3, "vlanProto": "802.1q", "spoofchk": "off", "trust": "on", ...
 "OrigVfState": {"HostIFName": "ens2f0v6", "EffectiveMAC": "...", "MTU": 1500,              as it was before ADD
                 "AdminMAC": "...", "SpoofChk": true, "Trust": false, "Vlan": 0, "VlanQoS": 0, "VlanProto": 33024,
                 "MinTxRate": 0, "MaxTxRate": 0, "LinkState": 0},
 "containerID": "c0ffee", "ifName": "net1",                                                 ours: whose (cni.state)
 "plumbline": {"netns": "/run/netns/pod1", "netnsCookie": 4711, "bootID": "5b3c...",        where the VF went, and when
               "up": false, "alias": "", "altNames": [], "master": "", "index": 7, "permanentMAC": "...", "port": ""}}

What was not asked for has no key: sriov-cni restores what has one. Numbers of link states are the kernel's, VlanProto
is the number of an EtherType. HostIFName is empty for a VF on a userspace driver. A record that sriov-cni wrote lacks
what is marked as ours; it counts as unknown then.
"""

from __future__ import annotations

import os

from cni import sysfs
from cni.errors import GENERIC, CniError
from cni.netlink.link import Link
from cni.netlink.vf import ETH_P_8021AD, LINK_STATES, VF
from cni.section import Section, refused
from plugins.sriov.config import PROTOCOLS, VfConfig, Vlan

OURS = "plumbline"
_MAX_U32 = 0xFFFFFFFF
COPIED = ("cniVersion", "name", "type", "logLevel", "logFile")
"""Members of the configuration that are kept as they are."""

RUNTIME_CONFIG = ("mac", "deviceID")
"""What is kept of `runtimeConfig`: what sriov-cni knows, so that nobody can blow a record up."""


class Attachment:
    """One attachment and what its VF was like before.

    wanted: what the user asked for. pf: the name of the PF's link, empty without one; index: of the VF at it. original:
    the VF's link on the host, None on a userspace driver; master: the name of the bridge or bond that it was a port of.
    table: the VF's entry at the PF, None when it is not known. netns, netns_cookie, boot_id: empty or 0 when sriov-cni
    wrote the record, which is_ours tells.
    """

    __slots__ = (
        "boot_id",
        "container_id",
        "ifname",
        "index",
        "is_ours",
        "master",
        "netns",
        "netns_cookie",
        "network",
        "original",
        "pf",
        "table",
        "wanted",
    )

    def __init__(
        self,
        container_id: str,
        ifname: str,
        network: str,
        netns: str,
        netns_cookie: int,
        boot_id: str,
        wanted: VfConfig,
        pf: str,
        index: int,
        original: Link | None,
        master: str,
        table: VF | None,
        is_ours: bool = True,
    ) -> None:
        self.container_id = container_id
        self.ifname = ifname
        self.network = network
        self.netns = netns
        self.netns_cookie = netns_cookie
        self.boot_id = boot_id
        self.wanted = wanted
        self.pf = pf
        self.index = index
        self.original = original
        self.master = master
        self.table = table
        self.is_ours = is_ours

    @property
    def address(self) -> str:
        """The VF's PCI address."""
        return self.wanted.address

    @property
    def name(self) -> str:
        """What the VF is called in messages: its name on the host, or its address."""
        return self.original.name if self.original is not None else self.address


def to_record(attachment: Attachment, conf: Section) -> dict[str, object]:
    """Return what `cni.state.Store.save` is to keep. conf: the network configuration."""
    wanted, original, table = attachment.wanted, attachment.original, attachment.table
    record: dict[str, object] = {key: conf.get(key) for key in COPIED if conf.has(key)}
    runtime_config = conf.section("runtimeConfig")
    if runtime_config.raw:
        record["runtimeConfig"] = {key: runtime_config.string(key) for key in RUNTIME_CONFIG if runtime_config.has(key)}
    kind = conf.section("ipam").string("type")
    record["ipam"] = {"type": kind} if kind else {}
    record |= {"deviceID": wanted.address, "Master": _stored(attachment.pf), "VFID": max(attachment.index, 0)}
    record["MAC"] = wanted.mac
    if wanted.mtu is not None:
        record["MTU"] = wanted.mtu
    if wanted.vlan is not None:
        protocol = next(name for name, number in PROTOCOLS.items() if number == wanted.vlan.protocol)
        record |= {"vlan": wanted.vlan.id, "vlanQoS": wanted.vlan.qos, "vlanProto": protocol}
    record |= {key: on_off(value) for key, value in _switches(wanted) if value is not None}
    if wanted.link_state:
        record["link_state"] = wanted.link_state
    if wanted.min_tx_rate is not None:
        record["min_tx_rate"] = wanted.min_tx_rate
    if wanted.max_tx_rate is not None:
        record["max_tx_rate"] = wanted.max_tx_rate
    table = table or VF(-1)
    record["OrigVfState"] = {
        "HostIFName": _stored(original.name) if original is not None else "",
        "EffectiveMAC": original.mac if original is not None else "",
        "MTU": original.mtu if original is not None else 0,
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
    link = original or Link(0, "")
    record[OURS] = {
        "netns": _stored(attachment.netns),
        "netnsCookie": attachment.netns_cookie,
        "bootID": attachment.boot_id,
        "up": link.up,
        "alias": _stored(link.alias),
        "altNames": [_stored(altname) for altname in link.altnames],
        "master": _stored(attachment.master),
        "index": link.index,
        "permanentMAC": link.permanent_mac,
        "port": link.port,
    }
    return record


def from_record(record: dict[str, object]) -> Attachment:
    """Return the attachment of a record, ours or sriov-cni's. Raises CniError naming what is wrong with it."""
    section = Section(record, "record")
    address, state, ours = section.string("deviceID"), section.section("OrigVfState"), section.section(OURS)
    if not sysfs.is_pci_address(address) or not section.has("OrigVfState"):
        raise CniError(GENERIC, "it does not say which VF it is about")
    wanted = VfConfig(address.lower())
    wanted.mac = section.string("MAC").lower()
    wanted.mtu = section.optional_integer("MTU")
    wanted.vlan = _vlan(section)
    wanted.spoofchk, wanted.trust = (_switch(section.string(key)) for key in ("spoofchk", "trust"))
    wanted.link_state = section.string("link_state")
    wanted.min_tx_rate = section.optional_integer("min_tx_rate")
    wanted.max_tx_rate = section.optional_integer("max_tx_rate")
    pf = _restored(section.string("Master"))
    index = section.integer("VFID", 0, 0, _MAX_U32) if pf else -1
    return Attachment(
        section.string("containerID"),
        section.string("ifName"),
        section.string("name"),
        _restored(ours.string("netns")),
        ours.integer("netnsCookie"),
        ours.string("bootID"),
        wanted,
        pf,
        index,
        _link(state, ours, address),
        _restored(ours.string("master")),
        _table(state, index) if pf else None,
        is_ours=section.has(OURS),
    )


def _link(state: Section, ours: Section, address: str) -> Link | None:
    name = _restored(state.string("HostIFName"))
    if not name:
        return None
    link = Link(ours.integer("index"), name)
    link.mac = _mac(state, "EffectiveMAC")
    link.mtu = state.integer("MTU", 0, 0, _MAX_U32)
    link.up = ours.boolean("up")
    link.alias = _restored(ours.string("alias"))
    link.altnames = [_restored(altname) for altname in ours.strings("altNames")]
    link.parent = address.lower()
    link.permanent_mac = ours.string("permanentMAC")
    link.port = ours.string("port")
    return link


def _table(state: Section, index: int) -> VF:
    table = VF(index)
    table.mac = _mac(state, "AdminMAC")
    table.spoofchk = state.boolean("SpoofChk")
    table.trust = state.boolean("Trust")
    table.vlan = state.integer("Vlan", 0, 0, _MAX_U32)
    table.qos = state.integer("VlanQoS", 0, 0, _MAX_U32)
    table.protocol = state.integer("VlanProto", 0, 0, 0xFFFF) or table.protocol
    table.min_tx_rate = state.integer("MinTxRate", 0, 0, _MAX_U32)
    table.max_tx_rate = state.integer("MaxTxRate", 0, 0, _MAX_U32)
    table.link_state = LINK_STATES[state.integer("LinkState", 0, 0, len(LINK_STATES) - 1)]
    return table


def _mac(section: Section, key: str) -> str:
    """Return a hardware address in lower case, of whatever length the link's type has, empty when there is none."""
    text = section.string(key).lower()
    try:
        plain = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        plain = b""
    if text and (plain.hex(":") != text or len(plain) < 6):
        raise refused(section.name_of(key), text, "a hardware address such as 02:00:00:00:00:2a")
    return text


def _vlan(section: Section) -> Vlan | None:
    vlan = section.optional_integer("vlan")
    if vlan is None:
        return None
    name = section.string("vlanProto").lower() or "802.1q"
    return Vlan(vlan, section.integer("vlanQoS"), PROTOCOLS.get(name, ETH_P_8021AD))


def _switches(wanted: VfConfig) -> tuple[tuple[str, bool | None], ...]:
    return ("spoofchk", wanted.spoofchk), ("trust", wanted.trust)


def _switch(word: str) -> bool | None:
    return word.lower() == "on" if word else None


def on_off(value: bool) -> str:
    """Return a switch in the words of the configuration."""
    return "on" if value else "off"


_NOT_UTF_8 = "\ufffd"
"""How a text begins that stands for a name which is not UTF-8, byte by byte. No real name begins with it."""


def _stored(text: str) -> str:
    """Names may hold any byte, JSON holds text. A name that is UTF-8 goes as it is, for sriov-cni to read."""
    try:
        text.encode()
        if not text.startswith(_NOT_UTF_8):
            return text
    except UnicodeEncodeError:
        pass
    return _NOT_UTF_8 + os.fsencode(text).decode("latin-1")


def _restored(text: str) -> str:
    if not text.startswith(_NOT_UTF_8):
        return text
    return os.fsdecode(text.removeprefix(_NOT_UTF_8).encode("latin-1", "replace"))
