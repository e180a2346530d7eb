"""An attachment of a VF to a pod: whose it is, what was asked for, and what everything was like before."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni.errors import CniError
    from cni.log import Logger
    from cni.netlink.link import Link
    from cni.netlink.vf import VF
    from cni.netns import NetNS
    from plugins.vf.config import VfConfig


class Beside:
    """What a plugin connects on the host besides the VF, such as its representor to a bridge, and what that was before.

    It is recorded with the VF, before anything is changed.
    """

    __slots__ = ()

    def connect(self, host: NetNS, log: Logger) -> None:
        """Make the connection, for ADD, before the VF goes into the pod. Raises CniError, then `disconnect` follows."""
        raise NotImplementedError

    def disconnect(
        self, host: NetNS, others: Callable[[], list[Attachment]], errors: list[CniError], log: Logger
    ) -> None:
        """Cut the connection, as far as it is still there, so that a pod which still has the VF reaches nobody.

        others: returns all recorded attachments, this one among them. What the kernel refused is added to the errors.
        """
        raise NotImplementedError

    def release(self, host: NetNS, others: Callable[[], list[Attachment]], log: Logger) -> None:
        """Give back what attachments share, and nothing else: the VF is another's by now.

        others: returns the recorded attachments that may still need it. Raises CniError.
        """
        raise NotImplementedError

    def restore(self, host: NetNS, errors: list[CniError], log: Logger) -> None:
        """Make what was disconnected what it was before ADD; the VF is out of the pod. Errors as in `disconnect`."""
        raise NotImplementedError

    def verify(self, host: NetNS) -> None:
        """Raise CniError naming the first thing that is not as `connect` left it."""
        raise NotImplementedError


class Attachment:
    """One attachment and what its VF was like before.

    wanted: what the user asked for. pf: the name of the PF's link, empty without one; index: of the VF at it. original:
    the VF's link on the host, None on a userspace driver; master: the name of the bridge or bond that it was a port of.
    table: the VF's entry at the PF, None when it is not known. netns, netns_cookie, boot_id: empty or 0 when a Go
    plugin wrote the record, which is_ours tells; boot_id may be `boot.EARLIER` then. beside: what is connected besides
    the VF, None for nothing.
    """

    __slots__ = (
        "beside",
        "boot_id",
        "container_id",
        "ifname",
        "index",
        "is_ours",
        "master",
        "netns",
        "netns_cookie",
        "network",
        "original",
        "pf",
        "table",
        "wanted",
    )

    def __init__(
        self,
        container_id: str,
        ifname: str,
        network: str,
        netns: str,
        netns_cookie: int,
        boot_id: str,
        wanted: VfConfig,
        pf: str,
        index: int,
        original: Link | None,
        master: str,
        table: VF | None,
        is_ours: bool = True,
        beside: Beside | None = None,
    ) -> None:
        self.container_id = container_id
        self.ifname = ifname
        self.network = network
        self.netns = netns
        self.netns_cookie = netns_cookie
        self.boot_id = boot_id
        self.wanted = wanted
        self.pf = pf
        self.index = index
        self.original = original
        self.master = master
        self.table = table
        self.is_ours = is_ours
        self.beside = beside

    @property
    def address(self) -> str:
        """The VF's PCI address."""
        return self.wanted.address

    @property
    def name(self) -> str:
        """What the VF is called in messages: its name on the host, or its address."""
        return self.original.name if self.original is not None else self.address
