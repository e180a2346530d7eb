"""Decides by which steps a PF becomes what it is to be. Nothing is looked at and nothing is done.

The order is the drivers', as their makers document it for switchdev mode:

- mostly, and of mlx5: VFs are made in legacy mode, have no driver while the mode changes, and are bound after that;
- ice: the mode changes while there are no VFs, and VFs are made in it;
- bnxt_en: the PF's link is up first, since its firmware makes VFs of a port that is open only.
"""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.errors import Status, VerbError
from plumbline.node.functions import PCI
from plumbline.node.model import Pf, Vf
from plumbline.node.wish import DEFAULT, Wish, is_linkless
from plumbline.prepare.kernel import Target
from plumbline.prepare.steps import AwaitLinks, Bind, BringUp, MakeVdpa, SetMode, SetNumber, Step, Unbind

LEGACY, SWITCHDEV = "legacy", "switchdev"
MODE_WITHOUT_VFS = frozenset(("ice",))
UP_FIRST = frozenset(("bnxt_en",))


def plan(pf: Pf, wish: Wish) -> list[Step]:
    """Return the steps, none where all is as it should be. pf: as it is.

    Raises VerbError where they depend on the mode of its switch, and nobody knows that.
    """
    return _Plan(pf, wish).steps()


def target_of(pf: Pf) -> Target:
    """Return a PF as steps name it."""
    return Target(pf.name, pf.address, pf.bus)


def touched(pf: Pf, steps: list[Step]) -> list[Vf]:
    """Return the VFs, of those that there are, that steps take from whoever has them."""
    if any(step.touches is None for step in steps):
        return pf.vfs
    indices = {index for step in steps for index in step.touches or ()}
    return [vf for vf in pf.vfs if vf.index in indices]


def has_driver(vf: Vf, driver: str) -> bool:
    """Return whether a VF has the driver that is wished for."""
    if driver == DEFAULT:
        return bool(vf.driver) and not is_linkless(vf.driver)
    return driver in ("", vf.driver)


