"""What of a node is read besides devices and links: NICs, mounts, binaries."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from plumbline.node import binaries, kubernetes, nics, room, storage, system
from plumbline.node.mounts import Mounts
from plumbline.node.room import Room
from plumbline.node.roots import Roots
from plumbline.node.system import Modules
from tests.support import sysfstree
from tests.support.sysfstree import PORT, folder

PF, VF = "0000:03:00.0", "0000:03:02.0"
RESOURCE = "\n".join(
    ["0x0 0x0 0x0"] * 7 + ["0x00000000fe000000 0x00000000fe01ffff 0x0000000000140204"] + ["0x0 0x0 0x0"] * 5
)


def _tree(**more: str | None) -> sysfstree.Tree:
    """Return a PF with a VF behind a port. more: attributes of the PF."""
    return {
        **sysfstree.pf(PF, {0: VF}),
        **sysfstree.netdev(folder(PF), "ens3f0", port="p0"),
        f"{PORT}/subordinate_bus_number": "4",
        folder(PF, "class"): "0x020000",
        folder(PF, "vendor"): "0x15b3",
        folder(PF, "sriov_numvfs"): "1",
        folder(PF, "sriov_offset"): "16",
        folder(PF, "sriov_stride"): "1",
        folder(PF, "resource"): RESOURCE,
        folder(VF, "class"): "0x020000",
        **{folder(PF, name): text for name, text in more.items()},
    }


def test_nics(tmp_path: Path) -> None:
    """PFs and what sits beside them that is a NIC; no VFs, no other devices."""
    other, disk = "0000:04:00.0", "0000:05:00.0"
    tree = {**_tree(), folder(other, "class"): "0x020000", folder(disk, "class"): "0x010802"}
    root = sysfstree.build(tmp_path, tree)
    found, plain = nics.all_of(root)
    assert (found.name, found.address, found.vendor, found.driver) == ("ens3f0", PF, "15b3", "mlx5_core")
    assert (found.possible, found.asked, found.made) == (127, 1, 1)
    assert found.room == room.measure(f"{root}/devices/{folder(PF)}")
    assert (found.room.address, found.room.size) == (PF, 0x20000)
    assert found.linkless == (0,)  # the VF has its driver and no link
    assert (plain.name, plain.possible, plain.room) == (other, None, Room(other, bridge="0000:00:1c.0", last_bus=4))


def test_a_link_in_a_pod_is_a_link(tmp_path: Path) -> None:
    """Its folder stays where it is."""
    root = sysfstree.build(tmp_path, {**_tree(), folder(VF, "net"): None})
    assert nics.all_of(root)[0].linkless == ()


MOUNTINFO = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:20 / /opt ro,noexec - xfs /dev/sdb rw
23 21 0:21 / /srv/with\040space rw - tmpfs tmpfs rw
24 22 0:22 / /opt rw,nosuid master:2 - btrfs /dev/sdc rw
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/var", "ext4"), ("/opt/cni/bin", "btrfs"), ("/optional", "ext4"), ("/srv/with space/x", "tmpfs")],
)
def test_mounts(path: str, kind: str) -> None:
    """The innermost one counts, and of two at one point the later."""
    assert Mounts.parse(MOUNTINFO).above(path).kind == kind


def test_no_mounts() -> None:
    """Where /proc does not tell, nothing is known."""
    assert Mounts.parse("").above("/opt").options == frozenset()


ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, 62)


def test_binaries(tmp_path: Path) -> None:
    """Only those of our names; of a link to a folder, nothing is found twice."""
    for folder_name in ("bin", "old"):
        (tmp_path / folder_name).mkdir()
    (tmp_path / "link").symlink_to("bin")
    version = b"\0Plumbline\0" + b", commit x\0" + b"1.2.0, commit 0123456789ab-dirty, CPython 3.11.2\0"
    (tmp_path / "bin/sriov").write_bytes(ELF + version)
    (tmp_path / "bin/sriov").chmod(0o755)
    (tmp_path / "bin/bridge").write_bytes(ELF)
    (tmp_path / "old/static").write_bytes(b"#!/bin/sh\n")
    (tmp_path / "old/host-device").write_bytes(b"")
    (tmp_path / "old/host-device").chmod(0o644)
    mounts = Mounts.parse(f"1 0 8:1 / {tmp_path}/old rw,noexec - ext4 /dev/sda1 rw")
    ours, empty, script = binaries.all_in([str(tmp_path / name) for name in ("bin", "link", "old")], mounts)
    assert (ours.name, ours.version, ours.machine) == ("sriov", "1.2.0, commit 0123456789ab-dirty", "x86_64")
    assert (ours.is_executable, ours.noexec) == (True, False)
    assert (script.version, script.machine, script.noexec) == ("", "", True)
    assert (empty.name, empty.version, empty.is_executable) == ("host-device", "", False)


@pytest.mark.parametrize("at", [binaries.CHUNK + n for n in (-80, -40, -2, 0, 2)] + [0, 3 * binaries.CHUNK])
def test_version_anywhere(at: int, tmp_path: Path) -> None:
    """Also where one piece that is read ends and the next begins."""
    (tmp_path / "sriov").write_bytes(bytes(at) + b"1.2.0, commit 0123456789ab, CPython")
    (found,) = binaries.all_in([str(tmp_path)], Mounts.parse(""))
    assert found.version == "1.2.0, commit 0123456789ab"


@pytest.mark.parametrize(
    ("order", "number", "expected"),
    [("little", 62, "x86_64"), ("little", 183, "aarch64"), ("big", 22, "s390x"), ("little", 4711, "machine 4711")],
)
def test_architectures(order: str, number: int, expected: str) -> None:
    """By the ELF header, in the byte order that this says."""
    header = b"\x7fELF\x02" + (b"\x02" if order == "big" else b"\x01") + bytes(12)
    header += number.to_bytes(2, "big" if order == "big" else "little")
    assert binaries.machine(header) == expected
    assert binaries.machine(header[:19]) == binaries.machine(b"#!/bin/sh\nexec something\n") == ""


def test_modules(tmp_path: Path) -> None:
    """Loaded, built in, or on disk; a device's by its alias."""
    _write(
        tmp_path,
        {
            "lib/modules.builtin": "kernel/net/bridge/bridge.ko\n",
            "lib/modules.dep": "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz\n",
            "lib/modules.alias": "# comment\nalias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf\nalias x y\n",
        },
    )
    (tmp_path / "sys/module/vhost_vdpa").mkdir(parents=True)
    modules = Modules(str(tmp_path / "sys"), str(tmp_path / "lib"))
    assert [modules.has(name) for name in ("bridge", "vfio_pci", "vfio-pci", "vhost_vdpa", "iavf")] == [True] * 4 + [
        False
    ]
    assert modules.for_device("pci:v00008086d000010CAsv00008086sd0000A03Cbc02sc00i00") == "igbvf"
    assert modules.for_device("pci:v000015B3d00001018sv00000000sd00000000bc02sc00i00") == ""


