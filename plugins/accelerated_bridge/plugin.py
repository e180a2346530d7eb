"""accelerated-bridge as the engine knows it."""

from __future__ import annotations

from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.step import trying
from cni.linux.netlink import bridge, link
from cni.protocol.config import NetConf
from cni.protocol.errors import GENERIC, CniError
from cni.protocol.section import Section
from plugins.accelerated_bridge import config, record, uplink
from plugins.accelerated_bridge.device import BridgeVf, find_representor
from plugins.accelerated_bridge.record import STATE_FOLDER
from plugins.vf.attachment import VfAttachment
from plugins.vf.plugin import VfPlugin
from plugins.vf.vf import Vf


class AcceleratedBridge(VfPlugin):
    """The VF, and its representor as a port of a bridge."""

    __slots__ = ()

    name = "accelerated-bridge"
    about = "gives a virtual function of a NIC in switchdev mode to a pod, and its representor to a bridge"
    has_debug = True
    state_folder = STATE_FOLDER
    other_files = (uplink.LOCK,)
    by_network = True
    allocates = False

    def device(self, conf: NetConf, args: str) -> BridgeVf:
        return BridgeVf(config.parse(conf, args), self)

    def to_record(self, attachment: Attachment, conf: Section) -> dict[str, object]:
        assert isinstance(attachment, VfAttachment)
        return record.to_record(attachment, conf)

    def from_record(self, raw: dict[str, object]) -> VfAttachment:
        return record.from_record(raw, self.state_folder, self.sysfs_root)

    def disconnect_unrecorded(self, found: Vf, was_attached: bool, call: Call) -> None:
        """The representor leaves the bridge. What the uplink was given cannot be told.

        Where nothing else tells that there was an attachment, the VLANs have to: those that the network asks for, and
        no others. In a bridge alone, an administrator may have put it.
        """
        host, log = call.host, call.log
        rep = find_representor(found, host, self.sysfs_root) if found.pf_path else None
        master = link.get(host.netlink, index=rep.master) if rep is not None and rep.master else None
        if rep is None or master is None:
            return
        try:
            names, vlans = config.bridges(call.conf.section), config.vlans(call.conf.section)
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
        with trying(f"take {rep.name} out of {master.name}", f"VF {found.address} has no record"):
            link.change(host.netlink, rep.index, master=0, up=False)
        log.warning(f"VF {found.address} has no record: {rep.name} was taken out of {master.name}")

    def check_host(self, call: Call) -> None:
        """Of several bridges one has to be there: which one is needed, the VF says."""
        names = config.bridges(call.conf.section)
        found = [link.get(call.host.netlink, name=name) for name in names]
        if not any(entry is not None and entry.kind == "bridge" for entry in found):
            missing = " or ".join(names)
            raise CniError(GENERIC, f"there is no bridge {missing} on the host", 'see "bridge" in the configuration')
