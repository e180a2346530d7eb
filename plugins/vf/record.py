"""What the records of all plugins for VFs have in common: the VF's link as it was, and what is ours in them.

"plumbline": {"netns": "/run/netns/pod1", "netnsCookie": 4711, "bootID": "5b3c...",        where the VF went, and when
              "up": false, "alias": "", "altNames": [], "master": "", "index": 7,          the link, as it was before
              "permanentMAC": "...", "port": "", "parent": "0000:03:02.6",
              ...}                                                         what all plugins have (cni.attach.record)

A record that a Go plugin wrote lacks this member; what it tells counts as unknown then.
"""

from __future__ import annotations

from cni.attach import record
from cni.attach.record import (
    MAX_INDEX,
    MAX_MTU,
    MAX_U32,
    alias,
    altnames,
    index,
    link_state,
    mtu,
    name,
    owner_state,
    read_link_state,
    read_owner,
    restored,
    stored,
    word,
)
from cni.linux import sysfs
from cni.linux.netlink.link import Link, is_name
from cni.protocol.errors import GENERIC, CniError
from cni.protocol.section import Section, refused
from plugins.vf.attachment import VfAttachment
from plugins.vf.config import VfConfig

__all__ = ["MAX_INDEX", "MAX_MTU", "MAX_U32", "mac", "mtu", "restored", "stored", "word"]

from cni.linux.netlink.vf import VF

OURS = "plumbline"
COPIED = ("cniVersion", "name", "type", "logLevel", "logFile")
"""Members of the configuration that are kept as they are."""

RUNTIME_CONFIG = ("mac", "deviceID")
"""What is kept of `runtimeConfig`: what the Go plugins know, so that nobody can blow a record up."""


def copied(conf: Section) -> dict[str, object]:
    """Return what is kept of the network configuration."""
    record: dict[str, object] = {key: conf.get(key) for key in COPIED if conf.has(key)}
    runtime_config = conf.section("runtimeConfig")
    if runtime_config.raw:
        record["runtimeConfig"] = {key: runtime_config.string(key) for key in RUNTIME_CONFIG if runtime_config.has(key)}
    kind = conf.section("ipam").string("type")
    record["ipam"] = {"type": kind} if kind else {}
    return record


def switches(wanted: VfConfig) -> dict[str, object]:
    """Return `spoofchk` and `trust` as the configuration writes them, as far as they are asked for."""
    asked = (("spoofchk", wanted.spoofchk), ("trust", wanted.trust))
    return {key: "on" if value else "off" for key, value in asked if value is not None}


def read_switches(section: Section, wanted: VfConfig) -> None:
    """Read what `switches` gave."""
    wanted.spoofchk, wanted.trust = (_switch(section.string(key)) for key in ("spoofchk", "trust"))


def _switch(word: str) -> bool | None:
    return word.lower() == "on" if word else None


def address(section: Section, state: str) -> str:
    """Return the PCI address of the VF that a record is about. state: the member with what the VF was like, which has
    to be there. Raises CniError.
    """
    found = section.string("deviceID")
    if not sysfs.is_pci_address(found) or not section.has(state):
        raise CniError(GENERIC, "it does not say which VF it is about")
    return found.lower()


def attachment(
    section: Section, wanted: VfConfig, pf: str, index: int, original: Link | None, table: VF | None
) -> VfAttachment:
    """Return the attachment that a record is about, what is ours read from it, the rest as given. Raises CniError."""
    ours = section.section(OURS)
    owner = read_owner(section, "name", restored(ours.string("netns")), ours, ours)
    found = VfAttachment(owner, original, wanted, pf, index, table)
    found.is_ours = section.has(OURS)
    found.master = link_name(ours, "master")
    if original is not None:
        found.pod_index = read_link_state(ours, original)
    return found


def ours(attachment: VfAttachment) -> dict[str, object]:
    """Return what only our records have."""
    link, owner = attachment.original or Link(0, ""), attachment.owner
    return {
        "netns": stored(owner.netns),
        "netnsCookie": owner.netns_cookie,
        "bootID": owner.boot_id,
        "up": link.up,
        "alias": stored(link.alias),
        "altNames": [stored(altname) for altname in link.altnames],
        "master": stored(attachment.master),
        "index": link.index,
        "permanentMAC": link.permanent_mac,
        "port": link.port,
        "parent": link.parent,
        **owner_state(owner),
        **link_state(attachment),
    }


def link(host_name: str, mac_address: str, mtu: int, ours: Section) -> Link | None:
    """Return the VF's link as it was before ADD, None for a VF without one.

    host_name: on the host, as stored; mtu: in bytes; ours: the member that is ours. Raises CniError.
    """
    if not host_name:
        return None
    if not is_name(restored(host_name)):
        raise refused("record", host_name, "the name of a link")
    link = Link(index(ours, "index"), restored(host_name))
    link.mac = mac_address
    link.mtu = mtu
    link.up = ours.boolean("up")
    link.alias = alias(ours, "alias", restored)
    link.altnames = altnames(ours, "altNames", restored)
    link.parent = word(ours, "parent")
    link.permanent_mac = mac(ours, "permanentMAC")
    link.port = word(ours, "port")
    return link


def mac(section: Section, key: str) -> str:
    """Return a hardware address as `cni.attach.record` does, of a NIC: 6 bytes or more. Raises CniError."""
    text = record.mac(section, key)
    if text and len(text) < MIN_MAC_LENGTH:
        raise refused(section.name_of(key), text, "a hardware address such as 02:00:00:00:00:2a")
    return text


def link_name(section: Section, key: str) -> str:
    """Return the name of a link, as stored in this member, empty when there is none. Raises CniError."""
    return name(section, key, restored)


MIN_MAC_LENGTH = len("02:00:00:00:00:2a")
