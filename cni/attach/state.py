"""The records of attachments: what a device was like before ADD, so that DEL can put it back, whoever was killed when.

One file per attachment, `<folder>/<container ID>-<interface name>`, mode 0600, holding one JSON object; with some
plugins the name of the network and a hyphen come before that. A record is on disk, synced, before the first change it
is needed for, and goes when nothing of the attachment is left.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from cni.linux import files, lock
from cni.linux.lock import EphemeralLock
from cni.linux.log import Logger
from cni.protocol import jsontext
from cni.protocol.errors import GENERIC, PLUGIN_UNAVAILABLE, CniError, invalid_config
from cni.protocol.limits import FILE_BYTES, FILE_NAME_BYTES

CONTAINER_ID = "containerID"
IFNAME = "ifName"
NETWORK = "name"

ADDING = "adding"
"""The folder of the locks of attachments, below that of the records."""

LOCK_TIMEOUT_S = 60.0
"""How long, in seconds, a command waits for the lock of an attachment or a device."""


@dataclass(slots=True, eq=False)
class Store:
    """The folder of one plugin's records.

    foreign: whether records without an owner are believed. The Go plugins write such ones; whose they are, the file's
    name says, as far as a hyphen in an interface's name lets it be told. by_network: whether files are named after the
    network, too. The methods need the attachment's network only then. others: names of files in the folder that are no
    records.
    """

    folder: str
    log: Logger
    foreign: bool = False
    by_network: bool = False
    others: tuple[str, ...] = ()

    def _path(self, container_id: str, ifname: str, network: str) -> str:
        """Return the file of an attachment's record, empty where there can be none: its name would be too long."""
        prefix = f"{network}-" if self.by_network else ""
        path = os.path.join(self.folder, f"{prefix}{container_id}-{ifname}")
        name = os.path.basename(files.temporary_path(path))
        return path if len(os.fsencode(name)) <= FILE_NAME_BYTES else ""

    def adding(self, container_id: str, ifname: str, timeout_s: float = LOCK_TIMEOUT_S) -> EphemeralLock:
        """Return the lock of an attachment, of whatever network: two ADDs would write one record about two devices, and
        one of these would be forgotten. Whoever has it may lock a device, never the other way round.

        Entering it raises CniError: code 11 when others hold it for that long, code 5.
        """
        path = self._lock(container_id, ifname)
        files.ensure_folder(self.folder)
        files.ensure_folder(os.path.dirname(path))
        return EphemeralLock(path, timeout_s)

    def _lock(self, container_id: str, ifname: str) -> str:
        name = os.fsencode(f"{container_id}-{ifname}")[:FILE_NAME_BYTES]  # two that share one wait for each other
        return os.path.join(self.folder, ADDING, os.fsdecode(name))

    def sweep(self) -> None:
        """Remove what killed ADDs left of their locks. Raises CniError (code 5)."""
        lock.sweep(os.path.join(self.folder, ADDING))

    def save(self, container_id: str, ifname: str, record: dict[str, object], network: str = "") -> None:
        """Write the attachment's record durably, in place of an older one.

        Raises CniError: code 5, and code 7 for one that is too long to be read again, or whose name is.
        """
        path = self._path(container_id, ifname, network)
        if not path:
            names = [network] * self.by_network + [container_id, ifname]
            raise invalid_config(
                f"the names are too long: a record's name, {'-'.join(names)}, has at most {FILE_NAME_BYTES} bytes",
                f"those of network, container ID and interface have {', '.join(str(len(one)) for one in names)}"
                if self.by_network
                else "",
            )
        files.ensure_folder(self.folder)
        whole = {CONTAINER_ID: container_id, IFNAME: ifname, **record}
        data = jsontext.dumps(whole, indent=0).encode()
        if len(data) > FILE_BYTES:  # nobody could read it again
            raise invalid_config(
                f"the configuration is too long: its record would have {len(data)} bytes",
                f"{FILE_BYTES} can be read",
            )
        files.write_atomic(path, data)

    def load(self, container_id: str, ifname: str, network: str = "") -> dict[str, object] | None:
        """Return the attachment's record, or None when there is none that can be believed.

        Raises CniError: code 5 when it cannot be read, 999 when the file belongs to another attachment: container a-b
        with interface c and container a with interface b-c share a name.
        """
        path = self._path(container_id, ifname, network)
        record = self._read(path, (container_id, ifname)) if path else None
        if record is not None and (record[CONTAINER_ID], record[IFNAME]) != (container_id, ifname):
            raise CniError(
                GENERIC,
                f"cannot use the record {path} for interface {ifname} of {container_id}",
                f"it belongs to interface {record[IFNAME]} of {record[CONTAINER_ID]}",
            )
        return record

    def remove(self, container_id: str, ifname: str, network: str = "") -> None:
        """Forget the attachment: a damaged record, and what a killed ADD left, go as well.

        A record that is gone is no error. Raises CniError (code 5).
        """
        path = self._path(container_id, ifname, network)
        if not path:
            return
        files.remove(files.temporary_path(path))
        files.remove(path)
        adding = self._lock(container_id, ifname)
        if os.path.lexists(adding):  # a killed ADD has left it, unless an ADD has it
            lock.remove(adding)

    def has_remains(self, container_id: str, ifname: str, network: str = "") -> bool:
        """Return whether there is anything of the attachment: a record, or what a killed ADD has left."""
        path = self._path(container_id, ifname, network)
        if not path:
            return False
        return any(os.path.lexists(x) for x in (path, files.temporary_path(path), self._lock(container_id, ifname)))

    def has(self, container_id: str, ifname: str, network: str = "") -> bool:
        """Return whether there is a file for the attachment's record, be it damaged: then it had begun."""
        return os.path.lexists(self._path(container_id, ifname, network))

    def networks(self, container_id: str, ifname: str) -> list[str]:
        """Return the networks that the interface has records of, where files are named after them. Raises CniError."""
        end = f"-{container_id}-{ifname}"
        return [name.removesuffix(end) for name in files.names(self.folder) if name.endswith(end)]

    def written_ns(self, container_id: str, ifname: str, network: str = "") -> int:
        """Return when the attachment's record was written, in nanoseconds since 1970, 0 when there is none."""
        try:
            return os.stat(self._path(container_id, ifname, network)).st_mtime_ns
        except OSError:
            return 0

    def all(self, mentioning: str = "", passing: Callable[[bytes], bool] | None = None) -> list[dict[str, object]]:
        """Return all records that can be read and believed: one bad file must not stop everybody's commands.

        To look at a record's text takes a hundredth of the time that it takes to parse it. mentioning: what has to be
        somewhere in it, in capital letters or small ones: ASCII without quotes and backslashes, as a bus address is,
        which JSON need not escape. passing: returns whether a text is to be parsed.
        Raises CniError (code 5) when the folder cannot be listed, and without `passing` also where nothing more can be
        opened at the moment: whoever asks for all would take for nobody's what such a record has.
        """
        wanted = mentioning.lower().encode()

        def is_wanted(data: bytes) -> bool:
            return wanted in data.lower() and (passing is None or passing(data))

        found = []
        for path in (os.path.join(self.folder, name) for name in files.names(self.folder) if name not in self.others):
            try:
                found.append(self._read(path, is_wanted=is_wanted) if os.path.isfile(path) else None)
            except CniError as e:
                if passing is None and isinstance(e.__cause__, OSError) and e.__cause__.errno in files.EXHAUSTED:
                    raise
                self.log.warning(f"record {path} is not used: {e}")
        return [record for record in found if record is not None]

    def check_usable(self) -> None:
        """Find out whether records can be written. Raises CniError (code 50)."""
        folder = self.folder
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
            reason = f"{folder} is no writable folder"
            raise CniError(PLUGIN_UNAVAILABLE, f"cannot keep records in {self.folder}: {reason}")

    def _read(
        self, path: str, owner: tuple[str, str] | None = None, is_wanted: Callable[[bytes], bool] | None = None
    ) -> dict[str, object] | None:
        """Return the record in a file, None for one that is not wanted. owner: whose it is if it does not say so.

        Garbage counts as absent, and is said: it tells of a crash or of a full disk.
        """
        data = files.read(path)
        if data is None or (is_wanted is not None and not is_wanted(data)):
            return None
        try:
            record = jsontext.loads(data.decode())
        except ValueError as e:
            self.log.warning(f"record {path} is damaged and not used: {e}")
            return None
        if self.foreign and isinstance(record, dict) and CONTAINER_ID not in record and IFNAME not in record:
            name = os.path.basename(path)
            if self.by_network:
                name = name.removeprefix(f"{record.get(NETWORK)}-")
            container_id, _, ifname = name.rpartition("-")
            record[CONTAINER_ID], record[IFNAME] = owner or (container_id, ifname)
        if not isinstance(record, dict) or not all(isinstance(record.get(key), str) for key in (CONTAINER_ID, IFNAME)):
            self.log.warning(f"record {path} is no record of an attachment and not used")
            return None
        return record
