"""The steps by which a PF becomes what it is to be. Each knows its line for a shell, and the way back.

A step holds what was before it, as the plan foresaw, so it can be taken back whether it was done, half done or not at
all. What a step needs of the kernel, `plumbline.prepare.kernel` has.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from cni.protocol.errors import CniError
from plumbline.errors import Status, VerbError
from plumbline.node.wish import DEFAULT, VDPA_DRIVERS
from plumbline.prepare.kernel import Kernel, Target

T = TypeVar("T")

Tick = Callable[[], None]
"""Is called for each VF that is done."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. target: the PF that it is about."""

    target: Target

    @property
    def title(self) -> str:
        """What it does, in a few words."""
        raise NotImplementedError

    @property
    def units(self) -> int:
        """How many VFs there are to do, one by one; 1 for what is done at once."""
        return 1

    @property
    def touches(self) -> tuple[int, ...] | None:
        """Which VFs it takes from whoever has them, by index; None for all."""
        return ()

    def shell(self) -> list[str]:
        """Return lines for a shell that do the same."""
        raise NotImplementedError

    def do(self, kernel: Kernel, tick: Tick) -> None:
        """Do it. Raises VerbError."""
        raise NotImplementedError

    def undo(self, kernel: Kernel) -> str:
        """Make it as it was before; return what is not, empty for nothing. Raises VerbError."""
        return ""


@dataclass(frozen=True, slots=True)
class BringUp(Step):
    """Bring the PF's link up."""

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"bring {self.target.name} up"

    def shell(self) -> list[str]:
        """See `Step`."""
        return [f"ip link set dev {shlex.quote(self.target.name)} up"]

    def do(self, kernel: Kernel, tick: Tick) -> None:
        """See `Step`."""
        kernel.set_up(self.target, True)

    def undo(self, kernel: Kernel) -> str:
        """See `Step`."""
        kernel.set_up(self.target, False)
        return ""


@dataclass(frozen=True, slots=True)
class SetNumber(Step):
    """Make VFs where there are none, or remove all. drivers: of those that are removed, by index."""

    before: int
    after: int
    drivers: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"make {self.after} VFs" if self.after else f"remove {self.before} VFs"

    @property
    def units(self) -> int:
        """See `Step`."""
        return max(self.after, 1)

    @property
    def touches(self) -> tuple[int, ...] | None:
        """See `Step`."""
        return None

    def shell(self) -> list[str]:
        """See `Step`."""
        return [f"echo {self.after} >{self.target.path}/sriov_numvfs"]

    def do(self, kernel: Kernel, tick: Tick) -> None:
        """See `Step`."""
        kernel.set_number(self.target, self.after)
        kernel.await_vfs(self.target, self.after, tick)

    def undo(self, kernel: Kernel) -> str:
        """See `Step`."""
        now = kernel.number(self.target)
        if now == self.before:
            return ""
        if now:
            kernel.set_number(self.target, 0)
        if not self.before:
            return ""
        kernel.set_number(self.target, self.before)
        kernel.await_vfs(self.target, self.before, lambda: None)
        _restore(kernel, self.target, tuple(enumerate(self.drivers)))
        return f"but for its {self.before} VFs, made anew: addresses, VLANs and vDPA devices of before are gone"


@dataclass(frozen=True, slots=True)
class SetMode(Step):
    """Change the mode of the embedded switch."""

    before: str
    after: str

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"switch {self.target.name} to {self.after} mode"

    @property
    def touches(self) -> tuple[int, ...] | None:
        """See `Step`."""
        return None

    def shell(self) -> list[str]:
        """See `Step`."""
        return [f"devlink dev eswitch set {self.target.bus}/{self.target.address} mode {self.after}"]

    def do(self, kernel: Kernel, tick: Tick) -> None:
        """See `Step`."""
        kernel.set_mode(self.target, self.after)

    def undo(self, kernel: Kernel) -> str:
        """See `Step`."""
        if kernel.mode(self.target) != self.before:
            kernel.set_mode(self.target, self.before)
        return ""


