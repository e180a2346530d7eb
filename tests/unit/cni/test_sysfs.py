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


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ("", False),
        ("p0", False),
        ("p1", False),
        ("p12", False),
        ("p0s1", False),
        ("pf0", False),
        ("pf0vf0", True),
        ("pf1vf127", True),
        ("pf0sf88", True),
        ("c1pf0vf3", True),
        ("c1pf0sf3", True),
        ("vf0", False),
    ],
)
def test_representor_ports(port: str, expected: bool) -> None:
    """Names of the kernel's port flavours: physical ports and their parts are none, VFs and sub-functions are."""
    assert sysfs.is_representor_port(port) is expected


PF = "0000:03:00.0"


class Nic:
    """The sysfs tree of one PF and its VFs, as the kernel lays it out; several may share a root."""

    def __init__(self, root: Path, address: str = PF, driver: str = "mlx5_core") -> None:
        self.root = root
        self.address = address
        self.folder = self._device(address)
        self._write(self.folder / "sriov_totalvfs", "256")
        (root / "bus/pci/drivers" / driver).mkdir(parents=True, exist_ok=True)
        (self.folder / "driver").symlink_to(root / "bus/pci/drivers" / driver)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")

    def _device(self, address: str) -> Path:
        folder = self.root / "devices/pci0000:00/0000:00:1c.0" / address
        folder.mkdir(parents=True)
        bus = self.root / "bus/pci/devices"
        bus.mkdir(parents=True, exist_ok=True)
        (bus / address).symlink_to(f"../../../devices/pci0000:00/0000:00:1c.0/{address}")
        return folder

    def vf(self, index: int, address: str, netdev: str = "") -> Path:
        """Make the VF with this index and PCI address."""
        folder = self._device(address)
        (folder / "physfn").symlink_to(f"../{self.address}")
        (self.folder / f"virtfn{index}").symlink_to(f"../{address}")
        if netdev:
            self._netdev(folder, netdev)
        return folder

    def _netdev(self, folder: Path, name: str, **attributes: str) -> None:
        (folder / "net" / name).mkdir(parents=True)
        for attribute, text in attributes.items():
            self._write(folder / "net" / name / attribute, text)
        (folder / "net" / name / "device").symlink_to("../..")
        netdevs = self.root / "class/net"
        netdevs.mkdir(parents=True, exist_ok=True)
        (netdevs / name).symlink_to(folder / "net" / name)

    def netdev(self, name: str, port: str = "", switch: str = "", dev_port: str = "0") -> None:
        """Give the PF a netdev. Attributes that a driver does not support are there, but cannot be read."""
        attributes = {"dev_port": dev_port, "phys_port_name": port, "phys_switch_id": switch}
        self._netdev(self.folder, name, **{key: text for key, text in attributes.items() if text})
        for key, text in attributes.items():
            if not text:
                (self.folder / "net" / name / key).mkdir()  # EISDIR in place of EOPNOTSUPP

    @property
    def path(self) -> str:
        """The PF's folder, as `physical_function` gives it."""
        return str(self.folder)

    def representor(self, index: int) -> str:
        """Return what sysfs is said to have for a VF."""
        return sysfs.representor(self.path, index, str(self.root))


def igb(root: Path) -> Nic:
    """An igb PF with seven VFs: no port name, no switch."""
    nic = Nic(root, driver="igb")
    nic.netdev("ens2f0")
    for index in range(7):
        nic.vf(index, f"0000:03:{0x10 + index // 2:02x}.{index % 2 * 4}", f"ens2f0v{index}")
    return nic


def test_igb(tmp_path: Path) -> None:
    """From the VF to its PF and its number there, to the PF's only netdev; nothing stands for the VF."""
    nic = igb(tmp_path)
    vf = sysfs.pci_device("0000:03:11.4", str(tmp_path))
    assert sysfs.physical_function(vf) == nic.path
    assert sysfs.vf_index(nic.path, "0000:03:11.4") == 3
    assert sysfs.uplink(nic.path) == "ens2f0"
    assert sysfs.netdevs(vf) == ["ens2f0v3"]
    assert nic.representor(3) == ""
    assert sysfs.is_physical_function(nic.path)
    assert not sysfs.is_physical_function(vf)
    assert sysfs.physical_function(nic.path) == ""


def test_no_pf_to_be_seen(tmp_path: Path) -> None:
    """A VF in a virtual machine is a device like any other; so is one that is not there at all."""
    folder = _device(tmp_path, "net/ens5")
    assert sysfs.physical_function(sysfs.pci_device(ADDRESS, str(tmp_path))) == ""
    assert sysfs.physical_function(sysfs.pci_device("0000:09:00.0", str(tmp_path))) == ""
    assert not sysfs.is_physical_function(str(folder))


