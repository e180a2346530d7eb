"""The records of one plugin's attachments on this node: which there are, and whose."""

from __future__ import annotations

from collections.abc import Callable

from cni.attach import record
from cni.attach.attachment import Attachment
from cni.attach.pod import recorded_pod
from cni.attach.state import Store
from cni.linux import files
from cni.linux.log import Logger
from cni.protocol.errors import GENERIC, TRY_AGAIN_LATER, CniError
from cni.protocol.section import Section


class Format:
    """How a plugin's records are kept, and what stands in them: by itself our own form, where there is no Go plugin's.

    {"containerID": "c0ffee", "ifName": "net1", "name": "blue",                          whose, of which network
     "link": {"name": "ens5", "mac": "...", "mtu": 1500, "kind": "veth"},                what it was like
     "plumbline": {...}}                                                                 cni.attach.record

    state_folder: where; other_files: the names of files there that are none. by_network: whether the name of a record's
    file begins with its network's. is_shared: whether a Go plugin writes records there, too, which do not name their
    owner.
    """

    __slots__ = ()

    state_folder = ""
    other_files: tuple[str, ...] = ()
    by_network = False
    is_shared = False

    def to_record(self, attachment: Attachment, conf: Section) -> dict[str, object]:
        """Return what `state.Store.save` is to keep. conf: the network configuration."""
        original = attachment.original
        assert original is not None
        link = {"mac": original.mac, "mtu": original.mtu, "kind": original.kind}
        return {
            "name": attachment.owner.network,
            "link": {"name": record.stored(original.name), **link},
            record.OURS: record.own(attachment),
        }

    def from_record(self, raw: dict[str, object]) -> Attachment:
        """Return the attachment of a record. Raises CniError naming what is wrong with it."""
        section = Section(raw, "record")
        state, ours = section.section("link"), section.section(record.OURS)
        original = record.read_link(state.string("name"), record.mac(state, "mac"), record.mtu(state, "mtu"), ours)
        if original is None:
            raise CniError(GENERIC, "it does not say which device it is about")
        original.kind = record.word(state, "kind")
        attachment = Attachment(record.read_own_owner(section), original)
        record.read_own(section, attachment)
        return attachment

    def complete(self, attachment: Attachment, written_ns: int) -> None:
        """Add to an attachment what its record does not tell. written_ns: when that was written, in ns since 1970."""


def is_unusable(error: CniError) -> bool:
    """Return whether what is in a record's place can be read by nobody: to DEL it is as absent, and goes."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in files.UNUSABLE


class Records:
    """Reads and writes them; what cannot be believed is said in the log, and is as absent."""

    __slots__ = ("_format", "_log", "store")

    def __init__(self, form: Format, log: Logger) -> None:
        self._format = form
        self._log = log
        self.store = Store(form.state_folder, log, form.is_shared, form.by_network, form.other_files)

    def load(self, container_id: str, ifname: str, network: str) -> Attachment | None:
        """Return the recorded attachment, None when there is no record that can be believed. Raises CniError."""
        raw = self.store.load(container_id, ifname, network)
        return None if raw is None else self._believed(raw)

    def of_interface(self, container_id: str, ifname: str, network: str) -> Attachment | None:
        """Return the recorded attachment of a pod's interface, preferably to this network, else to any; None when there
        is no record that can be believed. Raises CniError.
        """
        found = self.load(container_id, ifname, network)
        if found is None and self._format.by_network:
            for other in self.store.networks(container_id, ifname):
                found = found or self.load(container_id, ifname, other)
        return found

    def of_delete(self, container_id: str, ifname: str, network: str) -> Attachment | None:
        """Return the recorded attachment that DEL is about, None when there is no record that can be believed. Where
        the configuration does not tell the network, the interface has to do. Raises CniError.
        """
        load = self.load if network else self.of_interface
        return load(container_id, ifname, network)

    def all(self, mentioning: str = "", passing: Callable[[bytes], bool] | None = None) -> list[Attachment]:
        """Return all recorded attachments. mentioning, passing: as in `state.Store.all`. Raises CniError (code 5)."""
        found = (self._believed(raw) for raw in self.store.all(mentioning, passing))
        return [attachment for attachment in found if attachment is not None]

    def of_device(self, key: str) -> list[Attachment]:
        """Return all recorded attachments of the device whose lock is called so. Raises CniError (code 5)."""
        plain = key.isascii() and key.isprintable() and '"' not in key and "\\" not in key
        return [attachment for attachment in self.all(key if plain else "") if attachment.key == key]

    def _believed(self, raw: dict[str, object]) -> Attachment | None:
        try:
            attachment = self._format.from_record(raw)
        except CniError as e:
            self._log.warning(f"the record of {raw['ifName']} of {raw['containerID']} is damaged and not used: {e}")
            return None
        if not attachment.is_ours:
            self._format.complete(attachment, self.written_ns(attachment))
        return attachment

    def written_ns(self, attachment: Attachment) -> int:
        """Return when the record was written, in nanoseconds since 1970, 0 when there is none."""
        return self.store.written_ns(*attachment.owner.identity)

    def save(self, attachment: Attachment, conf: Section) -> None:
        """Write the record, durably, in place of an older one. conf: the network configuration. Raises CniError."""
        owner = attachment.owner
        whole = self._format.to_record(attachment, conf)
        self.store.save(owner.container_id, owner.ifname, whole, owner.network)

    def forget(self, attachment: Attachment) -> None:
        """Remove the record, whatever state the file is in. Raises CniError (code 5)."""
        self.store.remove(*attachment.owner.identity)

    def forget_remains(self, container_id: str, ifname: str, network: str) -> bool:
        """Remove what is left of an attachment that has no record: a damaged one, or what a killed ADD did not finish.
        Return whether there is one all the same: an ADD has written it since the caller looked.

        What an ADD is writing at the moment is left to it. Raises CniError (code 5).
        """
        store = self.store
        if not store.has_remains(container_id, ifname, network):
            return False
        try:
            with store.adding(container_id, ifname, 0.0):
                if self._is_usable(container_id, ifname, network):
                    return True
                store.remove(container_id, ifname, network)
        except CniError as e:
            if e.code != TRY_AGAIN_LATER:
                raise
            self._log.info(f"{ifname} of {container_id} is being attached by another process: left alone")
        return False

    def _is_usable(self, container_id: str, ifname: str, network: str) -> bool:
        try:
            return self.load(container_id, ifname, network) is not None
        except CniError as e:
            if not is_unusable(e):
                raise
            return False

    def lives(self, attachment: Attachment) -> bool:
        """Return whether the pod of an attachment is there, by what its record says."""
        with recorded_pod(attachment.owner, self._log, attachment.home) as pod:
            return pod is not None
