"""Files that are there whole or not at all, that survive a power cut, and that are files.

Somebody else may be able to write to a folder of ours, or a configuration may name the path. A symbolic link leads
elsewhere then, a FIFO keeps whoever opens it, and to open some devices does something. So what is to be opened is
looked at first, and only regular files are opened, which are not reached by a link unless that is asked for.

A zero-byte record is worse than none (containernetworking/cni #1066), so everything that must be believed later is
written to a temporary file, synced, renamed into place, and the folder synced (rename(2), fsync(2)).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from cni.protocol.errors import IO_FAILURE, CniError
from cni.protocol.limits import FILE_BYTES

TEMPORARY_PREFIX = ".tmp-"
"""How names of unfinished files begin: no container ID and no IP address can begin with a dot."""


EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What opening fails with when there is no descriptor or memory left: it says nothing of what was to be opened."""

UNUSABLE = (errno.EINVAL, errno.ELOOP, errno.EFBIG)
"""What reading a file of ours fails with for good: it is no regular file, or longer than any that we write."""


def io_failure(attempt: str, path: str, error: OSError) -> CniError:
    """Return the code 5 error that says what was attempted on which path and what the kernel answered."""
    return CniError(IO_FAILURE, f"cannot {attempt} {path}: {error.strerror}", f"errno {error.errno}")


@contextmanager
def closing(fd: int) -> Iterator[int]:
    """Give an open descriptor, and close it at the end."""
    try:
        yield fd
    finally:
        os.close(fd)


def open_regular(path: str, flags: int = os.O_RDONLY, follow: bool = False) -> int:
    """Open a regular file that exists, and return its descriptor; never block. follow: a symbolic link to one will do.

    Raises OSError, EINVAL for anything else. The second look is for what was put in its place in between: such an open
    does not block, and follows no link.
    """
    if not stat.S_ISREG((os.stat if follow else os.lstat)(path).st_mode):
        raise not_regular()
    fd = os.open(path, flags | (0 if follow else os.O_NOFOLLOW) | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise not_regular()
    return fd


def not_regular() -> OSError:
    """Return the error for something that is no regular file."""
    return OSError(errno.EINVAL, "not a regular file")


def open_beneath(path: str, folders: Iterable[str]) -> int:
    """Open a regular file for reading that lies in one of the folders or below, wherever links on the way lead to.

    openat2(2) with RESOLVE_BENEATH would refuse links that lead out of a folder into another one of these, as
    /etc/resolv.conf does, and kernels before 5.6 have none. So links are resolved first, without opening anything. What
    is there then is opened as a mere place (O_PATH), which does nothing to a device or FIFO. The kernel says where this
    place is, whatever has changed in between, and what it is; only then it is opened for reading, by that descriptor.
    Raises OSError: EXDEV outside of the folders, EINVAL for no regular file.
    """
    with closing(os.open(os.path.realpath(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)) as place:
        if not is_beneath(os.readlink(f"/proc/self/fd/{place}"), folders):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise not_regular()
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def is_beneath(path: str, folders: Iterable[str]) -> bool:
    """Return whether a path without links and `..` is one of the folders or below; these may be reached by links."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in map(os.path.realpath, folders))


def ensure_folder(path: str, mode: int = 0o700) -> None:
    """Create the folder with `mode` and its missing parents as usual; an existing one is left as it is.

    Raises CniError (code 5).
    """
    try:
        os.makedirs(path, mode, exist_ok=True)
    except OSError as e:
        raise io_failure("create folder", path, e) from e


def write_atomic(path: str, data: bytes, mode: int = 0o600, durable: bool = True) -> None:
    """Put `data` at `path` so that a reader sees the old content or all of the new, never a part.

    durable: also survive a power cut right after the return. The folder must exist. Raises CniError (code 5), in which
    case the old content stands and no temporary file is left. Writers of one path must exclude each other: they share
    the name of the temporary file, so that the next writer, or `remove`, finds what a killed one left.
    """
    folder, temporary = os.path.dirname(path), temporary_path(path)
    try:
        fd = create(temporary, mode)
        try:
            with closing(fd):
                write_all(fd, data)
                if durable:
                    os.fsync(fd)
            os.rename(temporary, path)
        except OSError:
            remove(temporary)
            raise
    except OSError as e:
        raise io_failure("write", path, e) from e
    if durable:
        sync_folder(folder)


def sync_folder(path: str) -> None:
    """Have what was renamed, made and removed in a folder survive a power cut (fsync(2), notes).

    Raises CniError (code 5).
    """
    try:
        with closing(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as fd:
            os.fsync(fd)
    except OSError as e:
        raise io_failure("sync folder", path, e) from e


def create(path: str, mode: int) -> int:
    """Make a new file, in the place of whatever a killed process or somebody else left there, and return its descriptor
    for writing. Raises OSError, for a folder in its place too.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, mode)
    except FileExistsError:
        os.unlink(path)
        return os.open(path, flags, mode)


def temporary_path(path: str) -> str:
    """Return where `write_atomic` prepares the content of `path`."""
    folder, name = os.path.split(path)
    return os.path.join(folder, TEMPORARY_PREFIX + name)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte: write(2) may stop early, on a nearly full disk for one. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read(path: str, follow: bool = False) -> bytes | None:
    """Return the file's content, or None when it does not exist. follow: the path may be a symbolic link.

    Raises CniError (code 5), also for anything but a regular file and for one of more than FILE_BYTES.
    """
    try:
        with closing(open_regular(path, follow=follow)) as fd:
            return read_all(fd, FILE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        raise io_failure("read", path, e) from e


def read_all(fd: int, at_most: int) -> bytes:
    """Return what is in an open file from here on. Raises OSError, EFBIG when that is more than `at_most` bytes."""
    content = b""
    while chunk := os.read(fd, 1 << 16):
        content += chunk
        if len(content) > at_most:
            raise OSError(errno.EFBIG, f"longer than {at_most} bytes")
    return content


def remove(path: str) -> bool:
    """Remove the file; return whether it was there. Raises CniError (code 5)."""
    try:
        os.unlink(path)
    except OSError as e:
        # A read-only file system says EROFS before it looks whether there is such a file.
        if e.errno in (errno.ENOENT, errno.ENOTDIR) or (e.errno == errno.EROFS and not os.path.lexists(path)):
            return False
        raise io_failure("remove", path, e) from e
    return True


def names(folder: str) -> list[str]:
    """Return the names in the folder, sorted, without unfinished files; none when the folder does not exist.

    Raises CniError (code 5).
    """
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith(TEMPORARY_PREFIX))
    except FileNotFoundError:
        return []
    except OSError as e:
        raise io_failure("list folder", folder, e) from e
