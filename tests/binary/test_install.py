"""`plumbline install`: binaries come into a runtime's folder whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plumbline.install import installer
from plumbline.install.installer import InstallError, Result
from plumbline.interruption import InterruptedVerbError, terminable
from plumbline.prepare import persistent
from plumbline.prepare.places import Places
from tests.support import faults as faults_
from tests.support import plugin, schemas
from tests.support.command import BINARY, plumbline

REFERENCE = f"{plugin.REFERENCE}/host-device"
CHANGES = ("write", "fchmod", "fsync", "?rename", "?renameat", "?link", "linkat", "?unlink", "?unlinkat", "flock")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The folder of a runtime."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> str:
    """Where what is replaced is kept."""
    return str(tmp_path / "kept")


@contextmanager
def mounted_on(folder: Path | str) -> Iterator[None]:
    """Have a file system of its own on a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a file system of its own."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    with mounted_on(folder):
        yield folder


def content(path: Path | str) -> bytes:
    """Return what is in a file."""
    return Path(path).read_bytes()


def names(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(os.listdir(folder))


def test_as_a_user_types_it(target: Path) -> None:
    """Through the built command: those that nobody else has, each runs, and a second time changes nothing."""
    words = [f"{plugin.DIST}/plumbline", "install", "--folder", str(target), "--no-backup", "--json"]
    first, second = (json.loads(subprocess.run(words, check=True, capture_output=True).stdout) for _ in range(2))
    assert [(x["name"], x["result"]) for x in first["binaries"]] == [
        ("sriov", "installed"),
        ("accelerated-bridge", "installed"),
        ("host-device", "installed"),
    ]
    assert {x["result"] for x in second["binaries"]} == {"unchanged"}
    schemas.check(first)
    assert names(target) == ["accelerated-bridge", "host-device", "sriov"]
    for name in names(target):
        assert content(target / name) == content(f"{plugin.DIST}/{name}")
        assert os.stat(target / name).st_mode & 0o7777 == 0o755
        answer = subprocess.run([target / name], env={"CNI_COMMAND": "VERSION"}, input=b"{}", capture_output=True)
        assert answer.returncode == 0
    only = subprocess.run([*words, "--only", "static"], check=True, capture_output=True)
    assert [x["name"] for x in json.loads(only.stdout)["binaries"]] == ["static"]
    assert "static" in names(target)


def test_what_was_there_comes_back(target: Path, kept: str) -> None:
    """Another project's plugin is kept, through an upgrade of ours, too, and put back by --uninstall."""
    shutil.copy(REFERENCE, target)
    (first,) = installer.install(plugin.DIST, str(target), ["host-device"], kept=kept)
    assert first.result is Result.REPLACED
    assert content(target / "host-device") == content(f"{plugin.DIST}/host-device")
    with open(target / "host-device", "ab") as file:  # as if another version of ours
        file.write(b"\0")
    (second,) = installer.install(plugin.DIST, str(target), ["host-device"], kept=kept)
    assert (second.result, second.note) == (Result.REPLACED, "")
    (gone,) = installer.uninstall(str(target), ["host-device", "sriov"], kept=kept)
    assert gone.result is Result.PUT_BACK
    assert content(target / "host-device") == content(REFERENCE)
    (again,) = installer.uninstall(str(target), ["host-device"], kept=kept)
    assert again.result is Result.LEFT_ALONE
    assert content(target / "host-device") == content(REFERENCE)


def test_ours_goes(target: Path, kept: str) -> None:
    """What replaced nothing leaves nothing."""
    installer.install(plugin.DIST, str(target), ["static"], kept=kept)
    (gone,) = installer.uninstall(str(target), ["static"], kept=kept)
    assert gone.result is Result.REMOVED
    assert names(target) == []


def foreign(folder: Path) -> None:
    """The binary of another architecture: e_machine of elf(5) is at 18."""
    data = bytearray(content(f"{plugin.DIST}/static"))
    data[18:20] = (243).to_bytes(2, "little")  # EM_RISCV
    (folder / "static").write_bytes(data)


def no_elf(folder: Path) -> None:
    """A script."""
    (folder / "static").write_text("#!/bin/sh\necho '{}'\n")


def cut_short(folder: Path) -> None:
    """Half a binary, as a broken download leaves it."""
    data = content(f"{plugin.DIST}/static")
    (folder / "static").write_bytes(data[: len(data) // 2])


def no_plugin(folder: Path) -> None:
    """A program that answers something else."""
    shutil.copy("/bin/true", folder / "static")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (foreign, "is for riscv64, and this node is"),
        (no_elf, "is no executable"),
        (cut_short, "static"),
        (no_plugin, "does not answer VERSION"),
    ],
)
@pytest.mark.parametrize("was_there", [False, True], ids=["into nothing", "over another"])
def test_what_does_not_work_here(target: Path, tmp_path: Path, make: object, said: str, was_there: bool) -> None:
    """One bad binary, and none is installed: not the good one before it either."""
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(f"{plugin.DIST}/host-local", source)
    assert callable(make)
    make(source)
    if was_there:
        shutil.copy(REFERENCE, target / "static")
    with pytest.raises(InstallError, match=re.escape(said)) as e:
        installer.install(str(source), str(target), ["host-local", "static"], kept=str(tmp_path / "kept"))
    assert "nothing was installed" in str(e.value)
    assert names(target) == (["static"] if was_there else [])
    assert not was_there or content(target / "static") == content(REFERENCE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("remount,size=3m", "No space left on device"),
        ("remount,ro", "Read-only file system"),
        ("remount,noexec", "is on a file system mounted noexec"),
    ],
)
def test_folders_that_cannot_take_it(mounted: Path, kept: str, options: str, said: str) -> None:
    """A full disk, a read-only folder, and one whose files the runtime could not execute."""
    shutil.copy(f"{plugin.REFERENCE}/static", mounted)
    subprocess.run(["mount", "-o", options, mounted], check=True)
    with pytest.raises(InstallError, match=said):
        installer.install(plugin.DIST, str(mounted), ["host-local", "static"], kept=kept)
    assert names(mounted) == ["static"]
    assert content(mounted / "static") == content(f"{plugin.REFERENCE}/static")


