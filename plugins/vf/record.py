"""What the records of all plugins for VFs have in common, besides what is ours in them (cni.attach.record)."""

from __future__ import annotations

from cni.attach import record
from cni.linux import pci
from cni.linux.netlink.link import Link
from cni.linux.netlink.vf import VF
from cni.protocol.errors import GENERIC, CniError
from cni.protocol.section import Section, refused
from plugins.vf.attachment import VfAttachment
from plugins.vf.config import VfConfig

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
    if not pci.is_address(found) or not section.has(state):
        raise CniError(GENERIC, "it does not say which VF it is about")
    return found.lower()


def attachment(
    section: Section, wanted: VfConfig, pf: str, index: int, original: Link | None, table: VF | None
) -> VfAttachment:
    """Return the attachment that a record is about, what is ours read from it, the rest as given. Raises CniError."""
    found = VfAttachment(record.read_own_owner(section), original, wanted, pf, index, table)
    record.read_own(section, found)
    return found


def mac(section: Section, key: str) -> str:
    """Return a hardware address as `cni.attach.record` does, of a NIC: 6 bytes or more. Raises CniError."""
    text = record.mac(section, key)
    if text and len(text) < MIN_MAC_LENGTH:
        raise refused(section.name_of(key), text, "a hardware address such as 02:00:00:00:00:2a")
    return text


MIN_MAC_LENGTH = len("02:00:00:00:00:2a")
