"""An attachment of a VF to a pod: whose it is, what was asked for, and what everything was like before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.linux.log import Logger
from cni.linux.netlink.vf import VF
from cni.linux.netns import NetNS
from cni.protocol.errors import CniError
from plugins.vf.config import VfConfig


class Beside:
    """What a plugin connects on the host besides the VF, such as its representor to a bridge, and what that was before.

    It is recorded with the VF, before anything is changed.
    """

    __slots__ = ()

    def describe(self) -> str:
        """Return what `connect` does, in the infinitive."""
        raise NotImplementedError

    def connect(self, host: NetNS, log: Logger) -> None:
        """Make the connection, for ADD, before the VF goes into the pod. Raises CniError, then `disconnect` follows."""

    def disconnect(
        self, host: NetNS, others: Callable[[], list[VfAttachment]], errors: list[CniError], log: Logger
    ) -> None:
        """Cut the connection, as far as it is still there, so that a pod which still has the VF reaches nobody.

        others: returns all recorded attachments, this one among them. What the kernel refused is added to the errors.
        """

    def release(self, host: NetNS, others: Callable[[], list[VfAttachment]], log: Logger) -> None:
        """Give back what attachments share, and nothing else: the VF is another's by now.

        others: returns the recorded attachments that may still need it. Raises CniError.
        """

    def restore(self, host: NetNS, errors: list[CniError], log: Logger) -> None:
        """Make what was disconnected what it was before ADD; the VF is out of the pod. Errors as in `disconnect`."""

    def verify(self, host: NetNS) -> None:
        """Raise CniError naming the first thing that is not as `connect` left it."""


@dataclass(slots=True, eq=False)
class VfAttachment(Attachment):
    """One attachment and what its VF was like before.

    wanted: what the user asked for. pf: the name of the PF's link, empty without one; index: of the VF at it. original:
    the VF's link on the host, None on a userspace driver. table: the VF's entry at the PF, None when it is not known.
    A Go plugin's owner has no namespace and no boot, which may be `boot.EARLIER` then. allocated_to: the namespace's
    path as sriov-cni notes it. beside: what is connected besides the VF, None for nothing.
    """

    wanted: VfConfig
    pf: str
    index: int
    table: VF | None
    allocated_to: str = field(default="", kw_only=True)
    beside: Beside | None = field(default=None, kw_only=True)

    @property
    def home(self) -> str:
        return self.owner.netns or self.allocated_to

    @property
    def key(self) -> str:
        """The VF's PCI address."""
        return self.wanted.address

    address = key

    @property
    def name(self) -> str:
        """What the VF is called in messages: its name on the host, or its address."""
        return self.original.name if self.original is not None else self.address


def recorded(call: Call, address: str = "") -> list[VfAttachment]:
    """Return all recorded attachments, or those of the VF with this address only. Raises CniError (code 5)."""
    found = call.records.of_device(address) if address else call.records.all()
    return [x for x in found if isinstance(x, VfAttachment)]