def test_a_folder_is_in_the_way(target: Path, kept: str) -> None:
    """A folder has the plugin's name."""
    (target / "static").mkdir()
    with pytest.raises(InstallError, match="Is a directory"):
        installer.install(plugin.DIST, str(target), ["static"], kept=kept)
    assert names(target) == ["static"]


def test_a_link_is_replaced_and_not_followed(target: Path, tmp_path: Path, kept: str) -> None:
    """Multus' pod sees the folder at another path, where a link would lead elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copy(REFERENCE, elsewhere)
    (target / "static").symlink_to(elsewhere)
    installer.install(plugin.DIST, str(target), ["static"], kept=kept)
    assert not (target / "static").is_symlink()
    assert content(elsewhere) == content(REFERENCE)


def test_somebody_else_is_installing(target: Path, kept: str) -> None:
    """Two at once: one is refused."""
    with installer._locked(str(target), make=False), pytest.raises(InstallError, match="somebody else"):
        installer.install(plugin.DIST, str(target), ["static"], kept=kept)
    assert names(target) == []


def test_under_load(target: Path, kept: str) -> None:
    """While the runtime executes the plugin again and again, each run finds one that works, the old or the new one."""
    shutil.copy(f"{plugin.REFERENCE}/host-local", target)
    stop, runs, bad = threading.Event(), 0, []

    def execute() -> None:
        nonlocal runs
        while not stop.is_set():
            answer = subprocess.run(
                [target / "host-local"], env={"CNI_COMMAND": "VERSION"}, input=b"{}", capture_output=True
            )
            runs += 1
            if answer.returncode != 0 or b"supportedVersions" not in answer.stdout:
                bad.append(answer)

    thread = threading.Thread(target=execute)
    thread.start()
    try:
        for _ in range(5):
            installer.install(plugin.DIST, str(target), ["host-local"], kept=kept)
            installer.uninstall(str(target), ["host-local"], kept=kept)
    finally:
        stop.set()
        thread.join()
    assert bad == []
    assert runs > 10


THREE = ["sriov", "host-local", "static"]
"""Of which the reference has the last two."""


@pytest.fixture
def referenced(target: Path) -> dict[str, bytes]:
    """What is in the folder, by name: the reference's plugins."""
    for name in THREE[1:]:
        shutil.copy(f"{plugin.REFERENCE}/{name}", target)
    return {name: content(target / name) for name in names(target)}


def test_what_is_replaced_cannot_be_kept(target: Path, tmp_path: Path, referenced: dict[str, bytes]) -> None:
    """Of several binaries none is replaced then, and none that would go to an empty place is installed either."""
    (tmp_path / "kept").write_text("no folder")
    with pytest.raises(InstallError, match="nothing was installed"):
        installer.install(plugin.DIST, str(target), THREE, kept=str(tmp_path / "kept"))
    assert {name: content(target / name) for name in names(target)} == referenced


