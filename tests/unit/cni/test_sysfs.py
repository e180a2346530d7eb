"""Look-ups in a sysfs tree of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni import sysfs

ADDRESS = "0000:03:02.6"


@pytest.mark.parametrize(
    "address",
    ["0000:03:02.6", "0000:00:00.0", "ffff:ff:1f.7", "FFFF:FF:1F.7", "10000:e1:00.0", "0000:03:1f.0"],
)
def test_pci_addresses(address: str) -> None:
    """Addresses as lspci -D prints them, with the long domains of VMD."""
    assert sysfs.is_pci_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "03:02.6",
        "0000:03:02",
        "0000:03:02.",
        "0000:03:02.8",
        "0000:03:20.0",
        "0000:03:02.66",
        "000:03:02.6",
        "000000000:03:02.6",
        "0000:3:02.6",
        "0000:03:2.6",
        "000g:03:02.6",
        " 0000:03:02.6",
        "0000:03:02.6\n",
        "../../0000:03:02.6",
        "0000:03:02.6/..",
        "0000:03:0/.6",
        "+000:03:02.6",
        "0000:03:02.٣",
        "eth0",
    ],
)
def test_not_pci_addresses(address: str) -> None:
    """Anything that is not quite one is none: it would become part of a path."""
    assert not sysfs.is_pci_address(address)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mlx5_core.sf.4", True),
        ("mlx5_core.eth-rep.12", True),
        ("mlx5_core.sf", False),
        ("mlx5_core.sf.x", False),
        ("mlx5_core.sf.4.5", False),
        ("../core.sf.4", False),
        ("mlx5/core.sf.4", False),
        ("..4", False),
        ("", False),
        ("0000:03:02.6", False),
    ],
)
def test_auxiliary_devices(name: str, expected: bool) -> None:
    """MODULE.NAME.ID and nothing else."""
    assert sysfs.is_auxiliary_device(name) is expected


def _device(root: Path, *netdevs: str, driver: str = "") -> Path:
    """Make a PCI device as sysfs shows it: a folder below devices and a link to it below bus."""
    folder = root / "devices/pci0000:00/0000:00:1c.0" / ADDRESS
    folder.mkdir(parents=True)
    bus = root / "bus/pci/devices"
    bus.mkdir(parents=True)
    (bus / ADDRESS).symlink_to(f"../../../devices/pci0000:00/0000:00:1c.0/{ADDRESS}")
    for netdev in netdevs:
        (folder / netdev).mkdir(parents=True)
    if driver:
        (root / "bus/pci/drivers" / driver).mkdir(parents=True)
        (folder / "driver").symlink_to(f"../../../../bus/pci/drivers/{driver}")
    return folder


@pytest.mark.parametrize(
    ("netdevs", "expected"),
    [
        ((), []),
        (("net/ens5",), ["ens5"]),
        (("net/b", "net/a"), ["a", "b"]),
        (("virtio0/net/eth7",), ["eth7"]),
        (("virtio3/net/b", "virtio12/net/a"), ["a", "b"]),
        (("virtio0/block/vda",), []),
        (("other0/net/x",), []),
    ],
    ids=["none", "one", "two ports", "virtio", "several virtio", "virtio disk", "no virtio"],
)
def test_netdevs_of_a_device(tmp_path: Path, netdevs: tuple[str, ...], expected: list[str]) -> None:
    """A netdev hangs below the device, or below the virtio device on top of it."""
    _device(tmp_path, *netdevs)
    assert sysfs.netdevs(sysfs.pci_device(ADDRESS, str(tmp_path))) == expected


def test_netdevs_of_nothing(tmp_path: Path) -> None:
    """A device that does not exist has none."""
    assert sysfs.netdevs(sysfs.pci_device(ADDRESS, str(tmp_path))) == []


@pytest.mark.parametrize("driver", ["vfio-pci", "mlx5_core", ""])
def test_driver(tmp_path: Path, driver: str) -> None:
    """The driver is what the link `driver` points to; a device without one has none."""
    _device(tmp_path, driver=driver)
    assert sysfs.driver(sysfs.pci_device(ADDRESS, str(tmp_path))) == driver


def test_device_behind_a_netdev(tmp_path: Path) -> None:
    """From a netdev to the real folder of its device and to its PCI address; a virtual netdev has no device."""
    folder = _device(tmp_path, "net/ens5")
    netdevs = tmp_path / "class/net"
    netdevs.mkdir(parents=True)
    (netdevs / "ens5").symlink_to(folder / "net/ens5")
    (folder / "net/ens5/device").symlink_to("../..")
    virtual = tmp_path / "devices/virtual/net/veth0"
    virtual.mkdir(parents=True)
    (netdevs / "veth0").symlink_to(virtual)
    assert sysfs.netdev_device("ens5", str(tmp_path)) == str(folder)
    assert sysfs.pci_address_of(sysfs.netdev_device("ens5", str(tmp_path))) == ADDRESS
    assert sysfs.netdev_device("veth0", str(tmp_path)) == ""
    assert sysfs.netdev_device("absent", str(tmp_path)) == ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/sys/devices/pci0000:00/0000:00:1c.0/0000:03:02.6", "0000:03:02.6"),
        ("/sys/devices/pci0000:00/0000:00:03.0/virtio0", "0000:00:03.0"),
        ("/sys/devices/pci0000:00/0000:00:1c.0/0000:03:00.0/mlx5_core.sf.4", "0000:03:00.0"),
        ("/sys/devices/virtual/net/veth0", ""),
        ("", ""),
    ],
)
def test_innermost_pci_address(path: str, expected: str) -> None:
    """The last PCI address on the way to the device, not the bridge's before it."""
    assert sysfs.pci_address_of(path) == expected