def test_a_pf_that_has_gone(tmp_path: Path) -> None:
    """A link to a PF that is not there leads nowhere."""
    folder = _device(tmp_path)
    (folder / "physfn").symlink_to("../0000:03:00.0")
    assert sysfs.physical_function(str(folder)) == ""


def test_numbers_of_256_vfs(tmp_path: Path) -> None:
    """Numbers of one, two and three digits are told apart, and are not the order of the addresses."""
    nic = Nic(tmp_path)
    addresses = {index: f"0000:{4 + index // 256:02x}:{index % 256 // 8:02x}.{index % 8}" for index in range(256)}
    addresses[0], addresses[255] = addresses[255], addresses[0]
    for index, address in addresses.items():
        nic.vf(index, address)
    for index in (0, 1, 2, 9, 10, 25, 99, 100, 254, 255):
        assert sysfs.vf_index(nic.path, addresses[index]) == index
    assert sysfs.physical_function(sysfs.pci_device(addresses[255], str(tmp_path))) == nic.path


@pytest.mark.parametrize("address", ["0000:03:10.1", "0001:03:10.0", "03:10.0", "", "0000:03:10", PF])
def test_no_vf_of_the_pf(tmp_path: Path, address: str) -> None:
    """Only a whole and equal address is a VF's."""
    assert sysfs.vf_index(igb(tmp_path).path, address) == -1


def test_no_pf_no_number(tmp_path: Path) -> None:
    """A PF that has gone has no VFs and no netdev."""
    gone = str(tmp_path / "devices/gone.0")
    assert sysfs.vf_index(gone, ADDRESS) == -1
    assert sysfs.uplink(gone) == ""
    assert sysfs.representor(gone, 0, str(tmp_path)) == ""


def test_mlx5_legacy(tmp_path: Path) -> None:
    """The port has a name, but there is no switch, and so no representor; a VF's name in the host is none."""
    nic = Nic(tmp_path)
    nic.netdev("ens2f0np0", port="p0")
    nic.vf(0, "0000:03:00.2", "ens2f0v0")
    assert sysfs.uplink(nic.path) == "ens2f0np0"
    assert nic.representor(0) == ""


SWITCH = "b8cef603003f2a98"


def switchdev(root: Path, function: int, uplink: str, names: dict[str, str], switch: str = SWITCH) -> Nic:
    """Make an mlx5 PF in switchdev mode. names: of representors by their ports."""
    nic = Nic(root, f"0000:03:00.{function}")
    for port, name in names.items():
        nic.netdev(name, port, switch)
    nic.netdev(uplink, f"p{function}", switch)
    return nic


# What systemd calls them, and what the kernel does where nothing renames.
BY_PORT = {"pf0vf0": "ens2f0npf0vf0", "pf0vf1": "ens2f0npf0vf1", "pf0vf10": "ens2f0npf0vf10", "pf0sf88": "en3f0pf0sf88"}
BY_NUMBER = {"pf0vf0": "ens2f0_0", "pf0vf1": "ens2f0_1", "pf0vf10": "ens2f0_10", "pf0sf88": "ens2f0_88"}
BY_CHANCE = {"pf0vf0": "eth11", "pf0vf1": "eth10", "pf0vf10": "eth1", "pf0sf88": "a"}


@pytest.mark.parametrize("names", [BY_PORT, BY_NUMBER, BY_CHANCE], ids=["by port", "ens2f0_0", "by chance"])
@pytest.mark.parametrize("uplink", ["ens2f0np0", "p0", "zz"])
def test_mlx5_switchdev(tmp_path: Path, names: dict[str, str], uplink: str) -> None:
    """The representors are netdevs of the PF as well: its own is found by its port, whatever they are called."""
    nic = switchdev(tmp_path, 0, uplink, names)
    assert sysfs.uplink(nic.path) == uplink
    assert [nic.representor(index) for index in (0, 1, 10)] == [names[f"pf0vf{index}"] for index in (0, 1, 10)]
    assert [nic.representor(index) for index in (2, 8, 11, 88, 100)] == [""] * 5


def test_only_representors(tmp_path: Path) -> None:
    """A PF whose own netdev is somewhere else has none: a representor does not stand for it."""
    nic = Nic(tmp_path)
    for index in range(3):
        nic.netdev(f"ens2f0_{index}", f"pf0vf{index}", SWITCH)
    assert sysfs.uplink(nic.path) == ""
    assert nic.representor(0) == ""


@pytest.mark.parametrize("switches", [(SWITCH, SWITCH), (SWITCH, "b8cef603003f2a99")], ids=["one switch", "two"])
def test_two_pfs_with_the_same_numbers(tmp_path: Path, switches: tuple[str, str]) -> None:
    """Both have a VF 0: in a switch of their own, or in one together, as in a bond."""
    first = switchdev(tmp_path, 0, "ens2f0np0", {"pf0vf0": "z0", "pf0vf1": "eth1"}, switches[0])
    second = switchdev(tmp_path, 1, "ens2f1np1", {"pf1vf0": "a0", "pf1vf2": "eth2"}, switches[1])
    assert (sysfs.uplink(first.path), sysfs.uplink(second.path)) == ("ens2f0np0", "ens2f1np1")
    assert [first.representor(index) for index in range(3)] == ["z0", "eth1", ""]
    assert [second.representor(index) for index in range(3)] == ["a0", "", "eth2"]


