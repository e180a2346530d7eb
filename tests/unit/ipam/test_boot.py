"""The reboot rule: an address of an earlier boot is nobody's, and is taken when nothing else is free."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from cni.protocol.errors import CniError
from ipam.host_local.boot import ATTRIBUTE, Boot
from tests.unit.ipam.calls import Network

MakeBoot = Callable[..., Boot]


def taken(network: Network) -> dict[str, str]:
    """Return whose each address is."""
    found = {}
    for name in sorted(os.listdir(network.folder)):
        if name.startswith("10."):
            with open(f"{network.folder}/{name}") as file:
                found[name] = file.read().split()[0]
    return found


def by_the_reference(network: Network, name: str, container_id: str) -> None:
    with open(f"{network.folder}/{name}", "w") as file:
        file.write(f"{container_id}\r\nnet1")


def test_kept_while_there_is_room_then_the_oldest_goes_first(folder: str, boot_of: MakeBoot) -> None:
    before = Network(folder, boot_of("one"))
    for number in range(2, 6):
        before.add(f"old{number}")
    os.utime(f"{before.folder}/10.1.0.4", ns=(1, 1))
    after = before.at(boot_of("two"))
    assert after.add("new6") == ["10.1.0.6/29"]
    assert after.add("newA") == ["10.1.0.4/29"]
    assert taken(after)["10.1.0.4"] == "newA"
    assert after.add("newB") == ["10.1.0.2/29"]
    assert "taking 10.1.0.2" in after.log.text
    after.status()
    after.add("newC")
    after.add("newD")
    with pytest.raises(CniError, match="no IP addresses available"):
        after.add("newE")
    with pytest.raises(CniError, match="no IP addresses available"):
        after.status()
    after.delete("old2")  # the DEL of a dead pod comes late: what was its address is another's now
    assert taken(after)["10.1.0.2"] == "newB"


def test_requested_address_of_a_dead_pod(folder: str, boot_of: MakeBoot) -> None:
    before = Network(folder, boot_of("one"))
    before.add("old", cni_args="IP=10.1.0.5")
    with pytest.raises(CniError, match="not available"):
        before.add("new", cni_args="IP=10.1.0.5")
    assert before.at(boot_of("two")).add("new", cni_args="IP=10.1.0.5") == ["10.1.0.5/29"]


def test_the_same_attachment_after_a_reboot_is_no_duplicate(folder: str, boot_of: MakeBoot) -> None:
    """podman starts the same container again, with the same ID."""
    before = Network(folder, boot_of("one"))
    before.add("c1")
    after = before.at(boot_of("two"))
    assert after.add("c1") == ["10.1.0.3/29"]
    assert taken(after) == {"10.1.0.3": "c1"}


def test_files_of_the_reference_are_known_to_be_older_one_boot_after_they_were_seen(
    folder: str, boot_of: MakeBoot
) -> None:
    first = Network(folder, boot_of("one"), subnet="10.1.0.0/30")
    os.makedirs(first.folder)
    by_the_reference(first, "10.1.0.2", "unknown")
    with pytest.raises(CniError, match="no IP addresses available"):  # it may have been written in this boot
        first.add("c1")
    assert first.at(boot_of("two")).add("c2") == ["10.1.0.2/30"]


def test_files_that_the_reference_writes_in_this_boot_are_never_taken(folder: str, boot_of: MakeBoot) -> None:
    before = Network(folder, boot_of("one"), subnet="10.1.0.0/29", rangeEnd="10.1.0.3")
    before.add("old")
    os.unlink(f"{before.folder}/10.1.0.2")
    by_the_reference(before, "10.1.0.2", "alive")  # before our first run in boot two
    after = before.at(boot_of("two"))
    assert after.add("c1") == ["10.1.0.3/29"]
    by_the_reference(after, "10.1.0.3", "alive too")  # and after it, in the place of ours
    with pytest.raises(CniError, match="no IP addresses available"):
        after.add("c2")
    assert taken(after) == {"10.1.0.2": "alive", "10.1.0.3": "alive"}


def test_another_machines_files_are_never_taken(folder: str, boot_of: MakeBoot) -> None:
    """A store on a shared file system: the boot ID differs, yet the pod lives."""
    other = Network(folder, boot_of("one", "another machine"), subnet="10.1.0.0/30")
    other.add("alive")
    with pytest.raises(CniError, match="no IP addresses available"):
        other.at(boot_of("two", "this machine")).add("c1")


def test_without_a_boot_id_nothing_is_taken(folder: str, boot_of: MakeBoot) -> None:
    before = Network(folder, boot_of("one"), subnet="10.1.0.0/30")
    before.add("old")
    with pytest.raises(CniError, match="no IP addresses available"):
        before.at(Boot("/nonexistent", "/nonexistent")).add("c1")


def test_a_file_system_without_labels_costs_nothing(boot_of: MakeBoot) -> None:
    boot = boot_of("one")
    with open("/proc/self/comm") as file:
        assert boot.mark(file.fileno()) is False
    assert boot.is_marked("/proc/self/comm") is False
    assert boot.is_earlier("/proc/self/comm") is False


def test_the_content_is_untouched(folder: str, boot_of: MakeBoot) -> None:
    network = Network(folder, boot_of("one"))
    network.add("c1")
    path = f"{network.folder}/10.1.0.2"
    assert os.getxattr(path, ATTRIBUTE) == b"machine one"
    with open(path, "rb") as file:
        assert file.read() == b"c1\r\nnet1"
