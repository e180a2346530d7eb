"""PFs and VFs in sysfs trees of the test's own."""

from __future__ import annotations

from pathlib import Path

from plumbline.node import functions
from plumbline.node.model import Vdpa
from tests.support import sysfstree
from tests.support.sysfstree import UNREADABLE, Tree, folder, netdev

PF, VF0, VF1 = "0000:03:00.0", "0000:03:02.0", "0000:03:02.1"
GROUP = "-> ../../../kernel/iommu_groups"


def tree(**of_pf: str) -> Tree:
    """Return a PF with two VFs, of which the second has no driver. of_pf: attributes of the PF."""
    whole = sysfstree.pf(PF, {0: VF0, 1: VF1}, driver="ice") | netdev(folder(PF), "eth0")
    del whole[folder(VF1, "driver")]
    return {**whole, **{folder(PF, name): text for name, text in of_pf.items()}}


def test_pf(tmp_path: Path) -> None:
    """All attributes of a PF, and its VFs in order."""
    told = {"numa_node": "1", "sriov_drivers_autoprobe": "0", "vendor": "0x8086", "device": "0x1592"}
    root = sysfstree.build(tmp_path, tree(**told))
    (pf,) = functions.pfs(root)
    assert (pf.name, pf.address, pf.bus, pf.driver) == ("eth0", PF, "pci", "ice")
    assert (pf.vendor, pf.model, pf.possible, pf.numa, pf.autoprobe) == ("8086", "1592", 127, 1, False)
    assert [(vf.pf, vf.index, vf.address, vf.driver) for vf in pf.vfs] == [
        ("eth0", 0, VF0, "ice"),
        ("eth0", 1, VF1, ""),
    ]
    assert functions.folder(pf, root) == str(tmp_path / "devices" / folder(PF))


def test_what_is_not_told_is_none(tmp_path: Path) -> None:
    """A PF without a link is called by its address; a node of -1 is none; what cannot be read is unknown."""
    told = {"numa_node": "-1", "sriov_drivers_autoprobe": UNREADABLE, "sriov_totalvfs": UNREADABLE}
    whole = {key: text for key, text in tree(**told).items() if "/net/" not in key}
    (pf,) = functions.pfs(sysfstree.build(tmp_path, whole))
    assert (pf.name, pf.numa, pf.autoprobe, pf.possible, pf.vendor) == (PF, None, None, None, "")


def test_vfs_are_ordered_by_number(tmp_path: Path) -> None:
    """virtfn10 comes after virtfn9."""
    vfs = {index: f"0000:03:{2 + index // 8:02x}.{index % 8}" for index in range(12)}
    (pf,) = functions.pfs(sysfstree.build(tmp_path, sysfstree.pf(PF, vfs)))
    assert {vf.index: vf.address for vf in pf.vfs} == vfs
    assert [vf.index for vf in pf.vfs] == list(range(12))


def test_what_a_vf_has(tmp_path: Path) -> None:
    """IOMMU group, RDMA device and vDPA device."""
    more: Tree = {folder(VF0, "iommu_group"): f"{GROUP}/17", folder(VF0, "infiniband/irdma3"): None}
    more |= sysfstree.vdpa(folder(VF0), "vdpa0", "vhost_vdpa", "vhost-vdpa-2")
    (pf,) = functions.pfs(sysfstree.build(tmp_path, tree() | more))
    assert (pf.vfs[0].iommu_group, pf.vfs[0].rdma) == (17, "irdma3")
    assert pf.vfs[0].vdpa == Vdpa("vdpa0", "vhost", "/dev/vhost-vdpa-2")
    assert (pf.vfs[1].iommu_group, pf.vfs[1].rdma, pf.vfs[1].vdpa) == (None, "", None)


def test_representors_of_a_nic(tmp_path: Path) -> None:
    """Those with the switch's ID and the port of a VF; none in legacy mode, where the uplink has no ID."""
    legacy = sysfstree.build(tmp_path / "legacy", tree())
    (pf,) = functions.pfs(legacy)
    assert functions.representors(pf, legacy) == {}
    whole = tree() | netdev(folder(PF), "eth0", port="p0", switch="0a0b")
    whole |= netdev(folder(PF), "eth0_1", port="pf0vf1", switch="0a0b")
    root = sysfstree.build(tmp_path / "switchdev", whole)
    (pf,) = functions.pfs(root)
    assert functions.representors(pf, root) == {1: "eth0_1"}


def test_a_simulated_nic(tmp_path: Path) -> None:
    """Its VFs have no address; its representors are found by their ports."""
    device = tmp_path / "devices/netdevsim1"
    for name, port in (("eni1np1", "p1"), ("eni1npf0vf0", "pf0vf0"), ("eni1npf0vf1", "pf0vf1")):
        (device / "net" / name).mkdir(parents=True)
        (device / "net" / name / "phys_port_name").write_text(f"{port}\n")
    (device / "sriov_numvfs").write_text("2\n")
    bus = tmp_path / "bus/netdevsim/devices"
    bus.mkdir(parents=True)
    (bus / "netdevsim1").symlink_to(device)
    (pf,) = functions.pfs(str(tmp_path))
    assert (pf.name, pf.address, pf.bus, pf.possible) == ("eni1np1", "netdevsim1", "netdevsim", None)
    assert [(vf.index, vf.address, vf.name) for vf in pf.vfs] == [(0, None, "eni1np1:0"), (1, None, "eni1np1:1")]
    assert functions.representors(pf, str(tmp_path)) == {0: "eni1npf0vf0", 1: "eni1npf0vf1"}


def test_no_sysfs(tmp_path: Path) -> None:
    """Where there is none there are no devices."""
    assert functions.pfs(str(tmp_path / "nowhere")) == []
