"""The addresses of one network that are taken, as files of one folder. The format is the reference plugin's:

    <dataDir>/<network>/            0755
        lock                        0750, empty: whoever changes anything holds a flock(2) on it
        10.1.0.7                    0644, `<container ID>\\r\\n<interface name>` without a final newline
        fd00::7                     0644, the same; old versions wrote the container ID alone
        last_reserved_ip.0          0644, the address given out last from range set 0
        .tmp-10.1.0.7-<process>     ours, while it is being written; the reference plugin takes it for nobody's

An address file is written and synced under another name and then renamed, so that it is there whole or not at all,
after a power cut too. The folder is not synced: a power cut ends all pods, and an address that is free again after it
is as it should be. `last_reserved_ip` is not synced either: to lose it costs one turn of the round robin.

Somebody else may be able to write to the folder. So what is opened are regular files, not links, FIFOs and devices;
an address whose file is none of these counts as taken, and stays as it is. What is removed has a name of the above.

Finding what an attachment holds takes reading every file, since any plugin may have written it. Of a large store there
is an index beside it, which is believed as long as nobody else has changed the folder (see `index`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cni.linux import files
from cni.linux.lock import FileLock
from cni.linux.log import Logger
from cni.protocol.config import is_safe_name
from cni.protocol.errors import IO_FAILURE, CniError
from cni.protocol.ip import IPAddress, address_or_none
from ipam.host_local.boot import Boot
from ipam.host_local.index import SEPARATOR, WORTHWHILE, Index

LOCK = "lock"
LAST_RESERVED = "last_reserved_ip."
FOLDER_MODE = 0o755
FILE_MODE = 0o644
LOCK_MODE = 0o750
LOCK_TIMEOUT_S = 60.0
LOOKED_UP = 64
"""How many names are looked up one by one: to list a folder with 10,000 takes as long as 1,000 of these."""
MAX_RECORD_BYTES = 4096
"""More than any container ID and interface name have together."""

_IN_ADDRESSES = frozenset("0123456789abcdef.:")
_READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an address is. ifname None: a file of an old version, which has the container ID alone."""

    container_id: str
    ifname: str | None

    def __str__(self) -> str:
        return self.container_id if self.ifname is None else f"interface {self.ifname} of {self.container_id}"


def is_store(folder: str) -> bool:
    """Return whether a folder is a network's store: it has the lock's file, or an address'."""
    if _is_regular(os.path.join(folder, LOCK)):
        return True
    try:
        with os.scandir(folder) as entries:
            return any(
                _looks_like_address(entry.name) and address_or_none(entry.name) and entry.is_file(follow_symlinks=False)
                for entry in entries
            )
    except OSError:
        return False


class Taken(Collection[str]):
    """The names of all address files. Those that are not listed yet are looked up one by one, the first few.

    A name may look like an address and be none: `ip.address_or_none` says for certain.
    """

    __slots__ = ("_asked", "_names", "_store")

    def __init__(self, store: Store, names: set[str] | None) -> None:
        """names: None where they are not listed."""
        self._store = store
        self._names = names
        self._asked = 0

    def __contains__(self, name: object) -> bool:
        self._asked += 1
        if self._names is None and self._asked <= LOOKED_UP:
            return self._store.is_taken(f"{name}")
        return name in self._listed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed())

    def __len__(self) -> int:
        return len(self._listed())

    def discard(self, name: str) -> None:
        """Take note that an address has become free."""
        if self._names is not None:
            self._names.discard(name)

    def _listed(self) -> set[str]:
        if self._names is None:
            self._names = set(self._store.names())
        return self._names


