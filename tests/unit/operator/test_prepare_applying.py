"""What the file says of several PFs is done one by one; one that cannot be keeps no other from it."""

from __future__ import annotations

import errno
import json
import signal
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest

from cni.linux import libc
from cni.linux.signals import Terminated
from cni.protocol.errors import IO_FAILURE, CniError
from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError
from plumbline.node.model import Node
from plumbline.node.roots import Roots
from plumbline.node.wish import Wish
from plumbline.prepare import applying, permanent, persistent, pfs_file
from plumbline.prepare.carry_out import Progress
from plumbline.prepare.change import Change, Terms
from plumbline.prepare.plan import plan
from plumbline.prepare.steps import Step
from plumbline.verbs import apply as verb
from tests.support import schemas
from tests.unit.operator import nodes
from tests.unit.operator.made_up import ADDRESS, Silence, pf

WISHES = [Wish("0000:0a:00.0", 1), Wish("0000:0b:00.0", 1), Wish(ADDRESS, 2), Wish("0000:0c:00.0", 1)]


@dataclass(frozen=True, slots=True)
class MadeUp(Change):
    """A node with one PF that can be changed; two others fail, each in its way."""

    def make(self, wish: Wish, terms: Terms, progress: Progress) -> list[Step]:
        """See `Change`."""
        if wish is WISHES[0]:
            raise VerbError(Status.NO_DEVICE, "there is no such PF")
        if wish is WISHES[1]:
            raise VerbError(Status.IN_USE, "refused")
        if wish is WISHES[3]:
            raise CniError(IO_FAILURE, "the disk is gone")
        return plan(pf(), wish)


def test_each_is_tried() -> None:
    """In the order of the file; all errors are kept."""
    outcomes = list(applying.apply(WISHES, MadeUp(), Terms(), Silence()))
    assert [x.wish for x in outcomes] == WISHES
    assert [x.titles for x in outcomes] == ["", "", "make 2 VFs; wait for the links of 2 VFs", ""]
    assert [x.status for x in outcomes] == [1, 4, 0, 1]
    assert applying.worst(outcomes) == 1
    assert applying.worst(outcomes[1:3]) == 4


def test_what_is_left() -> None:
    """For `wait`: steps, or that the PF is not there."""
    node = Node("n", "6.12", [pf("igbvf")])
    assert applying.left(Wish(ADDRESS, 1), node) == applying.Outcome(Wish(ADDRESS, 1))
    assert applying.left(Wish(ADDRESS, 0), node).titles == "remove 1 VFs"
    missing = applying.left(Wish("0000:09:00.0", 8, mode="switchdev"), node)
    assert missing.error is not None
    assert missing.error.message == "0000:09:00.0: there is no such PF; it was to have 8 VFs, switchdev"


MAC, OTHER = "02:00:00:00:00:03", "02:00:00:00:00:99"


