"""What is accelerated-bridge's own, for `plugins.vf`: how VF, representor, bridge and uplink belong together."""

from __future__ import annotations

import os

from cni.attach.move import RACES
from cni.linux import sysfs
from cni.linux.netlink import bridge, link
from cni.linux.netlink.link import Link
from cni.linux.netlink.socket import RequestError
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError, invalid_config
from cni.protocol.section import refused
from plugins.accelerated_bridge import config, record, uplink
from plugins.accelerated_bridge.config import BridgeConfig
from plugins.accelerated_bridge.port import RepresentorPort, brought_to, is_another_vfs, recorded_ports
from plugins.accelerated_bridge.record import STATE_FOLDER
from plugins.vf import device, plan
from plugins.vf.device import Device
from plugins.vf.kind import Kind, NotLocked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.linux.lock import FileLock
    from cni.linux.log import Logger
    from cni.protocol.config import NetConf
    from cni.protocol.section import Section
    from plugins.vf.attachment import Attachment
    from plugins.vf.claims import Claims
    from plugins.vf.config import VfConfig


class AcceleratedBridge(Kind):
    """The VF, and its representor as a port of a bridge."""

    __slots__ = ()

    state_folder = STATE_FOLDER
    other_files = (uplink.LOCK,)
    by_network = True
    allocates = False
    connects = True
    # Drivers in switchdev mode leave them to the rules of the switch.
    optional = frozenset((plan.TRUST, plan.SPOOFCHK))

    def parse(self, conf: NetConf, args: str) -> VfConfig:
        """See `Kind`."""
        return config.parse(conf, args)

    def to_record(self, attachment: Attachment, conf: Section) -> dict[str, object]:
        """See `Kind`."""
        return record.to_record(attachment, conf)

    def from_record(self, raw: dict[str, object], sysfs_root: str) -> Attachment:
        """See `Kind`."""
        return record.from_record(raw, self.state_folder, sysfs_root)

    def lock(self, wanted: VfConfig) -> FileLock | NotLocked:
        """See `Kind`."""
        assert isinstance(wanted, BridgeConfig)
        return uplink.lock(self.state_folder) if wanted.on_uplink and wanted.vlans() else NotLocked()

    def beside(
        self, wanted: VfConfig, vf: Device, original: Link | None, host: NetNS, claims: Claims, log: Logger
    ) -> RepresentorPort:
        """See `Kind`. The representor is looked for in sysfs, by the switch's ID and the name of the port."""
        assert isinstance(wanted, BridgeConfig)
        pf = device.pf_link(vf, host) if vf.pf else None
        if pf is None:
            raise invalid_config(
                f"VF {vf.address} has no representor: its physical function is not visible here",
                "in a virtual machine only the hypervisor has it; nothing was changed",
            )
        rep = _representor(vf, host, claims.sysfs_root)
        into = _bridge(wanted, pf, host, log)
        mtu = wanted.mtu or (original.mtu if original is not None else 0)
        port = RepresentorPort(rep, into.name, wanted.vlans(), mtu, pf.name, self.state_folder, claims.sysfs_root)
        port.vf, port.vf_index, port.bridge_index = vf.address, vf.index, into.index
        if port.vlans and sysfs.bridge_setting(into.name, "vlan_filtering", claims.sysfs_root) != "1":
            log.warning(f"bridge {into.name} does not filter VLANs: those of {rep.name} have no effect")
        ports = bridge.ports(host.netlink) if rep.master or wanted.on_uplink else {}
        master = link.get(host.netlink, index=rep.master) if rep.master else None
        if master is not None:
            if master.kind != "bridge":  # what it was there, such as the active port of a bond, cannot be put back
                raise invalid_config(
                    f"representor {rep.name} of VF {vf.address} is a port of {master.name}, which is a "
                    f"{master.kind or 'physical link'}, not a bridge",
                    f"`ip link set {rep.name} nomaster` takes it out; nothing was changed",
                )
            port.master = master.name
            port.original_vlans = ports[rep.index].vlans if rep.index in ports else {}
            if master.index != into.index:
                log.warning(f"{rep.name} is a port of {master.name}, which it leaves until DEL")
        if wanted.on_uplink and port.vlans:
            found = uplink.find(pf, host)
            if found is None or found[1].index != into.index:
                raise invalid_config(
                    f"cannot set VLANs on the uplink (setUplinkVlan): {pf.name}, the PF of {vf.address}, is not in "
                    f"bridge {into.name}, neither itself nor through a bond",
                    "nothing was changed",
                )
            port.uplink, port.uplink_index = found[0].name, found[0].index
            brought = brought_to(found[0], recorded_ports(claims.load_all()), host)
            port.uplink_vlans = uplink.share(port.vlans, ports.get(found[0].index), brought)
        return port

    def disconnect_unrecorded(
        self, conf: NetConf, vf: Device, was_attached: bool, host: NetNS, sysfs_root: str, log: Logger
    ) -> None:
        """See `Kind`: the representor leaves the bridge. What the uplink was given cannot be told.

        Where nothing else tells that there was an attachment, the VLANs have to: those that the network asks for, and
        no others. In a bridge alone, an administrator may have put it.
        """
        rep = _find_representor(vf, host, sysfs_root) if vf.pf_path else None
        master = link.get(host.netlink, index=rep.master) if rep is not None and rep.master else None
        if rep is None or master is None:
            return
        try:
            names, vlans = config.bridges(conf.section), config.vlans(conf.section)
        except CniError as e:  # ADD has refused it
            log.warning(f"{e}; without a record, {rep.name} stays a port of {master.name}")
            return
        if master.name not in names:
            return
        if not was_attached:
            port = bridge.ports(host.netlink).get(rep.index)
            if not vlans or port is None or port.vlans != vlans:
                log.info(f"{rep.name} stays a port of {master.name}: that ADD made it one cannot be told")
                return
        try:
            link.change(host.netlink, rep.index, master=0, up=False)
        except RequestError as e:
            raise CniError(
                GENERIC,
                f"cannot take {rep.name} out of {master.name}: {e.strerror}",
                f"errno {e.errno}; VF {vf.address} has no record",
            ) from e
        log.warning(f"VF {vf.address} has no record: {rep.name} was taken out of {master.name}")

    def status(self, conf: NetConf, host: NetNS) -> None:
        """See `Kind`. Of several bridges one has to be there: which one is needed, the VF says."""
        names = config.bridges(conf.section)
        found = [link.get(host.netlink, name=name) for name in names]
        if not any(entry is not None and entry.kind == "bridge" for entry in found):
            missing = " or ".join(names)
            raise CniError(GENERIC, f"there is no bridge {missing} on the host", 'see "bridge" in the configuration')


