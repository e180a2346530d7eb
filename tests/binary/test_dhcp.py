"""An IPAM plugin that we do not have built in: the reference dhcp with its daemon and a real DHCP server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import daemon, disk, net
from tests.support.net import HOST, Space
from tests.support.plugin import DIST, REFERENCE, Attachment, binary

SOCKET = "/run/cni/dhcp.sock"
DNSMASQ = "/usr/sbin/dnsmasq"
SERVER = "10.20.0.1"
LEASE = "10.20.0.50"


@pytest.fixture
def dhcp_daemon() -> Iterator[None]:
    """The daemon that keeps the leases of the reference dhcp plugin."""
    os.makedirs(os.path.dirname(SOCKET), exist_ok=True)
    with daemon.running(binary("dhcp", REFERENCE), "daemon", ready=lambda: os.path.exists(SOCKET)):
        yield
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)


@pytest.fixture
def leases(make_pod: Callable[[], Space], device: str, tmp_path: Path) -> Iterator[Path]:
    """A DHCP server with one address to give, in a namespace of its own at the other end of the device."""
    assert os.access(DNSMASQ, os.X_OK), "dnsmasq is missing: install the package dnsmasq-base"
    server, file, pid = make_pod(), tmp_path / "leases", tmp_path / "pid"
    link = HOST.link(device)
    assert link is not None
    HOST.ip("link", "set", link["link"], "netns", str(server.name), "name", "srv0")
    server.ip("link", "set", "srv0", "up")
    server.ip("addr", "add", f"{SERVER}/24", "dev", "srv0")
    options = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=root",
        "--port=0",
        "--no-ping",
        f"--dhcp-leasefile={file}",
        f"--pid-file={pid}",
        f"--dhcp-range={LEASE},{LEASE},255.255.255.0,1h",
        f"--dhcp-option=option:router,{SERVER}",
        "--dhcp-option-force=option:classless-static-route,10.77.0.0/16,10.20.0.7,0.0.0.0/0,10.20.0.1",
        "--interface=srv0",
    ]
    with daemon.running("ip", "netns", "exec", str(server.name), DNSMASQ, *options, ready=pid.exists):
        yield file


@pytest.fixture
def attached(pod: Space, device: str) -> Attachment:
    """The attachment to be."""
    conf: dict[str, Any] = {
        "cniVersion": "1.0.0",
        "name": net.unique("leased"),
        "type": "host-device",
        "device": device,
        "ipam": {"type": "dhcp"},
    }
    return Attachment(conf, "leaseholder", pod.path, path=f"{DIST}:{REFERENCE}")


@pytest.mark.usefixtures("dhcp_daemon")
def test_lease(leases: Path, attached: Attachment, pod: Space, device: str) -> None:
    """The pod has the address and the routes of the lease; DEL gives back lease and device, in this order."""
    before = HOST.settings(device)
    result = attached.add()
    assert [(ip["address"], ip["gateway"], ip["interface"]) for ip in result["ips"]] == [(f"{LEASE}/24", SERVER, 0)]
    assert pod.addresses("net1") == [f"{LEASE}/24"]
    routes = {(route["dst"], route.get("gateway")) for route in pod.routes("net1")}
    assert {("default", SERVER), ("10.77.0.0/16", "10.20.0.7")} <= routes
    pod.run("ping", "-c", "1", "-W", "5", SERVER)
    (lease,) = leases.read_text().splitlines()
    assert lease.split()[1:3] == [before["mac"], LEASE]
    attached.check().ok()
    attached.delete()
    assert leases.read_text() == "", "DEL must release the lease while the device is still in the pod"
    assert HOST.settings(device) == before
    assert disk.records() == []


def test_no_daemon(attached: Attachment, pod: Space, device: str) -> None:
    """Without its daemon the dhcp plugin fails; ours says what it said, and gives the device back."""
    before = HOST.settings(device)
    assert "dhcp.sock" in str(attached.call("ADD").error())
    assert HOST.settings(device) == before
    assert pod.links() == []
    assert disk.records() == []
