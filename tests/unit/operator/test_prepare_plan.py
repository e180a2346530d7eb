"""Which steps make a PF what it is to be, in which order; and that all of them lead there, and back again."""

from __future__ import annotations

import errno
import io
import itertools
import os
import signal
import sys
from copy import deepcopy

import pytest

from plumbline.errors import Status, VerbError
from plumbline.interruption import InterruptedVerbError
from plumbline.node.model import Pf, Vdpa
from plumbline.node.wish import DriverFor, Wish
from plumbline.prepare.carry_out import carry_out
from plumbline.prepare.kernel import Target
from plumbline.prepare.plan import plan, touched
from plumbline.prepare.progress import Bar
from plumbline.prepare.steps import Bind, RemoveVdpa, Step
from tests.unit.operator.made_up import ADDRESS, MadeUpKernel, Silence, address_of, failing_once, pf

VFIO = (DriverFor("vfio-pci"),)
SOME_VFIO = (DriverFor("vfio-pci", 0, 0),)

ORDERS: dict[str, tuple[Pf, Wish, list[str]]] = {
    "VFs of a PF that has none": (
        pf(),
        Wish(ADDRESS, 2),
        ["make 2 VFs", "wait for the links of 2 VFs"],
    ),
    "all is as it should be": (pf("igbvf", "igbvf"), Wish(ADDRESS, 2), []),
    "a driver is not said, and stays": (pf("vfio-pci", ""), Wish(ADDRESS, 2), []),
    "more VFs": (
        pf("igbvf"),
        Wish(ADDRESS, 2),
        ["remove 1 VFs", "make 2 VFs", "wait for the links of 2 VFs"],
    ),
    "no VFs": (pf("igbvf"), Wish(ADDRESS, 0), ["remove 1 VFs"]),
    "for programs": (pf(), Wish(ADDRESS, 2, drivers=VFIO), ["make 2 VFs", "bind 2 VFs to vfio-pci"]),
    "the PF is down": (pf(up=False), Wish(ADDRESS, 1), ["make 1 VFs", "wait for the links of 1 VFs", "bring ens3 up"]),
    "and stays so": (pf(up=False), Wish(ADDRESS, 0, up=False), []),
    "bnxt is up first": (
        pf(of="bnxt_en", up=False),
        Wish(ADDRESS, 1),
        ["bring ens3 up", "make 1 VFs", "wait for the links of 1 VFs"],
    ),
    "mlx5 to switchdev": (
        pf(of="mlx5_core"),
        Wish(ADDRESS, 2, mode="switchdev"),
        [
            *("make 2 VFs", "unbind 2 VFs", "switch ens3 to switchdev mode", "bind 2 VFs to the kernel's driver"),
            "wait for the links of 2 VFs",
        ],
    ),
    "mlx5 in switchdev, more VFs": (
        pf("mlx5_core", of="mlx5_core", mode="switchdev"),
        Wish(ADDRESS, 2, drivers=SOME_VFIO),
        [
            *("remove 1 VFs", "switch ens3 to legacy mode", "make 2 VFs", "unbind 2 VFs"),
            *("switch ens3 to switchdev mode", "bind 1 VFs to the kernel's driver", "bind 1 VFs to vfio-pci"),
            "wait for the links of 1 VFs",
        ],
    ),
    "mlx5, the mode alone": (
        pf("mlx5_core", "vfio-pci", of="mlx5_core"),
        Wish(ADDRESS, 2, mode="switchdev"),
        [
            *("unbind 2 VFs", "switch ens3 to switchdev mode", "bind 1 VFs to mlx5_core", "bind 1 VFs to vfio-pci"),
            "wait for the links of 1 VFs",
        ],
    ),
    "ice has no VFs while the mode changes": (
        pf("iavf", of="ice"),
        Wish(ADDRESS, 1, mode="switchdev"),
        ["remove 1 VFs", "switch ens3 to switchdev mode", "make 1 VFs", "wait for the links of 1 VFs"],
    ),
    "vDPA": (
        pf("mlx5_core", of="mlx5_core", mode="switchdev"),
        Wish(ADDRESS, 1, vdpa="vhost"),
        ["make vDPA devices of 1 VFs, for vhost"],
    ),
    "a simulated PF's VFs are no devices": (
        pf(of="netdevsim", bus="netdevsim"),
        Wish(ADDRESS, 2, bus="netdevsim", mode="switchdev"),
        ["make 2 VFs", "switch ens3 to switchdev mode"],
    ),
    "a driver for one": (
        pf("igbvf", "igbvf"),
        Wish(ADDRESS, 2, drivers=SOME_VFIO),
        ["bind 1 VFs to vfio-pci"],
    ),
    "the kernel's driver": (
        pf("igbvf", "vfio-pci", ""),
        Wish(ADDRESS, 3, drivers=(DriverFor("default"),)),
        ["bind 2 VFs to the kernel's driver", "wait for the links of 2 VFs"],
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_order(name: str) -> None:
    """The steps come in the order that the driver needs."""
    found, wish, expected = ORDERS[name]
    assert [step.title for step in plan(found, wish)] == expected


MODES = ("legacy", "switchdev")
PFS = [
    pf(*drivers, of=of, mode=mode, up=up)
    for of, mode, up in itertools.product(("igb", "mlx5_core", "ice", "bnxt_en"), MODES, (True, False))
    for drivers in ((), ("vfio-pci", ""), ("vfio-pci", "vfio-pci", ""))
]
SIMULATED = [pf(*["netdevsim"] * vfs, of="netdevsim", mode=mode, bus="netdevsim") for vfs in (0, 2) for mode in MODES]
WISHES = [
    Wish(ADDRESS, vfs, mode=mode, drivers=drivers, vdpa=vdpa)
    for vfs, mode, (drivers, vdpa) in itertools.product(
        (0, 2, 3), ("", *MODES), (((), ""), (VFIO, ""), (SOME_VFIO, ""), ((), "vhost"))
    )
]


OF_TABLE = [Wish(ADDRESS, vfs, bus="netdevsim", mode=mode) for vfs in (0, 2, 3) for mode in ("", *MODES)]
ALL = [*itertools.product(PFS, WISHES), *itertools.product(SIMULATED, OF_TABLE)]


def test_every_plan_leads_there() -> None:
    """From whatever there is: what a look shows afterwards leaves nothing to do."""
    for found, wish in ALL:
        kernel = MadeUpKernel(found)
        carry_out(plan(found, wish), kernel, Silence())
        assert plan(kernel.as_pf(), wish) == [], f"{found} to {wish} by {kernel.did}"
        assert len(kernel.state.drivers) == wish.vfs


def test_every_failure_is_taken_back() -> None:
    """Whichever change fails, the PF is as it was, and the error says so."""
    failed = 0
    for found, wish in ALL:
        steps = plan(found, wish)
        whole = MadeUpKernel(found)
        carry_out(steps, whole, Silence())
        for number in range(len(whole.did)):
            kernel = MadeUpKernel(found, failing_once(number))
            before = deepcopy(kernel.state)
            with pytest.raises(VerbError) as caught:
                carry_out(steps, kernel, Silence())
            assert kernel.state == before, f"{found} to {wish}, failed after {kernel.did[:number]}: {kernel.did}"
            assert "as it was before" in caught.value.hint
            failed += 1
    assert failed > 1000


def test_what_cannot_be_taken_back_is_said() -> None:
    """It keeps no other step from being taken back, too."""

    def fails(number: int) -> None:
        if number >= 2:
            raise VerbError(Status.FAILURE, "cannot do it", "why")

    kernel = MadeUpKernel(pf("igbvf"), fails)
    with pytest.raises(VerbError, match="cannot do it") as caught:
        carry_out(plan(pf("igbvf"), Wish(ADDRESS, 2, drivers=VFIO)), kernel, Silence())
    assert "could not take back 'make 2 VFs' of ens3: cannot do it" in caught.value.hint
    assert "could not take back 'remove 1 VFs' of ens3: cannot do it" in caught.value.hint


def of_two() -> list[Step]:
    """Steps for a VF of one PF, and for one of another."""
    return [Bind(Target(name, name), (index,), "vfio-pci", ("igbvf",)) for index, name in enumerate(("ens3", "ens4"))]


def test_several_pfs() -> None:
    """What fails at one of them is taken back of all, and that is said."""
    kernel = MadeUpKernel(pf("igbvf", "igbvf"), failing_once(1))
    with pytest.raises(VerbError) as caught:
        carry_out(of_two(), kernel, Silence())
    assert kernel.state.drivers == ["igbvf", "igbvf"]
    assert caught.value.hint == "why\nwhat had been done was taken back, and ens3, ens4 are as they were before"


def test_several_pfs_that_cannot_be_taken_back() -> None:
    """It is said of which, and of which it is not so."""

    def fails(number: int) -> None:
        if number == 1 or kernel.driver(address_of(0)) == "vfio-pci":
            raise VerbError(Status.FAILURE, "no", "")

    kernel = MadeUpKernel(pf("igbvf", "igbvf"), fails)
    with pytest.raises(VerbError) as caught:
        carry_out(of_two(), kernel, Silence())
    assert caught.value.hint.splitlines() == [
        "could not take back 'bind 1 VFs to vfio-pci' of ens3: no",
        "ens4 is as it was before",
    ]


def test_vdpa_devices_that_were_made_anew() -> None:
    """What they had been given by hand is gone: which these are is said."""
    found = pf("mlx5_core", "mlx5_core")
    for vf in found.vfs:
        vf.vdpa = Vdpa(f"vdpa:{vf.address}", "vhost", "")
    kernel = MadeUpKernel(found, failing_once(1))
    with pytest.raises(VerbError) as caught:
        carry_out([RemoveVdpa(Target("ens3", ADDRESS), (0, 1), ("vhost", "vhost"))], kernel, Silence())
    assert caught.value.hint.endswith("as it was before, but for the vDPA devices of ens3:0, made anew")
    assert kernel.state.vdpa == {0: "vhost", 1: "vhost"}


@pytest.mark.usefixtures("told_to_end")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_interrupted(number: signal.Signals) -> None:
    """Ctrl-C, or an SSH session that ends, is no success either; a second one does not disturb the way back."""
    before = signal.getsignal(number)
    kernel = MadeUpKernel(pf("igbvf"), lambda done: os.kill(os.getpid(), number) if done >= 2 else None)
    with pytest.raises(InterruptedVerbError, match=f"{number.name}.*as it was before, but for its 1 VFs, made anew"):
        carry_out(plan(pf("igbvf"), Wish(ADDRESS, 2, drivers=VFIO)), kernel, Silence())
    assert kernel.state.drivers == ["igbvf"]
    assert signal.getsignal(number) is before


def test_nohup() -> None:
    """What is told to outlive its terminal does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        kernel = MadeUpKernel(pf(), lambda _: os.kill(os.getpid(), signal.SIGHUP))
        carry_out(plan(pf(), Wish(ADDRESS, 2)), kernel, Silence())
    finally:
        signal.signal(signal.SIGHUP, before)
    assert kernel.state.drivers == ["igbvf"] * 2


def test_a_terminal_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that nobody can see is no failed step."""

    class Terminal(io.StringIO):
        has_gone = False

        def isatty(self) -> bool:
            """It is one, or was when rich asked."""
            return True

        def write(self, text: str) -> int:
            """See TextIO."""
            if self.has_gone:
                raise OSError(errno.EIO, "Input/output error")
            return len(text)

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    kernel = MadeUpKernel(pf())
    with Bar() as bar:
        terminal.has_gone = True
        carry_out(plan(pf(), Wish(ADDRESS, 2)), kernel, bar)
        with bar.aside():
            pass
    assert kernel.state.drivers == ["igbvf"] * 2


def test_what_is_touched() -> None:
    """VFs that a plan leaves alone may be in use."""
    found = pf("igbvf", "vfio-pci", "igbvf")
    assert touched(found, plan(found, Wish(ADDRESS, 4))) == found.vfs
    assert touched(found, plan(found, Wish(ADDRESS, 3, drivers=(DriverFor("vfio-pci", 1, 2),)))) == [found.vfs[2]]
    down = pf("igbvf", up=False)
    assert touched(down, plan(down, Wish(ADDRESS, 1))) == []


def test_a_mode_that_nobody_knows() -> None:
    """It is not taken for legacy: a switchdev PF would lose its VFs. What does not depend on it is done."""
    found = pf("igbvf", up=False)
    found.eswitch = None
    for wish in (Wish(ADDRESS, 1, mode="switchdev"), Wish(ADDRESS, 1, mode="legacy"), Wish(ADDRESS, 2)):
        with pytest.raises(VerbError, match="ens3: the kernel does not tell the mode of its switch"):
            plan(found, wish)
    assert [step.title for step in plan(found, Wish(ADDRESS, 1, drivers=VFIO))] == [
        "bind 1 VFs to vfio-pci",
        "bring ens3 up",
    ]