@dataclass(frozen=True, slots=True)
class _Plan:
    pf: Pf
    wish: Wish

    def steps(self) -> list[Step]:
        """See `plan`."""
        if self.pf.eswitch is None and (self.wish.mode or self._needs_anew):
            raise VerbError(
                Status.FAILURE,
                f"{self.pf.name}: the kernel does not tell the mode of its switch, on which depends what is to be done",
                f"devlink dev eswitch show {self.pf.bus}/{self.pf.address}; dmesg may say more",
            )
        up: list[Step] = [BringUp(self.target)] if self._is_to_go_up else []
        rest = self._made_anew() if self._needs_anew else self._changed()
        return [*up, *rest] if self.pf.driver in UP_FIRST else [*rest, *up]

    @property
    def target(self) -> Target:
        return target_of(self.pf)

    @property
    def mode(self) -> str:
        return self.pf.eswitch or LEGACY

    @property
    def wanted_mode(self) -> str:
        return self.wish.mode or self.mode

    @property
    def every(self) -> tuple[int, ...]:
        return tuple(range(self.wish.vfs))

    @property
    def _is_to_go_up(self) -> bool:
        return self.wish.up and self.pf.link is not None and not self.pf.link.up

    @property
    def _needs_anew(self) -> bool:
        mode_changes = self.wanted_mode != self.mode
        return len(self.pf.vfs) != self.wish.vfs or (mode_changes and self.pf.driver in MODE_WITHOUT_VFS)

    def _made_anew(self) -> list[Step]:
        """Return the steps that remove all VFs there are, and make those that are to be."""
        steps: list[Step] = []
        if self.pf.vfs:
            drivers = tuple(vf.driver for vf in self.pf.vfs) if self._on_bus else ()
            steps.append(SetNumber(self.target, len(self.pf.vfs), 0, drivers))
        made: list[Step] = [SetNumber(self.target, 0, self.wish.vfs)] if self.wish.vfs else []
        if self.pf.driver in MODE_WITHOUT_VFS or not made:
            return [*steps, *self._mode(self.mode, self.wanted_mode), *made, *self._fresh(False)]
        is_switched = self.wanted_mode == SWITCHDEV
        unbound: list[Step] = [Unbind(self.target, self.every)] if is_switched and self._on_bus else []
        to_legacy, onwards = self._mode(self.mode, LEGACY), self._mode(LEGACY, self.wanted_mode)
        return [*steps, *to_legacy, *made, *unbound, *onwards, *self._fresh(bool(unbound))]

    def _changed(self) -> list[Step]:
        """Return the steps where the VFs may stay."""
        mode = self._mode(self.mode, self.wanted_mode)
        had = tuple(vf.driver for vf in self.pf.vfs)
        if mode and self._on_bus and had:
            drivers = {vf.index: self.wish.driver_of(vf.index) or vf.driver for vf in self.pf.vfs}
            bound = [*self._bind(drivers, self._none), *self._links(drivers)]
            return [Unbind(self.target, self.every, had), *mode, *bound, *self._vdpa(dict.fromkeys(self.every))]
        wanted = {vf.index: self.wish.driver_of(vf.index) for vf in self.pf.vfs}
        apart = {vf.index: wanted[vf.index] for vf in self.pf.vfs if not has_driver(vf, wanted[vf.index])}
        # A vDPA device goes with the driver that has made it.
        vdpa = {vf.index: None if vf.vdpa is None or vf.index in apart else vf.vdpa.driver for vf in self.pf.vfs}
        return [*mode, *self._bind(apart, had), *self._links(apart), *self._vdpa(vdpa)]

    @property
    def _none(self) -> tuple[str, ...]:
        """The drivers of VFs that have been unbound."""
        return ("",) * self.wish.vfs

    @property
    def _on_bus(self) -> bool:
        """Whether VFs are devices; those of netdevsim are entries of a table."""
        return self.pf.bus == PCI

    def _mode(self, before: str, after: str) -> list[Step]:
        return [SetMode(self.target, before, after)] if before != after else []

    def _fresh(self, are_unbound: bool) -> list[Step]:
        """Return the steps for VFs that have just been made."""
        if not self._on_bus:
            return []
        otherwise = DEFAULT if are_unbound else ""
        drivers = {index: self.wish.driver_of(index) or otherwise for index in self.every}
        bound = self._bind(drivers, self._none if are_unbound else ())
        return [*bound, *self._links(drivers), *self._vdpa(dict.fromkeys(self.every))]

    def _bind(self, drivers: dict[int, str], before: tuple[str, ...]) -> list[Step]:
        """Return the steps that bind VFs. drivers: by index, those that are empty stay. before: which all VFs have
        until then, empty where the VFs have just been made, and go again if something fails.
        """
        steps: list[Step] = []
        for driver in sorted(set(drivers.values()) - {""}):
            which = tuple(index for index in sorted(drivers) if drivers[index] == driver)
            is_asked = any(self.wish.driver_of(index) == driver for index in which)
            of_these = tuple(before[index] for index in which) if before else ()
            steps.append(Bind(self.target, which, driver, of_these, must=is_asked))
        return steps

    def _links(self, drivers: dict[int, str]) -> list[Step]:
        """Return the step that waits for the links of VFs. drivers: which they have been bound to, by index."""
        with_link = tuple(index for index in sorted(drivers) if not is_linkless(drivers[index]))
        return [AwaitLinks(self.target, with_link)] if with_link and self.pf.link is not None else []

    def _vdpa(self, before: dict[int, str | None]) -> list[Step]:
        """Return the step for vDPA devices. before: as in `MakeVdpa`, by index."""
        use = self.wish.vdpa
        lacking = {index: now for index, now in before.items() if now != use}
        if not (use and lacking and self._on_bus):
            return []
        return [MakeVdpa(self.target, tuple(lacking), use, tuple(lacking.values()))]