@dataclass(frozen=True, slots=True)
class OfVfs(Step):
    """A step that is done VF by VF. indices: of which."""

    indices: tuple[int, ...]

    @property
    def units(self) -> int:
        """See `Step`."""
        return len(self.indices)

    @property
    def touches(self) -> tuple[int, ...] | None:
        """See `Step`."""
        return self.indices

    def _loop(self, *lines: str) -> list[str]:
        """Return shell lines for each VF, whose PCI address is in $vf."""
        begins = f"for i in {' '.join(map(str, self.indices))}; do"
        address = f'    vf=$(basename "$(readlink {self.target.path}/virtfn$i)")'
        return [begins, address, *(f"    {line}" for line in lines), "done"]


@dataclass(frozen=True, slots=True)
class Unbind(OfVfs):
    """Take the drivers from VFs. drivers: those they have, empty where the kernel has just chosen them."""

    drivers: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"unbind {len(self.indices)} VFs"

    def shell(self) -> list[str]:
        """See `Step`."""
        device = "/sys/bus/pci/devices/$vf"
        return self._loop(f"[ ! -e {device}/driver ] || echo $vf >{device}/driver/unbind")

    def do(self, kernel: Kernel, tick: Tick) -> None:
        """See `Step`."""
        for index in self.indices:
            kernel.unbind(kernel.vf(self.target, index))
            tick()

    def undo(self, kernel: Kernel) -> str:
        """See `Step`."""
        _restore(kernel, self.target, tuple(zip(self.indices, self.drivers, strict=False)))
        return ""


@dataclass(frozen=True, slots=True)
class Bind(OfVfs):
    """Bind VFs to a driver. before: the drivers they have, empty where the VFs have just been made. must: whether it is
    a failure when the kernel has no driver for one.
    """

    driver: str
    before: tuple[str, ...] = ()
    must: bool = True

    @property
    def title(self) -> str:
        """See `Step`."""
        driver = "the kernel's driver" if self.driver == DEFAULT else self.driver
        return f"bind {len(self.indices)} VFs to {driver}"

    def shell(self) -> list[str]:
        """See `Step`."""
        device = "/sys/bus/pci/devices/$vf"
        named = "" if self.driver == DEFAULT else self.driver
        lines = self._loop(
            f"echo '{named}' >{device}/driver_override",
            f"[ ! -e {device}/driver ] || echo $vf >{device}/driver/unbind",
            "echo $vf >/sys/bus/pci/drivers_probe",
        )
        return [f"modprobe {self.driver}", *lines] if named else lines

    def do(self, kernel: Kernel, tick: Tick) -> None:
        """See `Step`."""
        for index in self.indices:
            address = kernel.vf(self.target, index)
            kernel.bind(address, self.driver)
            if self.must:
                kernel.require_driver(address, self.driver)
            tick()

    def undo(self, kernel: Kernel) -> str:
        """See `Step`."""
        _restore(kernel, self.target, tuple(zip(self.indices, self.before, strict=False)))
        return ""


@dataclass(frozen=True, slots=True)
class AwaitLinks(OfVfs):
    """Wait for the links of VFs; one without is bound once more, which helps with drivers that were too early."""

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"wait for the links of {len(self.indices)} VFs"

    @property
    def touches(self) -> tuple[int, ...] | None:
        """See `Step`."""
        return ()

    def shell(self) -> list[str]:
        """See `Step`."""
        device = "/sys/bus/pci/devices/$vf"
        has_link = f"[ -e {device}/net ] || ls -d {device}/virtio*/net >/dev/null 2>&1"
        again = f"{{ echo $vf >{device}/driver/unbind; echo $vf >/sys/bus/pci/drivers_probe; }}"
        return self._loop(f"[ ! -e {device}/driver ] || {has_link} || {again}")

    def do(self, kernel: Kernel, tick: Tick) -> None:
        """See `Step`."""
        for index in self.indices:
            kernel.await_link(kernel.vf(self.target, index))
            tick()


