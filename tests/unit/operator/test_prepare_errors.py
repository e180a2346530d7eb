"""Each errno of sriov_numvfs has its own explanation, with what was measured."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.errors import VerbError
from plumbline.node.capability import Capability
from plumbline.node.room import Bar, Room
from plumbline.node.roots import Roots
from plumbline.prepare.explain import Situation, explain, told
from plumbline.prepare.kernel import Kernel, Target
from tests.support import sysfstree

CAPABILITY = Capability(total=8, initial=8, ari=True)
BARS = (Bar(0, 8 << 20, True), Bar(3, 8 << 20, True))
ROOMY = Room("0000:03:00.0", CAPABILITY, BARS, 0x180, 2, "0000:00:1c.0", 0x04)
FOUND = Situation("ens3", "igb", asked=8, now=0, possible=7, room=ROOMY)


def _with(**changes: object) -> Situation:
    values = {name: getattr(FOUND, name) for name in FOUND.__slots__}
    return Situation(**{**values, **changes})


CASES: dict[str, tuple[int, Situation, str]] = {
    "too many": (errno.ERANGE, FOUND, "it can have 7 VFs"),
    "too many, mlx5": (errno.ERANGE, _with(driver="mlx5_core"), "NUM_OF_VFS and set SRIOV_EN=1"),
    "no driver": (errno.ENOENT, _with(driver=""), "the PF has no driver"),
    "a driver without VFs": (errno.ENOENT, _with(driver="vfio-pci"), "vfio-pci cannot make VFs"),
    "in use": (errno.EBUSY, _with(now=3, holders=("0000:03:10.0 is in pod a/b",)), "0000:03:10.0 is in pod a/b"),
    "made by others": (errno.EBUSY, _with(now=3), "it has 3 VFs, which somebody has made meanwhile"),
    "busy": (errno.EBUSY, FOUND, "igb is busy"),
    "no addresses": (
        errno.ENOMEM,
        _with(room=replace(ROOMY, bars=(Bar(0, 8 << 20, False), BARS[1]))),
        "BAR 0 of the VFs needs 8 MiB and has no addresses: SR-IOV and above 4G decoding on",
    ),
    "no addresses, nor a size": (
        errno.ENOMEM,
        _with(room=replace(ROOMY, bars=(Bar(0, 0, False),))),
        "BAR 0 of the VFs has no addresses: SR-IOV and above 4G decoding on",
    ),
    "no bus": (
        errno.ENOMEM,
        _with(room=replace(ROOMY, last_bus=3)),
        "the last VF would be on bus 04, and the bridge above the PF ends with bus 03: pci=assign-busses",
    ),
    "no memory": (errno.ENOMEM, FOUND, "the VFs' BARs have 16 MiB, and bus numbers up to 04; so it is the driver igb"),
    "not measured": (errno.ENOMEM, _with(room=None), "no room for the VFs' addresses or bus numbers"),
    "firmware": (errno.EIO, FOUND, "the capability says 8 VFs at first and 8 in all"),
    "invalid": (errno.EINVAL, _with(room=None), "its driver igb cannot have so many as it is set now"),
    "virtual machines": (errno.EPERM, FOUND, "given to virtual machines"),
    "container": (errno.EROFS, FOUND, "privileged"),
    "anything else": (errno.ENOSPC, FOUND, "the driver igb says no"),
}


@pytest.mark.parametrize("name", CASES)
def test_explained(name: str) -> None:
    """With what is known of the PF."""
    number, found, said = CASES[name]
    assert said in explain(number, found)


def test_each_differs() -> None:
    """Nobody is told the same for two errors."""
    numbers = (errno.ERANGE, errno.ENOENT, errno.EBUSY, errno.ENOMEM, errno.EIO, errno.EPERM, errno.ENOSPC)
    assert len({explain(number, FOUND) for number in numbers}) == len(numbers)


def test_told() -> None:
    """What was attempted, and the kernel's word."""
    assert told(errno.ENOMEM, FOUND) == "cannot make 8 VFs of ens3: Cannot allocate memory (ENOMEM)"
    assert (
        told(errno.EBUSY, _with(asked=0, now=3)) == "cannot remove the 3 VFs of ens3: Device or resource busy (EBUSY)"
    )


def test_fewer_than_asked_for(tmp_path: Path) -> None:
    """The kernel's yes is not believed; the same number is no error."""
    root = sysfstree.build(tmp_path, {sysfstree.folder("0000:03:00.0", "sriov_numvfs"): "3"})
    kernel, target = Kernel(Roots(sysfs=root)), Target("ens3", "0000:03:00.0")
    with pytest.raises(VerbError, match="4 VFs were asked for, the kernel said yes, and there are 3"):
        kernel.await_vfs(target, 4, lambda: None)
    with pytest.raises(VerbError, match="ens4 does not tell how many VFs it has"):
        kernel.await_vfs(Target("ens4", "0000:04:00.0"), 4, lambda: None)
