"""Whose a device is: under its lock it is claimed by a record, given back, and taken over from those who died."""

from __future__ import annotations

from dataclasses import dataclass

from cni.attach import dead
from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.dead import Living
from cni.attach.give_back import Outcome, give_back
from cni.attach.plugin import Device, Plugin
from cni.attach.pod import recorded_pod
from cni.attach.state import LOCK_TIMEOUT_S
from cni.attach.waiting import PATIENCE_S
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, TRY_AGAIN_LATER, CniError


@dataclass(slots=True, eq=False)
class Claims:
    """The attachments of one plugin on this node, for one command."""

    plugin: Plugin
    call: Call

    def make(self, attachment: Attachment) -> None:
        """Write down, durably, whose the device is and what it was like. Raises CniError."""
        self.note(attachment)
        self.plugin.note_owner(attachment)

    def note(self, attachment: Attachment) -> None:
        """Write the record anew. Raises CniError."""
        self.call.records.save(attachment, self.call.conf.section)

    def take_over(self, device: Device) -> None:
        """Give back what dead pods still have of a device, addresses too. The caller holds its lock. Raises CniError:
        code 11 when one who lives has it, or when it has not come back yet.
        """
        for attachment in device.left_behind(self.call):
            if attachment.is_of_this_boot:
                who = attachment.owner.describe()
                self.call.log.warning(f"{attachment.name} was left behind by {who}: taking it over")
            with recorded_pod(attachment.owner, self.call.log) as pod:
                home = pod if attachment.is_of_this_boot else None
                if self.give_back(attachment, home, PATIENCE_S, keep=True) is Outcome.NOT_YET:
                    raise device.not_back(attachment)
            try:
                self._forget_taken(attachment)
            except (CniError, OSError) as e:
                self.call.log.warning(f"addresses of {attachment.owner.describe()} are not released yet: {e}")

    def _forget_taken(self, attachment: Attachment) -> None:
        """Release the addresses of an attachment whose device was taken over, and forget it. A pod that lives keeps its
        addresses until DEL, which needs no record for them. Raises CniError and OSError; the record stays then, for the
        next sweep.
        """
        owner = attachment.owner
        with self.call.records.store.adding(owner.container_id, owner.ifname, 0.0):
            if Living(self.call.log).has(attachment):
                self.call.records.forget(attachment)
            else:
                self._release(attachment)

    def detach(
        self,
        attachment: Attachment,
        netns_path: str = "",
        patience_s: float = 0.0,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        keep: bool = False,
    ) -> Outcome:
        """Give the device of a recorded attachment back, under the device's lock, if it is still the attachment's;
        return what came of it, as `give_back.give_back`.

        netns_path: where the runtime says that the pod's namespace is, if not where the record says. patience_s: as
        there. lock_timeout_s: how long to wait for the lock. keep: whether the record is to stay nevertheless.
        Raises CniError; the record stays then.
        """
        owner, log = attachment.owner, self.call.log
        with self.plugin.lock(attachment.key, lock_timeout_s):
            # Another DEL, or an ADD that took the device over, may have been faster.
            current = self.call.records.load(*owner.identity)
            if current is None:
                return Outcome.DONE
            now = current.owner
            if (current.key, now.netns, now.netns_cookie) != (attachment.key, owner.netns, owner.netns_cookie):
                raise CniError(TRY_AGAIN_LATER, f"{owner.ifname} of {owner.container_id} has just been attached anew")
            if self.plugin.is_lost(current, netns_path, self.call):
                log.warning(f"{current.name} belongs to another pod by now: left alone")
                self.plugin.leave(current, self.call)
                if not keep:
                    self.call.records.forget(current)
                return Outcome.DONE
            with recorded_pod(owner, log, netns_path, self.plugin.noted_netns(current.key)) as pod:
                return self.give_back(current, pod, patience_s, keep=keep)

    def give_back(
        self,
        attachment: Attachment,
        pod: NetNS | None,
        patience_s: float = 0.0,
        was_touched: bool = False,
        keep: bool = False,
    ) -> Outcome:
        """Give the device back and, when nothing is left to do, forget the attachment; return what came of it.

        The arguments are those of `give_back.give_back`, and `keep` as in `detach`. The caller holds the device's lock.
        """
        way = self.plugin.returning(attachment, self.call)
        outcome = give_back(way, pod, patience_s, was_touched)
        if outcome is not Outcome.NOT_YET:
            self.plugin.forget_owner(attachment.key)
            if not keep:
                self.call.records.forget(attachment)
        return outcome

    def undo(self, attachment: Attachment, pod: NetNS) -> None:
        """Give the device back, as the undo of an ADD that failed. Raises CniError when it has no link to be found."""
        if self.give_back(attachment, pod, was_touched=True) is Outcome.NOT_YET:
            raise CniError(GENERIC, f"{attachment.name} has no link on the host; its record stays")

    def give_back_dead(self, has_own: bool = True) -> None:
        """Give back what pods that are gone have left, addresses too; never fails (`cni.attach.dead`).

        has_own: whether the command is about an attachment, which sees to itself.
        """
        try:
            found = self.call.records.all(passing=dead.may_be)
        except CniError as e:
            self.call.log.warning(f"what dead pods have left is not looked for: {e}")
            return
        others = (x for x in found if not has_own or not self._is_own(x))
        dead.give_back(others, Living(self.call.log), self._clean_up, self.call.log)

    def _is_own(self, attachment: Attachment) -> bool:
        """Return whether an attachment is what the command is about, for which DEL may name no network."""
        *interface, network = self.call.identity
        of_network = network in ("", attachment.owner.network) or not self.plugin.by_network
        return of_network and [attachment.owner.container_id, attachment.owner.ifname] == interface

    def _clean_up(self, attachment: Attachment) -> None:
        """Give back what a dead pod has left. An ADD of the same attachment, whose addresses have the same owner, is
        kept away meanwhile. The record goes last: it alone tells of the addresses. Raises CniError.
        """
        owner = attachment.owner
        with self.call.records.store.adding(owner.container_id, owner.ifname, 0.0):
            if self.detach(attachment, lock_timeout_s=0.0, keep=True) is not Outcome.NOT_YET:
                self._release(attachment)

    def _release(self, attachment: Attachment) -> None:
        """Release the addresses of a dead pod's attachment, then forget it. Raises CniError; the record stays then."""
        owner = attachment.owner
        self.call.ipam.release_recorded(owner.ipam, owner.identity, self.call.log, timeout_s=dead.STORE_TIMEOUT_S)
        self.call.records.forget(attachment)