def _representor(vf: Device, host: NetNS, sysfs_root: str) -> Link:
    """Return the VF's representor. Raises CniError (code 7)."""
    pf_address = os.path.basename(vf.pf_path)
    if not sysfs.switch_id(vf.pf_path):
        raise invalid_config(
            f'deviceID: "{vf.address}" is not allowed; its PF {vf.pf} ({pf_address}) is not in switchdev mode',
            f"`devlink dev eswitch set pci/{pf_address} mode switchdev` sets it; nothing was changed",
        )
    found = _find_representor(vf, host, sysfs_root)
    if found is None:
        raise invalid_config(
            f"VF {vf.address} has no representor: no link of the switch of {vf.pf} is the port of VF {vf.index}",
            "see phys_switch_id and phys_port_name in /sys/class/net; nothing was changed",
        )
    return found


def _find_representor(vf: Device, host: NetNS, sysfs_root: str) -> Link | None:
    """Return the VF's representor, None when there is none. Between the two questions udev may rename it, and the
    kernel give its name to the next one.
    """
    for _ in range(RACES):
        name = sysfs.representor(vf.pf_path, vf.index, sysfs_root)
        found = link.get(host.netlink, name=name) if name else None
        if not name or (found is not None and not is_another_vfs(found, vf.index)):
            return found
    return None


def _bridge(wanted: BridgeConfig, pf: Link, host: NetNS, log: Logger) -> Link:
    """Return the bridge that the representor goes to. Raises CniError (code 7)."""
    names = ",".join(wanted.bridges)
    if len(wanted.bridges) == 1:
        found = link.get(host.netlink, name=names)
        if found is None or found.kind != "bridge":
            reason = (
                "there is no such link" if found is None else f"it is {found.kind or 'a physical link'}, not a bridge"
            )
            raise refused("bridge", names, f"a bridge of the host: {reason}")
        return found
    joined = uplink.find(pf, host)
    if joined is None or joined[1].name not in wanted.bridges:
        where = (
            f"in bridge {joined[1].name}" if joined is not None else "in no bridge, neither itself nor through a bond"
        )
        raise refused("bridge", names, f"bridges of which one has the uplink: {pf.name} is {where}")
    log.debug(f"{pf.name} is in {joined[1].name} of {names}")
    return joined[1]
