"""`plumbline network` and cnitool on the same attachments: either finishes what the other began, by libcni's cache."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk
from tests.support.called_by_cnitool import ARGS, IPAM, MAC, SBR, UNLUCKY, tuning
from tests.support.cnitool import DEBIAN, NETWORK, NEWEST, Cnitool, cached
from tests.support.command import MODULE, Said, plumbline
from tests.support.net import HOST, Space

pytestmark = pytest.mark.tried(
    "cnitool", "plumbline network and cnitool finish what the other began, by libcni's cache"
)

GIVEN = {"ips": ["10.8.0.77/24"], "mac": MAC, "note": {"z": "<", "a": 1}}


@pytest.fixture(params=[NEWEST, DEBIAN])
def cnitool(request: pytest.FixtureRequest, tmp_path: Path, device: str) -> Cnitool:
    """cnitool with a network whose plugins want what is given to them."""
    made = Cnitool(request.param, tmp_path)
    ours = {"type": "host-device", "device": device, "capabilities": {"ips": True}, "ipam": IPAM}
    made.write(ours, tuning(tmp_path, capabilities={"mac": True}), SBR)
    return made


def network(cnitool: Cnitool, verb: str, *arguments: str, **variables: str) -> Said:
    """Give a verb of `plumbline network` for the same network."""
    folders = {"NETCONFPATH": str(cnitool.folder), "CNI_PATH": cnitool.path, "CNI_IFNAME": "net1"}
    return plumbline("network", verb, NETWORK, *arguments, program=MODULE, **folders, **variables)


def add(cnitool: Cnitool, pod: Space) -> Said:
    """Attach a pod by plumbline, with what cnitool is given elsewhere."""
    return network(cnitool, "add", pod.path, CNI_ARGS=ARGS, CAP_ARGS=json.dumps(GIVEN))


def only_cached() -> bytes:
    """Return what libcni's cache holds, which has one file."""
    [content] = disk.files(f"{disk.CNI}/results").values()
    return content


def nothing_is_left(pod: Space) -> None:
    """Assert it of pod, cache, addresses and records."""
    assert (pod.links(), cached(), disk.reserved(NETWORK), disk.records()) == ([], [], {}, [])


def told(content: bytes) -> dict[str, Any]:
    """Return a cached attachment without its namespace, which libcni before 1.2 does not write."""
    whole: dict[str, Any] = json.loads(content)
    whole.pop("netns", None)
    whole["result"].setdefault("dns", {})  # nor does it leave out an empty one
    return whole


def test_the_same_is_cached(cnitool: Cnitool, pod: Space) -> None:
    """Under the same name, of the same attachment; to the byte what the newest libcni writes."""
    cnitool("add", pod, GIVEN, args=ARGS).ended(0)
    names, theirs = cached(), only_cached()
    cnitool("del", pod, GIVEN, args=ARGS).ended(0)
    add(cnitool, pod).ended(0)
    assert (cached(), told(only_cached())) == (names, told(theirs))
    if cnitool.version == NEWEST:
        assert only_cached() == theirs
    network(cnitool, "del", pod.path).ended(0)
    nothing_is_left(pod)


def test_plumbline_finishes_what_cnitool_began(cnitool: Cnitool, pod: Space, device: str) -> None:
    """Arguments and capabilities are those of ADD, and so is the configuration, whatever the folder has by now."""
    before = HOST.settings(device)
    cnitool("add", pod, GIVEN, args=ARGS).ended(0)
    network(cnitool, "check", pod.path).ended(0)
    [listed] = plumbline("network", "list", "--json").ended(0).json["attachments"]
    assert listed["netns"] == (pod.path if cnitool.version == NEWEST else None)
    assert network(cnitool, "add", pod.path).ended(4).stderr
    os.unlink(cnitool.folder / f"10-{NETWORK}.conflist")
    network(cnitool, "del", pod.path).ended(0)
    nothing_is_left(pod)
    assert HOST.settings(device) == before


def test_cnitool_finishes_what_plumbline_began(cnitool: Cnitool, pod: Space, device: str) -> None:
    """CHECK and DEL find the result of ADD."""
    before = HOST.settings(device)
    add(cnitool, pod).ended(0)
    assert pod.addresses("net1") == ["10.8.0.77/24"]
    cnitool("check", pod, GIVEN, args=ARGS).ended(0)
    pod.ip("addr", "del", "10.8.0.77/24", "dev", "net1")
    assert "10.8.0.77/24" in cnitool("check", pod, GIVEN, args=ARGS).ended(1).stderr
    cnitool("del", pod, GIVEN, args=ARGS).ended(0)
    nothing_is_left(pod)
    assert HOST.settings(device) == before


def test_plumbline_takes_off_what_failed_under_cnitool(cnitool: Cnitool, pod: Space, device: str) -> None:
    """Nothing is cached of an ADD that a plugin behind ours failed at, and nothing was undone."""
    before = HOST.settings(device)
    program = cnitool.folder / "unlucky"
    program.write_text(UNLUCKY)
    program.chmod(0o755)
    cnitool.path += f":{cnitool.folder}"
    cnitool.write({"type": "host-device", "device": device, "ipam": IPAM}, SBR, {"type": "unlucky"})
    cnitool("add", pod).ended(1)
    assert (pod.links(), cached()) == (["net1"], [])
    network(cnitool, "del", pod.path).ended(0)
    nothing_is_left(pod)
    assert HOST.settings(device) == before


def test_plumbline_gc_spares_the_living(
    tmp_path: Path, make_device: Callable[..., str], make_pod: Callable[[], Space]
) -> None:
    """cnitool's `gc` takes off all that is cached. Ours gives DEL to what is dead, and names the living to GC."""
    cnitool = Cnitool(NEWEST, tmp_path)
    dying, living = make_pod(), make_pod()
    for pod in (dying, living):
        ours = {"type": "host-device", "device": make_device(), "ipam": IPAM}
        cnitool.write(ours, tuning(tmp_path, promisc=True))
        cnitool("add", pod).ended(0)
    dying.delete()
    network(cnitool, "gc").ended(0)
    assert (living.links(), len(cached()), len(disk.reserved(NETWORK)), len(disk.records())) == (["net1"], 1, 1, 1)
    cnitool("gc", living).ended(0)
    nothing_is_left(living)
