"""Give a device back: find it wherever it has got to, move it to the host, make it what it was before ADD."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from cni.attach import fetch, identity, restore, waiting
from cni.attach.attachment import Attachment
from cni.attach.call import Call
from cni.attach.identity import Sought
from cni.attach.step import attempt, settle
from cni.linux.netlink import link
from cni.linux.netlink.link import Link
from cni.linux.netlink.socket import RequestError
from cni.linux.netns import NetNS
from cni.protocol.errors import GENERIC, CniError, combined


class Outcome(Enum):
    """What came of giving a device back: there is something left to do; nothing is; nothing is, and the pod had it."""

    NOT_YET = auto()
    DONE = auto()
    FETCHED = auto()


@dataclass(slots=True, eq=False)
class Return:
    """The way of one recorded device back to the host, with what its plugin does on it. The engine calls the methods in
    the order in which they stand here. What a step could not do is added to the errors, and the rest is done.
    """

    attachment: Attachment
    call: Call

    @property
    def title(self) -> str:
        """What the device is called in errors."""
        return self.attachment.name

    def disconnect(self, errors: list[CniError]) -> None:
        """Cut what was connected on the host, so that a pod which still has the device reaches nobody."""

    def is_removed(self) -> bool:
        """Return whether the device itself is gone for good, which is said in the log."""
        return False

    def look(self) -> None:
        """Look at the host, once. Raises CniError."""

    def on_host(self) -> Link | None:
        """Return the link if it is on the host: never moved, back already, or saved by the kernel.

        By itself this is for virtual links, which die with their pod: such a one is on the host only when it never left
        (same name, same index) or has come back already (same name, and the mark, its name as its alias).
        """
        original = self._link
        found = link.get(self.call.host.netlink, name=original.name)
        if found is None or self.sought().on_host(found):
            return None
        return found if original.name == found.alias or original.index == found.index else None

    @property
    def _link(self) -> Link:
        assert self.attachment.original is not None
        return self.attachment.original

    def was_left_alone(self, found: Link, pod: NetNS | None, was_touched: bool) -> bool:
        """Return whether a link on the host is how the administrator wants it, since it was never moved, or given back
        by somebody else. was_touched: as in `give_back`.
        """
        original = self._link
        if was_touched or found.alias == original.name or (found.name, found.index) != (original.name, original.index):
            return False
        if pod is None:
            return True
        return identity.in_pod(self.sought(), self.call.host, pod, self.attachment.knows(pod))[0] is None

    def sought(self) -> Sought:
        """Return what the link is known by in the pod."""
        return self.attachment.sought()

    def before_leaving(self, found: Link, pod: NetNS, errors: list[CniError]) -> Link:
        """Do what has to be done as long as the link is in the pod; return it as it is then."""
        return found

    def may_come(self) -> bool:
        """Return whether a link that is nowhere may be in a namespace that is being torn down."""
        return False

    def left_behind(self) -> Link | None:
        """Return the link if it came back under another name once, its own being taken, and was not restored."""
        name, sought = self._link.name, self.sought()
        return next((x for x in link.dump(self.call.host.netlink) if x.alias == name and not sought.on_host(x)), None)

    def after_arriving(self, found: Link, errors: list[CniError]) -> Link:
        """Do the same as `before_leaving` with a link that the kernel has brought to the host; return it."""
        return found

    def is_over(self, pod: NetNS | None, seen: str) -> bool:
        """Return whether a device that is nowhere cannot be found any more, and say it. seen: what the pod has."""
        name = self.attachment.name
        if pod is not None and not self._has_died(pod):
            self.call.log.warning(
                f"{name} is neither on the host nor to be recognised in {pod.path}: {seen}; its record stays until "
                "that namespace is gone"
            )
            return False
        self.call.log.info(f"{name} is neither on the host nor in the pod: nothing to give back")
        return True

    def _has_died(self, pod: NetNS) -> bool:
        """Return whether a virtual link is certain to be no more: the two ends of a veth die together, and the kernel
        gives an index once in a boot. Where the other end was not on the host, or of another kind, that cannot be told.
        """
        original, pod_index = self._link, self.attachment.pod_index
        if original.kind != "veth" or not original.peer or original.peer_nsid != -1:
            return False
        here = link.get(pod.netlink, index=pod_index) if pod_index else None
        if here is not None and here.kind == "veth":  # with its other end elsewhere by now
            return False
        peer = link.get(self.call.host.netlink, index=original.peer)
        return peer is None or peer.kind != "veth"

    def reconnect(self, errors: list[CniError]) -> None:
        """Make what `disconnect` cut what it was before ADD."""

    def restore_settings(self, errors: list[CniError]) -> None:
        """Make the settings of the device on the host what they were."""

    def original_for(self, found: Link) -> Link:
        """Return what the link is to be like."""
        return self._link

    def finish(self, errors: list[CniError]) -> None:
        """Restore what can only be restored when all else is."""


def give_back(way: Return, pod: NetNS | None, patience_s: float, was_touched: bool = False) -> Outcome:
    """Put an attachment's device back on the host as it was before ADD; return what came of it.

    pod: the attachment's namespace, None when it is gone. patience_s: how long to wait, in seconds, for a link that the
    kernel has still to save from a dying namespace. was_touched: whether a link that is where it was may have been in
    the pod for a moment, as when ADD has failed.
    A device that a boot has reset, that was unplugged, or that died with its pod is logged and is no failure. One that
    exists and has no link to be found has not come back yet, or the pod has hidden it: there is something left, and its
    settings stay as well, so that nothing is sent without its VLAN.
    Raises CniError for what the kernel refused; everything else is done.
    """
    attachment, call, log = way.attachment, way.call, way.call.log
    original = attachment.original
    if not attachment.is_of_this_boot:
        log.info(f"{attachment.name} was attached before the machine's last boot: the boot has reset it")
        return Outcome.DONE
    errors: list[CniError] = []
    attempt(errors, way.disconnect, errors)
    if way.is_removed():
        attempt(errors, way.reconnect, errors)
        settle(f"cleaning up after {way.title}", errors)
        return Outcome.DONE
    what, arrival = f"giving back {way.title}", Arrival()
    try:
        way.look()
        if original is not None:
            arrival = _arrival(way, pod, patience_s, was_touched, errors)
    except CniError as e:
        raise combined(what, [*errors, e]) from e
    except RequestError as e:
        reason = f"errno {e.errno}; " + (f"cannot {e.question}; " if e.question else "") + "its record stays"
        errors.append(CniError(GENERIC, f"cannot fetch {way.title}: {e.strerror}", reason))
        raise combined(what, errors) from e
    found, before = arrival.link, len(errors)
    if original is not None and found is not None and not arrival.is_left_alone:
        # The kernel saves it from a dying pod under the name that it had there last, and a pod may have kept a move
        # from naming it. Where it cannot be named, it keeps its mark, by which the next DEL knows it.
        attempt(errors, restore.rename, call.host, found, original.name, log)
    is_named = len(errors) == before
    if original is not None and found is None and not way.is_over(pod, arrival.seen):
        settle(what, errors)
        return Outcome.NOT_YET
    attempt(errors, way.reconnect, errors)
    attempt(errors, way.restore_settings, errors)
    if original is not None and found is not None and arrival.is_left_alone:
        attempt(errors, restore.restore_place, call.host, found, original, attachment.master, log)
    elif found is not None and is_named:
        attempt(errors, restore.restore, call.host, found, way.original_for(found), attachment.master, log)
    attempt(errors, way.finish, errors)
    settle(what, errors)
    if found is not None:
        log.debug(f"{attachment.name} is back on the host")
    return arrival.outcome


@dataclass(slots=True)
class Arrival:
    """A link on the host, None when it is nowhere.

    outcome: FETCHED if the pod is there. seen: for a message, what is in the pod instead. is_left_alone: as in
    `Return.was_left_alone`.
    """

    link: Link | None = None
    outcome: Outcome = Outcome.DONE
    seen: str = ""
    is_left_alone: bool = False


def _arrival(way: Return, pod: NetNS | None, patience_s: float, was_touched: bool, errors: list[CniError]) -> Arrival:
    """Bring the link to the host. Arguments and errors are those of `give_back`."""
    host, original, seen = way.call.host, way.attachment.original, ""
    assert original is not None
    found = way.on_host()
    if found is not None and way.was_left_alone(found, pod, was_touched):
        return Arrival(found, is_left_alone=True)
    if found is None and pod is not None:
        links = link.dump(pod.netlink)
        in_pod, seen = identity.in_pod(way.sought(), host, pod, way.attachment.knows(pod), links)
        if in_pod is not None:
            in_pod = way.before_leaving(in_pod, pod, errors)
            fetched = fetch.fetched(way.sought(), in_pod, links, host, pod, way.call.log)
            if fetched is not None:
                return Arrival(fetched, Outcome.FETCHED)
    outcome = Outcome.FETCHED if found is not None and pod is not None else Outcome.DONE
    if found is None and way.may_come():
        found = waiting.for_link(way.on_host, patience_s)
    if found is None:
        found = way.left_behind()
    if found is None:
        return Arrival(seen=seen)
    return Arrival(way.after_arriving(found, errors), outcome)
