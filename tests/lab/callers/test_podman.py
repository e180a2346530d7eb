"""podman runs containers in CNI networks of which each is a VF."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import kill
from tests.support.given_back import given_back
from tests.support.inprocess import document
from tests.support.net import Space
from tests.support.podman import Podman
from tests.support.vfs import PF, VF, wait_for

FOLDER = "/run/plumbline-podman"
VLANS = {"blue": 100, "green": 200}
MAC = "02:00:5e:00:00:64"


@pytest.fixture(scope="module")
def podman(pfs: list[PF]) -> Iterator[Podman]:
    """One podman for all tests, with a network `blue` of a VF of the first PF, and `green` of one of the second."""
    made = Podman(FOLDER)
    for (name, vlan), pf, third in zip(VLANS.items(), pfs, (61, 62), strict=True):
        ipam = {"type": "host-local", "subnet": f"10.{third}.0.0/24", "routes": [{"dst": f"10.{third}.0.0/16"}]}
        made.network(name, {"type": "sriov", "deviceID": pf.vfs[0].address, "vlan": vlan, "ipam": ipam})
    yield made
    shutil.rmtree(FOLDER)


@pytest.fixture
def containers(podman: Podman, vf: VF) -> Iterator[Podman]:
    """The same, without a container before the test and after it."""
    yield podman
    podman.remove_left()


def told(podman: Podman, name: str) -> dict[str, Any]:
    """Return what podman says of a container."""
    (found,) = json.loads(podman("inspect", name))
    assert isinstance(found, dict)
    return found


def pod_of(podman: Podman, name: str) -> Space:
    """Return the network namespace of a container that runs."""
    return Space(os.path.basename(told(podman, name)["NetworkSettings"]["SandboxKey"]))


def assert_attached(vf: VF, podman: Podman, name: str, network: str = "blue", ifname: str = "eth0") -> None:
    """Assert that a container has the VF, with the network's VLAN and the address that podman tells."""
    endpoint = told(podman, name)["NetworkSettings"]["Networks"][network]
    pod = pod_of(podman, name)
    assert pod.addresses(ifname) == [f"{endpoint['IPAddress']}/{endpoint['IPPrefixLen']}"]
    assert pod.settings(ifname)["mac"] == endpoint["MacAddress"]
    assert vf.table()["vlan_list"] == [{"vlan": VLANS[network]}]


@pytest.mark.tried("podman", "a container on a VF: run, restart, rm --force")
def test_run_restart_remove(vf: VF, containers: Podman) -> None:
    """`restart` is DEL and ADD of one container ID, `rm -f` DEL while it runs; meanwhile the operator is told whose the
    VF is.
    """
    with given_back(vf):
        one = containers.run("web", "--network", "blue")
        assert_attached(vf, containers, "web")
        owner = document("show", vf.address)["vf"]["owner"]
        assert (owner["containerID"], owner["pod"], owner["network"]) == (one, "web", "blue")
        containers("restart", "--time", "0", "web")
        assert_attached(vf, containers, "web")
        assert told(containers, "web")["Id"] == one
        containers.remove("web")


@pytest.mark.tried("podman", "a container in the place of another: run --replace")
def test_same_name_twice(vf: VF, containers: Podman) -> None:
    """`run --replace` removes the container of that name first: the new one has the VF."""
    with given_back(vf):
        first = containers.run("web", "--network", "blue")
        second = containers.run("web", "--network", "blue", "--replace")
        assert first != second
        assert_attached(vf, containers, "web")
        containers.remove("web")


@pytest.mark.tried("podman", "one container ID twice: stop, start")
def test_stopped_and_started(vf: VF, containers: Podman) -> None:
    """A container that has ended has given the VF back, and gets it again when it is started."""
    with given_back(vf):
        containers.run("web", "--network", "blue")
        containers("stop", "--time", "0", "web")
    with given_back(vf):
        containers("start", "web")
        assert_attached(vf, containers, "web")
        containers.remove("web")


@pytest.mark.tried("podman", "a container that is killed, and started again")
def test_killed(vf: VF, containers: Podman) -> None:
    """conmon sees the container die, and has its network taken down; then it is started again."""
    with given_back(vf):
        containers.run("web", "--network", "blue")
        os.kill(told(containers, "web")["State"]["Pid"], signal.SIGKILL)
        wait_for(lambda: kill.remains() == [], "end of podman's cleanup")
    with given_back(vf):
        containers("start", "web")
        assert_attached(vf, containers, "web")
        containers.remove("web")


@pytest.mark.tried("podman", "a container that is killed together with conmon")
def test_killed_with_conmon(vf: VF, containers: Podman) -> None:
    """Nobody sees the container die, until it is removed."""
    with given_back(vf):
        containers.run("web", "--network", "blue")
        state = told(containers, "web")["State"]
        for pid in (state["ConmonPid"], state["Pid"]):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not os.path.exists(f"/proc/{state['Pid']}/ns/net"), "end of the container")
        # podman takes it for running, fails to kill it, and knows by that how it is.
        containers("rm", "--force", "--time", "0", "web", check=False)
        containers.remove("web")


@pytest.mark.tried("podman", "two networks with names of interfaces, an address and a MAC address")
def test_two_networks(vf: VF, far_vf: VF, containers: Podman) -> None:
    """One container with a VF of each PF, under names and with address and MAC address that the user gives."""
    with given_back(vf, far_vf):
        wanted = f"interface_name=net5,ip=10.61.0.77,mac={MAC}"
        containers.run("web", "--network", f"blue:{wanted}", "--network", "green:interface_name=net6")
        assert_attached(vf, containers, "web", "blue", "net5")
        assert_attached(far_vf, containers, "web", "green", "net6")
        blue = told(containers, "web")["NetworkSettings"]["Networks"]["blue"]
        assert (blue["IPAddress"], blue["MacAddress"]) == ("10.61.0.77", MAC)
        containers.remove("web")


@pytest.mark.tried("podman", "a container that wants the VF of another")
def test_vf_of_another_container(vf: VF, containers: Podman) -> None:
    """A second container does not start, podman says why, and the first one keeps the VF."""
    with given_back(vf):
        one = containers.run("web", "--network", "blue")
        with pytest.raises(AssertionError, match=f"{vf.address}.*{one}"):
            containers.run("shop", "--network", "blue")
        containers.remove("shop")
        assert_attached(vf, containers, "web")
        containers.remove("web")