class Store:
    """One network's folder. `name` in arguments and results is that of an address file: the address as text.

    Methods raise CniError (code 5) where the file system refuses. Those that change something want the lock held.
    """

    __slots__ = ("_boot", "_index", "_log", "_makes_index", "folder")

    def __init__(self, folder: str, boot: Boot, log: Logger) -> None:
        self.folder = folder
        self._boot = boot
        self._log = log
        self._index = Index(folder, log)
        self._makes_index = False

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def exists(self) -> bool:
        """Return whether the folder is there: without it, no address is taken."""
        return os.path.isdir(self.folder)

    @contextmanager
    def locked(self, create: bool = True, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
        """Hold the lock. create: make what is missing of folder, parents and file. timeout_s: how long to wait for it,
        in seconds.
        """
        if create:
            files.ensure_folder(self.folder, FOLDER_MODE)
        with FileLock(self._path(LOCK), timeout_s, LOCK_MODE if create else None):
            yield
            self._index.seal()

    def names(self) -> list[str]:
        """Return the names of all address files, in no order; none when there is no folder."""
        return [name for name in self._listed() if _looks_like_address(name)]

    def taken(self) -> Taken:
        """Return which addresses are taken now. The lock may be anybody's."""
        return Taken(self, None if self._index.load() else set(self.names()))

    def is_taken(self, name: str) -> bool:
        """Return whether there is an address file of this name. What cannot be known is an error: it may be there."""
        try:
            os.lstat(self._path(name))
        except FileNotFoundError:
            return False
        except OSError as e:
            raise files.io_failure("look for", self._path(name), e) from e
        return True

    def take_stock(self) -> Taken:
        """Return the same with the lock held, and put the folder in order first, unless it is as we left it.

        Nobody writes now, so what is unfinished was left by a process that was killed. The first time in a boot, files
        without a label get one (see `boot`).
        """
        if self._index.load():
            return Taken(self, None)
        names = []
        for name in self._listed():
            if _looks_like_address(name):
                names.append(name)
            elif _is_temporary(name):
                self._sweep(name)
        if not self._boot.is_current(self._path(LOCK)):
            unmarked = (name for name in names if not self._boot.is_marked(self._path(name)))
            if all(self._mark(name) for name in unmarked):
                self._mark(LOCK)
        self._makes_index = len(names) >= WORTHWHILE
        return Taken(self, set(names))

    def _sweep(self, name: str) -> None:
        try:
            files.remove(self._path(name))
        except CniError as e:  # a folder in its place, which is none of ours
            self._log.warning(str(e))

    def _mark(self, name: str) -> bool:
        """Label a file with this boot. True also for what is no file of ours, which gets none."""
        try:
            fd = files.open_regular(self._path(name))
        except OSError:
            return True
        with files.closing(fd):
            return self._boot.mark(fd)

    def _listed(self) -> list[str]:
        try:
            return os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as e:
            raise files.io_failure("list folder", self.folder, e) from e

    def held_by(self, container_id: str, ifname: str, taken: Taken) -> tuple[list[str], list[str]]:
        """Return which of the addresses are the attachment's, and which are the container's in the old format."""
        old = container_id.encode()
        new = _content(container_id, ifname)
        if self._index.is_believed:
            contents = self._contents(self._index.find(container_id, ifname))
        else:
            contents = self._all_contents(taken)
        contents = [(name, data.strip()) for name, data in contents]
        return [name for name, data in contents if data == new], [name for name, data in contents if data == old]

    def held_if_store(self, container_id: str, ifname: str) -> tuple[list[str], list[str]]:
        """Return the same of a folder that is not known to be a store: every store has the lock's file, ours and the
        reference plugin's.
        """
        is_store = self.folder and _is_regular(self._path(LOCK))
        return self.held_by(container_id, ifname, self.taken()) if is_store else ([], [])

    def owners(self, taken: Taken) -> list[tuple[str, Owner | None]]:
        """Return whose each address is: None for a damaged file, which is logged. Files that are gone are left out."""
        return [(name, self._parsed(name, data)) for name, data in self._all_contents(taken)]

    def _all_contents(self, taken: Taken) -> list[tuple[str, bytes]]:
        names = list(taken)
        contents = self._contents(names)
        # What could not be read may be somebody's, and what is empty soon be: an index would lack it for good.
        if self._makes_index and len(contents) == len(names) and all(data for _, data in contents):
            self._index.make(contents)
        return contents

    def _contents(self, names: list[str]) -> list[tuple[str, bytes]]:
        """Return what is in the files, as far as they can be read: this is where 10,000 files cost time.

        A listing tells what is a regular file, for nothing. Who can make a device is root, so that an open which
        follows no link and does not block is harmless, should something else be in a file's place by then.
        """
        if not names:
            return []
        try:
            with os.scandir(self.folder) as entries:
                irregular = {entry.name for entry in entries if not entry.is_file(follow_symlinks=False)}
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as e:
            raise files.io_failure("read folder", self.folder, e) from e
        contents = []
        with files.closing(folder):
            for name in names:
                if name in irregular:
                    self._log.warning(f"{self._path(name)} is not a regular file: the address counts as taken")
                elif (data := self._content(name, folder)) is not None:
                    contents.append((name, data))
        return contents

    def _content(self, name: str, folder: int) -> bytes | None:
        """Return what is in a file, None when it is gone or cannot be read. folder: the open folder."""
        try:
            fd = os.open(name, _READ_ONLY, dir_fd=folder)
            try:
                data = os.read(fd, MAX_RECORD_BYTES)
            finally:
                os.close(fd)
        except FileNotFoundError:
            return None
        except OSError as e:
            if e.errno in files.EXHAUSTED:  # whose the address is is not known: it may be the one to release
                raise files.io_failure("read address file", self._path(name), e) from e
            self._log.warning(f"cannot read address file {self._path(name)}: {e.strerror}")
            return None
        if not data:
            self._log.warning(f"address file {self._path(name)} is empty: no attachment holds the address")
        return data

    def _parsed(self, name: str, data: bytes) -> Owner | None:
        container_id, separator, ifname = data.strip().partition(SEPARATOR)
        try:
            owner = Owner(container_id.decode("ascii"), ifname.decode() if separator else None)
        except UnicodeDecodeError:
            owner = Owner("", None)
        if is_safe_name(owner.container_id):
            return owner
        if data:
            self._log.warning(f"address file {self._path(name)} is damaged: it holds {data[:80]!r}")
        return None

    def abandoned(self, names: list[str]) -> list[str]:
        """Return those of the address files of which it is certain that no living pod has the address, oldest first."""
        return sorted((name for name in names if self.is_abandoned(name)), key=self._age)

    def is_abandoned(self, name: str) -> bool:
        """Return whether the file is of an earlier boot, or empty.

        An empty one was left by a process that was killed before it answered, or by a power cut.
        """
        path = self._path(name)
        try:
            status = os.lstat(path)
            return stat.S_ISREG(status.st_mode) and (status.st_size == 0 or self._boot.is_earlier(path))
        except FileNotFoundError:
            return False
        except OSError as e:
            raise files.io_failure("look at", path, e) from e

    def _age(self, name: str) -> tuple[int, str]:
        try:
            return os.lstat(self._path(name)).st_mtime_ns, name
        except OSError:
            return 0, name

    def check_usable(self) -> None:
        """Raise CniError (code 5) unless files can be made here: the folder or its nearest parent can be written."""
        folder = self.folder
        while not os.path.lexists(folder) and os.path.dirname(folder) != folder:
            folder = os.path.dirname(folder)
        is_folder = os.path.isdir(folder)
        if not (is_folder and os.access(folder, os.W_OK | os.X_OK)):
            reason = "cannot be written" if is_folder else "is not a folder"
            raise CniError(IO_FAILURE, f"cannot use the store {self.folder}: {folder} {reason}")

    def last_reserved(self, index: int) -> IPAddress | None:
        """Return the address given out last from the range set, None when that is not known."""
        path = self._path(f"{LAST_RESERVED}{index}")
        try:
            data = files.read(path)
        except CniError as e:
            self._log.warning(f"{e}; starting with the first address")
            return None
        address = address_or_none((data or b"").decode("ascii", "replace").strip())
        if address is None and data is not None:
            self._log.info(f"{path} holds no address: starting with the first")
        return address

    def reserve(self, name: str, container_id: str, ifname: str) -> None:
        """Make the address the attachment's. It must be free. On an error nothing is left."""
        path = self._path(name)
        temporary = self._path(f"{files.TEMPORARY_PREFIX}{name}-{os.getpid()}")
        content = _content(container_id, ifname)
        try:
            with files.closing(files.create(temporary, FILE_MODE)) as fd:
                files.write_all(fd, content)
                self._boot.mark(fd)
                os.fsync(fd)
            os.rename(temporary, path)
        except OSError as e:
            self._sweep(os.path.basename(temporary))
            raise files.io_failure("write", path, e) from e
        self._index.add(name, content)

    def remember_last(self, index: int, address: IPAddress) -> None:
        """Note the address given out last from the range set. A failure is only logged: it costs fairness, no more."""
        path = self._path(f"{LAST_RESERVED}{index}")
        try:
            files.write_atomic(path, str(address).encode(), FILE_MODE, durable=False)
        except CniError as e:
            self._log.warning(f"{e}; the next address will be taken from the same place")

    def release(self, name: str) -> bool:
        """Make the address free; return whether it was taken."""
        was_taken = files.remove(self._path(name))
        self._index.remove(name)
        return was_taken

    def release_own(self, name: str, container_id: str, ifname: str) -> None:
        """Make the address free if it is the attachment's."""
        if any(data.strip() == _content(container_id, ifname) for _, data in self._contents([name])):
            self.release(name)


def _content(container_id: str, ifname: str) -> bytes:
    return container_id.encode() + SEPARATOR + os.fsencode(ifname)


def _looks_like_address(name: str) -> bool:
    """Full parsing takes 2 microseconds a name: it is left to whoever goes by the name alone."""
    return _IN_ADDRESSES.issuperset(name) and name[0] != "." and ("." in name or ":" in name)


def _is_temporary(name: str) -> bool:
    """Return whether a killed process of ours may have left a file of this name: `.tmp-10.1.0.7-<process>`, or
    `.tmp-last_reserved_ip.0`.
    """
    if not name.startswith(files.TEMPORARY_PREFIX):
        return False
    rest = name.removeprefix(files.TEMPORARY_PREFIX)
    if rest.startswith(LAST_RESERVED):
        return _is_number(rest.removeprefix(LAST_RESERVED))
    address, _, process = rest.rpartition("-")
    return _is_number(process) and address_or_none(address) is not None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
