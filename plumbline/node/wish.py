"""What somebody wants of a PF. What is not said is left as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from plumbline.node.switch_mode import MODES

DEFAULT = "default"
"""In the place of a driver's name: the one that the kernel chooses by itself."""

VDPA_DRIVERS = {"vhost": "vhost_vdpa", "virtio": "virtio_vdpa"}
"""The drivers of the vDPA bus, by what the devices are for (Documentation of the kernel, vdpa)."""

LINKLESS = ("vfio", "uio", "pci-stub", "pciback")
"""Parts of the names of drivers that hold a device for a program, a virtual machine or nobody: it has no link."""

_RANGE = re.compile(r"(\d+)(?:-(\d+))?\Z")
_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z|\Z")


class WishError(ValueError):
    """Says what is wrong with a wish, and names the member."""


@dataclass(frozen=True, slots=True)
class DriverFor:
    """A driver for the VFs from the index `first` to `last`, which both count; None for all up to the last one."""

    driver: str
    first: int = 0
    last: int | None = None

    @property
    def vfs(self) -> str:
        """Which VFs, as one writes it."""
        if self.last is None:
            return "all" if self.first == 0 else f"{self.first}-"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def has(self, index: int) -> bool:
        """Return whether it is for a VF."""
        return self.first <= index and (self.last is None or index <= self.last)

    def __str__(self) -> str:
        return self.driver if self.vfs == "all" else f"{self.vfs}={self.driver}"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a PF is to be.

    address, bus: which one. mac: its permanent MAC address, empty where it has none or none is known. vfs: how many.
    mode: `legacy` or `switchdev`. drivers: of VFs, the first that fits counts. vdpa: `vhost` or `virtio`, for every VF
    a vDPA device for that. up: whether its link is to be up. Empty texts, and VFs without a driver: as it is.
    """

    address: str
    vfs: int
    bus: str = "pci"
    mac: str = ""
    mode: str = ""
    drivers: tuple[DriverFor, ...] = ()
    vdpa: str = ""
    up: bool = True

    def driver_of(self, index: int) -> str:
        """Return the driver that a VF is to have, empty for the one it has."""
        return next((x.driver for x in self.drivers if x.has(index)), "")

    def __str__(self) -> str:
        parts = [f"{self.vfs} VF{'' if self.vfs == 1 else 's'}", self.mode]
        parts += [f"driver {driver}" for driver in self.drivers]
        parts.append(f"vDPA for {self.vdpa}" if self.vdpa else "")
        return ", ".join(part for part in parts if part)


def is_linkless(driver: str) -> bool:
    """Return whether a driver of this name makes no link."""
    return any(part in driver for part in LINKLESS)


def parse_driver(text: str) -> DriverFor:
    """Return what DRIVER or RANGE=DRIVER says, such as `vfio-pci` or `0-3=vfio-pci`. Raises WishError."""
    which, equals, driver = text.rpartition("=")
    return driver_for(which if equals else "all", driver)


def driver_for(which: str, driver: str) -> DriverFor:
    """Return a driver for `all` VFs, one, or a range of them. Raises WishError."""
    if not _NAME.match(driver):
        raise WishError(f'driver: "{driver}" is no name of a driver')
    if which == "all":
        return DriverFor(driver)
    found = _RANGE.match(which)
    if found is None or (found[2] is not None and int(found[2]) < int(found[1])):
        raise WishError(f'driver: "{which}" is neither an index of a VF nor a range of them such as 0-3')
    return DriverFor(driver, int(found[1]), int(found[2] or found[1]))


def check(wish: Wish) -> Wish:
    """Return the wish if it makes sense in itself. Raises WishError."""
    beyond = next((x for x in wish.drivers if max(x.first, x.last or 0) >= max(wish.vfs, 1)), None)
    if beyond is not None:
        raise WishError(f"driver: {beyond} is for VFs that there are not to be: {wish.vfs} VFs end with {wish.vfs - 1}")
    for index in range(wish.vfs if wish.vdpa else 0):
        driver = wish.driver_of(index)
        if is_linkless(driver):
            raise WishError(
                f"vdpa: VF {index} is to be bound to {driver}, and only the NIC's own driver makes vDPA devices"
            )
    return wish


def to_json(wish: Wish) -> dict[str, Any]:
    """Return a wish as it stands in the file of PFs."""
    return {
        "address": wish.address,
        "bus": wish.bus,
        "mac": wish.mac or None,
        "vfs": wish.vfs,
        "mode": wish.mode or None,
        "drivers": [{"vfs": x.vfs, "driver": x.driver} for x in wish.drivers],
        "vdpa": wish.vdpa or None,
        "up": wish.up,
    }


def from_json(raw: Any) -> Wish:
    """Return the wish that stands in the file of PFs. Raises WishError naming the member."""
    if not isinstance(raw, dict):
        raise WishError("a PF is an object")
    unknown = raw.keys() - to_json(Wish("", 0)).keys()
    if unknown:
        raise WishError(f"{min(unknown)}: there is no such member")
    vfs, up = raw.get("vfs"), raw.get("up", True)
    if not isinstance(vfs, int) or isinstance(vfs, bool) or vfs < 0:
        raise WishError("vfs: a number of VFs is needed")
    if not isinstance(up, bool):
        raise WishError("up: true or false")
    wish = Wish(
        address=_text(raw, "address", re.compile(r"[^/\s]+\Z"), "the address of a PF is needed"),
        vfs=vfs,
        bus=_text({"bus": "pci", **raw}, "bus", re.compile(r"(pci|netdevsim)\Z"), "pci or netdevsim"),
        mac=_text(raw, "mac", _MAC, "a MAC address in small letters, or null"),
        mode=_text(raw, "mode", re.compile(f"({'|'.join(MODES)}|)\\Z"), "legacy, switchdev or null"),
        vdpa=_text(raw, "vdpa", re.compile(f"({'|'.join(VDPA_DRIVERS)}|)\\Z"), "vhost, virtio or null"),
        up=up,
    )
    drivers = raw.get("drivers") or []
    if not isinstance(drivers, list):
        raise WishError("drivers: a list is needed")
    return check(replace(wish, drivers=tuple(_driver(x) for x in drivers)))


def _driver(raw: Any) -> DriverFor:
    if not isinstance(raw, dict) or raw.keys() != {"vfs", "driver"}:
        raise WishError("drivers: each has the members vfs and driver")
    return driver_for(str(raw["vfs"]), str(raw["driver"]))


def _text(raw: dict[str, Any], key: str, allowed: re.Pattern[str], needed: str) -> str:
    value = raw.get(key)
    text = "" if value is None else value
    if not isinstance(text, str) or not allowed.match(text):
        raise WishError(f"{key}: {needed}")
    return text