def test_two_nics_with_the_same_ports(tmp_path: Path) -> None:
    """Two NICs, each with a function 0: only the switch tells their representors apart."""
    nics = []
    for bus, switch in (("03", "aa"), ("04", "bb")):
        nic = Nic(tmp_path, f"0000:{bus}:00.0")
        nic.netdev(f"up{bus}", "p0", switch)
        nic.netdev(f"rep{bus}", "pf0vf0", switch)
        nics.append(nic)
    assert [nic.representor(0) for nic in nics] == ["rep03", "rep04"]
    assert [sysfs.uplink(nic.path) for nic in nics] == ["up03", "up04"]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")], ids=["local first", "other first"])
def test_another_controller(tmp_path: Path, names: tuple[str, str]) -> None:
    """On a DPU, c1pf0vf3 stands for a VF of the server that it is plugged into; our own VF 3 is pf0vf3."""
    local, other = names
    nic = switchdev(tmp_path, 0, "p0", {"pf0vf3": local, "c1pf0vf3": other, "c1pf0": "c", "pf0hpf": "d"})
    assert sysfs.uplink(nic.path) == "p0"
    assert nic.representor(3) == local


def test_controller_in_every_name(tmp_path: Path) -> None:
    """Neither a controller's prefix nor a sub-function makes a netdev the uplink, even when they come first."""
    nic = switchdev(tmp_path, 0, "zz", {"c1pf0vf0": "a", "c1pf0sf0": "b", "pf0sf0": "c"})
    assert sysfs.uplink(nic.path) == "zz"


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ({"eth1": ("", "1"), "eth7": ("", "0")}, "eth7"),
        ({"eth1": ("", "10"), "eth7": ("", "9")}, "eth7"),
        ({"eth1": ("p1", "1"), "eth7": ("p0", "0")}, "eth7"),
        ({"eth1": ("p1", "0"), "eth7": ("p0", "0")}, "eth1"),
        ({"eth1": ("", ""), "eth7": ("", "")}, "eth1"),
        ({"eth1": ("", "0"), "eth7": ("p0", "1")}, "eth7"),
        ({"eth1": ("pf0", "0"), "eth7": ("p0", "1")}, "eth7"),
        ({"eth1": ("p0s0", "0"), "eth7": ("p0s1", "1")}, "eth1"),
        ({}, ""),
    ],
    ids=["dev_port", "numbers", "named ports", "same dev_port", "nothing known", "one name", "PF", "split", "none"],
)
def test_several_ports_under_one_function(tmp_path: Path, ports: dict[str, tuple[str, str]], expected: str) -> None:
    """The port that is named as one, the lowest dev_port, then the lowest name."""
    nic = Nic(tmp_path, driver="mlx4_core")
    for name, (port, dev_port) in ports.items():
        nic.netdev(name, port, dev_port=dev_port)
    assert sysfs.uplink(nic.path) == expected


@pytest.mark.parametrize(
    ("devices", "expected"), [((), ""), (("mlx5_4",), "mlx5_4"), (("rocep3s0f0v1", "mlx5_4"), "mlx5_4")]
)
def test_rdma_device(tmp_path: Path, devices: tuple[str, ...], expected: str) -> None:
    """The RDMA device of a function, the first by name where it has several."""
    folder = _device(tmp_path, *(f"infiniband/{name}" for name in devices))
    assert sysfs.rdma_device(str(folder)) == expected
    assert sysfs.rdma_device(str(folder / "gone")) == ""


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    """A netdev may have any name, and its attributes any bytes."""
    nic = switchdev(tmp_path, 0, "up\udcff", {"pf0vf0": "rep\udcff", "pf0vf1": "other"})
    (nic.folder / "net/other/phys_port_name").write_bytes(b"\xff\n")
    assert sysfs.uplink(nic.path) == "up\udcff"
    assert (nic.representor(0), nic.representor(1)) == ("rep\udcff", "")


@pytest.mark.parametrize(
    ("driver", "made", "expected"),
    [
        ("vfio-pci", "", True),
        ("igb_uio", "", True),
        ("mlx5_vfio_pci", "vfio-dev", True),
        ("uio_hv_generic", "uio", True),
        ("igbvf", "net", False),
        ("", "", False),
    ],
)
def test_drivers_for_userspace(tmp_path: Path, driver: str, made: str, expected: bool) -> None:
    """Known by name, or by what the driver makes."""
    device = _device(tmp_path, driver=driver)
    if made:
        (device / made).mkdir()
    assert sysfs.is_for_userspace(str(device)) is expected
