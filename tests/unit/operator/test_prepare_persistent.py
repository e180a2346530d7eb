"""The unit, the rule, and where they are put."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cni.linux import files
from plumbline.errors import VerbError
from plumbline.interruption import InterruptedVerbError, telling
from plumbline.node.roots import Roots
from plumbline.node.wish import Wish
from plumbline.prepare import persistent, pfs_file
from plumbline.prepare.change import Change
from plumbline.prepare.places import Places
from plumbline.verbs import setup

PROGRAM = "/usr/local/bin/plumbline"
WISHES = [Wish("0000:03:00.0", 4), Wish("netdevsim1", 4, bus="netdevsim")]


def test_installed_once(tmp_path: Path) -> None:
    """The second time there is nothing to write; another PF is another rule, and the same unit."""
    places = Places(Roots(etc=str(tmp_path / "etc"), run=str(tmp_path / "run")))
    written = persistent.write(WISHES, places, PROGRAM)
    assert written == [places.pfs, places.unit, places.unit_wanted, places.rule]
    assert os.readlink(places.unit_wanted) == places.unit
    assert persistent.write(WISHES[::-1], places, PROGRAM) == []
    more = [*WISHES, Wish("0000:04:00.0", 4)]
    assert persistent.write(more, places, PROGRAM) == [places.pfs, places.rule]
    assert persistent.write(WISHES, places) == [places.pfs, places.rule]
    assert persistent.write(WISHES, places, "/opt/plumbline") == [places.unit]
    assert "ExecStart=/opt/plumbline apply --boot\n" in Path(places.unit).read_text()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Of a node without systemd and udev."""
    return Places(Roots(etc=str(tmp_path / "etc"), run=str(tmp_path / "run")))


def persist(places: Places) -> list[str]:
    """Persist what a PF has been made."""
    with telling("ens3 has 4 VFs") as state:
        return setup._persist(WISHES[0], Change(places.roots), PROGRAM, state)


def test_what_cannot_be_written(places: Places) -> None:
    """It is said what of it is there, and what is not; another run goes on."""
    folder = Path(places.rule).parent
    folder.parent.mkdir(parents=True)
    folder.write_text("no folder")
    with pytest.raises(VerbError, match=r"^ens3 has 4 VFs, and will not after a boot: .*: File exists") as caught:
        persist(places)
    written = f"{places.pfs}, {places.unit}, {places.unit_wanted}"
    assert caught.value.hint == f"written: {written}; not written: {places.rule}"
    folder.unlink()
    folder.mkdir()
    Path(places.rule).symlink_to("/dev/null")  # as an operator switches a rule off: nothing is known of it
    with pytest.raises(VerbError, match=r"^ens3 has 4 VFs, and will not after a boot: .*not a regular file") as caught:
        persist(places)
    assert caught.value.hint == "nothing was written"
    Path(places.rule).unlink()
    assert persist(places) == [places.rule]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_told_to_end(number: signal.Signals, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first file is written, none is; from then on all are, and each is whole."""
    with monkeypatch.context() as patched:
        patched.setattr(pfs_file, "with_wish", lambda *_: signal.raise_signal(number))
        with pytest.raises(InterruptedVerbError) as caught:
            persist(places)
    told = f"told to end ({number.name}); ens3 has 4 VFs"
    assert str(caught.value) == f"{told}, and will not after a boot: nothing was written for it"
    assert not os.path.exists(places.roots.etc)

    def write(path: str, data: bytes, mode: int, really: Callable[..., None] = files.write_atomic) -> None:
        signal.raise_signal(number)
        really(path, data, mode)

    def fail(path: str, data: bytes, mode: int) -> None:
        signal.raise_signal(number)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_atomic", fail)
        with pytest.raises(InterruptedVerbError) as caught:
            persist(places)
    assert "and will not after a boot" in str(caught.value)
    assert f"written: nothing; not written: {places.pfs}" in str(caught.value)

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_atomic", write)
        with pytest.raises(InterruptedVerbError) as caught:
            persist(places)
    assert str(caught.value) == f"{told}, also after a boot: all files for it are written"
    assert persist(places) == []


@pytest.mark.parametrize("name", ["plumbline", "plumb line", "plumb%line", "plumb$HOME"])
def test_unit_is_understood(name: str, tmp_path: Path) -> None:
    """systemd finds nothing to complain about, whatever the command is called: it looks whether that is there."""
    program = tmp_path / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = tmp_path / "plumbline.service"
    path.write_text(persistent.unit(str(program), "/etc/plumbline/pfs.json"))
    verify = shutil.which("systemd-analyze")
    assert verify is not None
    done = subprocess.run([verify, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "plumbline" in line]
    assert (said, done.returncode) == ([], 0)


def test_a_path_that_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is gone at boot is found out before anything is written, also behind a link."""
    for path in ("/usr/local/bin/plumbline", "/opt/plumb line/plumbline", "/tmpfs/plumbline"):
        persistent.require_lasting(path)
    for path in ("/home/me/plumbline", "/root/bin/plumbline", "/run/x/plumbline", "/opt/a\nb", "/opt/a'b"):
        with pytest.raises(VerbError, match="a unit cannot rely on"):
            persistent.require_lasting(path)
    monkeypatch.setattr(persistent, "FLEETING", (str(tmp_path / "home"),))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    (tmp_path / "plumbline").symlink_to(tmp_path / "home/plumbline")
    with pytest.raises(VerbError, match="/home is no place for what has to last") as caught:
        persistent.require_lasting(str(tmp_path / "plumbline"))
    assert caught.value.hint == f"{tmp_path}/home/plumbline install --command, then run /usr/local/bin/plumbline"
    (tmp_path / "dist").mkdir()
    (tmp_path / "build.spec").touch()
    with pytest.raises(VerbError, match="/dist is no place for"):
        persistent.require_lasting(str(tmp_path / "dist/plumbline"))


def test_unit_comes_before() -> None:
    """Whatever configures the network or starts pods waits for it; it is tried again."""
    lines = persistent.unit("/usr/bin/plumbline", "/etc/plumbline/pfs.json").splitlines()
    before = [word for line in lines if line.startswith("Before=") for word in line.partition("=")[2].split()]
    assert {"network-pre.target", "kubelet.service", "containerd.service", "crio.service"} <= set(before)
    assert {"Type=oneshot", "Restart=on-failure", "DefaultDependencies=no", "Wants=network-pre.target"} <= set(lines)


def test_rule_is_for_these_pfs() -> None:
    """A line each for those that have devices as VFs."""
    text = persistent.rule(WISHES)
    assert text.count("NM_UNMANAGED") == 1
    assert 'ATTR{device/physfn/uevent}=="*PCI_SLOT_NAME=0000:03:00.0*", ENV{NM_UNMANAGED}="1"' in text


def test_a_file_that_cannot_be_used_is_told_after_a_setup(tmp_path: Path) -> None:
    """What has been done is done: that nobody knows what the next boot does is a warning."""
    roots = Roots(etc=str(tmp_path))
    os.makedirs(tmp_path / "plumbline")
    Path(roots.pfs_file).write_text("{")
    (said,) = setup._told_otherwise(WISHES[0], Change(roots))
    assert said.startswith(f"{roots.pfs_file} cannot be used: it is no JSON")
