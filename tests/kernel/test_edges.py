"""Sysctls, a full disk, the second thread, and announcements on the wire."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from cni.attach import announce, ifconfig
from cni.attach.ifconfig import PodLink
from cni.attach.state import Store
from cni.linux import files, netns, sysctl
from cni.linux.background import Background
from cni.linux.netlink import link
from cni.linux.netlink.monitor import RTMGRP_LINK, Monitor
from cni.protocol.errors import IO_FAILURE, CniError
from cni.protocol.result import IPConfig, Result
from tests.support.log import Lines
from tests.support.net import HOST, Space


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system without a free byte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    subprocess.run(["dd", "if=/dev/zero", f"of={folder}/filler"], stderr=subprocess.DEVNULL)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_keeps_the_old_file(full_disk: Path) -> None:
    """A write that fails is code 5, leaves what was there, and no temporary file."""
    (full_disk / "filler").unlink()
    (full_disk / "record").write_bytes(b"old")
    (full_disk / "filler").write_bytes(bytes(60 * 1024))
    with pytest.raises(CniError, match="No space left on device") as caught:
        files.write_atomic(str(full_disk / "record"), b"x" * 20_000)
    assert caught.value.code == IO_FAILURE
    assert (full_disk / "record").read_bytes() == b"old"
    assert sorted(os.listdir(full_disk)) == ["filler", "record"]


def test_a_full_disk_keeps_no_record(full_disk: Path) -> None:
    """A record that cannot be written is an error before anything needs it, and no half of it is left."""
    with pytest.raises(CniError, match="No space left on device"):
        Store(str(full_disk / "state"), Lines()).save("c0ffee", "net1", {"key": "x" * 10_000})
    assert [name for _, _, names in os.walk(full_disk) for name in names] == ["filler"]


@pytest.mark.parametrize("value", ["0", "1"])
def test_sysctl(pod: Space, value: str) -> None:
    """A setting of the pod is what was asked for, whatever it was before; the host's is not touched."""
    HOST.ip("link", "add", "sysctl0", "type", "veth", "peer", "name", "sysctl1", "netns", str(pod.name))
    name = "net/ipv6/conf/sysctl1/disable_ipv6"
    try:
        with netns.of_pod(pod.path) as inside:
            for wanted in (value, value, "1", "0"):
                with inside.entered():
                    assert sysctl.ensure(name, wanted) is True
                assert pod.run("cat", f"/proc/sys/{name}").strip() == wanted
    finally:
        HOST.ip("link", "del", "sysctl0")


def test_sysctl_that_has_its_value_is_not_written(tmp_path: Path) -> None:
    """Writing what is there already has side effects in the kernel (addresses are flushed, say), and is left out."""
    path = tmp_path / "setting"
    path.write_text("1\n")
    before = path.stat().st_mtime_ns
    assert sysctl.ensure("setting", "1", str(tmp_path)) is True
    assert (path.read_text(), path.stat().st_mtime_ns) == ("1\n", before)
    assert sysctl.ensure("setting", "0", str(tmp_path)) is True
    assert path.read_text().startswith("0")


def test_missing_and_refused_sysctls() -> None:
    """A setting that the kernel does not have is False; a value that it refuses is code 5 naming both."""
    assert sysctl.ensure("net/ipv6/conf/absent/disable_ipv6", "0") is False
    with pytest.raises(CniError, match="cannot set /proc/sys/net/ipv4/ip_forward to rubbish") as caught:
        sysctl.ensure("net/ipv4/ip_forward", "rubbish")
    assert caught.value.code == IO_FAILURE


def test_background_waits_and_hands_over_the_error() -> None:
    """The call runs beside us; its exception is raised for whoever waits, each time; join does not raise."""
    order: list[str] = []
    Background(order.append, "done").wait()
    assert order == ["done"]
    failing = Background(order.remove, "absent")
    failing.join()
    for _ in range(2):
        with pytest.raises(ValueError, match="not in list"):
            failing.wait()


def test_announcements_reach_the_neighbour(pod: Space) -> None:
    """One frame for each address arrives at the other end of the wire, as it was built."""
    HOST.ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire1", "netns", str(pod.name))
    mac = bytes.fromhex("02005e100001")
    try:
        HOST.ip("link", "set", "wire0", "up")
        pod.ip("link", "set", "wire1", "address", mac.hex(":"), "up")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as listener:
            listener.bind(("wire0", 3))
            listener.settimeout(10)
            addresses = [ip_address("10.1.2.3"), ip_address("fd00::1")]
            with netns.of_pod(pod.path) as inside, inside.entered():
                announce.announce("wire1", mac.hex(":"), addresses)
            wanted = [announce.frame(mac, address) for address in addresses]
            while wanted:
                data = listener.recv(2048)
                if data in wanted:
                    wanted.remove(data)
    finally:
        HOST.ip("link", "del", "wire0")


def test_no_carrier_is_no_error(pod: Space, device: str) -> None:
    """A link without carrier has no neighbours: nothing is sent, nobody is told more than at debug level. A process
    waits for them, until the link is gone.
    """
    HOST.ip("link", "set", device, "netns", str(pod.name))
    log = Lines()
    with netns.of_pod(pod.path) as inside:
        entry = link.get(inside.netlink, name=device)
        assert entry is not None
        result = Result(ips=[IPConfig(ip_interface("10.1.2.3/24"))])
        ifconfig.announce(PodLink(inside, entry.index, device), result, False, log)
    told = re.search(r"no carrier, and 10.1.2.3 will be announced by process (\d+)", log.text("debug"))
    assert told is not None
    assert log.text("warning") == ""
    pod.ip("link", "del", device)
    assert os.waitpid(int(told[1]), 0)[1] == 0


def test_no_announcement_on_infiniband() -> None:
    """Addresses of 160 bits are not announced, so no process waits to do so."""
    assert announce.can_be_announced("02:00:5e:10:00:01")
    assert not announce.can_be_announced(bytes(20).hex(":"))


def test_announcements_that_do_not_leave(pod: Space, device: str) -> None:
    """A queue that keeps all packets, which a pod can make, keeps nobody waiting."""
    HOST.ip("link", "set", device, "netns", str(pod.name))
    pod.ip("link", "set", device, "up")
    pod.run("tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", "8bit", "burst", "2k", "limit", "10m")
    addresses = [ip_address("10.1.0.0") + number for number in range(2000)]
    with netns.of_pod(pod.path) as inside, inside.entered(), pytest.raises((TimeoutError, BlockingIOError)):
        announce.announce(device, "02:00:5e:10:00:01", addresses)


def test_the_kernel_has_announced(pod: Space, device: str) -> None:
    """It has if a virtual link came up with carrier. One without has not."""
    peer = HOST.link(device)["link"]  # type: ignore[index]
    HOST.ip("link", "set", device, "netns", str(pod.name))
    pod.ip("link", "set", device, "up")
    with netns.of_pod(pod.path) as inside:
        entry = link.get(inside.netlink, name=device)
        assert entry is not None
        assert ifconfig.kernel_announced(PodLink(inside, entry.index, device))
        HOST.ip("link", "set", peer, "down")
        assert not ifconfig.kernel_announced(PodLink(inside, entry.index, device))


def test_monitor(device: str) -> None:
    """A change is reported; without one the deadline ends the wait."""
    with Monitor(RTMGRP_LINK) as monitor:
        assert monitor.wait(0.0) is False
        HOST.ip("link", "set", device, "mtu", "1400")
        assert monitor.wait(time.monotonic() + 60) is True