@pytest.mark.usefixtures("told_to_end")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_told_to_end(
    target: Path, kept: str, referenced: dict[str, bytes], number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first of them is in its place, nothing is changed and nothing is left, also of what was kept; from
    then on, they come into their places all.
    """
    with monkeypatch.context() as patched, terminable():
        patched.setattr(installer, "_sync", lambda _: signal.raise_signal(number))  # of the folder of what is kept
        with pytest.raises(InterruptedVerbError, match=f"{number.name}.*nothing was installed"):
            installer.install(plugin.DIST, str(target), THREE, kept=kept)
    assert {name: content(target / name) for name in names(target)} == referenced
    assert [x for x in Path(kept).rglob("*") if x.is_file()] == []

    def rename(old: str, new: str, really: Callable[[str, str], None] = os.rename) -> None:
        if new == str(target / THREE[0]):
            signal.raise_signal(number)
        really(old, new)

    with monkeypatch.context() as patched, terminable():
        patched.setattr(os, "rename", rename)
        with pytest.raises(InterruptedVerbError, match=f"{number.name}.*all is installed"):
            installer.install(plugin.DIST, str(target), THREE, kept=kept)
    assert names(target) == sorted(THREE)
    assert all(content(target / name) == content(f"{plugin.DIST}/{name}") for name in THREE)


FAILING = ["EIO", "ENOSPC"]


def failing(target: Path, verb: str, kept: str, *faults: tuple[str, str]) -> str:
    """Install or uninstall THREE in another process, where a call about a file fails; return what it says.

    faults: the file's name, of a rename that which it has before, and a fault as strace has it.
    """
    source = f"{plugin.DIST!r}, " if verb == "install" else ""
    program = f"from plumbline.install import installer as i\ntry: i.{verb}({source}{str(target)!r}, {THREE}, "
    program += f"kept={kept!r})\nexcept i.InstallError as e: print(e)"
    paths = [word for name, _ in faults for word in ("-P", str(target / name))]
    prefix = faults_.strace("?rename,?unlink", *(fault for _, fault in faults))
    words = [*prefix, *paths, sys.executable, "-c", program]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, cwd=plugin.REPOSITORY).stdout


@pytest.mark.parametrize("error", FAILING)
def test_the_disk_fails_at_a_rename(target: Path, kept: str, referenced: dict[str, bytes], error: str) -> None:
    """Those that are in their places by then go back; what cannot go back is named, and the next run mends it."""
    last = (".static.plumbline-install", f"?rename:error={error}")
    said = failing(target, "install", kept, last)
    assert said.startswith(f"nothing was installed in {target}: {target}/"), said
    assert {name: content(target / name) for name in names(target)} == referenced
    assert [x for x in Path(kept).rglob("*") if x.is_file()] == []
    said = failing(target, "install", kept, last, ("sriov", f"?unlink:error={error}"))
    assert said.startswith(f"only sriov was installed in {target}: "), said
    assert content(target / "sriov") == content(f"{plugin.DIST}/sriov")
    assert {name: content(target / name) for name in referenced} == referenced
    installer.install(plugin.DIST, str(target), THREE, kept=kept)
    assert all(content(target / name) == content(f"{plugin.DIST}/{name}") for name in THREE)
    assert names(target) == sorted(THREE)


@pytest.mark.parametrize("error", FAILING)
def test_the_disk_fails_while_uninstalling(target: Path, kept: str, referenced: dict[str, bytes], error: str) -> None:
    """The same the other way round."""
    installer.install(plugin.DIST, str(target), THREE, kept=kept)
    ours = {name: content(target / name) for name in names(target)}
    said = failing(target, "uninstall", kept, (".static.plumbline-install", f"?rename:error={error}"))
    assert said.startswith(f"nothing was removed from {target}: "), said
    assert {name: content(target / name) for name in names(target)} == ours
    installer.uninstall(str(target), THREE, kept=kept)
    assert {name: content(target / name) for name in names(target)} == referenced


def test_nothing_to_uninstall_from(tmp_path: Path, kept: str) -> None:
    """A folder that is not there is not made."""
    with pytest.raises(InstallError, match="No such file or directory; nothing was changed"):
        installer.uninstall(str(tmp_path / "typo"), THREE, kept=kept)
    assert not (tmp_path / "typo").exists()


def test_what_was_kept_cannot_be_put_back(target: Path, kept: str, referenced: dict[str, bytes]) -> None:
    """Ours stay all, and can be removed when it can be."""
    installer.install(plugin.DIST, str(target), THREE, kept=kept)
    ours = {name: content(target / name) for name in names(target)}
    place = next(Path(kept).rglob("static"))
    place.unlink()
    place.mkdir()
    with pytest.raises(InstallError, match="nothing was removed"):
        installer.uninstall(str(target), THREE, kept=kept)
    assert {name: content(target / name) for name in names(target)} == ours
    place.rmdir()
    installer.uninstall(str(target), THREE, kept=kept)
    assert names(target) == ["host-local"]
    assert content(target / "host-local") == referenced["host-local"]


def test_killed_at_any_point(target: Path, tmp_path: Path) -> None:
    """Before each call that changes something: the plugin is the old or the new one, and another run mends it."""
    kept = tmp_path / "kept"
    program = f"from plumbline.install import installer; installer.install({plugin.DIST!r}, {str(target)!r}, "
    program += f"['static'], kept={str(kept)!r})"
    command = [sys.executable, "-c", program]
    old, new = content(f"{plugin.REFERENCE}/static"), content(f"{plugin.DIST}/static")

    def start(*options: str) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(kept, ignore_errors=True)
        (target / "static").write_bytes(old)
        os.chmod(target / "static", 0o755)
        words = ["strace", "-qq", "-e", f"trace={','.join(CHANGES)}", "-e", "signal=none", *options, *command]
        return subprocess.run(words, stderr=subprocess.PIPE, text=True, cwd=os.path.dirname(plugin.DIST))

    calls = [line.partition("(")[0] for line in start().stderr.splitlines() if "(" in line]
    assert {"write", "fsync"} < set(calls)
    became: set[bool] = set()
    for name in sorted(set(calls)):
        for number in range(1, calls.count(name) + 1):
            killed = start("-e", f"inject={name}:signal=KILL:when={number}")
            assert killed.returncode == -signal.SIGKILL, (name, number)
            found = content(target / "static")
            assert found in (old, new), (name, number)
            became.add(found == new)
            if found == new:
                assert content(next(kept.rglob("static"))) == old
            installer.install(plugin.DIST, str(target), ["static"], kept=str(kept))
            assert names(target) == ["static"]
            assert content(target / "static") == new
            assert [content(x) for x in kept.rglob("static*")] == [old]
    assert became == {False, True}


def test_the_command_itself(target: Path, tmp_path: Path) -> None:
    """As a user types it: it installs itself, which runs; over another program it keeps that; what the next boot runs
    stays.
    """
    before = "#!/bin/sh\necho another\n"
    (target / "plumbline").write_text(before)
    words = ("install", "--command", "--folder", str(target))
    first = plumbline(*words, "--json", program=BINARY).ended(0).document
    assert [(x["name"], x["result"]) for x in first["binaries"]] == [("plumbline", "replaced")]
    assert content(target / "plumbline") == content(BINARY[0])
    installed = (str(target / "plumbline"),)
    assert plumbline("--version", program=installed).ended(0).stdout == plumbline("--version", program=BINARY).stdout
    again = plumbline(*words, "--json", program=installed).ended(0).document
    assert [x["result"] for x in again["binaries"]] == ["unchanged"]
    unit = Path(Places().unit)
    with mounted_on("/etc/systemd"):  # of this session's mounts, not the machine's
        unit.parent.mkdir()
        unit.write_text(persistent.unit(installed[0], Places().pfs))
        said = plumbline(*words, "--uninstall").ended(4)
        assert f"{installed[0]} is not removed: {unit} runs it at each boot; nothing was changed" in said.stderr
    plumbline(*words, "--uninstall").ended(0)
    assert (target / "plumbline").read_text() == before


def test_no_command_to_install(target: Path, tmp_path: Path) -> None:
    """What pip has installed is not copied, nor what is no command."""
    said = plumbline("install", "--command", "--folder", str(target)).ended(2)
    assert "it runs where pip has put it" in said.stderr
    shutil.copy("/bin/true", tmp_path / "plumbline")
    said = plumbline("install", "--command", "--folder", str(target), "--from", str(tmp_path)).ended(1)
    assert "is not the operator's command, or does not run here: true (GNU coreutils)" in said.stderr
    assert names(target) == []
