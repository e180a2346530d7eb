"""The engine with a plugin of some fifty lines (tests/support/mover.py): all that it does for any."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from cni.attach.engine import Engine
from cni.protocol.config import NetConf
from cni.protocol.errors import CniError
from cni.protocol.request import Request
from cni.protocol.result import Result
from ipam.delegate import Delegate
from tests.support import disk
from tests.support.log import Lines
from tests.support.mover import Mover
from tests.support.net import HOST, Space, unique

FOLDER = Mover.state_folder


class Attached:
    """A network that moves one link, and an attachment to it."""

    def __init__(self, device: str, pod: Space) -> None:
        self.container_id, self.pod = unique("c0ffee"), pod
        self.conf = {
            **{"cniVersion": "1.1.0", "name": "moved", "type": "mover", "link": device},
            "ipam": {"type": "host-local", "subnet": "10.77.0.0/24"},
        }
        self.engine, self.log = Engine(Mover(), Delegate()), Lines()

    def call(self, command: str, **more: object) -> Result | None:
        """Give one command."""
        handlers = {"DEL": self.engine.delete, "CHECK": self.engine.check, "GC": self.engine.gc}
        request = Request(command, self.container_id, self.pod.path, "net1")
        conf = NetConf({**self.conf, **more})
        if command == "ADD":
            return self.engine.add(request, conf, self.log)
        handlers.get(command, self.engine.status)(request, conf, self.log)
        return None


@pytest.fixture
def device() -> Iterator[str]:
    """A macvlan upon a link of its own."""
    lower, upper = unique("low"), unique("mv")
    HOST.ip("link", "add", lower, "type", "veth", "peer", "name", unique("peer"))
    HOST.ip("link", "add", upper, "link", lower, "type", "macvlan", "mode", "bridge")
    HOST.ip("link", "set", upper, "mtu", "1400", "txqueuelen", "77")
    yield upper
    HOST.ip("link", "del", lower)
    disk.clear()


@pytest.fixture
def attached(device: str, pod: Space) -> Attached:
    """Its network."""
    return Attached(device, pod)


def left() -> list[str]:
    """Return what is recorded, locked or reserved."""
    return [*disk.files(FOLDER), *disk.reserved("moved")]


def test_there_and_back(attached: Attached, device: str, pod: Space) -> None:
    """With an address, checked, and as it was afterwards, whatever the pod did to it."""
    before = HOST.settings(device)
    attached.call("STATUS")
    result = attached.call("ADD")
    assert result is not None
    assert (pod.links(), pod.addresses("net1")) == (["net1"], [str(ip.address) for ip in result.ips])
    pod.ip("link", "set", "net1", "mtu", "1300", "txqueuelen", "5", "allmulticast", "on")
    attached.call("DEL")
    attached.call("DEL")
    assert (HOST.settings(device), pod.links(), left()) == (before, [], [])


def test_the_plan(attached: Attached, device: str, pod: Space) -> None:
    """It is in the debug log before anything is done, and each step when it begins."""
    attached.call("ADD")
    said = attached.log.text("debug").splitlines()
    plan = next(line for line in said if line.startswith("plan: ")).removeprefix("plan: ")
    steps = [line.removeprefix("step: ") for line in said if line.startswith("step: ")]
    assert plan == ", ".join(steps)
    assert steps == [
        f"record what {device} is like",
        f"move {device} into {pod.path} as net1 and take addresses from host-local meanwhile",
        "detach what sees the packets of net1",
        "give net1 its addresses",
        "bring net1 up",
        "make the result",
        "give net1 its routes",
        "announce the addresses of net1",
    ]
    attached.call("DEL")


def test_refused(attached: Attached, device: str, pod: Space) -> None:
    """Nothing is left, and the error says at which step it was."""
    before = HOST.settings(device)
    routes = [{"dst": "10.99.0.0/24", "gw": "10.98.0.1"}]
    with pytest.raises(CniError) as caught:
        attached.call("ADD", ipam={"type": "host-local", "subnet": "10.77.0.0/24", "routes": routes})
    assert "failed step: give net1 its routes; undone: " in caught.value.details
    assert f"give {device} back: done" in caught.value.details
    assert (HOST.settings(device), pod.links(), left()) == (before, [], [])


@pytest.mark.parametrize("is_listed", [True, False])
def test_garbage(attached: Attached, device: str, pod: Space, is_listed: bool) -> None:
    """Only what is not valid is taken back."""
    before = HOST.settings(device)
    attached.call("ADD")
    valid = [{"containerID": attached.container_id, "ifname": "net1"}] * is_listed
    attached.call("GC", **{"cni.dev/valid-attachments": valid})
    assert pod.links() == ["net1"] * is_listed
    attached.call("DEL")
    assert (HOST.settings(device), left()) == (before, [])


def test_a_dead_pod(attached: Attached, device: str) -> None:
    """A virtual link dies with its pod: whoever comes next forgets it, and releases its address. A process that waits
    for carrier sees within a second that its pod is gone.
    """
    attached.call("ADD")
    attached.pod.delete()
    other = Attached(unique("absent"), attached.pod)
    for _ in range(100):
        other.call("DEL")
        if not left():
            break
        time.sleep(0.1)
    assert left() == []
    assert os.path.isdir(FOLDER)


@pytest.mark.parametrize(("more", "code"), [({"link": ""}, 7), ({"link": "../x"}, 7), ({"link": "absent7"}, 7)])
def test_bad_input(attached: Attached, device: str, pod: Space, more: dict[str, object], code: int) -> None:
    """A clear error, and nothing is changed."""
    before = HOST.settings(device)
    with pytest.raises(CniError) as caught:
        attached.call("ADD", **more)
    assert caught.value.code == code
    assert (HOST.settings(device), pod.links(), left()) == (before, [], [])
