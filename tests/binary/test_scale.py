"""Many pods at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import disk, net
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome

PODS = 100
GROUP = 77
"""Of links, for what ip(8) does to many at once."""


@pytest.fixture
def crowd() -> Iterator[list[tuple[Attachment, Space, str]]]:
    """A hundred attachments to be, each with a device and a pod of its own."""
    network = net.unique("crowd")
    made = []
    pods = net.new_spaces(PODS, "crowd")
    devices = [net.unique("nic") for _ in pods]
    HOST.batch(
        *(f"link add {device} type veth peer name far{device} group {GROUP}" for device in devices),
        f"link set group {GROUP} up",
    )
    for number, (pod, device) in enumerate(zip(pods, devices, strict=True)):
        conf = {
            "cniVersion": "1.0.0",
            "name": network,
            "type": "host-device",
            "device": device,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.60.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]},
        }
        made.append((Attachment(conf, f"crowd-{number}", pod.path), pod, device))
    yield made
    HOST.ip("link", "del", "group", str(GROUP))  # one at a time each would be waited for
    for pod in pods:
        pod.delete()


def at_once(attachments: list[Attachment], command: str) -> list[Outcome]:
    """Give the command for all attachments at the same time, a process each."""
    with ThreadPoolExecutor(len(attachments)) as threads:
        return list(threads.map(lambda one: one.call(command), attachments))


def test_hundred_at_once(crowd: list[tuple[Attachment, Space, str]]) -> None:
    """100 ADDs, then 100 DELs, all at once: none fails, no address twice, nothing left."""
    attachments = [one for one, _, _ in crowd]
    befores = {link["ifname"]: (link["address"], link["mtu"], "UP" in link["flags"]) for link in links()}
    results = [outcome.ok() for outcome in at_once(attachments, "ADD")]
    given = [result["ips"][0]["address"] for result in results]
    assert len(set(given)) == PODS
    network = attachments[0].conf["name"]
    reserved = disk.reserved(network)
    assert {f"{address}/24" for address in reserved} == set(given)
    for (one, pod, device), address in zip(crowd, given, strict=True):
        assert pod.addresses("net1") == [address], device
        assert reserved[address.partition("/")[0]] == f"{one.container_id}\r\nnet1"
    for outcome in at_once(attachments, "DEL"):
        outcome.ok()
    assert disk.reserved(network) == {}
    assert disk.files(disk.HOST_DEVICE) == {}
    assert {link["ifname"]: (link["address"], link["mtu"], "UP" in link["flags"]) for link in links()} == befores
    assert all(pod.links() == [] for _, pod, _ in crowd)


def links() -> list[dict[str, str]]:
    """Return all links of the host."""
    shown = subprocess.run(["ip", "-j", "link", "show"], check=True, capture_output=True, text=True)
    return list(json.loads(shown.stdout))
