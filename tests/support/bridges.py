"""A bridge for each NIC in switchdev mode, for test after test: made anew where one has changed something."""

from __future__ import annotations

import os
import re

from tests.support.net import HOST
from tests.support.switchdev import Nic, vlans_shown
from tests.support.vfs import settle, shown_each, wait_for

NAMES = ("br30ens2f0", "br31ens2f1")


class Bridges:
    """Bridges that filter VLANs, each with the uplink of its NIC as a port. To make them takes a while in the lab."""

    def __init__(self, nics: list[Nic]) -> None:
        self.nics = nics
        self._as_made: dict[str, str] = {}
        """What is said of them when they have been made, nothing when there are none."""

    def have(self) -> None:
        """See to it that the bridges are there."""
        if not self._as_made:
            self._make()

    def check(self) -> None:
        """Remove the bridges unless they and the uplinks still are what they were when they had been made, and the
        representors are, too, or can be made so.
        """
        if not self._as_made:
            return
        now = self._said()
        changed = [name for name in self._representors() if now.get(name) != self._as_made.get(name)]
        if changed:
            HOST.batch(*_clearing(changed), check=False)
            now = self._said()
        if now != self._as_made:
            self.remove()

    def remove(self) -> None:
        """Remove the bridges; uplinks and representors are as before."""
        if not self._as_made:
            return
        self._as_made = {}
        HOST.batch(
            *(f"link del {name}" for name in NAMES),
            *(f"link set {nic.pf.name} nomaster" for nic in self.nics),
            *_clearing(self._representors()),
            check=False,
        )

    def _representors(self) -> list[str]:
        return [nic.representor(vf) for nic in self.nics for vf in nic.pf.vfs]

    def _make(self) -> None:
        making = []
        for number, (name, nic) in enumerate(zip(NAMES, self.nics, strict=True)):
            making += [
                # Without an address of its own, a bridge has that of one of its ports, until udev gives it another.
                f"link add {name} address 02:00:00:00:b1:0{number} type bridge vlan_filtering 1 forward_delay 0",
                f"link set {name} addrgenmode none type bridge mcast_snooping 0",
                f"link set {name} up",
                f"link set {nic.pf.name} master {name}",
            ]
        self._as_made = {"": "not yet"}
        HOST.batch(*making)
        settle()
        for name in NAMES:  # the kernel tells of the first port's carrier a little later
            wait_for(lambda name=name: _state(name) == "up", f"carrier of {name}")
        self._as_made = self._said()

    def _said(self) -> dict[str, str]:
        """Return what ip(8) says of each bridge, uplink and representor, but for the uplinks' VFs, and what bridge(8)
        says of VLANs.
        """
        names = [*NAMES, *(nic.pf.name for nic in self.nics), *self._representors()]
        there = [name for name in names if os.path.exists(f"/sys/class/net/{name}")]
        said = {name: re.sub(r"\n +vf \d+ .*", "", text) for name, text in shown_each(*there).items()}
        return {**said, "VLANs": vlans_shown()}


def _clearing(representors: list[str]) -> list[str]:
    """Return the commands of ip(8) that take representors down and out of bridges."""
    return [f"link set {name} {what}" for name in representors for what in ("nomaster", "down mtu 1500")]


def _state(link: str) -> str:
    with open(f"/sys/class/net/{link}/operstate") as file:
        return file.read().strip()
