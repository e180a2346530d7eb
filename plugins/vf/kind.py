"""In what one plugin for VFs differs from another: parameters, records, and what is connected besides the VF."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni.linux.lock import FileLock
    from cni.linux.log import Logger
    from cni.linux.netlink.link import Link
    from cni.linux.netns import NetNS
    from cni.protocol.config import NetConf
    from cni.protocol.section import Section
    from plugins.vf.attachment import Attachment, Beside
    from plugins.vf.claims import Claims
    from plugins.vf.config import VfConfig
    from plugins.vf.device import Device


class NotLocked:
    """A lock where none is needed."""

    __slots__ = ()

    def __enter__(self) -> NotLocked:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Kind:
    """One plugin for VFs.

    state_folder: where its records are; other_files: the names of files there that are none. by_network: whether the
    name of a record's file begins with its network's. allocates: whether owners are noted in `pci/<PCI address>` there,
    too. connects: whether something is connected besides the VF, as `beside` says. optional: settings (attributes of
    `plan`) that are left out where the PF's driver does not know them.
    """

    __slots__ = ()

    state_folder = ""
    other_files: tuple[str, ...] = ()
    by_network = False
    allocates = True
    connects = False
    optional: frozenset[str] = frozenset()

    def parse(self, conf: NetConf, args: str) -> VfConfig:
        """Read and check all parameters; nothing on the host is looked at.

        args: CNI_ARGS. Raises CniError (code 7) naming field and value; code 4 for CNI_ARGS.
        """
        raise NotImplementedError

    def to_record(self, attachment: Attachment, conf: Section) -> dict[str, object]:
        """Return what `cni.attach.state.Store.save` is to keep. conf: the network configuration."""
        raise NotImplementedError

    def from_record(self, record: dict[str, object], sysfs_root: str) -> Attachment:
        """Return the attachment of a record, ours or the Go plugin's. sysfs_root: where sysfs is mounted.

        Raises CniError naming what is wrong with it.
        """
        raise NotImplementedError

    def lock(self, wanted: VfConfig) -> FileLock | NotLocked:
        """Return what is to be held while an attachment is recorded and connected. Entering it raises CniError."""
        return NotLocked()

    def beside(
        self, wanted: VfConfig, vf: Device, original: Link | None, host: NetNS, claims: Claims, log: Logger
    ) -> Beside | None:
        """Return what is to be connected besides the VF, as it is now. original: the VF's link, None without one.

        Raises CniError when it cannot be connected.
        """
        return None

    def disconnect_unrecorded(
        self, conf: NetConf, vf: Device, was_attached: bool, host: NetNS, sysfs_root: str, log: Logger
    ) -> None:
        """Disconnect what can be told, by configuration and sysfs, to be connected besides a VF that has no record.

        was_attached: whether it is known that there was such an attachment; if not, this may be a DEL before any ADD,
        or after another DEL. Raises CniError.
        """

    def status(self, conf: NetConf, host: NetNS) -> None:
        """Raise CniError when something on the host would keep ADD from working, whatever the VF is."""
