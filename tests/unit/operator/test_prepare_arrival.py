"""PFs at boot: made when they are there, and waited for together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import pyudev

from plumbline.node.roots import Roots
from plumbline.node.wish import Wish
from plumbline.prepare import arrival
from plumbline.prepare.arrival import as_they_come, is_there
from tests.support import sysfstree
from tests.support.sysfstree import folder, netdev
from tests.unit.operator.made_up import Silence

THERE, LATE, GONE = "0000:03:00.0", "0000:04:00.0", "0000:05:00.0"
MAC = "02:00:00:00:00:03"
WISHES = [Wish(GONE, 1, mac=MAC), Wish(LATE, 1, mac=MAC), Wish(THERE, 1, mac=MAC), Wish("netdevsim1", 1, "netdevsim")]


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """One PF is there, and one has its driver only."""
    tree = {**sysfstree.pf(THERE, {}, driver="ice"), **sysfstree.pf(LATE, {}, driver="ice")}
    root = sysfstree.build(tmp_path / "sys", {**tree, **netdev(folder(THERE), "ens3")})
    return Roots(sysfs=root, run=str(tmp_path / "run"))


class Clock:
    """A time that goes on when somebody sleeps, and otherwise does not."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_one_deadline(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are there do not wait; those that are missing wait together, and one that comes is given at once."""
    clock = Clock()
    monkeypatch.setattr(arrival, "time", clock)
    given = as_they_come(WISHES, roots, Silence(), timeout_s=60.0)
    assert [next(given).address, next(given).address] == [THERE, "netdevsim1"]
    Path(roots.sysfs, "bus/pci/devices", LATE, "net/ens4").mkdir(parents=True)
    assert next(given).address == LATE
    assert clock.now == 0.0
    assert [wish.address for wish in given] == [GONE]
    assert clock.now == 60.0


def test_udev_is_waited_for(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not give a link that is up another name; where it does not run there is nothing to wait for."""
    told = SimpleNamespace(is_initialized=False)
    monkeypatch.setattr(pyudev, "Context", lambda: None)
    monkeypatch.setattr(pyudev.Devices, "from_path", lambda *_: told)
    assert is_there(WISHES[2], roots)
    Path(roots.run, "udev").mkdir(parents=True)
    Path(roots.run, "udev/control").touch()
    assert not is_there(WISHES[2], roots)
    told.is_initialized = True
    assert is_there(WISHES[2], roots)
