"""The uplink of a NIC's embedded switch as a port of a bridge: which one it is, and the VLANs that it gets from us.

The port is the PF's link, or the bond that it is in. With `setUplinkVlan` the VLANs of a VF's port are set there, too,
tagged, and leave it with the last attachment that asked for them. One that the administrator had set before stays.
Several attachments share a VLAN; each of them knows from its record that it is not the administrator's, and the last
one takes it away. One that is left for an attachment which has not brought it to this uplink is the administrator's
from there on. So records are written, and VLANs looked at and changed, under one lock of the node, which
accelerated-bridge-cni takes, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from cni.attach.state import LOCK_TIMEOUT_S
from cni.attach.step import trying
from cni.linux import files
from cni.linux.lock import FileLock
from cni.linux.log import Logger
from cni.linux.netlink import bridge, link
from cni.linux.netlink.bridge import Port
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS

LOCK = "vlan-uplink.lock"
BONDS = ("bond", "team")


def lock(state_folder: str) -> FileLock:
    """Return the lock for uplinks' VLANs. Entering it raises CniError (code 11) when others hold it for a minute."""
    files.ensure_folder(state_folder)
    return FileLock(os.path.join(state_folder, LOCK), LOCK_TIMEOUT_S)


def find(pf: Link, host: NetNS) -> tuple[Link, Link] | None:
    """Return the port by which a PF is in a bridge, itself or the bond that it is in, and the bridge; None without."""
    port = pf
    master = link.get(host.netlink, index=pf.master) if pf.master else None
    if master is not None and master.kind in BONDS:
        port = master
        master = link.get(host.netlink, index=port.master) if port.master else None
    return (port, master) if master is not None and master.kind == "bridge" else None


def share(vlans: Iterable[int], port: Port | None, others: Iterable[int]) -> list[int]:
    """Return those of an attachment's VLANs that are not the administrator's: they are not on the uplink yet, or other
    attachments have brought them there.

    port: the uplink as it is. others: what other attachments have brought.
    """
    present = port.vlans if port is not None else {}
    brought = set(others)
    return sorted(vlan for vlan in vlans if vlan not in present or vlan in brought)


def add(port: Link, vlans: list[int], host: NetNS) -> None:
    """Set VLANs on an uplink, tagged; those that it has stay as they are. The caller holds the lock.

    Raises CniError.
    """
    present = bridge.ports(host.netlink).get(port.index, Port(port.index)).vlans
    missing = [vlan for vlan in vlans if vlan not in present]
    if not missing:
        return
    with trying(f"set VLANs {listed(missing)} on uplink {port.name}"):
        bridge.add_vlans(host.netlink, port.index, dict.fromkeys(missing, 0))


def remove(
    port: Link,
    vlans: list[int],
    bridge_index: int,
    needed_by: Callable[[Link], set[int] | None],
    host: NetNS,
    log: Logger,
) -> None:
    """Take those VLANs from an uplink that nobody uses any more. The caller holds the lock.

    bridge_index: of the bridge that it was in, 0 for unknown; a port that leaves a bridge leaves all VLANs behind.
    needed_by: returns, for the representor of a recorded attachment, the VLANs that this has asked for on the uplink,
    none for a physical port, None for any other link. It needs them there as long as it is in them: DEL takes it out
    before it comes here. Any other port of the bridge, and the bridge itself, uses all VLANs that it is in. Uplinks do
    not use a VLAN, they carry it. Raises CniError.
    """
    ports = bridge.ports(host.netlink)
    uplink = ports.get(port.index)
    if uplink is None or not uplink.master or bridge_index not in (0, uplink.master):
        log.info(f"uplink {port.name} has left its bridge, and with that the VLANs that it had there")
        return
    left = {vlan for vlan in vlans if vlan in uplink.vlans}
    for other in ports.values():
        common = left.intersection(other.vlans)
        same_bridge = uplink.master in (other.master, other.index)
        if common and same_bridge and other.index != uplink.index:
            left -= _used(common, other.index, needed_by, host)
    if not left:
        return
    with trying(f"take VLANs {listed(left)} from uplink {port.name}", "repeat DEL"):
        bridge.delete_vlans(host.netlink, uplink.index, sorted(left))


def _used(vlans: set[int], index: int, needed_by: Callable[[Link], set[int] | None], host: NetNS) -> set[int]:
    """Return those of its VLANs that a port uses: none, if it is a physical port or a bond of such."""
    found = link.get(host.netlink, index=index)
    if found is None or found.kind in BONDS:
        return set()
    needed = needed_by(found)
    return vlans if needed is None else vlans & needed


def listed(vlans: Iterable[int]) -> str:
    """Return VLAN IDs for a message, consecutive ones as a range: 7, 100-105."""
    runs: list[list[int]] = []
    for vlan in sorted(vlans):
        if runs and runs[-1][1] == vlan - 1:
            runs[-1][1] = vlan
        else:
            runs.append([vlan, vlan])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
