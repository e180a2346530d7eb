"""The lab's NICs as tests see them: PFs, VFs, what the kernel says of them, and pods that get VFs."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.support import net, udev
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
        reset(self)


class Bindings:
    """Which VFs of a PF are bound to an address that was set through the PF. The table does not tell such an address
    from one that a VF has chosen itself, but igb writes into the kernel's log what it is asked for.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._bound: set[int] = set()
        self._log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self._log, 0, os.SEEK_END)

    def now(self) -> set[int]:
        """Return the indexes of the VFs that are bound."""
        while (record := self._next_record()) is not None:
            said = re.search(r"igb (\S+): (setting|remove administratively set) MAC.* on VF (\d+)", record)
            if said and said[1] == self.address:
                (self._bound.add if said[2] == "setting" else self._bound.discard)(int(said[3]))
        return self._bound

    def _next_record(self) -> str | None:
        """Return the next record of the kernel's log, None when there is none yet."""
        try:
            return os.read(self._log, 8192).decode(errors="replace")
        except BlockingIOError:
            return None
        except BrokenPipeError:  # some were overwritten: it may have been any VF
            self._bound.update(range(VFS_PER_PF))
            return ""


class PF:
    """One physical function: its PCI address, the name of its link, its VFs."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.folder = f"{PCI}/{address}"
        self.name = os.listdir(f"{self.folder}/net")[0]
        self.vfs: list[VF] = []
        self.as_reset: dict[int, str] = {}
        """What was said of VFs, by index, when they had been reset."""
        self.bindings = Bindings(address)

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


def reset(*vfs: VF) -> None:
    """Make VFs what they are in the fixtures: on the host, on igbvf, down, without settings.

    A VF is left alone if it is still what it was when it had last been reset: most tests leave it so. Then udev is not
    waited for either, which looks for seconds at a link that has come back, and makes of it what it is already.
    """
    said = zip(vfs, _said_of(vfs), strict=True)
    changed = [vf for vf, text in said if not text or text != vf.pf.as_reset.get(vf.index)]
    to_reset = [*changed, *(vf for vf in vfs if vf not in changed and vf.index in vf.pf.bindings.now())]
    for vf in changed:
        # Where several links called net1 come back at once, as namespaces end, the kernel gives them names of its own.
        if vf.driver != "igbvf" or vf.name not in ("", f"{vf.pf.name}v{vf.index}"):
            vf.bind("igbvf")
        wait_for(lambda vf=vf: bool(vf.name), f"a link of {vf.address} on the host")
    if to_reset:
        settle()
        HOST.batch(*(command for vf in to_reset for command in _resetting(vf)))
    if changed:
        for vf, text in zip(changed, _said_of(changed), strict=True):
            vf.pf.as_reset[vf.index] = text


@contextmanager
def lent(*vfs: VF) -> Iterator[None]:
    """Lend VFs to a test: they are reset afterwards."""
    try:
        yield
    finally:
        if any(vf.driver == "igbvf" and not vf.name for vf in vfs):  # a failed test left it in a pod
            net.run("ip", "-all", "netns", "delete")
        reset(*vfs)


def _resetting(vf: VF) -> list[str]:
    """Return the commands of ip(8) that reset a VF with a link on the host."""
    entry = f"link set {vf.pf.name} vf {vf.index}"
    return [
        f"{entry} vlan 0",
        f"{entry} spoofchk on",
        f"{entry} trust off",
        f"{entry} mac {NO_MAC}",
        f"link set {vf.name} down",
        f"link set {vf.name} mtu 1500",
        # igbvf tells the PF its address, which the line above took away, when it is reset.
        f"link set {vf.name} up",
        f"link set {vf.name} down",
    ]


def _said_of(vfs: Sequence[VF]) -> list[str]:
    """Return what `ip` says of each VF: its entry in the PF's table, and its link; nothing of one without a link of
    igbvf's on the host.
    """
    names = {vf.address: vf.name if vf.driver == "igbvf" else "" for vf in vfs}
    said = shown_each(*{vf.pf.name for vf in vfs}, *(name for name in names.values() if name))
    entries = (re.findall(rf"^ +vf {vf.index} .*$", said[vf.pf.name], re.MULTILINE) for vf in vfs)
    links = (said.get(names[vf.address], "") for vf in vfs)
    return ["\n".join([*entry, link]) if link else "" for entry, link in zip(entries, links, strict=True)]


def shown(*names: str) -> str:
    """Return what `ip -d link show` says of links, but for what changes by itself."""
    said = HOST.batch(*(f"link show dev {name}" for name in names), program=("ip", "-d"))
    text = re.sub(r"^\d+: ", "", said, flags=re.MULTILINE)
    # A bridge that once had a port of lesser abilities keeps that limit (net/core/dev.c, netdev_increment_features).
    text = re.sub(r"(\w+_timer|tso_max_size) +\S+", "", text)
    # A link that is down queues nothing. Which discipline is named there says whether it was up since it last came
    # from another namespace (net/core/dev.c, dev_change_net_namespace, shuts them down).
    return re.sub(r"qdisc \S+ state DOWN", "state DOWN", text)


def shown_each(*names: str) -> dict[str, str]:
    """Return the same of each link by its name."""
    of_links = re.split(r"^(?=\S)", shown(*names), flags=re.MULTILINE)[1:]
    return dict(zip(names, of_links, strict=True))


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
