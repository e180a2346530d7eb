"""netdevsim in the place of an igb PF: its VF table takes what igb refuses, and can have any length.

The plugin sees an igb VF whose PF's link is netdevsim's: the PF's folder in sysfs is covered with one that says so.
Only in the lab.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support import net, udev
from tests.support.net import HOST
from tests.support.vfs import VF, settle, wait_for

BUS = "/sys/bus/netdevsim"
NUMBER = 7
RTEXT_FILTER_VF = 1
RTEXT_FILTER_SKIP_STATS = 8


class Simulated:
    """A netdevsim PF that plays the PF of a VF. name: of its link. index: which of its VFs the VF is."""

    def __init__(self, name: str, index: int) -> None:
        self.name = name
        self.index = index

    def table(self) -> dict[str, Any]:
        """Return the VF's entry, as `ip -j link show` has it."""
        shown = json.loads(HOST.ip("-d", "-j", "link", "show", "dev", self.name))
        return dict(next(entry for entry in shown[0]["vfinfo_list"] if entry["vf"] == self.index))

    def whole_table(self) -> list[dict[str, Any]]:
        """Return what the parameters set of all entries, in order. ip(8) cuts a long table off; pyroute2 does not."""
        from pyroute2 import IPRoute

        with IPRoute() as route:
            (link,) = route.link("get", ifname=self.name, ext_mask=RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS)
        entries = [dict(info["attrs"]) for _, info in link.get_attr("IFLA_VFINFO_LIST")["attrs"]]
        return [
            {
                "mac": entry["IFLA_VF_MAC"]["mac"][:17],
                "vlan": entry["IFLA_VF_VLAN"]["vlan"],
                "qos": entry["IFLA_VF_VLAN"]["qos"],
                "trust": entry["IFLA_VF_TRUST"]["trust"],
                "min": entry["IFLA_VF_RATE"]["min_tx_rate"],
                "max": entry["IFLA_VF_RATE"]["max_tx_rate"],
            }
            for entry in sorted(entries, key=lambda x: x["IFLA_VF_MAC"]["vf"])
        ]


@contextmanager
def in_place_of_pf(vf: VF, vfs: int = 2, index: int | None = None, switchdev: bool = False) -> Iterator[Simulated]:
    """Have a new netdevsim with this many VFs in the place of the VF's PF. index: which VF is to be ours.
    switchdev: whether the VFs' representors are there, too.
    """
    if index is None:
        index = vf.index
    with open(f"{BUS}/new_device", "w") as file:
        file.write(f"{NUMBER} 1")
    device = f"{BUS}/devices/netdevsim{NUMBER}"
    try:
        wait_for(lambda: os.path.isdir(f"{device}/net") and bool(os.listdir(f"{device}/net")), "netdevsim's link")
        settle()
        name = os.listdir(f"{device}/net")[0]
        if vfs > 4:
            with open(f"/sys/kernel/debug/netdevsim/netdevsim{NUMBER}/max_vfs", "w") as file:
                file.write(str(vfs))
        with open(f"{device}/sriov_numvfs", "w") as file:
            file.write(str(vfs))
        HOST.ip("link", "set", name, "up")
        if switchdev:
            net.run("devlink", "dev", "eswitch", "set", f"netdevsim/netdevsim{NUMBER}", "mode", "switchdev")
            settle()
        pf = os.path.realpath(vf.pf.folder)
        with udev.waiting():
            net.run("mount", "-t", "tmpfs", "tmpfs", pf)
            try:
                os.symlink(os.path.realpath(vf.folder), f"{pf}/virtfn{index}")
                os.mkdir(f"{pf}/net")
                for link in os.listdir(f"{device}/net"):
                    os.symlink(os.path.realpath(f"/sys/class/net/{link}"), f"{pf}/net/{link}")
                yield Simulated(name, index)
            finally:
                net.run("umount", pf)
    finally:
        with open(f"{BUS}/del_device", "w") as file:
            file.write(str(NUMBER))
