"""An igb PF in switchdev mode: netdevsim lends it the ID of its switch and the representors of its VFs.

igb has no such mode. What a plugin sees of it are the uplink's `phys_switch_id` and `phys_port_name`, which are covered
with files here, and links with the same ID and a port name, which a netdevsim device has. The VFs are igb's own, and go
through igb's wire; nothing passes between a VF and its representor. Only in the lab.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.support import net
from tests.support.net import HOST
from tests.support.simulator import BUS
from tests.support.vfs import PF, VF, VFS_PER_PF, settle, wait_for

DEBUG = "/sys/kernel/debug/netdevsim"


class Nic:
    """A PF and the representors of its VFs. switch: the netdevsim device, such as netdevsim8."""

    def __init__(self, pf: PF, switch: str) -> None:
        self.pf = pf
        self.switch = switch

    def representor(self, vf: VF) -> str:
        """Return the name of a VF's representor."""
        return f"{self.switch.replace('netdevsim', 'eni')}npf0vf{vf.index}"

    def snapshot(self, vf: VF, *bridges: str) -> str:
        """Return all that ip(8) and bridge(8) say of VF, PF, representor and bridges."""
        links = [name for name in (self.representor(vf), *bridges) if os.path.exists(f"/sys/class/net/{name}")]
        in_vlans = HOST.batch(*(f"vlan show dev {name}" for name in (vf.pf.name, *links)), program=("bridge",))
        return vf.snapshot(*links) + in_vlans


def vlans_shown() -> str:
    """Return what bridge(8) says of the VLANs of all ports."""
    return net.run("bridge", "vlan", "show")


def vlans(name: str) -> dict[int, set[str]]:
    """Return the VLANs of a port: {ID: flags}, such as {1: {"PVID", "Egress Untagged"}}; empty for no port."""
    return _vlans_of_ports("dev", name).get(name, {})


def vlans_of_all() -> dict[str, dict[int, set[str]]]:
    """Return the same of all ports that are in a VLAN, by their names."""
    return _vlans_of_ports()


def _vlans_of_ports(*which: str) -> dict[str, dict[int, set[str]]]:
    ports = json.loads(net.run("bridge", "-j", "vlan", "show", *which) or "[]")
    return {port["ifname"]: {x["vlan"]: set(x.get("flags", [])) for x in port["vlans"]} for port in ports}


NATIVE = {"PVID", "Egress Untagged"}
"""The flags of the VLAN that a port has for what is untagged."""


def port(name: str) -> dict[str, Any]:
    """Return what `ip -d -j link show` says of a link that must be there."""
    found = HOST.link(name)
    assert found is not None, f"no link {name}"
    return found


BOND, TEAM = "bond mode active-backup", "team"


@contextmanager
def bonded(bridge: str, *nics: Nic, kind: str = BOND) -> Iterator[str]:
    """Have a bond, or a team, in the bridge with these PFs as its ports."""
    pfs = [nic.pf.name for nic in nics]
    joining = [f"link set {pf} {what}" for pf in pfs for what in ("nomaster", "down", "master bond7")]
    try:
        HOST.batch(
            f"link add bond7 type {kind}",
            *joining,
            *(f"link set bond7 master {bridge}", "link set bond7 up"),
            *(f"link set {pf} up" for pf in pfs),
        )
        yield "bond7"
    finally:
        HOST.batch(
            *(f"link set {pf} nomaster" for pf in pfs),
            "link del bond7",
            *(f"link set {pf} up" for pf in pfs),
            check=False,
        )


@contextmanager
def in_switchdev_mode(pf: PF, number: int) -> Iterator[Nic]:
    """Have a PF in switchdev mode. number: of the netdevsim device that is made for it."""
    switch = f"netdevsim{number}"
    _write(f"{BUS}/new_device", f"{number} 1")
    with ExitStack() as stack:
        stack.callback(_write, f"{BUS}/del_device", str(number))
        device = f"{BUS}/devices/{switch}"
        wait_for(lambda: os.path.isdir(f"{device}/net") and bool(os.listdir(f"{device}/net")), "netdevsim's link")
        settle()
        (uplink,) = os.listdir(f"{device}/net")
        _write(f"{DEBUG}/{switch}/max_vfs", str(VFS_PER_PF))
        _write(f"{device}/sriov_numvfs", str(VFS_PER_PF))
        net.run("devlink", "dev", "eswitch", "set", f"netdevsim/{switch}", "mode", "switchdev")
        settle()
        with open(f"/sys/class/net/{uplink}/phys_switch_id") as file:
            _cover(stack, f"/sys/class/net/{pf.name}/phys_switch_id", file.read())
        _cover(stack, f"/sys/class/net/{pf.name}/phys_port_name", "p0\n")
        yield Nic(pf, switch)


def cover(path: str) -> str:
    """Return the file that lies over a file of sysfs."""
    return f"/run/{re.sub('[^a-z0-9]', '-', path)}"


def _cover(stack: ExitStack, path: str, content: str) -> None:
    """Have another content in a file of sysfs, until the stack is left."""
    _write(cover(path), content)
    net.run("mount", "--bind", cover(path), path)
    stack.callback(net.run, "umount", path)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
