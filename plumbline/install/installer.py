"""Binaries into a folder that a runtime executes from, at any moment whole: either the old one or the new one is there.

All are copied beside their places first, under hidden names, synced, and run, and what they replace of somebody else's
is kept, so that it can be put back; only when all of that is done are they renamed, one after the other, and no signal
comes between. If the disk fails at one of the renames, those before it are taken back. Whoever executes the old one
goes on with it. What a killed installation has left is written over by the next.
"""

from __future__ import annotations

import errno
import fcntl
import filecmp
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from cni.linux.signals import Terminated
from plumbline.install import binary
from plumbline.install.binary import UnfitError
from plumbline.interruption import InterruptedVerbError, deferred

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
    below `kept`. Raises InstallError, and InterruptedVerbError where Terminated was raised inside; nothing has changed
    then but what it says.
    """
    with _locked(target, make=True), _all_or_nothing(f"installed in {target}") as done:
        try:
            _sweep(target, names)
            for name in names:
                binary.refuse_foreign(os.path.join(source, name))
            changed = [name for name in names if not _is_there(os.path.join(source, name), os.path.join(target, name))]
            for name in changed:
                _stage(os.path.join(source, name), os.path.join(target, name))
            done.notes = {name: _keep_replaced(os.path.join(target, name), kept, done) for name in changed if keep}
            there = [name for name in changed if os.path.lexists(os.path.join(target, name))]
            _put_in_place(target, changed, done)
            _sync(target)
        finally:
            _sweep(target, names)
    results = {name: Result.REPLACED if name in there else Result.INSTALLED for name in changed}
    return [Outcome(name, results.get(name, Result.UNCHANGED), done.notes.get(name, "")) for name in names]


def uninstall(target: str, names: Sequence[str], kept: str = KEPT) -> list[Outcome]:
    """Remove our binaries, and put back what they have replaced. Arguments and errors are those of `install`; what is
    not ours is left alone.
    """
    with _locked(target, make=False), _all_or_nothing(f"removed from {target}") as done:
        try:
            _sweep(target, names)
            found = [name for name in names if os.path.lexists(os.path.join(target, name))]
            ours = [name for name in found if _is_ours(os.path.join(target, name))]
            back = {name: _kept(os.path.join(target, name), kept) for name in ours}
            back = {name: place for name, place in back.items() if os.path.lexists(place)}
            for name, place in back.items():
                _copy(place, _staged(os.path.join(target, name)), os.path.join(target, name))
            _put_in_place(target, ours, done)
            _sync(target)
            for place in back.values():
                os.unlink(place)
        finally:
            _sweep(target, names)
    return [_removed(name, ours, back) for name in found]


def _put_in_place(target: str, names: Sequence[str], done: _Done) -> None:
    """Put what is staged into its place, and remove that of which nothing is; all, or where one fails none. No signal
    comes between. Raises OSError; `done` has those then that could not be taken back.
    """
    paths = {name: os.path.join(target, name) for name in names}
    for path in paths.values():
        _set_aside(path)
    with deferred():
        try:
            for name, path in paths.items():
                done.names.append(name)
                if os.path.lexists(_staged(path)):
                    os.rename(_staged(path), path)
                else:
                    os.unlink(path)
        except OSError:
            done.names.pop()  # the one that failed is as it was
            for name in reversed(done.names.copy()):
                with suppress(OSError):
                    _take_back(paths[name])
                    done.names.remove(name)
            raise
        done.is_complete = True


def _set_aside(path: str) -> None:
    """Have another name for what is in a place, if anything is, by which it can be taken back. Raises OSError."""
    _remove_file(_aside(path))
    with suppress(FileNotFoundError):
        try:
            os.link(path, _aside(path), follow_symlinks=False)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without hard links
            shutil.copy2(path, _aside(path), follow_symlinks=False)


def _take_back(path: str) -> None:
    """Make a place what it was when it was set aside. Raises OSError."""
    if os.path.lexists(_aside(path)):
        os.rename(_aside(path), path)
    else:
        os.unlink(path)


def _removed(name: str, ours: Collection[str], back: Collection[str]) -> Outcome:
    if name not in ours:
        return Outcome(name, Result.LEFT_ALONE, "it is not Plumbline's")
    if name in back:
        return Outcome(name, Result.PUT_BACK, "the one that was there before Plumbline's")
    return Outcome(name, Result.REMOVED)


@dataclass(slots=True)
class _Done:
    """How far it is. names: the binaries that are changed; is_complete: whether these are all. kept: the copies of
    replaced ones that were made. notes: about binaries.
    """

    names: list[str] = field(default_factory=list)
    is_complete: bool = False
    kept: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


@contextmanager
def _all_or_nothing(what: str) -> Iterator[_Done]:
    """Say how far it came where something fails. what: is done to the binaries, as "installed in FOLDER"."""
    done = _Done()
    try:
        yield done
    except Terminated as e:
        raise InterruptedVerbError(e, _state(done, what)) from e
    except (UnfitError, OSError) as e:
        raise InstallError(f"{_state(done, what)}: {_told(e)}") from e


def _state(done: _Done, what: str) -> str:
    """Say how far it came. Where nothing was replaced, what was kept is not needed."""
    if done.is_complete:
        return f"all is {what}"
    if done.names:
        return f"only {', '.join(done.names)} was {what}"
    for place in done.kept:
        _remove_file(place)
    return f"nothing was {what}"


@contextmanager
def _locked(folder: str, make: bool) -> Iterator[None]:
    """Keep others from installing into a folder. make: whether it is made if it is not there."""
    try:
        if make:
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


def _aside(target: str) -> str:
    """Return what the binary of a place is called besides while another one comes there; hidden, too."""
    folder, name = os.path.split(target)
    return os.path.join(folder, f".{name}.plumbline-before")


def _stage(source: str, target: str) -> None:
    """Copy a binary beside its place, durably, and run it there. Raises OSError, UnfitError."""
    if os.path.isdir(target) and not os.path.islink(target):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), target)
    path = _staged(target)
    _remove_file(path)
    _copy(source, path, target)
    binary.verify(path, os.path.basename(target))


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


def _keep_replaced(path: str, kept: str, done: _Done) -> str:
    """Keep a binary of somebody else that is to be replaced; return what there is to say of it, empty for nothing.
    Raises OSError.
    """
    if not os.path.lexists(path) or _is_ours(path):
        return ""
    place = _kept(path, kept)
    if os.path.lexists(place) and not _is_there(path, place):
        return f"{place} is what was there before Plumbline's first; what has come since is not kept"
    if not os.path.lexists(place):
        done.kept.append(place)
        _keep(path, place)
    return f"the one that was there is kept as {place}"


def _keep(path: str, place: str) -> None:
    """Copy a binary durably, so that it is whole where it is. One that is kept already is the older one, and stays."""
    os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
    partial = place + ".partial"
    _remove_file(partial)
    try:
        _copy(path, partial, path)
        os.rename(partial, place)
    finally:
        _remove_file(partial)
    _sync(os.path.dirname(place))


def _kept(path: str, kept: str) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(kept, folder.strip("/").replace("/", "-"), name)


def _is_ours(path: str) -> bool:
    return os.path.isfile(path) and binary.OURS in binary.about(path)


def _sweep(target: str, names: Sequence[str]) -> None:
    """Remove what was staged or set aside, by us or by an installation that was killed."""
    for name in names:
        _remove_file(_staged(os.path.join(target, name)))
        _remove_file(_aside(os.path.join(target, name)))


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
