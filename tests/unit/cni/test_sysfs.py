"""Look-ups in a sysfs tree of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cni.linux import eswitch, pci, vdpa
from tests.support import sysfstree
from tests.support.sysfstree import UNREADABLE, Tree

ADDRESS = "0000:03:02.6"


@pytest.mark.parametrize(
    "address",
    ["0000:03:02.6", "0000:00:00.0", "ffff:ff:1f.7", "FFFF:FF:1F.7", "10000:e1:00.0", "0000:03:1f.0"],
)
def test_pci_addresses(address: str) -> None:
    """Addresses as lspci -D prints them, with the long domains of VMD."""
    assert pci.is_address(address)


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
    assert not pci.is_address(address)


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
    assert pci.is_auxiliary_device(name) is expected


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
    assert pci.netdevs(pci.folder(ADDRESS, str(tmp_path))) == expected


def test_netdevs_of_nothing(tmp_path: Path) -> None:
    """A device that does not exist has none."""
    assert pci.netdevs(pci.folder(ADDRESS, str(tmp_path))) == []


@pytest.mark.parametrize("driver", ["vfio-pci", "mlx5_core", ""])
def test_driver(tmp_path: Path, driver: str) -> None:
    """The driver is what the link `driver` points to; a device without one has none."""
    _device(tmp_path, driver=driver)
    assert pci.driver(pci.folder(ADDRESS, str(tmp_path))) == driver


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
    assert pci.folder_of_netdev("ens5", str(tmp_path)) == str(folder)
    assert pci.address_of(pci.folder_of_netdev("ens5", str(tmp_path))) == ADDRESS
    assert pci.folder_of_netdev("veth0", str(tmp_path)) == ""
    assert pci.folder_of_netdev("absent", str(tmp_path)) == ""


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
    assert pci.address_of(path) == expected


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
        ("c1pf0", True),
        ("c12pf3", True),
        ("p0pf0vf3", True),
        ("c1pf", False),
        ("cpf0", False),
        ("p1pf0", False),
        ("vf0", False),
    ],
)
def test_representor_ports(port: str, expected: bool) -> None:
    """Names of the kernel's port flavours: physical ports and their parts are none, VFs and sub-functions are, and PFs
    of another host.
    """
    assert eswitch.is_representor(port) is expected


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ("pf0vf3", ("", 0, 3)),
        ("pf12vf127", ("", 12, 127)),
        ("c1pf0vf3", ("c1", 0, 3)),
        ("p0pf1vf3", ("p0", 1, 3)),
        ("pf0", None),
        ("pf0sf88", None),
        ("pf0vf", None),
        ("pfvf3", None),
        ("pf0vf03", None),
        ("pf00vf3", None),
        ("pf0vf3x", None),
        ("pf0vf+3", None),
        ("pf0vf٣", None),
        ("xpf0vf3", None),
        ("cpf0vf3", None),
        ("s0pf0vf3", None),
        ("c1p0pf0vf3", None),
        ("3", None),
        ("", None),
    ],
)
def test_vf_of_port(port: str, expected: tuple[str, int, int] | None) -> None:
    """PF and VF, and what is before them; of anything else nothing."""
    assert eswitch.vf_of(port) == expected


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
        return eswitch.representor(self.path, index, str(self.root))


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
    vf = pci.folder("0000:03:11.4", str(tmp_path))
    assert pci.physical_function(vf) == nic.path
    assert pci.vf_index(nic.path, "0000:03:11.4") == 3
    assert eswitch.uplink(nic.path) == "ens2f0"
    assert pci.netdevs(vf) == ["ens2f0v3"]
    assert nic.representor(3) == ""
    assert pci.is_physical_function(nic.path)
    assert not pci.is_physical_function(vf)
    assert pci.physical_function(nic.path) == ""


def test_representor_among_many_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel takes a lock to tell a port's name: those of pods' veths are asked for only when all else fails."""
    asked: list[str] = []
    for look in (pci.attribute, pci.target):

        def noting(*path: str, look: Callable[..., str] = look) -> str:
            asked.append("/".join(path))
            return look(*path)

        monkeypatch.setattr(pci, look.__name__, noting)
    nic, other = Nic(tmp_path), Nic(tmp_path, "0000:04:00.0")
    nic.netdev("ens2f0", "p0", "aa")
    nic.netdev("ens2f0_3", "pf0vf3", "aa")
    other.netdev("ens3f0_4", "pf0vf4", "aa")
    (other.folder / "sriov_totalvfs").unlink()  # were it a PF, the representor would be of its own VF
    for number in range(50):
        veth = tmp_path / f"devices/virtual/net/veth{number}"
        veth.mkdir(parents=True)
        (tmp_path / f"class/net/veth{number}").symlink_to(veth)
    assert nic.representor(3) == "ens2f0_3"
    assert not any("class/net" in path for path in asked)
    assert nic.representor(4) == "ens3f0_4"
    assert not any("veth" in path and "phys_port_name" in path for path in asked)
    assert nic.representor(5) == ""
    assert any("veth" in path and "phys_port_name" in path for path in asked)


