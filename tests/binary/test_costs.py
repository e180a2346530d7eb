"""What an attachment costs, counted and not timed: whoever makes it more has to say so here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import costs, flavour
from tests.support.net import Space
from tests.support.plugin import REFERENCE, Attachment, binary, environment


@pytest.fixture
def attachment(pod: Space, device: str) -> Attachment:
    """host-device with host-local, as measured in `make bench`, after a first ADD and DEL: all folders are there."""
    conf = {
        "cniVersion": "1.0.0", "name": "costs", "type": "host-device", "device": device,
        "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]},
    }  # fmt: skip
    made = Attachment(conf, "costs", pod.path)
    made.add()
    made.delete()
    return made


MEMORY = {flavour.IMAGE: 10, flavour.FROZEN: 30}
"""Calls about memory, at most: one heap, and the stack of the thread that moves the link. (Unless the C library is told
so, each of the kernel's answers has three.)"""


def test_add(attachment: Attachment) -> None:
    cost = costs.of(attachment, "ADD")
    assert cost.messages == {"GETLINK": 6, "SETLINK": 2, "NEWADDR": 1, "NEWROUTE": 1}
    assert (cost.moves, cost.processes) == (1, 1)
    assert cost.syncs == 3  # the record, its folder, the address
    assert len(cost.opened) <= 24, cost.opened
    assert _outside(cost.created) == []
    assert cost.memory <= MEMORY[flavour.of_binaries()]
    assert cost.written < 1500  # the record, the address, the result: nothing is unpacked


def test_delete(attachment: Attachment) -> None:
    attachment.add()
    cost = costs.of(attachment, "DEL")
    assert cost.messages == {"GETLINK": 6, "SETLINK": 4, "GETNSID": 5}
    assert (cost.moves, cost.processes, cost.syncs) == (1, 1, 0)
    assert len(cost.opened) <= 16, cost.opened
    assert _outside(cost.created) == []
    assert cost.memory <= MEMORY[flavour.of_binaries()]
    assert cost.written < 200


def test_a_large_store(attachment: Attachment) -> None:
    """Of a thousand addresses an ADD and a DEL open those that are theirs, besides the index."""
    store = Path("/var/lib/cni/networks/costs")
    for number in range(1000):
        (store / f"10.1.{number // 250 + 1}.{number % 250 + 1}").write_bytes(f"other{number}\r\nnet1".encode())
    attachment.add()
    attachment.delete()
    opened = {command: costs.of(attachment, command).opened for command in ("ADD", "DEL")}
    assert [sum("/run/plumbline/host-local/" in path for path in paths) for paths in opened.values()] == [2, 2]
    assert [len(paths) <= 28 for paths in opened.values()] == [True, True], opened


def _outside(paths: list[str]) -> list[str]:
    """Return those that are in no folder of the plugin's state."""
    return [path for path in paths if not path.startswith("/var/lib/cni/")]


@pytest.mark.parametrize("command", ["VERSION", "ADD"])
def test_pages(command: str) -> None:
    """A start touches few of the image's pages: each costs a fault, and most of them a copy."""
    stdin = os.open(os.devnull, os.O_RDWR)
    try:
        process = os.posix_spawn(binary("host-device"), ["host-device"], environment(command), file_actions=[
            (os.POSIX_SPAWN_DUP2, stdin, fd) for fd in range(3)])  # fmt: skip
        _, status, usage = os.wait4(process, 0)
    finally:
        os.close(stdin)
    assert os.waitstatus_to_exitcode(status) == (0 if command == "VERSION" else 1)  # variables are missing for ADD
    most = {flavour.IMAGE: 450, flavour.FROZEN: 2000}[flavour.of_binaries()]  # which starts and loads all besides
    assert 100 < usage.ru_minflt + usage.ru_majflt <= most


def test_pages_of_an_attachment(attachment: Attachment, tmp_path: Path) -> None:
    """What an ADD uses of the image lies together: this is 620 pages, and 920 where it does not."""
    counted = tmp_path / "faults"
    attachment.call("ADD", prefix=("/usr/bin/time", "-f", "%R", "-o", str(counted))).ok()
    most = {flavour.IMAGE: 750, flavour.FROZEN: 2500}[flavour.of_binaries()]
    assert 100 < int(counted.read_text()) <= most


def test_check(attachment: Attachment) -> None:
    """Looking changes nothing."""
    result = attachment.add()
    attachment.conf["prevResult"] = result
    cost = costs.of(attachment, "CHECK")
    assert cost.messages == {"GETLINK": 1, "GETADDR": 1, "GETROUTE": 1}
    assert (cost.moves, cost.created, cost.written) == (0, [], 0)


def test_the_counting_sees_a_move(attachment: Attachment) -> None:
    """The reference plugin moves the device too, with messages of its own."""
    attachment.folder = REFERENCE
    assert costs.of(attachment, "ADD").moves == 1
    assert costs.of(attachment, "DEL").moves == 1
