"""What CRI-O asks of a network, in its order: STATUS polled, ADD and CHECK at once, GC at its start with the list of
pods that it knows, DEL twice, DEL of a pod whose namespace is gone.

CRI-O calls libcni by its library ocicni (pkg/ocicni/ocicni.go there): `StatusWithContext`, `SetUpPodWithContext` with
`GetPodNetworkStatusWithContext` right after it, `TearDownPodWithContext`, `GC`. Here cnitool makes the same calls of
libcni, but for GC: cnitool has no list of valid attachments to give, so the plugin is called as libcni calls it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.peers import peer
from tests.support import net
from tests.support.given_back import given_back
from tests.support.inprocess import document
from tests.support.net import Space
from tests.support.plugin import DIST, REFERENCE, Outcome, binary, environment
from tests.support.plugin import run as run_plugin
from tests.support.vfs import VF

NETWORK = "pods"
IFNAME = "eth0"
OTHER = {"containerID": "of-another-pod", "ifname": IFNAME}


class Node:
    """A node with CRI-O: one network, which is a VF. folder: where the network's configuration lies."""

    def __init__(self, folder: Path, vf: VF) -> None:
        self.folder = folder
        ipam = {"type": "host-local", "subnet": "10.63.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}
        self.plugin = {"type": "sriov", "deviceID": vf.address, "vlan": 100, "ipam": ipam}
        whole = {"cniVersion": "1.1.0", "name": NETWORK, "plugins": [self.plugin]}
        (folder / "10-pods.conflist").write_text(json.dumps(whole))

    def cnitool(self, command: str, netns: str, name: str = "router-0") -> dict[str, Any]:
        """Have libcni give a command for a pod, and return the result of ADD, {} of others."""
        environ = {
            "CNI_PATH": f"{DIST}:{REFERENCE}",
            "NETCONFPATH": str(self.folder),
            "CNI_IFNAME": IFNAME,
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={name};"
            f"K8S_POD_INFRA_CONTAINER_ID={container_id(netns)};K8S_POD_UID={name}-uid",
        }
        said = net.run(binary("cnitool", peer("cnitool")), command, NETWORK, netns, env=environ)
        return json.loads(said) if said else {}

    def gc(self, valid: Sequence[dict[str, str]] | None) -> Outcome:
        """Have the plugin collect garbage as libcni does. valid: None is what a list that nobody has made becomes."""
        listed = {"cni.dev/valid-attachments": valid, "cni.dev/attachments": valid}
        conf = {**self.plugin, "name": NETWORK, "cniVersion": "1.1.0", **listed}
        # libcni sets all variables, whether the command has a value for them or not.
        variables = environment("GC", "", "", "", "", f"{DIST}:{REFERENCE}")
        return run_plugin(binary("sriov"), json.dumps(conf).encode(), variables)


def container_id(netns: str) -> str:
    """Return the container ID that cnitool makes of a namespace."""
    return f"cnitool-{hashlib.sha512(netns.encode()).hexdigest()[:20]}"


def forget(pod: Space) -> None:
    """Remove what libcni has cached of a pod's attachment."""
    os.unlink(f"/var/lib/cni/results/{NETWORK}-{container_id(pod.path)}-{IFNAME}")


@pytest.fixture
def node(tmp_path: Path, vf: VF) -> Node:
    """A node, without pods."""
    return Node(tmp_path, vf)


@pytest.mark.tried(
    "cnitool", "what CRI-O asks: STATUS, ADD and CHECK, STATUS, GC at its start, DEL twice", versions=("1.3.1",)
)
def test_life_of_a_pod(vf: VF, pod: Space, node: Node) -> None:
    """From the first STATUS to a DEL that comes twice; CRI-O is started anew meanwhile."""
    with given_back(vf):
        node.cnitool("status", pod.path)
        result = node.cnitool("add", pod.path)
        node.cnitool("check", pod.path)
        assert pod.addresses(IFNAME) == [result["ips"][0]["address"]]
        # A VF that has found its pod is no reason to call the node's network down.
        node.cnitool("status", pod.path)
        owner = document("show", vf.address)["vf"]["owner"]
        assert (owner["namespace"], owner["pod"]) == ("default", "router-0")
        node.gc([OTHER, {"containerID": container_id(pod.path), "ifname": IFNAME}]).ok()
        node.cnitool("check", pod.path)
        for _ in ("the pod is stopped", "the pod is removed"):
            node.cnitool("del", pod.path)
        assert pod.links() == []
    node.cnitool("status", pod.path)


def test_gc_at_start(vf: VF, pod: Space, node: Node) -> None:
    """A pod that CRI-O does not know any more gives its VF back, though its namespace is still there. That libcni has
    no cache of it either is what a CRI-O leaves that is killed during ADD.
    """
    with given_back(vf):
        node.cnitool("add", pod.path)
        forget(pod)
        node.gc([OTHER]).ok()
        assert pod.links() == []


def test_gc_of_a_network_without_pods(vf: VF, pod: Space, node: Node) -> None:
    """Of each network in its folder CRI-O tells which pods of its own are valid, and of some it has none: that may be a
    network to which Multus attaches pods. Only the dead give back their VFs.
    """
    with given_back(vf):
        node.cnitool("add", pod.path)
        forget(pod)
        node.gc(None).ok()
        assert pod.links() == [IFNAME]
        pod.delete()
        node.gc(None).ok()


@pytest.mark.tried(
    "cnitool", "what CRI-O asks after a boot: DEL of a pod without namespace, twice", versions=("1.3.1",)
)
def test_namespace_is_gone(vf: VF, pod: Space, node: Node) -> None:
    """A node that was switched off: the pods of before are stopped, by paths that lead nowhere."""
    with given_back(vf):
        node.cnitool("add", pod.path)
        pod.delete()
        for _ in ("the pod is stopped", "the pod is removed"):
            node.cnitool("del", pod.path)
