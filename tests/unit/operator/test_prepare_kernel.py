"""What is done to VFs one by one: bound by name, and once more where there is no link."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.errors import VerbError
from plumbline.node import functions
from plumbline.node.roots import Roots
from plumbline.prepare import binding
from plumbline.prepare.kernel import Kernel
from tests.support import sysfstree

VF = "0000:03:02.0"


class Late(Kernel):
    """A kernel whose VF gets its link when it has been bound so often."""

    def __init__(self, root: str, after: int, driver: str = "iavf") -> None:
        super().__init__(Roots(sysfs=root), link_s=0.01)
        self.did: list[str] = []
        self._device = Path(root, "bus/pci/devices", VF)
        self._after = after
        self._driver = driver

    def driver(self, address: str) -> str:
        """See `Kernel`."""
        return self._driver

    def unbind(self, address: str) -> None:
        """See `Kernel`."""
        self.did.append(f"unbind {address}")

    def bind(self, address: str, driver: str) -> None:
        """See `Kernel`."""
        self.did.append(f"bind {address} to {driver}")
        if len(self.did) == 2 * self._after:
            (self._device / "net").mkdir()


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A VF without link and driver, and the folders of two drivers."""
    root = sysfstree.build(tmp_path, {sysfstree.folder(VF, "driver_override"): "(null)"})
    for driver in ("iavf", "vfio-pci"):
        (tmp_path / "bus/pci/drivers" / driver).mkdir(parents=True)
    (tmp_path / "bus/pci/drivers_probe").write_text("")
    return root


def test_bound_once_more(root: str) -> None:
    """A driver that was too early makes the link the second time."""
    kernel = Late(root, after=1)
    kernel.await_link(VF)
    assert kernel.did == [f"unbind {VF}", f"bind {VF} to iavf"]
    kernel.await_link(VF)
    assert len(kernel.did) == 2


def test_no_link_at_all(root: str) -> None:
    """It is said, and not tried for ever."""
    kernel = Late(root, after=9)
    with pytest.raises(VerbError, match=f"{VF} has no link: its driver iavf made none, also when it was bound"):
        kernel.await_link(VF)
    assert len(kernel.did) == 2


def test_no_driver_no_link(root: str) -> None:
    """Whoever has taken the NIC's module for VFs off the node does not want their links."""
    kernel = Late(root, after=9, driver="")
    kernel.await_link(VF)
    assert kernel.did == []


@pytest.mark.parametrize(("driver", "kept"), [("vfio-pci", "vfio-pci"), ("iavf", "")])
def test_override(driver: str, kept: str, root: str) -> None:
    """It stays where the kernel would choose another driver the next time, and goes where that is the kernel's own."""
    device = Path(root, "bus/pci/devices", VF)
    binding.bind(functions.PCI, VF, driver, root)
    assert Path(root, "bus/pci/drivers_probe").read_text() == VF
    assert (device / "driver_override").read_text().split("\n")[0] == kept


def test_refusal_names_the_attempt(root: str) -> None:
    """What, on which device, and the kernel's word."""
    device = Path(root, "bus/pci/devices", VF)
    (device / "driver_override").unlink()
    with pytest.raises(VerbError, match=f"cannot bind {VF} to vfio-pci: No such file or directory"):
        binding.bind(functions.PCI, VF, "vfio-pci", root)
    with pytest.raises(VerbError, match="there is no driver no-such on the pci bus of this kernel, and "):
        binding.bind(functions.PCI, VF, "no-such", root)
    with pytest.raises(VerbError, match=f"cannot bind {VF} to vfio-pci: the driver did not take it, it has none now"):
        Kernel(Roots(sysfs=root)).require_driver(VF, "vfio-pci")
