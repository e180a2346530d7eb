"""Under a real container runtime: containerd, with a network in its configuration folder that names our binaries."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk, rootfs
from tests.support.containerd import Containerd, running
from tests.support.net import HOST
from tests.support.plugin import binary

FOLDER = "/run/plumbline-containerd"
NETWORK = "runtime-net"


@pytest.fixture
def containerd() -> Iterator[Containerd]:
    """containerd with folders of its own, in this session's private mounts."""
    with running(FOLDER) as one:
        yield one


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A root file system with busybox in it, for which no image is needed."""
    return rootfs.folder(str(tmp_path / "rootfs"))


@pytest.fixture
def network(device: str) -> Iterator[str]:
    """The network in /etc/cni/net.d, our binaries in /opt/cni/bin; the device's far end has the gateway's address."""
    link = HOST.link(device)
    assert link is not None
    HOST.ip("addr", "add", "10.30.0.1/24", "dev", link["link"])
    plugin: dict[str, Any] = {
        "type": "host-device",
        "device": device,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "10.30.0.0/24", "rangeStart": "10.30.0.20", "rangeEnd": "10.30.0.29"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    os.makedirs("/etc/cni/net.d", exist_ok=True)
    os.makedirs("/opt/cni/bin", exist_ok=True)
    conflist = Path("/etc/cni/net.d/10-plumbline.conflist")
    conflist.write_text(json.dumps({"cniVersion": "1.0.0", "name": NETWORK, "plugins": [plugin]}))
    for name in ("host-device", "host-local"):
        os.symlink(binary(name), f"/opt/cni/bin/{name}")
    yield device
    conflist.unlink()
    for name in ("host-device", "host-local"):
        os.unlink(f"/opt/cni/bin/{name}")


def run_container(containerd: Containerd, root: str, name: str, *command: str, check: bool = True) -> str:
    """Run a container on the network until it ends, under a name that no other session uses.

    Its control group, which the whole machine shares, is at the top, so that no parent of it is left.
    """
    unique = f"plumbline-{os.getpid()}-{name}"
    options = ("--rm", "--cni", "--cgroup", "", "--rootfs", root)
    return containerd.ctr("run", *options, unique, *command, check=check)


@pytest.mark.tried("containerd", "a container of ctr run --cni")
def test_container(containerd: Containerd, network: str, root: str) -> None:
    """A container sees interface, address and route, and reaches its gateway; afterwards nothing is left."""
    mac = HOST.settings(network)["mac"]
    script = "ip -o addr show dev eth0; ip route; ping -c 1 -W 5 10.30.0.1; cat /sys/class/net/eth0/ifalias"
    output = run_container(containerd, root, "web1", "/bin/sh", "-c", script)
    assert "10.30.0.20/24" in output
    assert "default via 10.30.0.1 dev eth0" in output
    assert "1 packets received" in output
    assert f"\n{network}\n" in output
    assert mac
    assert disk.reserved(NETWORK) == {}
    assert disk.records() == []
    # The device was one end of a veth pair, which dies with the container's namespace, as it should.
    assert network not in HOST.links()
    assert containerd.ctr("containers", "list", "-q") == ""


@pytest.mark.tried("containerd", "a container of ctr run --cni that ends with an error, or has no device")
def test_container_that_fails(containerd: Containerd, network: str, root: str) -> None:
    """A container that ends with an error, or cannot start at all, leaves nothing either."""
    run_container(containerd, root, "web2", "/bin/false", check=False)
    assert disk.reserved(NETWORK) == {}
    assert disk.records() == []


def test_no_device(containerd: Containerd, network: str, root: str) -> None:
    """ADD fails, for want of the device: the container does not start, and our message reaches the user."""
    HOST.ip("link", "del", network)
    with pytest.raises(AssertionError, match=network):
        run_container(containerd, root, "web3", "/bin/true")
    assert disk.reserved(NETWORK) == {}
    assert disk.records() == []