def test_uplink_is_the_first_of_equal_ports(tmp_path: Path) -> None:
    """By name, whatever the order in which sysfs lists them; a shorter name is no better."""
    nic = Nic(tmp_path)
    for name, port in (("x", "p0"), ("ens1f0np1", "p1"), ("ens1f0np0", "p0"), ("a", "pf0vf0"), ("b", "")):
        nic.netdev(name, port, "aa")
    assert eswitch.uplink(nic.path) == "ens1f0np0"


def test_no_pf_to_be_seen(tmp_path: Path) -> None:
    """A VF in a virtual machine is a device like any other; so is one that is not there at all."""
    folder = _device(tmp_path, "net/ens5")
    assert pci.physical_function(pci.folder(ADDRESS, str(tmp_path))) == ""
    assert pci.physical_function(pci.folder("0000:09:00.0", str(tmp_path))) == ""
    assert not pci.is_physical_function(str(folder))


def test_a_pf_that_has_gone(tmp_path: Path) -> None:
    """A link to a PF that is not there leads nowhere."""
    folder = _device(tmp_path)
    (folder / "physfn").symlink_to("../0000:03:00.0")
    assert pci.physical_function(str(folder)) == ""


def test_numbers_of_256_vfs(tmp_path: Path) -> None:
    """Numbers of one, two and three digits are told apart, and are not the order of the addresses."""
    nic = Nic(tmp_path)
    addresses = {index: f"0000:{4 + index // 256:02x}:{index % 256 // 8:02x}.{index % 8}" for index in range(256)}
    addresses[0], addresses[255] = addresses[255], addresses[0]
    for index, address in addresses.items():
        nic.vf(index, address)
    for index in (0, 1, 2, 9, 10, 25, 99, 100, 254, 255):
        assert pci.vf_index(nic.path, addresses[index]) == index
    assert pci.physical_function(pci.folder(addresses[255], str(tmp_path))) == nic.path


@pytest.mark.parametrize("address", ["0000:03:10.1", "0001:03:10.0", "03:10.0", "", "0000:03:10", PF])
def test_no_vf_of_the_pf(tmp_path: Path, address: str) -> None:
    """Only a whole and equal address is a VF's."""
    assert pci.vf_index(igb(tmp_path).path, address) == -1


def test_no_pf_no_number(tmp_path: Path) -> None:
    """A PF that has gone has no VFs and no netdev."""
    gone = str(tmp_path / "devices/gone.0")
    assert pci.vf_index(gone, ADDRESS) == -1
    assert eswitch.uplink(gone) == ""
    assert eswitch.representor(gone, 0, str(tmp_path)) == ""


def test_mlx5_legacy(tmp_path: Path) -> None:
    """The port has a name, but there is no switch, and so no representor; a VF's name in the host is none."""
    nic = Nic(tmp_path)
    nic.netdev("ens2f0np0", port="p0")
    nic.vf(0, "0000:03:00.2", "ens2f0v0")
    assert eswitch.uplink(nic.path) == "ens2f0np0"
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
    assert eswitch.uplink(nic.path) == uplink
    assert [nic.representor(index) for index in (0, 1, 10)] == [names[f"pf0vf{index}"] for index in (0, 1, 10)]
    assert [nic.representor(index) for index in (2, 8, 11, 88, 100)] == [""] * 5


