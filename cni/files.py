"""Files that are there whole or not at all, and that survive a power cut.

A zero-byte record is worse than none (containernetworking/cni #1066), so everything that must be believed later is
written to a temporary file, synced, renamed into place, and the folder synced (rename(2), fsync(2)).
"""

from __future__ import annotations

import errno
import os
import stat

from cni.errors import IO_FAILURE, CniError
from cni.limits import FILE_BYTES

TEMPORARY_PREFIX = ".tmp-"
"""How names of unfinished files begin: no container ID and no IP address can begin with a dot."""


def io_failure(attempt: str, path: str, error: OSError) -> CniError:
    """Return the code 5 error that says what was attempted on which path and what the kernel answered."""
    return CniError(IO_FAILURE, f"cannot {attempt} {path}: {error.strerror}", f"errno {error.errno}")


def ensure_folder(path: str, mode: int = 0o700) -> None:
    """Create the folder with `mode` and its missing parents as usual; an existing one is left as it is.

    Raises CniError (code 5).
    """
    try:
        os.makedirs(path, mode, exist_ok=True)
    except OSError as e:
        raise io_failure("create folder", path, e) from e


def sync_folder(path: str) -> None:
    """Make the folder's entries durable (fsync(2), notes). Raises CniError (code 5)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as e:
        raise io_failure("sync folder", path, e) from e


def write_atomic(path: str, data: bytes, mode: int = 0o600, durable: bool = True) -> None:
    """Put `data` at `path` so that a reader sees the old content or all of the new, never a part.

    durable: also survive a power cut right after the return. The folder must exist. Raises CniError (code 5), in which
    case the old content stands and no temporary file is left. Writers of one path must exclude each other: they share
    the temporary file, so that the next writer, or `remove`, finds what a killed one left.
    """
    folder = os.path.dirname(path)
    temporary = temporary_path(path)
    created = False
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        created = True
        try:
            write_all(fd, data)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except OSError as e:
        if created:
            remove(temporary)
        raise io_failure("write", path, e) from e
    if durable:
        sync_folder(folder)


def temporary_path(path: str) -> str:
    """Return where `write_atomic` prepares the content of `path`."""
    folder, name = os.path.split(path)
    return os.path.join(folder, TEMPORARY_PREFIX + name)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte: write(2) may stop early, on a nearly full disk for one. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read(path: str) -> bytes | None:
    """Return the file's content, or None when it does not exist.

    Raises CniError (code 5), also for anything but a regular file and for one of more than a mebibyte: the path may
    come from a configuration, and a FIFO or /dev/zero would keep the plugin for ever.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        raise io_failure("open", path, e) from e
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        content = b""
        while chunk := os.read(fd, 1 << 16):
            content += chunk
            if len(content) > FILE_BYTES:
                raise OSError(errno.EFBIG, f"longer than {FILE_BYTES} bytes")
        return content
    except OSError as e:
        raise io_failure("read", path, e) from e
    finally:
        os.close(fd)


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