@dataclass(frozen=True, slots=True)
class MakeVdpa(OfVfs):
    """Have a vDPA device on each of some VFs. use: `vhost` or `virtio`. before: for what there is one now, empty where
    it is for nothing, None where there is none.
    """

    use: str
    before: tuple[str | None, ...]

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"make vDPA devices of {len(self.indices)} VFs, for {self.use}"

    def shell(self) -> list[str]:
        """See `Step`."""
        device, driver = "/sys/bus/vdpa/devices/vdpa:$vf", VDPA_DRIVERS[self.use]
        add = "vdpa dev add name vdpa:$vf mgmtdev pci/$vf"
        return [
            f"modprobe {driver}",
            *self._loop(
                f"[ -e {device} ] || {add} max_vqp 32 || {add}",
                f"[ ! -e {device}/driver ] || echo vdpa:$vf >{device}/driver/unbind",
                f"echo {driver} >{device}/driver_override",
                "echo vdpa:$vf >/sys/bus/vdpa/drivers_probe",
            ),
        ]

    def do(self, kernel: Kernel, tick: Tick) -> None:
        """See `Step`."""
        for index in self.indices:
            kernel.make_vdpa(kernel.vf(self.target, index), self.use)
            tick()

    def undo(self, kernel: Kernel) -> str:
        """See `Step`."""

        def restore(index: int, use: str | None) -> None:
            address = kernel.vf(self.target, index)
            if use is None:
                kernel.remove_vdpa(address)
            else:
                kernel.make_vdpa(address, use)

        _each(restore, zip(self.indices, self.before, strict=True))
        return ""


@dataclass(frozen=True, slots=True)
class RemoveVdpa(OfVfs):
    """Remove the vDPA devices of VFs. before: what they are for."""

    before: tuple[str, ...]

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"remove the vDPA devices of {len(self.indices)} VFs"

    def shell(self) -> list[str]:
        """See `Step`."""
        return self._loop("vdpa dev del vdpa:$vf")

    def do(self, kernel: Kernel, tick: Tick) -> None:
        """See `Step`."""
        for index in self.indices:
            kernel.remove_vdpa(kernel.vf(self.target, index))
            tick()

    def undo(self, kernel: Kernel) -> str:
        """See `Step`."""
        anew: list[str] = []

        def restore(index: int, use: str) -> None:
            address = kernel.vf(self.target, index)
            lacked = not kernel.has_vdpa(address)
            kernel.make_vdpa(address, use)
            anew.extend([f"{self.target.name}:{index}"] if lacked else [])

        _each(restore, zip(self.indices, self.before, strict=True))
        return f"but for the vDPA devices of {', '.join(anew)}, made anew" if anew else ""


def _restore(kernel: Kernel, target: Target, drivers: tuple[tuple[int, str], ...]) -> None:
    """Bind VFs to the drivers that they had, by index; an empty name means none."""

    def restore(index: int, driver: str) -> None:
        address = kernel.vf(target, index)
        if kernel.driver(address) == driver:
            return
        if driver:
            kernel.bind(address, driver)
            kernel.require_driver(address, driver)
        else:
            kernel.unbind(address)

    _each(restore, drivers)


def _each(restore: Callable[[int, T], None], vfs: Iterable[tuple[int, T]]) -> None:
    """Restore VFs, given by index and what they had. One that fails keeps no other from it. Raises VerbError."""
    failures = []
    for index, had in vfs:
        try:
            restore(index, had)
        except (VerbError, CniError, OSError) as e:
            failures.append(str(e))
    if failures:
        raise VerbError(Status.FAILURE, "; ".join(failures))
