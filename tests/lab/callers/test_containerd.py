"""containerd runs pod sandboxes over CRI, with sriov as the network of all pods: what the kubelet asks of a runtime."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import disk, net
from tests.support.cri import Sandbox, Sandboxes
from tests.support.given_back import given_back
from tests.support.inprocess import document, run
from tests.support.vfs import PF, VF, wait_for

FOLDER = "/run/plumbline-cri"
NETWORK = "pods"
VLAN = 100


@pytest.fixture(scope="module")
def containerd(pfs: list[PF]) -> Iterator[Sandboxes]:
    """One containerd for all tests; every pod wants the same VF."""
    ipam = {"type": "host-local", "subnet": "10.60.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}
    plugin = {"type": "sriov", "deviceID": pfs[0].vfs[0].address, "vlan": VLAN, "ipam": ipam}
    made = Sandboxes(FOLDER, NETWORK, [plugin])
    made.containerd.start()
    try:
        made.import_pause()
        yield made
    finally:
        made.containerd.stop()
        shutil.rmtree(FOLDER)


@pytest.fixture
def sandboxes(containerd: Sandboxes, vf: VF) -> Iterator[Sandboxes]:
    """The same, without a sandbox before the test and after it."""
    yield containerd
    containerd.remove_left()


def assert_attached(vf: VF, sandbox: Sandbox) -> None:
    """Assert that the sandbox has the VF, with the VLAN and the address that the kubelet was told of."""
    assert sandbox.space.links() == ["eth0"]
    assert sandbox.space.addresses("eth0") == [f"{address}/24" for address in sandbox.addresses]
    assert [entry["vlan"] for entry in vf.table()["vlan_list"]] == [VLAN]


@pytest.mark.tried("containerd", "a pod sandbox over CRI, on a VF: run, stop, remove")
def test_sandbox(vf: VF, sandboxes: Sandboxes) -> None:
    """It has VF, VLAN, address and route; the operator is told whose the VF is; then all is as before."""
    with given_back(vf):
        one = sandboxes.run("router-0", "network")
        assert_attached(vf, one)
        assert [route["dst"] for route in one.space.routes("eth0")] == ["default", "10.60.0.0/24"]
        owner = document("show", vf.address)["vf"]["owner"]
        assert (owner["source"], owner["containerID"], owner["alive"]) == ("record", one.id, True)
        assert (owner["namespace"], owner["pod"], owner["uid"]) == ("network", "router-0", "router-0-uid")
        assert "network/router-0" in run("vfs", vf.pf.name)
        sandboxes.remove(one)


@pytest.mark.tried("containerd", "a sandbox that is stopped twice at once, and a third time")
def test_stopped_twice_at_once(vf: VF, sandboxes: Sandboxes) -> None:
    """The kubelet stops a sandbox again when an answer is late: both succeed, and so does a third time."""
    with given_back(vf):
        one = sandboxes.run("router-1")
        command = sandboxes.command("stopp", one.id)
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
        said = [process.communicate()[0].decode() for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        sandboxes.stop(one)
        sandboxes.remove(one)


@pytest.mark.tried("containerd", "containerd started anew between ADD and DEL")
def test_containerd_restarted(vf: VF, sandboxes: Sandboxes) -> None:
    """An upgrade of containerd between ADD and DEL: the pod keeps the VF meanwhile, and gives it back."""
    with given_back(vf):
        one = sandboxes.run("router-2")
        sandboxes.containerd.stop()
        sandboxes.containerd.start()
        assert_attached(vf, one)
        sandboxes.remove(one)


@pytest.mark.tried("containerd", "a sandbox that is killed, with its shim or without")
@pytest.mark.parametrize("shim", [False, True], ids=["pause", "shim and pause"])
def test_killed(vf: VF, sandboxes: Sandboxes, shim: bool) -> None:
    """The sandbox's process dies, also with the shim that watches it. Its namespace is still there, and is emptied.

    containerd may not have noticed yet; the kubelet asks until the sandbox is stopped.
    """
    with given_back(vf):
        one = sandboxes.run("router-3")
        one.kill(shim)
        wait_for(lambda: sandboxes.is_stopped(one), "stopped sandbox", 60)
        sandboxes.remove(one)


@pytest.mark.tried("containerd", "a sandbox that dies with its namespace, and is stopped when another has its VF")
def test_stopped_late(vf: VF, sandboxes: Sandboxes) -> None:
    """A sandbox dies with its namespace, as when a node boots again, and another pod gets the VF before the dead one is
    stopped: that takes nothing from the living.
    """
    with given_back(vf):
        dead = sandboxes.run("router-4")
        dead.kill(shim=True)
        dead.space.delete()
        living = sandboxes.run("router-5")
        assert_attached(vf, living)
        sandboxes.remove(dead)
        assert_attached(vf, living)
        sandboxes.remove(living)


@pytest.mark.tried("containerd", "a sandbox that wants the VF of another")
def test_vf_of_another_pod(vf: VF, sandboxes: Sandboxes) -> None:
    """A second sandbox does not start, CRI says why, and the DEL that follows takes nothing from the first."""
    with given_back(vf):
        one = sandboxes.run("router-6")
        with pytest.raises(AssertionError, match=f"{vf.address}.*router-6"):
            sandboxes.run("router-7")
        assert_attached(vf, one)
        sandboxes.remove(one)


@pytest.mark.tried("containerd", "a DEL that fails, and is repeated")
def test_del_that_fails_once(vf: VF, sandboxes: Sandboxes) -> None:
    """The sandbox is not stopped, CRI says why, and the kubelet's next attempt ends it all."""
    with given_back(vf):
        one = sandboxes.run("router-8")
        with read_only(disk.SRIOV), pytest.raises(AssertionError, match="Read-only file system"):
            sandboxes.stop(one)
        sandboxes.remove(one)


@contextmanager
def read_only(folder: str) -> Iterator[None]:
    """Let nobody write to a folder, as a file system that the kernel has found broken."""
    net.run("mount", "--bind", folder, folder)
    net.run("mount", "-o", "remount,bind,ro", folder)
    try:
        yield
    finally:
        net.run("umount", folder)