def test_only_representors(tmp_path: Path) -> None:
    """A PF whose own netdev is somewhere else has none: a representor does not stand for it."""
    nic = Nic(tmp_path)
    for index in range(3):
        nic.netdev(f"ens2f0_{index}", f"pf0vf{index}", SWITCH)
    assert eswitch.uplink(nic.path) == ""
    assert nic.representor(0) == ""


@pytest.mark.parametrize("switches", [(SWITCH, SWITCH), (SWITCH, "b8cef603003f2a99")], ids=["one switch", "two"])
def test_two_pfs_with_the_same_numbers(tmp_path: Path, switches: tuple[str, str]) -> None:
    """Both have a VF 0: in a switch of their own, or in one together, as in a bond."""
    first = switchdev(tmp_path, 0, "ens2f0np0", {"pf0vf0": "z0", "pf0vf1": "eth1"}, switches[0])
    second = switchdev(tmp_path, 1, "ens2f1np1", {"pf1vf0": "a0", "pf1vf2": "eth2"}, switches[1])
    assert (eswitch.uplink(first.path), eswitch.uplink(second.path)) == ("ens2f0np0", "ens2f1np1")
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
    assert [eswitch.uplink(nic.path) for nic in nics] == ["up03", "up04"]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")], ids=["local first", "other first"])
def test_another_controller(tmp_path: Path, names: tuple[str, str]) -> None:
    """On a DPU, c1pf0vf3 stands for a VF of the server that it is plugged into; our own VF 3 is pf0vf3."""
    local, other = names
    nic = switchdev(tmp_path, 0, "p0", {"pf0vf3": local, "c1pf0vf3": other, "c1pf0": "c", "pf0hpf": "d"})
    assert eswitch.uplink(nic.path) == "p0"
    assert nic.representor(3) == local


def test_controller_in_every_name(tmp_path: Path) -> None:
    """Neither a controller's prefix nor a sub-function makes a netdev the uplink, even when they come first."""
    nic = switchdev(tmp_path, 0, "zz", {"c1pf0vf0": "a", "c1pf0sf0": "b", "pf0sf0": "c"})
    assert eswitch.uplink(nic.path) == "zz"


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
    assert eswitch.uplink(nic.path) == expected


@pytest.mark.parametrize(
    ("devices", "expected"), [((), ""), (("mlx5_4",), "mlx5_4"), (("rocep3s0f0v1", "mlx5_4"), "mlx5_4")]
)
def test_rdma_device(tmp_path: Path, devices: tuple[str, ...], expected: str) -> None:
    """The RDMA device of a function, the first by name where it has several."""
    folder = _device(tmp_path, *(f"infiniband/{name}" for name in devices))
    assert pci.rdma_device(str(folder)) == expected
    assert pci.rdma_device(str(folder / "gone")) == ""


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    """A netdev may have any name, and its attributes any bytes."""
    nic = switchdev(tmp_path, 0, "up\udcff", {"pf0vf0": "rep\udcff", "pf0vf1": "other"})
    (nic.folder / "net/other/phys_port_name").write_bytes(b"\xff\n")
    assert eswitch.uplink(nic.path) == "up\udcff"
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
    assert pci.is_for_userspace(str(device)) is expected


PF0, PF1, OTHER = "0000:03:00.0", "0000:03:00.1", "0000:41:00.0"
VFS = {0: "0000:03:00.2", 1: "0000:03:00.3", 3: "0000:03:00.5", 11: "0000:03:01.5"}
A, B = "b8cef603003f2a98", "b8cef603003f2a99"
NO_DEVICE = ""

Netdev = tuple[str, str, str, str]
"""The PCI address of its function (NO_DEVICE for a virtual one), its name, phys_port_name and phys_switch_id."""

UP0: Netdev = (PF0, "ens2f0np0", "p0", A)
UP1: Netdev = (PF1, "ens2f1np1", "p1", A)

