"""One recorded device is given back to the host, with its addresses, as a DEL does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.claims import Claims
from cni.attach.give_back import Outcome
from cni.attach.plugin import Plugin
from cni.attach.records import Records
from cni.attach.waiting import PATIENCE_S
from cni.linux import netns
from cni.linux.log import Logger
from cni.linux.netlink import link
from cni.protocol.config import NetConf
from cni.protocol.errors import TRY_AGAIN_LATER, CniError
from cni.protocol.request import Request
from cni.protocol.version import CURRENT
from ipam.delegate import Delegate
from plumbline.node.notes import Notes
from plumbline.repair import addresses

LOCK_TIMEOUT_S = 10.0
"""How long to wait, in seconds, for what another plugin is at work on: an ADD takes a second or two."""


@dataclass(slots=True)
class Given:
    """What came of it. is_back: whether nothing is left to do for the device. error: what went wrong, None for nothing.
    addresses: those that were released. notes: what else there is to say.
    """

    is_back: bool = False
    error: CniError | None = None
    addresses: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing is left to do."""
        return self.is_back and self.error is None

    @property
    def is_busy(self) -> bool:
        """Whether it may work a moment later."""
        return not self.is_back and (self.error is None or self.error.code == TRY_AGAIN_LATER)


@contextmanager
def claims_of(plugin: Plugin, log: Logger, netns_path: str = "") -> Iterator[Claims]:
    """The attachments of one plugin, for a command without request and configuration: to give back takes no more than
    what is recorded. netns_path: of the pod that it is about, if of one. Entering it raises CniError (code 5).
    """
    nothing = NetConf({"cniVersion": CURRENT, "name": plugin.name, "type": plugin.name})
    with netns.own() as host:
        call = Call(Request("GC", netns=netns_path), nothing, host, Delegate(), log, Records(plugin, log))
        yield Claims(plugin, call)


def give_back(plugin: Plugin, attachment: Attachment) -> Given:
    """Give a recorded device back, and release its addresses. Never raises CniError: what went wrong is in the answer.

    The record goes last: as long as anything is left to do, it tells the next one who tries.
    """
    log, given, owner = Notes(), Given(), attachment.owner
    try:
        with (
            claims_of(plugin, log) as claims,
            claims.call.records.store.adding(owner.container_id, owner.ifname, LOCK_TIMEOUT_S),
        ):
            outcome = claims.detach(attachment, patience_s=PATIENCE_S, lock_timeout_s=LOCK_TIMEOUT_S, keep=True)
            if outcome is not Outcome.NOT_YET:
                given.is_back = True
                _note_a_death(attachment, claims)
                given.addresses = addresses.release(attachment, log, LOCK_TIMEOUT_S)
                claims.call.records.forget(attachment)
    except CniError as e:
        given.error = e
    except OSError as e:  # RequestError, for what the kernel refused to tell
        given.error = CniError(999, f"cannot look for {attachment.name}: {e.strerror}", f"errno {e.errno}")
    kind = addresses.unreleasable(attachment)
    if given.is_back and kind:
        log.warning(f"what {kind} gave it, {kind} alone can release: have it collect its garbage")
    given.notes = log.warnings
    return given


def _note_a_death(attachment: Attachment, claims: Claims) -> None:
    """Say it where no link has come back: to the engine that is no failure. Raises RequestError."""
    name = attachment.name
    if attachment.original is not None and link.get(claims.call.host.netlink, name=name) is None:
        claims.call.log.warning(f"there is no {name} on the host now: a virtual link dies with its pod")
