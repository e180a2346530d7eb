"""What the kubelet and libcni have written down, well and badly."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from plumbline.node import kubernetes
from plumbline.node.model import Owner, Pod, Source
from plumbline.node.roots import Roots

VF0, VF1 = "0000:03:02.0", "0000:03:02.1"
KUBELET_ARGS = [
    ["IgnoreUnknown", "1"],
    ["K8S_POD_NAMESPACE", "default"],
    ["K8S_POD_NAME", "web"],
    ["K8S_POD_INFRA_CONTAINER_ID", "5f0c"],
    ["K8S_POD_UID", "6f1c"],
]


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """Folders of the test's own."""
    (tmp_path / "results").mkdir()
    (tmp_path / "logs").mkdir()
    return Roots(
        results=(str(tmp_path / "results"), str(tmp_path / "multus")),
        checkpoint=str(tmp_path / "checkpoint"),
        pod_logs=str(tmp_path / "logs"),
    )


def cached(**changes: Any) -> dict[str, Any]:
    """Return what libcni caches, with changes. config: as an object."""
    config = changes.pop("config", {"name": "blue", "type": "sriov", "deviceID": VF0})
    encoded = base64.b64encode(json.dumps(config).encode()).decode()
    whole = {"kind": "cniCacheV1", "containerId": "c0ffee", "config": encoded, "ifName": "net1", "networkName": "blue"}
    return {**whole, "netns": "/run/netns/pod1", "cniArgs": KUBELET_ARGS, **changes}


def checkpoint(devices: Any, uid: Any = "6f1c") -> dict[str, Any]:
    """Return the kubelet's checkpoint with one entry."""
    entry = {"PodUID": uid, "ContainerName": "main", "ResourceName": "intel.com/vfs", "DeviceIDs": devices}
    return {"Data": {"PodDeviceEntries": [entry], "RegisteredDevices": {}}, "Checksum": 17}


def test_pod_names(roots: Roots) -> None:
    """A folder of logs names namespace, pod and UID; others are none."""
    for name in ("default_web_6f1c", "kube-system_probe_0a1b", "lost+found", "a_b"):
        Path(roots.pod_logs, name).mkdir()
    names = kubernetes.pod_names(roots)
    assert names == {"6f1c": Pod("default", "web", "6f1c"), "0a1b": Pod("kube-system", "probe", "0a1b")}


@pytest.mark.parametrize("devices", [{"-1": [VF0], "0": [VF1]}, [VF0, VF1]], ids=["by NUMA node", "a list"])
def test_checkpoint(roots: Roots, devices: Any) -> None:
    """Both forms of the kubelet's; a pod whose name nobody knows has its UID."""
    Path(roots.checkpoint).write_text(json.dumps(checkpoint(devices)))
    assert kubernetes.allocated(roots, {}) == dict.fromkeys((VF0, VF1), Owner(Source.KUBELET, Pod(uid="6f1c")))
    pod = Pod("default", "web", "6f1c")
    assert kubernetes.allocated(roots, {"6f1c": pod})[VF1].pod == pod


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"Data": []}',
        '{"Data": {"PodDeviceEntries": {}}}',
        '{"Data": {"PodDeviceEntries": [null, 7, []]}}',
        json.dumps(checkpoint("0000:03:02.0")),
        json.dumps(checkpoint({"-1": "0000:03:02.0"})),
        json.dumps(checkpoint(["gpu-7", 7, None])),
        json.dumps(checkpoint([VF0], uid=None)),
        "[" * 100_000,
    ],
)
def test_no_checkpoint(roots: Roots, text: str) -> None:
    """What is none is as absent."""
    Path(roots.checkpoint).write_text(text)
    assert kubernetes.allocated(roots, {}) == {}


def test_absent(roots: Roots) -> None:
    """Where there is no kubelet and no runtime, nothing is known."""
    nowhere = Roots(results=("/nowhere",), checkpoint="/nowhere/checkpoint", pod_logs="/nowhere/logs")
    assert kubernetes.allocated(nowhere, {}) == {}
    assert kubernetes.cached(nowhere) == {}
    assert kubernetes.pod_names(nowhere) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"type": "sriov", "deviceID": VF0}},
        {"config": {"plugins": [{"type": "sriov", "deviceID": VF0}]}},
        {"config": {"type": "host-device", "pciBusID": VF0.upper()}},
        {"config": {"type": "sriov"}, "capabilityArgs": {"deviceID": VF0}},
    ],
    ids=["a configuration", "a list", "host-device", "by the runtime"],
)
def test_cache(roots: Roots, changes: dict[str, Any]) -> None:
    """Wherever the configuration names the device, the cache names pod, container, interface and network."""
    Path(roots.results[0], "blue-c0ffee-net1").write_text(json.dumps(cached(**changes)))
    pod = Pod("default", "web", "6f1c")
    owner = Owner(Source.CACHE, pod, "c0ffee", "net1", "blue", netns="/run/netns/pod1")
    assert kubernetes.cached(roots) == {VF0: owner}


def test_a_dead_pods_cache_does_not_hide_a_living_ones(roots: Roots, tmp_path: Path) -> None:
    """Whichever is read first: the one whose namespace is there counts."""
    living = tmp_path / "netns"
    living.touch()
    for name, netns in (("a", "/gone"), ("b", str(living)), ("c", "/gone, too")):
        Path(roots.results[0], name).write_text(json.dumps(cached(netns=netns, containerId=name)))
    assert kubernetes.cached(roots)[VF0].container_id == "b"


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "cniCacheV2"},
        {"config": []},
        {"config": {"deviceID": "eth0"}},
        {"config": {"deviceID": 7, "plugins": 7}},
        {"config": {"plugins": [7, None]}, "capabilityArgs": []},
    ],
)
def test_no_cache(roots: Roots, changes: dict[str, Any]) -> None:
    """What names no device is as absent."""
    Path(roots.results[0], "x").write_text(json.dumps(cached(**changes)))
    assert kubernetes.cached(roots) == {}


@pytest.mark.parametrize("args", [None, {}, "x", [["K8S_POD_NAME"], 7, [["x"], "y"]]])
def test_arguments_of_another_form(roots: Roots, args: Any) -> None:
    """The container is named though nothing is known of the pod."""
    Path(roots.results[0], "x").write_text(json.dumps(cached(cniArgs=args)))
    assert str(kubernetes.cached(roots)[VF0]) == "c0ffee"
    assert kubernetes.cached(roots)[VF0].pod == Pod()