@pytest.mark.parametrize(
    ("told", "said"),
    [(MAC, ""), ("", f"does not tell its permanent MAC address, and the file is about {MAC}"), (OTHER, OTHER)],
)
def test_another_nic(told: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PF that may be another one is left alone."""
    monkeypatch.setattr(permanent, "mac", lambda _: told)
    found = applying.left(Wish(ADDRESS, 0, mac=MAC), Node("n", "6.12", [pf()]))
    assert (found.error is None) == (said == "")
    assert found.error is None or said in found.error.message
    assert applying.left(Wish(ADDRESS, 0), Node("n", "6.12", [pf()])).error is None


def test_a_permanent_address_before_linux_5_6(monkeypatch: pytest.MonkeyPatch) -> None:
    """ethtool's way tells what rtnetlink tells since; of a link without one, nothing (linux/ethtool.h)."""

    def told(_: int, name: str, command: bytearray) -> None:
        if name == "ens4":
            raise OSError(errno.EOPNOTSUPP, "no")
        assert command[:8] == struct.pack("=II", 0x20, 32)
        struct.pack_into("=I6s", command, 4, 6, bytes.fromhex(MAC.replace(":", "") if name == "ens3" else "0" * 12))

    monkeypatch.setattr(libc, "ethtool", told)
    links = [replace(nodes.link("x"), name=name) for name in ("ens3", "ens4", "ens5")]
    assert [permanent.of_ethtool(link) for link in links] == [MAC, "", ""]


class Interrupted(MadeUp):
    """Somebody presses Ctrl-C at the third PF."""

    __slots__ = ()

    def make(self, wish: Wish, terms: Terms, progress: Progress) -> list[Step]:
        """See `Change`."""
        if wish is WISHES[2]:
            raise InterruptedVerbError(Terminated("SIGINT"), "what had been done was taken back")
        return MadeUp.make(self, wish, terms, progress)


def test_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What came of the PFs before is told by then, and at which PF it was, and which are not begun."""
    change = Interrupted(Roots(run=str(tmp_path)))
    monkeypatch.setattr(verb, "Change", lambda: change)
    monkeypatch.setattr(pfs_file, "read", lambda _: WISHES)
    with pytest.raises(
        InterruptedVerbError, match=rf"^told to end \(SIGINT\); {ADDRESS}: .*\nnot begun: 0000:0c:00.0$"
    ):
        verb.apply.main([], standalone_mode=False)
    assert "0000:0b:00.0: refused" in capsys.readouterr().err
    with pytest.raises(InterruptedVerbError):
        verb.apply.main(["--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    schemas.check(told)
    assert [pf["error"]["message"] for pf in told["pfs"]] == ["there is no such PF", "refused"]


def test_interrupted_between_two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """While one is told of, nothing is half done: it is said which are still to do."""
    monkeypatch.setattr(verb, "Change", lambda: MadeUp(Roots(run=str(tmp_path))))
    monkeypatch.setattr(pfs_file, "read", lambda _: WISHES)
    monkeypatch.setattr(verb, "_show", lambda _: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(InterruptedVerbError) as caught:
        verb.apply.main([], standalone_mode=False)
    assert str(caught.value) == f"told to end (SIGTERM); not begun: 0000:0b:00.0, {ADDRESS}, 0000:0c:00.0"


def test_forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the PF was to be is told, and which files are others now."""
    change = Change(Roots(etc=str(tmp_path / "etc"), run=str(tmp_path)))
    persistent.write(WISHES, change.places)
    monkeypatch.setattr(verb, "Change", lambda: change)
    verb.forget.main([WISHES[0].address, "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    schemas.check(told)
    assert told["wish"]["address"] == WISHES[0].address
    assert told["written"] == [change.places.pfs, change.places.rule]
    assert pfs_file.read(change.places.pfs) == sorted(WISHES[1:], key=lambda x: x.address)


def test_whoever_reads_has_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The other PFs are made all the same, and it is said in the end."""
    made: list[str] = []

    class Counted(MadeUp):
        __slots__ = ()

        def make(self, wish: Wish, terms: Terms, progress: Progress) -> list[Step]:
            """See `Change`."""
            made.append(wish.address)
            return []

    def fails(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(verb, "Change", lambda: Counted(Roots(run=str(tmp_path))))
    monkeypatch.setattr(pfs_file, "read", lambda _: WISHES)
    monkeypatch.setattr(click, "echo", fails)
    with pytest.raises(BrokenPipeError):
        verb.apply.main([], standalone_mode=False)
    assert made == [wish.address for wish in WISHES]


def test_a_name_that_speaks_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing in a message forges a line."""
    error = VerbError(Status.IN_USE, "refused", "x is open in 7 a\x1b[2Jb\nlast")
    verb._show(applying.Outcome(WISHES[0], error=error))
    assert capsys.readouterr().err == "0000:0a:00.0: refused\n  x is open in 7 a\\x1b[2Jb\n  last\n"


@pytest.mark.parametrize("content", [None, '{"schema": "plumbline/pfs/1", "pfs": []}'])
def test_nothing_to_wait_for(
    content: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A container without the node's file does not take the node for ready."""
    roots = Roots(etc=str(tmp_path))
    if content is not None:
        Path(roots.pfs_file).parent.mkdir()
        Path(roots.pfs_file).write_text(content)
    monkeypatch.setattr(verb, "Change", lambda: Change(roots))
    monkeypatch.setattr(Change, "look", lambda _: Node("n", "6.12"))
    for json_too in ([], ["--json"]):
        with pytest.raises(VerbError, match=f"there is no PF in {roots.pfs_file}") as caught:
            verb.wait.main(["--timeout", "0", *json_too], standalone_mode=False)
        assert caught.value.status is Status.FAILURE
    assert verb.wait.main(["--timeout", "0", "--allow-empty"], standalone_mode=False) == 0
    assert "0 PFs" in capsys.readouterr().out
