"""The lab's NICs as tests see them: PFs, VFs, what the kernel says of them, and pods that get VFs."""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any

from tests.support import udev
from tests.support.net import HOST

PCI = "/sys/bus/pci/devices"
PFS = ("0000:01:00.0", "0000:02:00.0")
"""The PCI addresses of the lab's igb PFs, whose ports are wired to each other."""

VFS_PER_PF = 7
LAB_MARK = "/run/plumbline-lab"
"""A file that the lab's guest has, and nobody else."""

NO_MAC = "00:00:00:00:00:00"


def in_lab() -> bool:
    """Return whether this is the lab's guest."""
    return os.path.exists(LAB_MARK)


class VF:
    """One VF of one PF. address: its PCI address. pf: the name of the PF's link. index: at the PF."""

    def __init__(self, pf: PF, index: int) -> None:
        self.pf = pf
        self.index = index
        self.address = os.path.basename(os.readlink(f"{pf.folder}/virtfn{index}"))

    @property
    def folder(self) -> str:
        """The VF's folder in sysfs."""
        return f"{PCI}/{self.address}"

    @property
    def driver(self) -> str:
        """The name of the VF's driver, empty for none."""
        path = f"{self.folder}/driver"
        return os.path.basename(os.readlink(path)) if os.path.exists(path) else ""

    @property
    def name(self) -> str:
        """The name of the VF's link on the host, empty when it is not there."""
        folder = f"{self.folder}/net"
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return names[0] if names else ""

    def table(self) -> dict[str, Any]:
        """Return the VF's entry in the PF's table, as `ip -j link show` has it."""
        return next(entry for entry in self.pf.table() if entry["vf"] == self.index)

    def snapshot(self, *others: str) -> str:
        """Return all that `ip` says of PF and VF, and of other links: two of these are equal when nothing has changed.

        The index of a link that was away may be another one, and `ip` orders by it.
        """
        name = self.name
        links = (name, *others) if name else others
        return shown(self.pf.name, *links) + ("" if name else "the VF has no link\n")

    def bind(self, driver: str) -> None:
        """Bind the VF to a driver, an empty name means to none, and wait for the link that a NIC driver makes."""
        if self.driver:
            _write(f"{self.folder}/driver/unbind", self.address)
        _write(f"{self.folder}/driver_override", driver or "\n")
        if driver:
            _write("/sys/bus/pci/drivers_probe", self.address)
        if driver == "igbvf":
            wait_for(lambda: bool(self.name), f"a link of {self.address}")
            settle()

    def reset(self) -> None:
        """Make the VF what it is in the fixtures: on the host, on igbvf, down, without settings."""
        if self.driver != "igbvf":
            self.bind("igbvf")
        wait_for(lambda: bool(self.name), f"a link of {self.address} on the host")
        settle()
        entry = f"link set {self.pf.name} vf {self.index}"
        HOST.batch(
            f"{entry} vlan 0",
            f"{entry} spoofchk on",
            f"{entry} trust off",
            f"{entry} mac {NO_MAC}",
            f"link set {self.name} down",
            f"link set {self.name} mtu 1500",
            # igbvf tells the PF its address, which the line above took away, when it is reset.
            f"link set {self.name} up",
            f"link set {self.name} down",
        )


class PF:
    """One physical function: its PCI address, the name of its link, its VFs."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.folder = f"{PCI}/{address}"
        self.name = os.listdir(f"{self.folder}/net")[0]
        self.vfs: list[VF] = []

    def make_vfs(self, number: int = VFS_PER_PF) -> None:
        """Have this many VFs, bound to igbvf, and the PF up after that."""
        if _read(f"{self.folder}/sriov_numvfs") != str(number):
            _write(f"{self.folder}/sriov_numvfs", "0")
            _write(f"{self.folder}/sriov_numvfs", str(number))
        self.vfs = [VF(self, index) for index in range(number)]
        for vf in self.vfs:
            wait_for(lambda vf=vf: bool(vf.name), f"a link of {vf.address}")
        settle()
        HOST.ip("link", "set", self.name, "up")

    def set(self, index: int, *setting: str) -> None:
        """Set something of a VF, in the words of `ip link set ... vf`."""
        HOST.ip("link", "set", self.name, "vf", str(index), *setting)

    def table(self) -> list[dict[str, Any]]:
        """Return the VF table."""
        return list(json.loads(HOST.ip("-d", "-j", "link", "show", "dev", self.name))[0].get("vfinfo_list", []))

    def shown(self) -> str:
        """Return what `ip -d link show` says of the PF and its VFs."""
        return shown(self.name)


def shown(*names: str) -> str:
    """Return what `ip -d link show` says of links, but for what changes by itself."""
    said = HOST.batch(*(f"link show dev {name}" for name in names), program=("ip", "-d"))
    text = re.sub(r"^\d+: ", "", said, flags=re.MULTILINE)
    # A bridge that once had a port of lesser abilities keeps that limit (net/core/dev.c, netdev_increment_features).
    text = re.sub(r"(\w+_timer|tso_max_size) +\S+", "", text)
    # A link that is down queues nothing. Which discipline is named there says whether it was up since it last came
    # from another namespace (net/core/dev.c, dev_change_net_namespace, shuts them down).
    return re.sub(r"qdisc \S+ state DOWN", "state DOWN", text)


def without_permanent_mac(snapshot: str) -> str:
    """Return a snapshot without the address that a driver takes for permanent: sriov-cni does not note it."""
    return re.sub(r" permaddr \S+", "", snapshot)


def without_altnames(snapshot: str) -> str:
    """Return a snapshot without alternative names: udev finds others where a VF's folder in sysfs is covered."""
    return re.sub(r"\n +altname \S+", "", snapshot)


def wait_for(condition: Any, what: str, timeout_s: float = 20.0) -> None:
    """Wait until the condition holds; fail the test when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"no {what} after {timeout_s:g} s"
        time.sleep(0.02)


def settle() -> None:
    """Wait until udev has named and set up all new links."""
    udev.events().settle()


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _read(path: str) -> str:
    with open(path) as file:
        return file.read().strip()
