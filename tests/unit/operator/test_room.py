"""What a PF has for VFs on the bus: its SR-IOV capability, the addresses of their BARs, and bus numbers."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from plumbline.node import capability, room
from plumbline.node.capability import Capability
from plumbline.node.room import Bar, Room
from tests.support import sysfstree
from tests.support.sysfstree import PORT, folder

PF = "0000:03:00.0"
BAR_64, BAR_32 = 0x4, 0xFEB0_0000


def _config(*, at: int = 0x160, total: int = 8, ari: bool = True, bars: tuple[int, ...] = (BAR_64, 0, 0, 0)) -> bytes:
    """Return a configuration space with AER, then SR-IOV."""
    space = bytearray(4096)
    struct.pack_into("<I", space, 0x100, 0x0001 | 2 << 16 | at << 20)
    struct.pack_into("<IIHHHH", space, at, 0x0010 | 1 << 16, 0, 0x10 if ari else 0, 0, total, total)
    struct.pack_into("<HH", space, at + 0x14, 0x180, 2)
    struct.pack_into(f"<{len(bars)}I", space, at + 0x24, *bars)
    return bytes(space)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (_config(), Capability(8, 8, True, (0,), 0x180, 2)),
        (_config(total=0, ari=False), Capability(0, 0, False, (0,), 0x180, 2)),
        (_config(bars=(BAR_64, 0, 0, BAR_64 | 8)), Capability(8, 8, True, (0, 3), 0x180, 2)),
        # The upper half of an address is no BAR, a 32-bit one with an address is.
        (_config(bars=(BAR_64, 0x38, BAR_32, 0)), Capability(8, 8, True, (0, 2), 0x180, 2)),
        (_config()[:64], None),  # not read by root
        (_config()[:0x180], None),  # cut in the middle
        (_config().replace(b"\x10\x00\x01\x00", b"\x0b\x00\x01\x00"), None),  # another capability
        (b"\xff" * 4096, None),  # a device that does not answer
        (b"", None),
    ],
)
def test_capability(config: bytes, expected: Capability | None) -> None:
    """Found behind other capabilities, and nowhere else."""
    assert capability.parse(config) == expected


def test_capabilities_in_a_circle() -> None:
    """A broken device's list may have no end."""
    space = bytearray(4096)
    struct.pack_into("<I", space, 0x100, 0x0001 | 0x200 << 20)
    struct.pack_into("<I", space, 0x200, 0x0002 | 0x100 << 20)
    assert capability.parse(bytes(space)) is None


ZERO = "0x0000000000000000 0x0000000000000000 0x0000000000000000"
BAR_0 = "0x00000000fe000000 0x00000000fe7fffff 0x0000000000140204"
BAR_3 = "0x0000000000000000 0x00000000007fffff 0x0000000000140204"
RESOURCE = "\n".join([*[ZERO] * 7, BAR_0, ZERO, ZERO, BAR_3, ZERO, ZERO])
FOUND = (Bar(0, 8 << 20, True), Bar(3, 8 << 20, False))


@pytest.mark.parametrize(
    ("resource", "had", "expected"),
    [
        (RESOURCE, (), FOUND),
        (RESOURCE, (0, 3), FOUND),
        (RESOURCE.replace("0140204", "20140204"), (), (Bar(0, 8 << 20, False), FOUND[1])),  # flagged as unset
        (RESOURCE.replace(BAR_3, ZERO), (0, 3), (FOUND[0], Bar(3, 0, False))),  # given up by the kernel
        (RESOURCE.replace(BAR_3, ZERO), (), FOUND[:1]),
        ("", (), ()),
        ("nonsense\n" * 13, (0,), (Bar(0, 0, False),)),
    ],
)
def test_bars(resource: str, had: tuple[int, ...], expected: tuple[Bar, ...]) -> None:
    """Lines 7 to 12, and what the NIC alone tells of."""
    assert room.bars(resource, had) == expected


def _measured(tmp_path: Path, config: bytes, **attributes: str) -> Room:
    """Return the room of a PF behind a bridge that ends with bus 3. attributes: of the PF."""
    tree: sysfstree.Tree = {
        f"{PORT}/subordinate_bus_number": "3",
        folder(PF, "resource"): RESOURCE,
        **{folder(PF, name): text for name, text in attributes.items()},
    }
    root = sysfstree.build(tmp_path, tree)
    Path(root, "devices", folder(PF, "config")).write_bytes(config)
    return room.measure(f"{root}/devices/{folder(PF)}")


def test_measured(tmp_path: Path) -> None:
    """From a PF's folder and the bridge's above it."""
    config = _config(bars=(BAR_64, 0, 0, BAR_64))
    found = _measured(tmp_path, config, sriov_offset="384", sriov_stride="2")
    assert found == Room(PF, Capability(8, 8, True, (0, 3), 0x180, 2), FOUND, 384, 2, "0000:00:1c.0", 3)
    assert ([bar.number for bar in found.lacking], found.size, found.bus) == ([3], 8 << 20, "0000:03")
    assert (found.lacks_bus(1), found.lacks_bus(0), found.fitting(8)) == (4, 0, 0)
    assert found.addresses(3) == ["0000:04:10.0", "0000:04:10.2", "0000:04:10.4"]


def test_where_vfs_are(tmp_path: Path) -> None:
    """Sysfs tells everybody, the capability whoever may read it; without both nobody knows."""
    assert _measured(tmp_path / "a", _config()).addresses(1) == ["0000:04:10.0"]
    assert _measured(tmp_path / "b", _config()[:64], sriov_offset="16", sriov_stride="1").addresses(1) == [
        "0000:03:02.0"
    ]
    unknown = _measured(tmp_path / "c", _config()[:64])
    assert (unknown.offset, unknown.addresses(9), unknown.lacks_bus(9)) == (None, [], 0)


def test_buses_of_vfs() -> None:
    """VF 0 has routing ID 03:02.0, VF 239 is the last on bus 3; 240 more are on bus 4."""
    found = Room(PF, offset=16, stride=1, bridge="0000:00:1c.0", last_bus=4)
    assert [found.bus_of(index) for index in (0, 239, 240, 495, 496)] == [3, 3, 4, 4, 5]
    assert (found.fitting(600), found.lacks_bus(496), found.lacks_bus(497)) == (496, 0, 5)
    assert Room("0000:ff:00.0", offset=256).lacks_bus(1) == 0x100  # there is no such bus