def test_system(tmp_path: Path) -> None:
    """IOMMU units, udev, and what is lacking."""
    (tmp_path / "class/iommu/dmar0").mkdir(parents=True)
    found = system.look(Roots(sysfs=str(tmp_path), run=str(tmp_path), modules=str(tmp_path)), ("vfio_pci",))
    assert (found.iommus, found.lacking, found.has_udev) == (("dmar0",), ("vfio_pci",), False)
    assert found.release == os.uname().release
    assert len(found.boot_id) == 36


def test_storage(tmp_path: Path) -> None:
    """Of a folder that is not there yet, what it would be made in counts."""
    records = tmp_path / "sriov"
    records.mkdir()
    (records / "c-net1").write_text("{}")
    os.utime(records / "c-net1", (5, 7))
    (records / "lock").mkdir()
    roots = Roots(state=str(tmp_path / "not/yet"))
    found = storage.look(roots, [str(records), str(tmp_path / "missing")])
    assert (found.path, found.is_writable, found.newest_ns) == (str(tmp_path / "not/yet"), True, 7_000_000_000)
    assert found.free_bytes > 0


def test_no_storage(tmp_path: Path) -> None:
    """A file in place of the folder; a link to a folder that is not there yet."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    assert not storage.look(Roots(state=str(tmp_path / "file")), []).is_writable
    assert storage.look(Roots(state=str(tmp_path / "link")), []).is_writable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"Data": {"RegisteredDevices": {"a/b": ["0000:03:02.0"], "c/d": ["x"]}}}', {"0000:03:02.0", "x"}),
        ('{"Data": {"RegisteredDevices": {}}}', set()),
        ('{"Data": {}}', None),
        ("half a fi", None),
        (None, None),
    ],
)
def test_registered_devices(text: str | None, expected: set[str] | None, tmp_path: Path) -> None:
    """Nothing where there is no kubelet, which is not the same as no devices."""
    if text is not None:
        (tmp_path / "checkpoint").write_text(text)
    assert kubernetes.registered(Roots(checkpoint=str(tmp_path / "checkpoint"))) == expected


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
