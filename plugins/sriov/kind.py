"""What is sriov's own, for `plugins.vf`."""

from __future__ import annotations

from plugins.sriov import config, record
from plugins.vf.kind import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.protocol.config import NetConf
    from cni.protocol.section import Section
    from plugins.vf.attachment import Attachment
    from plugins.vf.config import VfConfig


class Sriov(Kind):
    """The VF, configured through its PF, and nothing besides."""

    __slots__ = ()

    state_folder = "/var/lib/cni/sriov"

    def parse(self, conf: NetConf, args: str) -> VfConfig:
        """See `Kind`."""
        return config.parse(conf, args)

    def to_record(self, attachment: Attachment, conf: Section) -> dict[str, object]:
        """See `Kind`."""
        return record.to_record(attachment, conf)

    def from_record(self, raw: dict[str, object], sysfs_root: str) -> Attachment:
        """See `Kind`."""
        return record.from_record(raw)
