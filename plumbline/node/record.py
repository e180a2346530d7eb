"""What a record tells of an attachment: what the device was like before, and what was asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from cni.attach.attachment import Attachment
from cni.attach.plugin import Plugin
from cni.linux.netlink.link import Link
from plugins.accelerated_bridge.config import BridgeConfig
from plugins.accelerated_bridge.port import RepresentorPort
from plugins.sriov.plugin import Sriov
from plugins.vf.attachment import VfAttachment
from plugins.vf.config import VfConfig
from plumbline.node import links
from plumbline.node.model import LinkState, Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """What the network's configuration asked for, as that writes it; None for what it did not ask for."""

    mac: str | None = None
    mtu: int | None = None
    vlan: int | None = None
    vlan_qos: int | None = None
    vlan_proto: str | None = None
    spoofchk: bool | None = None
    trust: bool | None = None
    link_state: str | None = None
    min_tx_rate: int | None = None
    max_tx_rate: int | None = None
    bridge: str | None = None
    trunk: tuple[int, ...] | None = None
    set_uplink_vlan: bool | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    plugin: whose. path: of the file. written_s: when it was written, in seconds since 1970, None where the file is gone
    by now. of_this_boot: whether that was in this boot. by_us: whether one of us wrote it, not a Go plugin. link,
    settings, representor: as they were before, None where there was none or it is not recorded. bridge: into which the
    representor went.
    """

    plugin: str
    path: str
    written_s: float | None
    of_this_boot: bool
    by_us: bool
    link: LinkState | None = None
    settings: Settings | None = None
    representor: LinkState | None = None
    bridge: str = ""
    asked: Asked = field(default_factory=Asked)


def read(plugin: Plugin, attachment: Attachment) -> Record:
    """Return what an attachment's record tells."""
    path = path_of(plugin, attachment)
    common = (plugin.name, path, _written(path), attachment.is_of_this_boot, attachment.is_ours)
    original = attachment.original
    link = None if original is None else _state(original, attachment.master, attachment.is_ours)
    if not isinstance(attachment, VfAttachment):
        return Record(*common, link)
    port = attachment.beside if isinstance(attachment.beside, RepresentorPort) else None
    return Record(
        *common,
        link,
        settings=_settings(plugin, attachment),
        representor=None if port is None else _state(port.original, port.master, attachment.is_ours),
        bridge="" if port is None else port.bridge,
        asked=_asked(attachment.wanted),
    )


def path_of(plugin: Plugin, attachment: Attachment) -> str:
    """Return where an attachment's record is (cni.attach.state)."""
    owner = attachment.owner
    prefix = f"{owner.network}-" if plugin.by_network else ""
    return os.path.join(plugin.state_folder, f"{prefix}{owner.container_id}-{owner.ifname}")


def _written(path: str) -> float | None:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None


def _state(link: Link, master: str, by_us: bool) -> LinkState:
    """by_us: as in `Record`; the others do not note all."""
    return LinkState(
        name=link.name,
        index=link.index,
        mac=link.mac,
        mtu=link.mtu,
        up=link.up if by_us else None,
        carrier=None,
        master=master,
        alias=link.alias,
        altnames=tuple(link.altnames),
        parent=link.parent,
        kind=link.kind,
    )


def _settings(plugin: Plugin, attachment: VfAttachment) -> Settings | None:
    entry = attachment.table
    if entry is None:
        return None
    if isinstance(plugin, Sriov):
        return links.settings(entry)
    # accelerated-bridge changes nothing else, and records nothing else.
    unknown = (None,) * 3
    return Settings(entry.mac, *unknown, entry.spoofchk, entry.trust, *unknown)


def _asked(wanted: VfConfig) -> Asked:
    vlan = wanted.vlan
    on_bridge = wanted if isinstance(wanted, BridgeConfig) else None
    number = vlan.id if vlan is not None else on_bridge.native or None if on_bridge is not None else None
    return Asked(
        mac=wanted.mac or None,
        mtu=wanted.mtu,
        vlan=number,
        vlan_qos=None if vlan is None else vlan.qos,
        vlan_proto=None if vlan is None else links.protocol(vlan.protocol),
        spoofchk=wanted.spoofchk,
        trust=wanted.trust,
        link_state=wanted.link_state or None,
        min_tx_rate=wanted.min_tx_rate,
        max_tx_rate=wanted.max_tx_rate,
        bridge=None if on_bridge is None else ",".join(on_bridge.bridges),
        trunk=None if on_bridge is None else tuple(on_bridge.trunk),
        set_uplink_vlan=None if on_bridge is None else on_bridge.on_uplink,
    )
