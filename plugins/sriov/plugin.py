"""sriov as the engine knows it."""

from __future__ import annotations

from cni.attach.attachment import Attachment
from cni.protocol.config import NetConf
from cni.protocol.section import Section
from plugins.sriov import config, record
from plugins.vf.attachment import VfAttachment
from plugins.vf.device import VfDevice
from plugins.vf.plugin import VfPlugin


class Sriov(VfPlugin):
    """The VF, configured through its PF, and nothing besides."""

    __slots__ = ()

    name = "sriov"
    about = "gives an SR-IOV virtual function to a pod, configured through its physical function"
    state_folder = "/var/lib/cni/sriov"

    def device(self, conf: NetConf, args: str) -> VfDevice:
        return VfDevice(config.parse(conf, args), self)

    def to_record(self, attachment: Attachment, conf: Section) -> dict[str, object]:
        assert isinstance(attachment, VfAttachment)
        return record.to_record(attachment, conf)

    def from_record(self, raw: dict[str, object]) -> VfAttachment:
        return record.from_record(raw)
