"""What somebody wants of a PF, as it is written on the command line and in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import VerbError
from plumbline.node import pfs_file as node_pfs_file
from plumbline.node.wish import DriverFor, Wish, WishError, check, from_json, parse_driver, to_json
from plumbline.prepare import pfs_file

FULL = Wish(
    "0000:03:00.0",
    8,
    mac="0c:42:a1:00:00:01",
    mode="switchdev",
    drivers=(DriverFor("vfio-pci", 0, 3), DriverFor("default", 4, 4), DriverFor("mlx5_core")),
    up=False,
)


def test_there_and_back() -> None:
    """The file loses nothing."""
    for wish in (FULL, Wish("netdevsim1", 0, bus="netdevsim"), Wish("0000:03:00.0", 1, vdpa="vhost")):
        assert from_json(json.loads(json.dumps(to_json(wish)))) == wish


def test_told() -> None:
    """A person reads it in one line."""
    assert str(FULL) == "8 VFs, switchdev, driver 0-3=vfio-pci, driver 4=default, driver mlx5_core"
    assert str(Wish("x", 1, vdpa="virtio")) == "1 VF, vDPA for virtio"


def test_the_first_driver_that_fits() -> None:
    """A range before all the others."""
    assert [FULL.driver_of(index) for index in (0, 3, 4, 5)] == ["vfio-pci", "vfio-pci", "default", "mlx5_core"]
    assert Wish("x", 1).driver_of(0) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vfio-pci", DriverFor("vfio-pci")),
        ("all=vfio-pci", DriverFor("vfio-pci")),
        ("3=iavf", DriverFor("iavf", 3, 3)),
        ("0-3=iavf", DriverFor("iavf", 0, 3)),
    ],
)
def test_drivers(text: str, expected: DriverFor) -> None:
    """With and without a range."""
    assert parse_driver(text) == expected


@pytest.mark.parametrize("text", ["", "a b", "../x", "=x", "3-1=x", "-1=x", "1,2=x", "1-=x", "0-3="])
def test_no_drivers(text: str) -> None:
    """What is neither a name nor a range is refused."""
    with pytest.raises(WishError, match="driver: "):
        parse_driver(text)


def test_wishes_that_make_no_sense() -> None:
    """They are refused before anything is looked at."""
    with pytest.raises(WishError, match="4 VFs end with 3"):
        check(Wish("x", 4, drivers=(DriverFor("vfio-pci", 2, 4),)))
    with pytest.raises(WishError, match="vdpa: VF 1 is to be bound to vfio-pci"):
        check(Wish("x", 2, drivers=(DriverFor("vfio-pci", 1, 1),), vdpa="vhost"))


GOOD = {"address": "0000:03:00.0", "vfs": 4}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"vfs": -1}, "vfs: "),
    ({"vfs": True}, "vfs: "),
    ({"vfs": "4"}, "vfs: "),
    ({"address": None}, "address: "),
    ({"address": "../x"}, "address: "),
    ({"bus": "usb"}, "bus: "),
    ({"mac": "0C:42:A1:00:00:01"}, "mac: "),
    ({"mode": "both"}, "mode: "),
    ({"vdpa": "vdpa"}, "vdpa: "),
    ({"up": 1}, "up: "),
    ({"numvfs": 4}, "numvfs: there is no such member"),
    ({"drivers": "vfio-pci"}, "drivers: "),
    ({"drivers": [{"driver": "vfio-pci"}]}, "drivers: "),
    ({"drivers": [{"vfs": "0-9", "driver": "vfio-pci"}]}, "4 VFs end with 3"),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_file_that_is_wrong(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    """The error names file, place and member, and nothing of the file counts."""
    path = tmp_path / "pfs.json"
    path.write_text(json.dumps({"schema": node_pfs_file.SCHEMA, "pfs": [GOOD, {**GOOD, "address": "other", **change}]}))
    with pytest.raises(VerbError, match=rf"{path} cannot be used: pfs\[1\]\.{said}" if said[0] != "4" else said):
        pfs_file.read(str(path))
    assert node_pfs_file.read(str(path)).pfs == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[]", "schema"),
        ('{"schema": "plumbline/pfs/2", "pfs": []}', "schema"),
        ('{"schema": "plumbline/pfs/1"}', "pfs: a list"),
        ('{"schema": "plumbline/pfs/1", "pfs": [1]}', "is an object"),
        (json.dumps({"schema": "plumbline/pfs/1", "pfs": [GOOD, GOOD]}), "there twice"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_file_that_is_none(text: str, said: str, tmp_path: Path) -> None:
    """Nothing is guessed."""
    path = tmp_path / "pfs.json"
    path.write_text(text)
    with pytest.raises(VerbError, match=said):
        pfs_file.read(str(path))
    found = node_pfs_file.read(str(path))
    assert (found.pfs, said in found.error) == ((), True)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """That is said, and does not keep anybody from looking at the node."""
    assert "it cannot be read" in node_pfs_file.read(str(tmp_path)).error


def test_file(tmp_path: Path) -> None:
    """It is made with its folder, and holds one entry a PF."""
    path = str(tmp_path / "plumbline" / "pfs.json")
    assert pfs_file.read(path) == []
    other = Wish("0000:02:00.0", 1)
    pfs_file.write(path, pfs_file.with_wish([FULL], other))
    assert pfs_file.read(path) == [other, FULL]
    found = node_pfs_file.read(path)
    assert (found.of("pci", FULL.address), found.of("netdevsim", FULL.address), found.error) == (FULL, None, "")
    again = pfs_file.with_wish(pfs_file.read(path), Wish("0000:02:00.0", 2))
    assert [(x.address, x.vfs) for x in again] == [("0000:03:00.0", 8), ("0000:02:00.0", 2)]
    assert pfs_file.without(again, "pci", "0000:02:00.0") == [FULL]
    assert (tmp_path / "plumbline" / "pfs.json").stat().st_mode & 0o777 == 0o644
