"""PFs that are made up, and a kernel that has one of them: what steps do to it is seen there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from plumbline.errors import Status, VerbError
from plumbline.node.model import LinkState, Pf, Vdpa, Vf
from plumbline.node.roots import Roots
from plumbline.node.wish import DEFAULT
from plumbline.prepare.kernel import Kernel, Target

ADDRESS = "0000:03:00.0"
OWN = {"igb": "igbvf", "mlx5_core": "mlx5_core", "ice": "iavf", "bnxt_en": "bnxt_en", "netdevsim": "netdevsim"}
"""The drivers that the kernel chooses for VFs, by that of their PF."""


class Silence:
    """A progress of which nobody is told."""

    def begin(self, title: str, units: int) -> None:
        pass

    def tick(self) -> None:
        pass


def address_of(index: int) -> str:
    """Return the PCI address of a VF."""
    return f"0000:03:{2 + index // 8:02x}.{index % 8}"


def pf(*drivers: str, of: str = "igb", mode: str = "legacy", up: bool = True, bus: str = "pci") -> Pf:
    """Return a PF whose VFs have these drivers. of: its own driver."""
    link = LinkState("ens3", 3, "02:00:00:00:00:03", 1500, up, up)
    vfs = [Vf("ens3", i, address_of(i) if bus == "pci" else None, driver) for i, driver in enumerate(drivers)]
    return Pf("ens3", ADDRESS, bus, of, link=link, eswitch=mode, possible=16, vfs=vfs)


@dataclass
class State:
    """What a PF is: the drivers of its VFs and the uses of their vDPA devices, by index; its mode, and if it is up."""

    drivers: list[str]
    mode: str
    up: bool
    vdpa: dict[int, str] = field(default_factory=dict)


class MadeUpKernel(Kernel):
    """A kernel that has one PF. fails: asked before each change, with its number, counted from 0; may raise."""

    def __init__(self, found: Pf, fails: Callable[[int], None] = lambda _: None) -> None:
        super().__init__(Roots())
        self.own = OWN[found.driver]
        self.of = found.driver
        self.bus = found.bus
        vdpa = {vf.index: vf.vdpa.driver for vf in found.vfs if vf.vdpa is not None}
        up = found.link is not None and bool(found.link.up)
        self.state = State([vf.driver for vf in found.vfs], found.eswitch or "legacy", up, vdpa)
        self.did: list[str] = []
        self.overridden: set[str] = set()
        self._fails = fails

    def _change(self, what: str) -> None:
        self._fails(len(self.did))
        self.did.append(what)

    def as_pf(self) -> Pf:
        """Return the PF as a look would show it now."""
        found = pf(*self.state.drivers, of=self.of, mode=self.state.mode, up=self.state.up, bus=self.bus)
        for index, use in self.state.vdpa.items():
            found.vfs[index].vdpa = Vdpa(f"vdpa:{address_of(index)}", use, "")
        return found

    def number(self, target: Target) -> int:
        """See `Kernel`."""
        return len(self.state.drivers)

    def set_number(self, target: Target, number: int) -> None:
        """See `Kernel`."""
        if number and self.state.drivers:
            raise VerbError(Status.FAILURE, "EBUSY: there are VFs")
        if number and self.of == "bnxt_en" and not self.state.up:
            raise VerbError(Status.FAILURE, "bnxt_en: the PF is down")
        self._change(f"number {number}")
        self.state.drivers = [self.own] * number
        self.state.vdpa = {}

    def await_vfs(self, target: Target, number: int, tick: Callable[[], None]) -> None:
        """See `Kernel`."""
        assert len(self.state.drivers) == number

    def vf(self, target: Target, index: int) -> str:
        """See `Kernel`."""
        assert self.bus == "pci"
        assert index < len(self.state.drivers)
        return address_of(index)

    def mode(self, target: Target) -> str:
        """See `Kernel`."""
        return self.state.mode

    def set_mode(self, target: Target, mode: str) -> None:
        """See `Kernel`."""
        if self.of == "ice" and self.state.drivers:
            raise VerbError(Status.FAILURE, "ice: there are VFs")
        if mode == "switchdev" and any(self.state.drivers) and self.bus == "pci":
            raise VerbError(Status.FAILURE, "VFs are bound")
        self._change(f"mode {mode}")
        self.state.mode = mode

    def set_up(self, target: Target, up: bool) -> None:
        """See `Kernel`."""
        self._change("up" if up else "down")
        self.state.up = up

    def driver(self, address: str) -> str:
        """See `Kernel`."""
        return self.state.drivers[self._index(address)]

    def unbind(self, address: str) -> None:
        """See `Kernel`."""
        if self.driver(address):
            self._bound(address, "")

    def bind(self, address: str, driver: str) -> None:
        """See `Kernel`."""
        self._bound(address, self.own if driver == DEFAULT else driver)

    def await_link(self, address: str) -> None:
        """See `Kernel`."""

    def make_vdpa(self, address: str, use: str) -> None:
        """See `Kernel`."""
        self._change(f"vdpa {use} of {address}")
        self.state.vdpa[self._index(address)] = use

    def remove_vdpa(self, address: str) -> None:
        """See `Kernel`."""
        if self._index(address) in self.state.vdpa:
            self._change(f"no vdpa of {address}")
            del self.state.vdpa[self._index(address)]

    def has_vdpa(self, address: str) -> bool:
        """See `Kernel`."""
        return self._index(address) in self.state.vdpa

    def _bound(self, address: str, driver: str) -> None:
        self._change(f"{address} to {driver or 'none'}")
        self.state.drivers[self._index(address)] = driver
        self.state.vdpa.pop(self._index(address), None)

    def _index(self, address: str) -> int:
        return [address_of(index) for index in range(len(self.state.drivers))].index(address)


def failing_once(at: int) -> Callable[[int], None]:
    """Return what lets a change of a MadeUpKernel fail, and that one only. at: its number."""
    left = [True]

    def fails(number: int) -> None:
        if number == at and left:
            left.clear()
            raise VerbError(Status.FAILURE, "no", "why")

    return fails
