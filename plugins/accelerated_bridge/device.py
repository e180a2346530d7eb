"""A VF whose representor becomes a port of a bridge: how VF, representor, bridge and uplink belong together."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.move import RACES
from cni.linux import eswitch, pci
from cni.linux.log import Logger
from cni.linux.netlink import bridge, link
from cni.linux.netlink.bridge import Port
from cni.linux.netlink.link import Link
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError, invalid_config
from cni.protocol.section import refused
from plugins.accelerated_bridge import uplink
from plugins.accelerated_bridge.config import BridgeConfig
from plugins.accelerated_bridge.port import RepresentorPort, brought_to, is_another_vfs, recorded_ports
from plugins.vf import plan, vf
from plugins.vf.attachment import VfAttachment, recorded
from plugins.vf.device import VfDevice
from plugins.vf.vf import Vf


class BridgeVf(VfDevice):
    __slots__ = ()

    wanted: BridgeConfig
    # Drivers in switchdev mode leave them to the rules of the switch.
    optional = frozenset((plan.TRUST, plan.SPOOFCHK))

    def shared_lock(self) -> AbstractContextManager[object]:
        is_shared = self.wanted.on_uplink and self.wanted.vlans()
        return uplink.lock(self.plugin.state_folder) if is_shared else super().shared_lock()

    def require(self, recorded: Attachment | None, call: Call) -> None:
        if not isinstance(recorded, VfAttachment) or recorded.beside is None:
            request, folder = call.request, self.plugin.state_folder
            raise CniError(
                GENERIC,
                f"{request.ifname} of {request.container_id} has no usable record in {folder}",
                f"only that tells what {self.wanted.address} was connected to, and DEL could not make it what it was "
                "before",
            )
        # What ADD could not set is not there.
        self.wanted.trust, self.wanted.spoofchk = recorded.wanted.trust, recorded.wanted.spoofchk

    def beside(self, original: Link | None, call: Call) -> RepresentorPort:
        """The representor is looked for in sysfs, by the switch's ID and the name of the port."""
        wanted, found, host, log = self.wanted, self.vf, call.host, call.log
        # Once more, under the shared lock: in which bridge it is counts now.
        pf = vf.pf_link(found, host) if found.pf else None
        if pf is None:
            raise invalid_config(
                f"VF {found.address} has no representor: its physical function is not visible here",
                "in a virtual machine only the hypervisor has it; nothing was changed",
            )
        rep = _representor(found, host, self.plugin.sysfs_root)
        into = _bridge(wanted, pf, host, log)
        mtu = wanted.mtu or (original.mtu if original is not None else 0)
        port = RepresentorPort(
            rep, into.name, wanted.vlans(), mtu, pf.name, self.plugin.state_folder, self.plugin.sysfs_root
        )
        port.vf, port.vf_index, port.bridge_index = found.address, found.index, into.index
        if (
            port.vlans
            and pci.attribute(self.plugin.sysfs_root, "class/net", into.name, "bridge", "vlan_filtering") != "1"
        ):
            log.warning(f"bridge {into.name} does not filter VLANs: those of {rep.name} have no effect")
        ports = bridge.ports(host.netlink) if rep.master or wanted.on_uplink else {}
        master = link.get(host.netlink, index=rep.master) if rep.master else None
        if master is not None:
            if master.kind != "bridge":  # what it was there, such as the active port of a bond, cannot be put back
                raise invalid_config(
                    f"representor {rep.name} of VF {found.address} is a port of {master.name}, which is a "
                    f"{master.kind or 'physical link'}, not a bridge",
                    f"`ip link set {rep.name} nomaster` takes it out; nothing was changed",
                )
            port.master = master.name
            port.original_vlans = ports[rep.index].vlans if rep.index in ports else {}
            if master.index != into.index:
                log.warning(f"{rep.name} is a port of {master.name}, which it leaves until DEL")
        if wanted.on_uplink and port.vlans:
            self._add_uplink(port, pf, into, ports, call)
        return port

    def _add_uplink(self, port: RepresentorPort, pf: Link, into: Link, ports: dict[int, Port], call: Call) -> None:
        """Note the uplink, and which of the VLANs are not the administrator's there. Raises CniError (code 7)."""
        found = uplink.find(pf, call.host)
        if found is None or found[1].index != into.index:
            raise invalid_config(
                f"cannot set VLANs on the uplink (setUplinkVlan): {pf.name}, the PF of {self.vf.address}, is not in "
                f"bridge {into.name}, neither itself nor through a bond",
                "nothing was changed",
            )
        joined = found[0]
        port.uplink, port.uplink_index = joined.name, joined.index
        brought = brought_to(joined, recorded_ports(recorded(call)), call.host)
        port.uplink_vlans = uplink.share(port.vlans, ports.get(joined.index), brought)


def _representor(known: Vf, host: NetNS, sysfs_root: str) -> Link:
    """Return the VF's representor. Raises CniError (code 7)."""
    pf_address = os.path.basename(known.pf_path)
    if not eswitch.switch_id(known.pf_path):
        raise invalid_config(
            f'deviceID: "{known.address}" is not allowed; its PF {known.pf} ({pf_address}) is not in switchdev mode',
            f"`devlink dev eswitch set pci/{pf_address} mode switchdev` sets it; nothing was changed",
        )
    found = find_representor(known, host, sysfs_root)
    if found is None:
        raise invalid_config(
            f"VF {known.address} has no representor: no link of the switch of {known.pf} is the port of VF "
            f"{known.index}",
            "see phys_switch_id and phys_port_name in /sys/class/net; nothing was changed",
        )
    return found


def find_representor(known: Vf, host: NetNS, sysfs_root: str) -> Link | None:
    """Return the VF's representor, None when there is none. Between the two questions udev may rename it, and the
    kernel give its name to the next one.
    """
    for _ in range(RACES):
        name = eswitch.representor(known.pf_path, known.index, sysfs_root)
        found = link.get(host.netlink, name=name) if name else None
        if not name or (found is not None and not is_another_vfs(found, known.index)):
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
