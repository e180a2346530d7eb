"""`plumbline gc`, `release` and `network` as an operator types them, with host-device and the reference plugins."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk, net
from tests.support.command import plumbline
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment

HOST_LOCAL = {"type": "host-local", "subnet": "10.9.0.0/24"}
POD = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=router-0"
BLUE = {"cniVersion": "1.1.0", "name": "blue"}


@pytest.fixture(autouse=True)
def empty_disk() -> None:
    """Begin with nothing that others have left."""
    disk.clear()


def attached(device: str, pod: Space, **more: Any) -> Attachment:
    """Attach a link to a pod by host-device."""
    conf = {**BLUE, "type": "host-device", "device": device, "ipam": HOST_LOCAL, **more}
    one = Attachment(conf, net.unique("container"), pod.path, args=POD)
    one.add()
    return one


def test_nothing_is_left() -> None:
    """It is said."""
    assert plumbline("gc").ended(0).stdout == "nothing is left of dead pods\n"
    assert not plumbline("gc", "--json").ended(0).document["devices"]
    assert disk.files(disk.CNI) == {}


def test_what_a_dead_pod_has_left(device: str, make_device: Callable[[], str], make_pod: Callable[[], Space]) -> None:
    """A veth dies with its pod: its record goes, and the address. What lives is left alone."""
    dying, living = make_pod(), make_pod()
    one = attached(device, dying)
    attached(make_device(), living)
    dying.delete()
    on_disk = disk.files(disk.CNI)
    [planned] = plumbline("gc", "--dry-run", "--json").ended(0).document["devices"]
    assert (planned["device"], planned["owner"]["pod"], planned["outcome"]) == (
        device,
        "router-0",
        "would be given back",
    )
    assert len(planned["addresses"]) == 1
    assert disk.files(disk.CNI) == on_disk
    [done] = plumbline("gc", "--json").ended(0).document["devices"]
    assert (done["outcome"], done["addresses"]) == ("given back", planned["addresses"])
    assert done["notes"] == [f"there is no {device} on the host now: a virtual link dies with its pod"]
    assert len(disk.reserved("blue")) == 1
    assert f"{one.container_id}-net1" not in disk.records()
    assert living.links() == ["net1"]


def test_ipam_that_alone_can_release(device: str, pod: Space, tmp_path: Path) -> None:
    """The addresses of an IPAM plugin that is not ours stay taken: who is to release them is said."""
    ipam = tmp_path / "special"
    ipam.write_text('#!/bin/sh\n[ $CNI_COMMAND != ADD ] || echo \'{"ips": [{"address": "10.9.1.2/24"}]}\'\n')
    ipam.chmod(0o755)
    conf = {**BLUE, "type": "host-device", "device": device, "ipam": {"type": "special"}}
    Attachment(conf, "c1", pod.path, path=str(tmp_path)).add()
    pod.delete()
    assert "special alone can release" in plumbline("gc", "--dry-run").ended(0).stdout
    assert "have it collect its garbage" in plumbline("gc").ended(0).stdout


def test_a_damaged_record_is_a_finding() -> None:
    """Nobody knows what it was about: it is named, once and in words, and stays. So is one that can be read and makes
    no sense.
    """
    os.makedirs(disk.HOST_DEVICE)
    path = Path(disk.HOST_DEVICE, "c1-net1")
    path.write_text("{")
    Path(disk.HOST_DEVICE, "c2-net1").write_text('{"containerID": "c2", "ifName": "net1"}')
    found = plumbline("gc", "--json").ended(1).document
    first, second = found["unknown"]
    assert first.startswith(f"record {path} is damaged")
    assert "net1 of c2 is damaged" in second
    assert path.exists()
    damaged = [x for x in plumbline("doctor", "--json").document["findings"] if x["id"] == "record-damaged"]
    assert [x["measured"] for x in damaged] == [first, second]


def test_release(device: str, pod: Space) -> None:
    """A link that is no VF is released by its name, too: not as long as its pod lives, but by force."""
    before = HOST.settings(device)
    one = attached(device, pod)
    refused = plumbline("release", device).ended(4)
    assert f"{device} is not released: default/router-0 has it as net1 in network blue" in refused.stderr
    assert pod.links() == ["net1"]
    [done] = plumbline("release", "--force", "--json", device).ended(0).document["devices"]
    assert (done["outcome"], len(done["addresses"]), done["notes"]) == ("given back", 1, [])
    assert (pod.links(), HOST.settings(device), disk.reserved("blue")) == ([], before, {})
    assert plumbline("release", device).ended(10).stdout == ""
    one.delete()


def network(folder: Path, *plugins: dict[str, Any], **members: Any) -> tuple[str, ...]:
    """Write a network's list; return the options that name its folder."""
    (folder / "10.conflist").write_text(json.dumps({**BLUE, "plugins": plugins, **members}))
    return ("--conf-dir", str(folder))


