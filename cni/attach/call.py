"""What every step of a command needs: the request and its configuration, the host, IPAM, and a log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni.attach.attachment import Owner
from cni.attach.records import Records
from cni.linux.log import Logger
from cni.linux.netns import NetNS
from cni.protocol.config import NetConf
from cni.protocol.request import Request

if TYPE_CHECKING:
    from typing import Protocol

    from cni.protocol.result import Result

    class IPAM(Protocol):
        """What IPAM does for an attachment; `ipam.delegate` has it, and says what each raises.

        The core is handed it: IPAM plugins are above it, and import it.
        """

        def is_built_in(self, conf: NetConf) -> bool:
            """Return whether addresses are chosen in this process, without asking through the link."""

        def validate(self, request: Request, conf: NetConf) -> None:
            """Raise CniError for what is wrong with the configuration."""

        def refuse_unrenderable(self, conf: NetConf) -> None:
            """Raise CniError where the result of a network without IPAM has no form in the version asked for."""

        def remember(self, conf: NetConf) -> dict[str, object]:
            """Return what the record has to say of IPAM."""

        def add(self, request: Request, conf: NetConf, log: Logger) -> Result:
            """Return addresses, routes and DNS."""

        def check(self, request: Request, conf: NetConf, log: Logger) -> None:
            """Verify that the attachment still holds its addresses."""

        def delete(
            self, request: Request, conf: NetConf, log: Logger, *, attached: bool = True, remembered: object = None
        ) -> None:
            """Release the attachment's addresses."""

        def release_recorded(
            self, remembered: object, identity: tuple[str, str, str], log: Logger, *, timeout_s: float = ...
        ) -> None:
            """Release what an attachment holds that is known by its record only. identity: see Owner."""

        def gc(self, request: Request, conf: NetConf, log: Logger) -> None:
            """Release what attachments that are not valid any more hold."""

        def status(self, request: Request, conf: NetConf, log: Logger) -> None:
            """Raise CniError if ADD could not have an address."""


@dataclass(slots=True, eq=False)
class Call:
    """One command. host: the namespace that the runtime and all devices are in, open. records: the plugin's."""

    request: Request
    conf: NetConf
    host: NetNS
    ipam: IPAM
    log: Logger
    records: Records

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells the attachment that the command is about from all others, as `Owner.identity`."""
        return self.request.container_id, self.request.ifname, self.conf.name

    def release_addresses(self) -> None:
        """Release the addresses that an ADD has had, as its undo. Raises CniError."""
        self.ipam.delete(self.request, self.conf, self.log)

    def release_addresses_of(self, owner: Owner | None) -> None:
        """Release the addresses of an attachment: those that the configuration tells of, and those that its record
        does. owner: what that says, None without one. Raises CniError.
        """
        remembered = owner.ipam if owner is not None else None
        self.ipam.delete(self.request, self.conf, self.log, attached=owner is not None, remembered=remembered)
        if owner is not None and owner.network not in ("", self.conf.name):
            self.ipam.release_recorded(owner.ipam, owner.identity, self.log)