LAYOUTS: dict[str, tuple[list[Netdev], dict[tuple[str, int], str]]] = {
    "all under the PF": (
        [UP0, (PF0, "ens2f0_0", "pf0vf0", A), (PF0, "ens2f0_1", "pf0vf1", A)],
        {(PF0, 0): "ens2f0_0", (PF0, 1): "ens2f0_1", (PF0, 2): "", (PF1, 0): "", (PF1, 1): ""},
    ),
    "names that say another number": (
        [UP0, (PF0, "ens2f0_1", "pf0vf0", A), (PF0, "ens2f0_0", "pf0vf1", A)],
        {(PF0, 0): "ens2f0_1", (PF0, 1): "ens2f0_0"},
    ),
    "VF 1 and VF 11": (
        [UP0, (PF0, "a", "pf0vf11", A), (PF0, "b", "pf0vf1", A)],
        {(PF0, 1): "b", (PF0, 11): "a", (PF0, 0): "", (PF0, 111): ""},
    ),
    "VF 11 without VF 1": ([UP0, (PF0, "a", "pf0vf11", A)], {(PF0, 1): "", (PF0, 11): "a"}),
    "PF 0 and PF 10": (
        [UP0, (PF0, "a", "pf10vf3", A), (PF0, "b", "pf0vf3", A)],
        {(PF0, 3): "b"},
    ),
    "PF 10 without PF 0": ([UP0, (PF0, "a", "pf10vf3", A)], {(PF0, 3): ""}),
    "two PFs, a switch each": (
        [
            *[UP0, (PF0, "ens2f0_0", "pf0vf0", A), (PF0, "ens2f0_1", "pf0vf1", A)],
            *[(PF1, "ens2f1np1", "p1", B), (PF1, "ens2f1_0", "pf1vf0", B)],
        ],
        {(PF0, 0): "ens2f0_0", (PF0, 1): "ens2f0_1", (PF1, 0): "ens2f1_0", (PF1, 1): ""},
    ),
    "two PFs, one switch": (
        [
            *[UP0, (PF0, "ens2f0_0", "pf0vf0", A), (PF0, "ens2f0_1", "pf0vf1", A)],
            *[UP1, (PF1, "ens2f1_0", "pf1vf0", A)],
        ],
        {(PF0, 0): "ens2f0_0", (PF0, 1): "ens2f0_1", (PF1, 0): "ens2f1_0", (PF1, 1): ""},
    ),
    "the other PF in legacy mode": (
        [UP0, (PF0, "ens2f0_0", "pf0vf0", A), (PF1, "ens2f1np1", "p1", UNREADABLE), (PF1, "x", "pf1vf0", A)],
        {(PF0, 0): "ens2f0_0", (PF1, 0): ""},
    ),
    "sub-functions": (
        [UP0, (PF0, "en3f0pf0sf3", "pf0sf3", A), (PF0, "en3f0pf0sf88", "pf0sf88", A), (PF0, "z", "pf0vf3", A)],
        {(PF0, 3): "z", (PF0, 88): "", (PF0, 0): ""},
    ),
    "another host's controller": (
        [UP0, (PF0, "a", "c1pf0vf3", A), (PF0, "b", "pf0vf3", A), (PF0, "c", "c1pf0sf3", A), (PF0, "d", "c1pf0", A)],
        {(PF0, 3): "b"},
    ),
    "a controller alone": ([UP0, (PF0, "a", "c1pf0vf3", A)], {(PF0, 3): "a", (PF0, 1): ""}),
    "the local controller": ([UP0, (PF0, "a", "c1pf0vf3", A), (PF0, "b", "c0pf0vf3", A)], {(PF0, 3): "b"}),
    "a physical port in front": ([UP0, (PF0, "a", "p0pf0vf3", A), (PF0, "b", "p0pf0vf13", A)], {(PF0, 3): "a"}),
    "PFs of two domains, a function 0 each": (
        [UP0, (PF0, "z", "pf0vf0", A), (OTHER, "up", "p1", A), (OTHER, "a", "pf1vf0", A)],
        {(PF0, 0): "z", (OTHER, 0): "a"},
    ),
    "the same, one without representors": (
        [UP0, (PF0, "z", "pf0vf0", A), (OTHER, "up", "p1", A)],
        {(PF0, 0): "z", (OTHER, 0): ""},
    ),
    "numbered as the function, not as the port": (
        [(PF1, "up", "p0", A), (PF1, "a", "pf1vf0", A), UP0, (PF0, "z", "pf0vf0", A)],
        {(PF0, 0): "z", (PF1, 0): "a"},
    ),
    "numbered as the function, and under none": (
        [(PF1, "up", "p0", A), (NO_DEVICE, "a", "pf0vf0", A), (NO_DEVICE, "b", "pf1vf0", A)],
        {(PF1, 0): "b"},
    ),
    "a VF that the PF has of another": (
        [(OTHER, "up", "p1", A), (OTHER, "a", "pf0vf0", A), (OTHER, "b", "pf1vf0", A)],
        {(OTHER, 0): "b"},
    ),
    "another PF has one of this name": ([UP0, (PF1, "a", "pf0vf0", A)], {(PF0, 0): ""}),
    "controllers 2 and 10": ([UP0, (PF0, "a", "c10pf0vf3", A), (PF0, "b", "c2pf0vf3", A)], {(PF0, 3): "b"}),
    "no controllers": (
        [
            UP0,
            *[(PF0, "a", "cpf0vf3", A), (PF0, "b", "c1 pf0vf3", A), (PF0, "c", "xpf0vf3", A), (PF0, "d", "1pf0vf3", A)],
            *[(PF0, "e", "pf0vf3x", A), (PF0, "f", "pf0vf03", A), (PF0, "g", "PF0VF3", A), (PF0, "h", "c1c1pf0vf3", A)],
        ],
        {(PF0, 3): ""},
    ),
    "other NICs with the same ports": (
        [
            *[(OTHER, "a", "pf0vf0", B), (OTHER, "b", "p0", B), UP0, (PF0, "z", "pf0vf0", A)],
            *[
                (NO_DEVICE, "c", "pf0vf0", "1234"),
                (NO_DEVICE, "d", "pf0vf0", A[:-1]),
                (NO_DEVICE, "e", "pf0vf0", A * 2),
            ],
        ],
        {(PF0, 0): "z", (OTHER, 0): "a"},
    ),
    "only other NICs": ([UP0, (OTHER, "a", "pf0vf0", B), (NO_DEVICE, "c", "pf0vf0", "1234")], {(PF0, 0): ""}),
    "switch IDs that cannot be read": (
        [
            *[UP0, (NO_DEVICE, "a", "pf0vf0", UNREADABLE), (PF0, "b", "pf0vf0", UNREADABLE), (PF0, "c", "pf0vf0", A)],
            *[(PF0, "d", "pf0vf1", UNREADABLE), (PF0, "e", "pf0vf3", "")],
        ],
        {(PF0, 0): "c", (PF0, 1): "", (PF0, 3): ""},
    ),
    "ports that cannot be read": (
        [UP0, (PF0, "a", UNREADABLE, A), (PF0, "b", "", A), (NO_DEVICE, "lo", UNREADABLE, UNREADABLE)],
        {(PF0, 0): ""},
    ),
    "representors under no function": ([UP0, (NO_DEVICE, "eth7", "pf0vf0", A)], {(PF0, 0): "eth7"}),
    "no uplink": ([(PF0, "ens2f0_0", "pf0vf0", A)], {(PF0, 0): ""}),
    "no switchdev mode": ([(PF0, "ens2f0np0", "p0", UNREADABLE), (PF0, "a", "pf0vf0", UNREADABLE)], {(PF0, 0): ""}),
    "an empty switch ID": ([(PF0, "ens2f0np0", "p0", ""), (PF0, "a", "pf0vf0", "")], {(PF0, 0): ""}),
}


