"""whereabouts as IPAM of ours: addresses of the whole cluster, by the executable in CNI_PATH."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers import peer
from tests.support import disk, net
from tests.support.net import HOST, Space
from tests.support.plugin import DIST, Attachment
from tests.support.whereabouts import POOLS, RESERVATIONS, Cluster, cluster

pytestmark = pytest.mark.tried("whereabouts", "IPAM of ours: all commands, a cluster that fails or does not answer")

ADDRESS = "10.40.0.1/30"
VALID_NONE: dict[str, Any] = {"cni.dev/valid-attachments": []}


@pytest.fixture
def api() -> Iterator[Cluster]:
    """The cluster's API server."""
    with cluster() as made:
        yield made


Attach = Callable[..., Attachment]


@pytest.fixture
def attach(make_device: Callable[..., str], pod: Space) -> Attach:
    """A function that returns the attachment of a device of its own to a pod, with an address of a range of two."""

    def make(target: Space | None = None) -> Attachment:
        ipam = {"type": "whereabouts", "range": "10.40.0.0/30"}
        conf = {"cniVersion": "1.1.0", "name": "wide", "type": "host-device", "device": make_device(), "ipam": ipam}
        space, name = target or pod, net.unique("container")
        args = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-of-{name}"
        path = f"{DIST}:{peer('whereabouts')}"
        return Attachment(conf, name, space.path, path=path, args=args)

    return make


def test_add_and_del(api: Cluster, attach: Attach, pod: Space) -> None:
    """The cluster knows whose the address is, and gets it back. ADD that comes again gets the same one."""
    one = attach()
    assert [x["address"] for x in one.add()["ips"]] == pod.addresses("net1") == [ADDRESS]
    mine = {"id": one.container_id, "podref": f"default/pod-of-{one.container_id}", "ifname": "net1"}
    assert api.allocated() == [mine]
    assert [x["spec"] for x in api.below(RESERVATIONS)] == [{"podref": mine["podref"], "ifname": "net1"}]
    assert [x["address"] for x in one.add()["ips"]] == [ADDRESS]
    assert api.allocated() == [mine]
    one.delete()
    one.delete()
    assert (api.allocated(), api.below(RESERVATIONS), pod.links(), disk.records()) == ([], [], [], [])


def test_pods_beside_each_other(api: Cluster, attach: Attach, make_pod: Callable[[], Space]) -> None:
    """The range has two addresses: the third ADD is refused in whereabouts' words, and nothing of it stays."""
    pods = [make_pod() for _ in range(3)]
    first, second, third = (attach(pod) for pod in pods)
    first.add()
    second.add()
    assert [pod.addresses("net1") for pod in pods[:2]] == [["10.40.0.1/30"], ["10.40.0.2/30"]]
    before = HOST.settings(third.conf["device"])
    error = third.call("ADD").error(999)
    assert "Could not allocate IP in range" in error["msg"]
    assert HOST.settings(third.conf["device"]) == before
    assert [x["id"] for x in api.allocated()] == [first.container_id, second.container_id]
    first.delete()
    third.add()
    assert pods[2].addresses("net1") == ["10.40.0.1/30"]


def test_the_namespace_is_gone(api: Cluster, attach: Attach, pod: Space) -> None:
    """Its path, or the runtime's knowledge of it: DEL gives the address back all the same."""
    for named in (True, False):
        one = attach()
        one.add()
        pod.delete()
        one.netns = pod.path if named else ""
        one.delete()
        assert (api.allocated(), disk.records()) == ([], [])
        net.run("ip", "netns", "add", str(pod.name))
        one.netns = pod.path


def test_what_it_does_not_know(api: Cluster, attach: Attach, pod: Space) -> None:
    """CHECK is its own error, which is passed on, as the specification has it. GC and STATUS it lets pass."""
    one = attach()
    one.add()
    assert one.check().error(999)["msg"] == "CNI CHECK method is not implemented"
    one.call("STATUS").ok()
    one.call("GC", **VALID_NONE).ok()
    assert pod.links() == []
    assert len(api.allocated()) == 1  # nobody but DEL, and its own reconciler, gives it back
    one.delete()
    assert api.allocated() == []


def test_the_cluster_fails(api: Cluster, attach: Attach, pod: Space) -> None:
    """ADD is undone. whereabouts says of every DEL that it succeeded: its reconciler finds what it left."""
    one = attach()
    before = HOST.settings(one.conf["device"])
    api.broken = POOLS
    error = one.call("ADD").error(999)
    assert "error at storage engine" in error["msg"]
    assert HOST.settings(one.conf["device"]) == before
    assert (api.allocated(), pod.links(), disk.records()) == ([], [], [])
    api.broken = None
    one.add()
    api.broken = POOLS
    one.delete()
    assert (len(api.allocated()), pod.links(), disk.records()) == (1, [], [])
    assert HOST.settings(one.conf["device"]) == before


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda x: x.name)
def test_the_cluster_does_not_answer(how: signal.Signals, api: Cluster, attach: Attach, pod: Space) -> None:
    """A runtime that is tired of waiting ends ADD. On SIGTERM, whereabouts is ended and ADD undone, for which the
    cluster has to answer, or whereabouts to give up, a minute later. After SIGKILL, of both, DEL does the same.
    """
    one = attach()
    before = HOST.settings(one.conf["device"])
    api.answers.clear()
    with one.start("ADD") as add:
        assert add.stdin is not None
        assert add.stdout is not None
        add.stdin.write(json.dumps(one.conf).encode())
        add.stdin.close()
        assert api.waiting.wait(20)
        api.waiting.clear()
        asking = Path(f"/proc/{add.pid}/task/{add.pid}/children").read_text().split()
        add.send_signal(how)
        if how == signal.SIGKILL:
            for child in asking:
                os.kill(int(child), how)
        else:
            assert api.waiting.wait(20)  # for an answer to DEL
        api.answers.set()
        said = add.stdout.read()
    if how == signal.SIGKILL:
        one.delete()
    else:
        assert json.loads(said)["msg"] == "ADD was terminated by SIGTERM"
    assert (api.allocated(), pod.links(), disk.records()) == ([], [], [])
    assert HOST.settings(one.conf["device"]) == before
