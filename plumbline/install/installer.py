"""Binaries into a folder that a runtime executes from, at any moment whole: either the old one or the new one is there.

All are copied beside their places first, under hidden names, synced, and run; only when every one of them works are
they renamed, one after the other. Whoever executes the old one goes on with it. What a killed installation has left is
written over by the next. A binary of somebody else that is replaced is kept, so that it can be put back.
"""

from __future__ import annotations

import errno
import fcntl
import filecmp
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from plumbline.install import binary
from plumbline.install.binary import UnfitError

OURS = "Plumbline "
"""What stands in what our binaries say of themselves, and in nobody else's."""

KEPT = "/var/lib/plumbline/replaced"
"""Where binaries that were replaced are kept, by the folder that they were in."""

SELINUX = "security.selinux"
MODE = 0o755


class InstallError(Exception):
    """What could not be done, in which folder, and what is there now."""


class Result(StrEnum):
    """What became of one binary."""

    INSTALLED = "installed"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    PUT_BACK = "put back"
    LEFT_ALONE = "left alone"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one binary. note: more about it, may be empty."""

    name: str
    result: Result
    note: str = ""


def install(source: str, target: str, names: Sequence[str], keep: bool = True, kept: str = KEPT) -> list[Outcome]:
    """Install binaries, all of them or, if one does not work here, none.

    source, target: the folders. names: of the binaries. keep: whether those of somebody else that are replaced are kept
    below `kept`. Raises InstallError; nothing has changed then but what it says.
    """
    with _locked(target):
        try:
            for name in names:
                binary.refuse_foreign(os.path.join(source, name))
            changed = [name for name in names if not _is_there(os.path.join(source, name), os.path.join(target, name))]
            for name in changed:
                _stage(os.path.join(source, name), os.path.join(target, name))
        except (UnfitError, OSError) as e:
            _sweep(target, names)
            raise InstallError(f"nothing was installed in {target}: {_told(e)}") from e
        return [
            _place(name, target, keep, kept) if name in changed else Outcome(name, Result.UNCHANGED) for name in names
        ]


def uninstall(target: str, names: Sequence[str], kept: str = KEPT) -> list[Outcome]:
    """Remove our binaries, and put back what they have replaced. Arguments and errors are those of `install`; what is
    not ours is left alone.
    """
    with _locked(target):
        _sweep(target, names)
        return [_remove(name, target, kept) for name in names if os.path.lexists(os.path.join(target, name))]


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Keep others from installing into a folder, which is made if it is not there."""
    try:
        os.makedirs(folder, MODE, exist_ok=True)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as e:
        raise InstallError(f"{folder} cannot be used: {e.strerror}; nothing was changed") from e
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as e:
        raise InstallError(f"somebody else is installing into {folder}; nothing was changed") from e
    finally:
        os.close(fd)


def _is_there(source: str, target: str) -> bool:
    """Return whether a file is already what it is to be."""
    try:
        found = os.lstat(target)
        return (
            bool(found.st_mode & 0o111)
            and os.path.isfile(target)
            and not os.path.islink(target)
            and filecmp.cmp(source, target, shallow=False)
        )
    except OSError:
        return False


def _staged(target: str) -> str:
    """Return where a binary waits for its place: hidden, so that nobody takes it for a plugin."""
    folder, name = os.path.split(target)
    return os.path.join(folder, f".{name}.plumbline-install")


def _stage(source: str, target: str) -> None:
    """Copy a binary beside its place, durably, and run it there. Raises OSError, UnfitError."""
    if os.path.isdir(target) and not os.path.islink(target):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), target)
    path = _staged(target)
    _remove_file(path)
    _copy(source, path, target)
    binary.versions(path)


def _copy(source: str, path: str, like: str) -> None:
    """Copy a file durably. like: a file whose SELinux label it gets, if there is one: the folder's policy may not know
    the hidden name. Raises OSError.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    with open(fd, "wb") as copy, open(source, "rb") as original:
        shutil.copyfileobj(original, copy, 1 << 20)
        copy.flush()
        os.fchmod(copy.fileno(), MODE)
        try:
            os.setxattr(copy.fileno(), SELINUX, os.getxattr(like, SELINUX))
        except OSError:  # no SELinux, or nothing is there yet: then the folder's label is right
            pass
        os.fsync(copy.fileno())


def _place(name: str, target: str, keep: bool, kept: str) -> Outcome:
    """Put a staged binary into its place."""
    path = os.path.join(target, name)
    was_there, is_ours = os.path.lexists(path), _is_ours(path)
    note = ""
    try:
        if was_there and not is_ours and keep:
            note = f"the one that was there is kept as {_keep(path, kept)}"
        os.rename(_staged(path), path)
        _sync(target)
    except OSError as e:
        _remove_file(_staged(path))
        raise InstallError(f"{path} is as it was, and those before it are installed: {_told(e)}") from e
    return Outcome(name, Result.REPLACED if was_there else Result.INSTALLED, note)


def _keep(path: str, kept: str) -> str:
    """Keep a binary that is replaced; return where. One that is kept already is the older one, and stays."""
    place = _kept(path, kept)
    if not os.path.lexists(place):
        os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
        partial = place + ".partial"
        _remove_file(partial)
        _copy(path, partial, path)
        os.rename(partial, place)
        _sync(os.path.dirname(place))
    return place


def _kept(path: str, kept: str) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(kept, folder.strip("/").replace("/", "-"), name)


def _remove(name: str, target: str, kept: str) -> Outcome:
    path = os.path.join(target, name)
    if not _is_ours(path):
        return Outcome(name, Result.LEFT_ALONE, "it is not Plumbline's")
    place = _kept(path, kept)
    try:
        if os.path.lexists(place):
            _copy(place, _staged(path), path)
            os.rename(_staged(path), path)
            _sync(target)
            os.unlink(place)
            return Outcome(name, Result.PUT_BACK, "the one that was there before Plumbline's")
        os.unlink(path)
        _sync(target)
    except OSError as e:
        _remove_file(_staged(path))
        raise InstallError(f"{path} is as it was: {_told(e)}") from e
    return Outcome(name, Result.REMOVED)


def _is_ours(path: str) -> bool:
    return os.path.isfile(path) and OURS in binary.about(path)


def _sweep(target: str, names: Sequence[str]) -> None:
    """Remove what was staged, by us or by an installation that was killed."""
    for name in names:
        _remove_file(_staged(os.path.join(target, name)))


def _remove_file(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _sync(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _told(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
