"""The lines of a dry run are for sh(1): they run on a sysfs that is made up, and leave there what the steps would."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import click
import pytest

from plumbline.errors import VerbError
from plumbline.node.wish import DEFAULT
from plumbline.prepare.kernel import Target
from plumbline.prepare.steps import AwaitLinks, Bind, BringUp, SetNumber, Step, Unbind
from plumbline.verbs import setup
from tests.support import sysfstree
from tests.support.sysfstree import folder

PF, WITH_LINK, WITHOUT_LINK, WITHOUT_DRIVER = "0000:03:00.0", "0000:03:02.0", "0000:03:02.1", "0000:03:02.2"
TARGET = Target("ens3", PF)


def _run(root: str, step: Step) -> None:
    lines = "\n".join(line for line in step.shell() if not line.startswith("modprobe")).replace("/sys/", f"{root}/")
    done = subprocess.run(["sh", "-eu"], input=lines, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), lines


def test_lines(tmp_path: Path) -> None:
    """Each writes where it has to, and fails nowhere."""
    vfs = {0: WITH_LINK, 1: WITHOUT_LINK, 2: WITHOUT_DRIVER}
    tree = {**sysfstree.pf(PF, vfs, "iavf"), **sysfstree.netdev(folder(WITH_LINK), "ens3v0")}
    del tree[folder(WITHOUT_DRIVER, "driver")]
    root = sysfstree.build(tmp_path, {**tree, folder(PF, "sriov_numvfs"): "3"})
    probe, unbound = Path(root, "bus/pci/drivers_probe"), Path(root, "bus/drivers/iavf/unbind")
    _run(root, AwaitLinks(TARGET, (0, 1, 2)))
    assert (unbound.read_text(), probe.read_text()) == (f"{WITHOUT_LINK}\n", f"{WITHOUT_LINK}\n")
    unbound.unlink()
    _run(root, Unbind(TARGET, (0, 2)))
    assert unbound.read_text() == f"{WITH_LINK}\n"
    _run(root, Bind(TARGET, (2,), "vfio-pci"))
    override = Path(root, "bus/pci/devices", WITHOUT_DRIVER, "driver_override")
    assert (override.read_text(), probe.read_text()) == ("vfio-pci\n", f"{WITHOUT_DRIVER}\n")
    _run(root, Bind(TARGET, (2,), DEFAULT))
    assert override.read_text() == "\n"
    _run(root, SetNumber(TARGET, 3, 0))
    assert Path(root, "bus/pci/devices", PF, "sriov_numvfs").read_text() == "0\n"


def test_names_are_quoted() -> None:
    """A link may be called by anything but spaces, slashes and colons."""
    target = Target("a$(id)", PF)
    assert BringUp(target).shell() == ["ip link set dev 'a$(id)' up"]


def test_names_do_not_speak_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor in a plan."""
    setup.print_plan([BringUp(Target("a\x07b", PF))], "")
    assert "\x07" not in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "ended"), [("y", None), ("n", VerbError), ("\n", VerbError), ("\x04", click.Abort)])
def test_asked_though_standard_error_is_a_file(
    answer: str, ended: type[Exception] | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`plumbline setup ... 2>log` at a terminal is asked for, too."""
    ours, its = os.openpty()
    with open(its) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(ours, f"{answer}\n".encode())
        with pytest.raises(ended) if ended is not None else nullcontext():
            setup.confirm([BringUp(TARGET)], "ens3 is to have no VFs")
        shown = ""
        while "Do it?" not in shown and select.select([ours], [], [], 10)[0]:  # a terminal gives it in pieces
            shown += os.read(ours, 4096).decode()
    os.close(ours)
    assert "ens3 is to have no VFs:" in shown
    assert "1. bring ens3 up" in shown
    assert "Do it?" in shown
    assert capfd.readouterr().err == ""
