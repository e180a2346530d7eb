"""host-device as the engine knows it."""

from __future__ import annotations

from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.plugin import Plugin
from cni.protocol.config import NetConf
from cni.protocol.errors import CniError
from cni.protocol.section import Section
from plugins.host_device import attachment as record
from plugins.host_device import config, unrecorded
from plugins.host_device.attachment import HostAttachment
from plugins.host_device.device import HostDevice
from plugins.host_device.returning import HostDeviceReturn


class HostDevicePlugin(Plugin):
    __slots__ = ()

    name = "host-device"
    about = "moves a device of the host into a pod's network namespace, and back"
    state_folder = "/var/lib/cni/host-device"

    def device(self, conf: NetConf, args: str) -> HostDevice:
        return HostDevice(config.parse(conf), self.sysfs_root)

    def named(self, conf: NetConf) -> HostDevice | None:
        wanted = config.parse(conf, required=False)
        return None if wanted.is_empty else HostDevice(wanted, self.sysfs_root)

    def returning(self, attachment: Attachment, call: Call) -> HostDeviceReturn:
        assert isinstance(attachment, HostAttachment)
        return HostDeviceReturn(attachment, call)

    def to_record(self, attachment: Attachment, conf: Section) -> dict[str, object]:
        assert isinstance(attachment, HostAttachment)
        return record.to_record(attachment)

    def from_record(self, raw: dict[str, object]) -> Attachment:
        return record.from_record(raw)

    def release_unrecorded(self, call: Call, was_recorded: bool) -> bool:
        if super().release_unrecorded(call, was_recorded):
            return True
        try:
            wanted = config.parse(call.conf, required=False)
        except CniError as e:
            call.log.warning(f"{e}; without a record, this DEL has no device to give back")
            return False
        return unrecorded.release(wanted, call, self)
