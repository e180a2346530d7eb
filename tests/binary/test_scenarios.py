"""Network configurations that people run in the field."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk, net
from tests.support.net import HOST, Space
from tests.support.plugin import DIST, REFERENCE, REPOSITORY, Attachment, binary

SCENARIOS = Path(REPOSITORY, "tests", "golden", "scenarios")
MakePod = Callable[[], Space]


def scenario(name: str) -> dict[str, Any]:
    """Return one of the configurations, as a runtime passes it to the plugin."""
    loaded = json.loads((SCENARIOS / f"{name}.json").read_text())
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture
def bridge() -> Iterator[str]:
    """A bridge on the host: the switch that the devices' cables go to."""
    name = net.unique("switch")
    HOST.ip("link", "add", name, "type", "bridge")
    HOST.ip("link", "set", name, "up")
    yield name
    HOST.ip("link", "del", name)


def plug(bridge: str, device: str) -> str:
    """Make a device with this name whose cable goes to the bridge; return the far end's name."""
    peer = net.unique("port")
    HOST.ip("link", "add", device, "type", "veth", "peer", "name", peer)
    HOST.ip("link", "set", peer, "master", bridge, "up")
    return peer


def test_host_device_static(bridge: str, make_pod: MakePod) -> None:
    """A NIC called ens5 on each of two nodes, static addresses, gateway 0.0.0.0: the pods reach each other."""
    pods, attachments, befores = [make_pod(), make_pod()], [], []
    peers = []
    for number, pod in enumerate(pods, 1):
        # The second node's ens5 takes the name over once the first is in its pod.
        peers.append(plug(bridge, "ens5"))
        befores.append(HOST.settings("ens5"))
        one = Attachment(scenario(f"host-device-static-{number}"), f"pod{number}", pod.path)
        result = one.add()
        assert result["cniVersion"] == "0.3.1"
        attachments.append(one)
    assert [pod.addresses("net1") for pod in pods] == [["10.0.10.93/24"], ["10.0.10.238/24"]]
    for pod in pods:
        destinations = {(route["dst"], route.get("gateway")) for route in pod.routes("net1")}
        assert destinations == {("10.0.10.0/24", None)}
    pods[0].run("ping", "-c", "2", "-i", "0.2", "-W", "5", "10.0.10.238")
    pods[1].run("ping", "-c", "2", "-i", "0.2", "-W", "5", "10.0.10.93")
    for one, pod, before, peer in reversed(list(zip(attachments, pods, befores, peers, strict=True))):
        one.delete()
        assert pod.links() == []
        assert HOST.settings("ens5") == before
        HOST.ip("link", "del", peer)
    assert disk.records() == []


def test_host_device_static_without_name(make_pod: MakePod) -> None:
    """Multus adds the name; without one the plugin refuses in the words that users know."""
    conf = scenario("host-device-static-1")
    del conf["name"]
    error = Attachment(conf, "pod1", make_pod().path).call("ADD").error(7)
    assert "missing network name" in error["msg"]


def test_macvlan_with_our_host_local(make_pod: MakePod, tmp_path: Path) -> None:
    """The reference macvlan on a bond's VLAN (here a veth) gets its one address from our host-local."""
    conf = scenario("macvlan-rdma")
    plugins = tmp_path / "only-ours"
    plugins.mkdir()
    os.symlink(binary("host-local"), plugins / "host-local")
    path = f"{plugins}:{DIST}"
    HOST.ip("link", "add", conf["master"], "type", "veth", "peer", "name", "far-end")
    HOST.ip("link", "set", conf["master"], "up")
    HOST.ip("link", "set", "far-end", "up")
    HOST.ip("addr", "add", "10.199.100.1/24", "dev", "far-end")
    try:
        pod, latecomer = make_pod(), make_pod()
        one = Attachment(conf, "rdma1", pod.path, folder=REFERENCE, path=path)
        result = one.add()
        assert [(ip["address"], ip["gateway"]) for ip in result["ips"]] == [("10.199.100.251/24", "10.199.100.1")]
        assert pod.addresses("net1") == ["10.199.100.251/24"]
        assert [(r["dst"], r.get("gateway")) for r in pod.routes("net1") if r["dst"] == "default"] == [
            ("default", "10.199.100.1")
        ]
        assert disk.reserved(conf["name"]) == {"10.199.100.251": "rdma1\r\nnet1"}
        pod.run("ping", "-c", "2", "-i", "0.2", "-W", "5", "10.199.100.1")
        two = Attachment(conf, "rdma2", latecomer.path, folder=REFERENCE, path=path)
        refused = two.call("ADD")
        assert refused.status == 1
        assert "no IP addresses available in range set" in refused.json["msg"]
        two.delete()
        one.delete()
        assert disk.reserved(conf["name"]) == {}
        two.add()
        two.delete()
        assert disk.reserved(conf["name"]) == {}
    finally:
        HOST.ip("link", "del", conf["master"])