def _nic(netdevs: list[Netdev]) -> Tree:
    """Return two PFs of one NIC and one of another, with netdevs."""
    tree: Tree = {}
    for address, vfs in ((PF0, VFS), (PF1, {0: "0000:03:02.2"}), (OTHER, {0: "0000:41:00.2"})):
        tree |= sysfstree.pf(address, vfs)
    for address, name, port, switch in netdevs:
        tree |= sysfstree.netdev(sysfstree.folder(address) if address else "virtual", name, port, switch)
    return tree


def _made(root: Path, address: str) -> str:
    """Return the real folder of a PCI function."""
    return str(root / "devices" / sysfstree.folder(address))


@pytest.mark.parametrize(("netdevs", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_representors(tmp_path: Path, netdevs: list[Netdev], expected: dict[tuple[str, int], str]) -> None:
    """By the whole name of the port and the whole ID of the switch, whatever else there is."""
    root = sysfstree.build(tmp_path, _nic(netdevs))
    found = {(pf, index): eswitch.representor(_made(tmp_path, pf), index, root) for pf, index in expected}
    assert found == expected


UPLINKS: dict[str, tuple[list[Netdev], dict[str, tuple[str, str]]]] = {
    "one PF": ([UP0, (PF0, "a", "pf0vf0", A)], {PF0: ("ens2f0np0", A), PF1: ("", "")}),
    "two switches": ([UP0, (PF1, "x", "p1", B), (PF1, "a", "pf1vf0", B)], {PF0: ("ens2f0np0", A), PF1: ("x", B)}),
    "one switch": ([UP0, UP1, (PF1, "a", "pf1vf0", A)], {PF0: ("ens2f0np0", A), PF1: ("ens2f1np1", A)}),
    "a sub-function first": ([(PF0, "a", "pf0sf88", B), UP0], {PF0: ("ens2f0np0", A)}),
    "a controller first": ([(PF0, "a", "c1pf0vf3", B), UP0], {PF0: ("ens2f0np0", A)}),
    "without the port's name": ([(PF0, "z", UNREADABLE, A), (PF0, "a", "pf0vf0", A)], {PF0: ("z", A)}),
    "not in switchdev mode": ([(PF0, "z", "p0", UNREADABLE)], {PF0: ("z", "")}),
    "representors only": ([(PF0, "a", "pf0vf0", A)], {PF0: ("", "")}),
    "a DPU's other host only": ([(PF0, "a", "c1pf0", A), (PF0, "b", "c3pf0sf0", A)], {PF0: ("", "")}),
    "a DPU's other host first": ([(PF0, "a", "c1pf0", A), (PF0, "z", UNREADABLE, A)], {PF0: ("z", A)}),
    "another NIC's": ([(OTHER, "a", "p0", B), (NO_DEVICE, "b", "p0", A)], {PF0: ("", ""), OTHER: ("a", B)}),
}


@pytest.mark.parametrize(("netdevs", "expected"), UPLINKS.values(), ids=UPLINKS)
def test_uplinks_and_switches(tmp_path: Path, netdevs: list[Netdev], expected: dict[str, tuple[str, str]]) -> None:
    """The uplink is the PF's netdev that is no representor, and its switch's ID is that of the PF."""
    sysfstree.build(tmp_path, _nic(netdevs))
    found = {pf: (eswitch.uplink(_made(tmp_path, pf)), eswitch.switch_id(_made(tmp_path, pf))) for pf in expected}
    assert found == expected


VF0, VF1 = sysfstree.folder(VFS[0]), sysfstree.folder(VFS[1])
SF = sysfstree.folder(PF0, "mlx5_core.sf.4")

VDPA: dict[str, tuple[Tree, tuple[str, str, str] | None]] = {
    "none": ({}, None),
    "vhost": (sysfstree.vdpa(VF0, "vdpa0", "vhost_vdpa", "vhost-vdpa-0"), ("vdpa0", "vhost", "/dev/vhost-vdpa-0")),
    "vhost, other numbers": (
        sysfstree.vdpa(VF0, "vdpa12", "vhost_vdpa", "vhost-vdpa-7"),
        ("vdpa12", "vhost", "/dev/vhost-vdpa-7"),
    ),
    "vhost, nothing made": (sysfstree.vdpa(VF0, "vdpa0", "vhost_vdpa"), ("vdpa0", "vhost", "")),
    "virtio": (
        sysfstree.vdpa(VF0, "vdpa0", "virtio_vdpa", "virtio1/net/eth5"),
        ("vdpa0", "virtio", "/sys/bus/virtio/devices/virtio1"),
    ),
    "virtio, nothing made": (sysfstree.vdpa(VF0, "vdpa0", "virtio_vdpa"), ("vdpa0", "virtio", "")),
    "unbound": (sysfstree.vdpa(VF0, "vdpa0", ""), ("vdpa0", "", "")),
    "unbound, with remains": (sysfstree.vdpa(VF0, "vdpa0", "", "vhost-vdpa-0"), ("vdpa0", "", "")),
    "another driver": (sysfstree.vdpa(VF0, "vdpa0", "my_vdpa", "vhost-vdpa-0"), ("vdpa0", "", "")),
    "another VF's": (sysfstree.vdpa(VF1, "vdpa0", "vhost_vdpa", "vhost-vdpa-0"), None),
    "the PF's": (sysfstree.vdpa(sysfstree.folder(PF0), "vdpa0", "vhost_vdpa", "vhost-vdpa-0"), None),
    "a sub-function's": (sysfstree.vdpa(SF, "vdpa0", "vhost_vdpa", "vhost-vdpa-0"), None),
    "nobody's": (sysfstree.vdpa("vdpasim_net", "vdpa0", "vhost_vdpa", "vhost-vdpa-0"), None),
    "behind all those": (
        {
            **sysfstree.vdpa(VF1, "vdpa0", "vhost_vdpa", "vhost-vdpa-0"),
            **sysfstree.vdpa(sysfstree.folder(PF0), "vdpa1", "vhost_vdpa", "vhost-vdpa-1"),
            **sysfstree.vdpa(SF, "vdpa2", "virtio_vdpa", "virtio0/net/eth0"),
            **sysfstree.vdpa(VF0, "vdpa3", "virtio_vdpa", "virtio1/net/eth5"),
        },
        ("vdpa3", "virtio", "/sys/bus/virtio/devices/virtio1"),
    ),
}


@pytest.mark.parametrize(("devices", "expected"), VDPA.values(), ids=VDPA)
def test_vdpa(tmp_path: Path, devices: Tree, expected: tuple[str, str, str] | None) -> None:
    """The vDPA device that lies below the VF, what drives it, and what that has made."""
    root = sysfstree.build(tmp_path, _nic([UP0]) | devices)
    found = vdpa.find(_made(tmp_path, VFS[0]), root)
    assert (None if found is None else (found.name, found.driver, found.path)) == expected
    if found is not None:
        assert found.folder == f"{_made(tmp_path, VFS[0])}/{found.name}"


def test_the_netdev_of_a_vdpa_device(tmp_path: Path) -> None:
    """It is the vDPA device's, not the VF's, which has one of its own."""
    devices = sysfstree.vdpa(VF0, "vdpa0", "virtio_vdpa", "virtio1/net/eth5") | sysfstree.netdev(VF0, "ens2f0v0")
    root = sysfstree.build(tmp_path, _nic([UP0]) | devices)
    found = vdpa.find(_made(tmp_path, VFS[0]), root)
    assert found is not None
    assert pci.netdevs(found.folder) == ["eth5"]
    assert pci.netdevs(_made(tmp_path, VFS[0])) == ["ens2f0v0"]
    assert pci.address_of(pci.folder_of_netdev("eth5", root)) == VFS[0]


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ((), []),
        (("virtio0",), ["virtio0"]),
        (("virtio12/net/eth0", "virtio3/block/vda"), ["virtio12", "virtio3"]),
        (("vdpa0/virtio1/net/eth5",), []),
        (("net/virtio", "msi_irqs", "x-virtio0"), []),
    ],
    ids=["none", "one", "two", "a vDPA device's", "others"],
)
def test_virtio_devices(tmp_path: Path, below: tuple[str, ...], expected: list[str]) -> None:
    """Those right below the device."""
    sysfstree.build(tmp_path, {f"{VF0}/{entry}": None for entry in below})
    assert pci.virtio_devices(_made(tmp_path, VFS[0])) == expected


NETDEVS: dict[str, tuple[Tree, bool]] = {
    "none": ({}, False),
    "one": (sysfstree.netdev(sysfstree.folder(ADDRESS), "ens2f0v6"), True),
    "in another namespace": ({sysfstree.folder(ADDRESS, "net"): None}, True),
    "of virtio": ({sysfstree.folder(ADDRESS, "virtio3", "net"): None}, True),
    "virtio without one": ({sysfstree.folder(ADDRESS, "virtio3"): None}, False),
    "of the vDPA device": ({sysfstree.folder(ADDRESS, "vdpa0", "virtio3", "net"): None}, False),
}


@pytest.mark.parametrize(("tree", "expected"), NETDEVS.values(), ids=NETDEVS)
def test_whether_there_is_a_netdev_anywhere(tmp_path: Path, tree: Tree, expected: bool) -> None:
    """As the lab's kernel shows it: the folder is there and empty while the link is in another namespace."""
    root = sysfstree.build(tmp_path, {sysfstree.folder(ADDRESS, "vendor"): "0x8086", **tree})
    device = Path(pci.folder(ADDRESS, root)).resolve()
    assert pci.has_netdev(str(device)) is expected
    assert pci.has_netdev(str(device / "gone")) is False