def test_a_network(device: str, pod: Space, tmp_path: Path) -> None:
    """Add, list, check, status and del, with a reference plugin behind ours, say what is so."""
    name, before = str(pod.name), HOST.settings(device)
    tuning = {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.arp_filter": "1"}}
    here = network(tmp_path, {"type": "host-device", "device": device, "ipam": HOST_LOCAL}, tuning, cniVersion="1.0.0")
    assert "without STATUS" in plumbline("network", "status", "blue", *here).ended(0).stdout
    result = plumbline("network", "add", "blue", name, "--json", "--args", POD, *here).ended(0).json
    assert [x["name"] for x in result["interfaces"] if "sandbox" in x] == ["eth0"]
    [cached] = plumbline("network", "list", "--json").ended(0).document["attachments"]
    assert (cached["network"], cached["interface"], cached["netns"]) == ("blue", "eth0", pod.path)
    plumbline("network", "add", "blue", name, *here).ended(4)
    good = plumbline("network", "check", "blue", name, "--json", *here).ended(0).document
    assert good["good"]
    pod.ip("addr", "flush", "dev", "eth0")
    bad = plumbline("network", "check", "blue", name, "--json", *here).ended(1).document
    assert (bad["good"], bad["error"]["plugin"]) == (False, "host-device")
    other = network(tmp_path, {"type": "absent"})
    assert "there is no executable absent" in plumbline(
        "network", "del", "blue", name, "--current", *other
    ).ended(1).stderr  # fmt: skip
    said = plumbline("network", "del", "blue", name, *other).ended(0)
    assert "another configuration of blue by now" in said.stderr
    assert f"eth0@{name}: gone" in said.stdout
    assert (pod.links(), HOST.settings(device), disk.reserved("blue")) == ([], before, {})
    assert plumbline("network", "list").ended(0).stdout == "nothing is cached in /var/lib/cni/results\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("add", "red", "pod"), 1, 'there is no network "red"'),
        (("add", "blue", "nowhere"), 1, "/run/netns/nowhere"),
        (("add", "blue", "/proc/self/ns/net"), 1, "nothing can be attached"),
        (("add", "blue", "pod", "--ifname", "a/b"), 2, "interface name contains /"),
        (("add", "blue", "pod", "--args", "A"), 2, "'A' is no KEY=VALUE"),
        (("add", "blue", "pod", "--capabilities", "[]"), 2, "it must be a JSON object"),
        (("add", "blue", "pod", "--container-id", "../x"), 2, "invalid characters in containerID"),
        (("add", "blue", "pod", "--device", "0000:7f:00.1"), 10, "there is no VF"),
        (("check", "blue", "nowhere"), 1, "there is no cached result"),
        (("check", "old", "nowhere"), 1, "is of version 0.3.1, which has no CHECK"),
        (("gc", "red"), 1, 'there is no network "red"'),
        (("status", "blue"), 1, "there is no executable absent"),
    ],
)
def test_refused(arguments: tuple[str, ...], status: int, said: str, tmp_path: Path) -> None:
    """What is asked for and why it cannot be."""
    here = network(tmp_path, {"type": "absent"})
    (tmp_path / "20.conf").write_text('{"name": "old", "type": "absent", "cniVersion": "0.3.1"}')
    assert said in plumbline("network", *arguments, *here).ended(status).stderr


def test_gc_keeps_what_may_live(device: str, pod: Space, tmp_path: Path) -> None:
    """Of a cached attachment without a namespace, as libcni 1.1 writes it, nobody knows: it is valid, as is what our
    own records tell of, and what Multus caches.
    """
    here = network(tmp_path, {"type": "host-device"})
    one = attached(device, pod)
    for folder, container_id, netns in (
        ("results", "old", None),
        ("results", "gone", "/run/netns/gone"),
        ("multus/results", "multus", pod.path),
    ):
        whole = {"kind": "cniCacheV1", "containerId": container_id, "ifName": "net1", "networkName": "blue"}
        path = Path(disk.CNI, folder, f"blue-{container_id}-net1")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**whole, **({"netns": netns} if netns else {})}))
    on_disk = disk.files(disk.CNI)
    found = plumbline("network", "gc", "blue", "--dry-run", "--json", *here).ended(0).document
    assert [x["containerID"] for x in found["stale"]] == ["gone"]
    assert {x["containerID"] for x in found["valid"]} == {"old", "multus", one.container_id}
    assert disk.files(disk.CNI) == on_disk
    plumbline("network", "gc", "blue", *here).ended(0)
    assert pod.links() == ["net1"]
    assert sorted(disk.files(f"{disk.CNI}/results")) == ["blue-old-net1"]
