"""host-local's commands on a store in a folder of the test."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any

import pytest

from cni.linux.lock import FileLock
from cni.protocol.errors import GENERIC, INVALID_CONFIG, IO_FAILURE, PLUGIN_UNAVAILABLE, CniError
from ipam.host_local.boot import Boot
from tests.unit.ipam.calls import Network, conf, request

RESOLV_CONF = """\
# comment
; comment
nameserver 1.1.1.1 # what follows the address is ignored
\tnameserver 2.2.2.2
domain a
domain b.example
search x y
search z
options ndots:5 rotate
nameserver
unknown thing
"""


def listed(network: Network) -> list[str]:
    return sorted(os.listdir(network.folder))


def put(network: Network, name: str, content: bytes) -> None:
    os.makedirs(network.folder, exist_ok=True)
    with open(f"{network.folder}/{name}", "wb") as file:
        file.write(content)


# ADD ----------------------------------------------------------------------------------------------------------------


def test_add_writes_what_the_reference_writes(folder: str) -> None:
    network = Network(f"{folder}/a/b")
    old_mask = os.umask(0o022)
    try:
        assert network.add("c1", "net1") == ["10.1.0.2/29"]
    finally:
        os.umask(old_mask)
    assert listed(network) == ["10.1.0.2", "last_reserved_ip.0", "lock"]
    for name, content, mode in (
        ("10.1.0.2", b"c1\r\nnet1", 0o644),
        ("last_reserved_ip.0", b"10.1.0.2", 0o644),
        ("lock", b"", 0o750),
    ):
        path = f"{network.folder}/{name}"
        with open(path, "rb") as file:
            assert file.read() == content
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
    for path in (network.folder, f"{folder}/a/b", f"{folder}/a"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o755


def test_add_gives_an_address_from_each_set_with_routes_and_dns(folder: str) -> None:
    resolv_conf = f"{folder}/resolv.conf"
    with open(resolv_conf, "w") as file:
        file.write(RESOLV_CONF)
    network = Network(
        folder,
        ranges=[[{"subnet": "10.1.0.0/24", "gateway": "10.1.0.9"}], [{"subnet": "fd00::/64"}]],
        routes=[{"dst": "0.0.0.0/0"}, {"dst": "fd01::/16", "gw": "fd00::5", "mtu": 1400, "table": 7}],
        resolvConf=resolv_conf,
    )
    network.allow(resolvConfDirs=[folder])
    result = network.handlers.add(request(), network.conf(), network.log.logger)
    assert [(str(ip.address), str(ip.gateway)) for ip in result.ips] == [
        ("10.1.0.1/24", "10.1.0.9"),
        ("fd00::2/64", "fd00::1"),
    ]
    assert [(str(r.dst), r.gw and str(r.gw), r.mtu, r.table) for r in result.routes] == [
        ("0.0.0.0/0", None, None, None),
        ("fd01::/16", "fd00::5", 1400, 7),
    ]
    dns = result.dns
    assert (dns.nameservers, dns.domain) == (["1.1.1.1", "2.2.2.2"], "b.example")
    assert (dns.search, dns.options) == (["x", "y", "z"], ["ndots:5", "rotate"])
    assert listed(network) == ["10.1.0.1", "fd00::2", "last_reserved_ip.0", "last_reserved_ip.1", "lock"]


def test_add_goes_round(folder: str) -> None:
    network = Network(folder)
    assert network.add("c1") == ["10.1.0.2/29"]
    network.delete("c1")
    assert [network.add(f"c{number}")[0] for number in range(2, 7)] == [
        f"10.1.0.{number}/29" for number in (3, 4, 5, 6, 2)
    ]


def test_add_without_a_believable_last_address_starts_at_the_first(folder: str) -> None:
    network = Network(folder)
    put(network, "last_reserved_ip.0", b"\xffnonsense")
    assert network.add() == ["10.1.0.2/29"]


def test_add_twice_is_refused_and_changes_nothing(folder: str) -> None:
    network = Network(folder)
    network.add("c1", "net1")
    for cni_args in ("", "IP=10.1.0.5"):
        with pytest.raises(CniError, match=r"^failed to allocate for range 0: 10\.1\.0\.2 has been allocated to c1, "
                           "duplicate allocation is not allowed$"):  # fmt: skip
            network.add("c1", "net1", cni_args)
    assert listed(network) == ["10.1.0.2", "last_reserved_ip.0", "lock"]
    assert network.add("c1", "net2") == ["10.1.0.3/29"]


def test_add_knows_files_of_old_versions_as_its_own(folder: str) -> None:
    network = Network(folder)
    put(network, "10.1.0.4", b"c1\n")
    with pytest.raises(CniError, match=r"10\.1\.0\.4 has been allocated to c1"):
        network.add("c1", "net7")


def test_add_exhausted(folder: str) -> None:
    network = Network(folder, ranges=[[{"subnet": "10.1.0.0/29"}, {"subnet": "10.2.0.0/30"}]])
    for number in range(6):
        network.add(f"c{number}")
    before = listed(network)
    with pytest.raises(CniError) as caught:
        network.add("c9")
    assert caught.value.code == GENERIC
    assert caught.value.msg == (
        "failed to allocate for range 0: no IP addresses available in range set: 10.1.0.1-10.1.0.6,10.2.0.1-10.2.0.2"
    )
    assert listed(network) == before


def test_add_gives_nothing_when_one_set_is_full(folder: str) -> None:
    network = Network(folder, ranges=[[{"subnet": "10.1.0.0/24"}], [{"subnet": "10.2.0.0/30"}]])
    network.add("c1")
    before = listed(network)
    with pytest.raises(CniError, match=r"^failed to allocate for range 1: .*10\.2\.0\.1-10\.2\.0\.2$"):
        network.add("c2")
    assert listed(network) == before


@pytest.mark.parametrize("where", ["CNI_ARGS", "args", "runtimeConfig"])
def test_add_requested(folder: str, where: str) -> None:
    network = Network(folder, ranges=[[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd00::/64"}]])
    tops: dict[str, dict[str, Any]] = {
        "CNI_ARGS": {},
        "args": {"args": {"cni": {"ips": ["10.1.0.5"]}}},
        "runtimeConfig": {"runtimeConfig": {"ips": ["10.1.0.5/29"]}},
    }
    top = tops[where]
    cni_args = "IP=10.1.0.5" if where == "CNI_ARGS" else ""
    assert network.add("c1", "net1", cni_args, **top) == ["10.1.0.5/29", "fd00::2/64"]
    assert network.add("c2") == ["10.1.0.6/29", "fd00::3/64"]
    before = listed(network)
    with pytest.raises(CniError) as caught:
        network.add("c3", "net1", cni_args, **top)
    assert caught.value.msg == (
        "failed to allocate for range 0: requested IP address 10.1.0.5 is not available in range set 10.1.0.1-10.1.0.6"
    )
    assert listed(network) == before


def test_add_sweeps_what_a_killed_process_left(folder: str) -> None:
    network = Network(folder)
    put(network, ".tmp-10.1.0.2-4711", b"c9\r\nnet1")
    network.add("c1")
    assert listed(network) == ["10.1.0.2", "last_reserved_ip.0", "lock"]


def test_add_leaves_other_files_alone(folder: str) -> None:
    network = Network(folder)
    names = ["README", "10.1.0", "beef", "last_reserved_ip.7", ".hidden", "10.1.0.9.bak"]
    for name in names:
        put(network, name, b"c1")
    os.makedirs(f"{network.folder}/folder")
    assert network.add("c1") == ["10.1.0.2/29"]
    network.delete("c1")
    network.gc()
    assert listed(network) == sorted([*names, "folder", "last_reserved_ip.0", "lock"])


def test_add_treats_a_damaged_file_as_taken_and_says_so(folder: str) -> None:
    network = Network(folder)
    put(network, "10.1.0.2", b"")
    put(network, "10.1.0.3", b"\xff\xfe")
    assert network.add("c1") == ["10.1.0.4/29"]
    assert "10.1.0.2 is empty" in network.log.text


def test_add_uses_an_empty_file_when_nothing_else_is_free(folder: str) -> None:
    network = Network(folder, subnet="10.1.0.0/30")
    put(network, "10.1.0.2", b"")
    assert network.add("c1") == ["10.1.0.2/30"]
    with open(f"{network.folder}/10.1.0.2", "rb") as file:
        assert file.read() == b"c1\r\nnet1"


@pytest.mark.parametrize("obstacle", ["file in place of the folder", "folder in place of a file"])
def test_add_where_nothing_can_be_written(folder: str, obstacle: str) -> None:
    network = Network(folder, ranges=[[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd00::/64"}]])
    if obstacle == "file in place of the folder":
        with open(network.folder, "w"):
            pass
    else:  # the second of two addresses cannot be written
        os.makedirs(f"{network.folder}/.tmp-fd00::2-{os.getpid()}/x")
    with pytest.raises(CniError) as caught:
        network.add()
    assert caught.value.code == IO_FAILURE
    assert folder in caught.value.msg
    if os.path.isdir(network.folder):
        assert "10.1.0.2" not in listed(network)


def test_add_goes_on_when_the_last_address_cannot_be_noted(folder: str) -> None:
    network = Network(folder)
    os.makedirs(f"{network.folder}/last_reserved_ip.0/x")
    assert network.add() == ["10.1.0.2/29"]
    assert "last_reserved_ip.0" in network.log.text


def test_add_without_resolv_conf(folder: str) -> None:
    network = Network(folder, subnet="10.1.0.0/29", resolvConf="/etc/plumbline/nope")
    with pytest.raises(CniError) as caught:
        network.add()
    assert caught.value.code == INVALID_CONFIG
    assert "ipam.resolvConf" in caught.value.msg
    assert "/etc/plumbline/nope" in caught.value.msg
    assert not os.path.exists(network.folder)


def test_data_dir_of_the_configuration(folder: str) -> None:
    network = Network(f"{folder}/default", subnet="10.1.0.0/29", dataDir=f"{folder}/given")
    network.allow(dataDirs=[f"{folder}/given/"])
    network.add()
    assert os.path.exists(f"{folder}/given/net/10.1.0.2")
    assert not os.path.exists(f"{folder}/default")


# DEL ----------------------------------------------------------------------------------------------------------------


def test_delete_releases_the_attachment_alone(folder: str) -> None:
    network = Network(folder, ranges=[[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd00::/64"}]])
    network.add("c1", "net1")
    network.add("c1", "net2")
    network.add("c2", "net1")
    network.delete("c1", "net1")
    network.delete("c1", "net1")
    assert [name for name in listed(network) if name[0] in "1f"] == ["10.1.0.3", "10.1.0.4", "fd00::3", "fd00::4"]


@pytest.mark.parametrize("ipam", [{"subnet": "10.9.0.0/24"}, {"subnet": "nonsense"}, {}])
def test_delete_whatever_the_ranges_are_by_now(folder: str, ipam: dict[str, str]) -> None:
    network = Network(folder)
    network.add("c1")
    network.ipam = {"type": "host-local", **ipam}
    network.delete("c1")
    assert listed(network) == ["last_reserved_ip.0", "lock"]


def test_delete_of_old_files_only_when_there_are_no_others(folder: str) -> None:
    network = Network(folder)
    put(network, "10.1.0.5", b"c1")
    put(network, "10.1.0.6", b"c1\r\nnet1")
    network.delete("c1", "net1")
    assert "10.1.0.5" in listed(network)
    network.delete("c1", "net1")
    assert listed(network) == ["lock"]


def test_delete_without_a_store_makes_none(folder: str) -> None:
    network = Network(folder)
    network.delete()
    assert os.listdir(folder) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../net", "net/../net", "n" * 300, "a b"])
def test_delete_with_a_name_that_is_none(folder: str, name: str) -> None:
    """DEL may get a configuration that ADD refused: nothing is made, nothing is released."""
    network = Network(f"{folder}/networks")
    network.add("c1")
    before = {path: sorted(names) for path, _, names in os.walk(folder)}
    parsed = network.conf()
    parsed.name = name
    network.handlers.delete(request("c1", command="DEL"), parsed, network.log.logger)
    assert {path: sorted(names) for path, _, names in os.walk(folder)} == before
    with pytest.raises(CniError, match="name: "):
        network.handlers.add(request("c2"), parsed, network.log.logger)
    with pytest.raises(CniError, match="name: "):
        network.handlers.validate(request("c2"), parsed)


# CHECK --------------------------------------------------------------------------------------------------------------


def test_check(folder: str) -> None:
    network = Network(folder)
    with pytest.raises(CniError, match="host-local: Failed to find address added by container c1"):
        network.check("c1")
    network.add("c1")
    network.check("c1")
    network.check("c1", given=["10.1.0.2/29", "192.168.0.1/24", "fd00::2/64"])
    with pytest.raises(CniError, match="Failed to find address added by container c1"):
        network.check("c1", "net2")
    with pytest.raises(CniError, match=r"10\.1\.0\.3 is not reserved for container c1"):
        network.check("c1", given=["10.1.0.2/29", "10.1.0.3/29"])
    put(network, "10.1.0.6", b"old\n")
    network.check("old", "any", given=["10.1.0.6/29"])


# GC -----------------------------------------------------------------------------------------------------------------


def test_gc_keeps_the_valid(folder: str) -> None:
    network = Network(folder, subnet="10.1.0.0/28")
    for container_id, ifname in (("c1", "net1"), ("c1", "net2"), ("c2", "net1")):
        network.add(container_id, ifname)
    put(network, "10.1.0.9", b"c1")
    put(network, "10.1.0.10", b"c3")
    put(network, "10.1.0.11", b"")
    put(network, "10.1.0.12", b"\xff\r\nnet1")
    put(network, "99", b"c9\r\nnet1")
    network.gc(("c1", "net1"), ("c7", "net1"))
    assert listed(network) == ["10.1.0.2", "10.1.0.9", "99", "last_reserved_ip.0", "lock"]
    network.gc()
    assert listed(network) == ["99", "last_reserved_ip.0", "lock"]


def test_gc_without_a_store_makes_none(folder: str) -> None:
    Network(folder).gc()
    assert os.listdir(folder) == []


def test_gc_without_a_list_releases_what_is_certainly_nobodys(folder: str, boot_of: Callable[..., Boot]) -> None:
    """An address of an earlier boot and an empty file; not that of a living pod, nor one that cannot be read."""
    before = Network(folder, boot_of("one"), subnet="10.1.0.0/28")
    before.add("old")
    network = before.at(boot_of("two"))
    network.add("alive")
    put(network, "10.1.0.5", b"")
    put(network, "10.1.0.6", b"\xff\xfe")
    put(network, "10.1.0.7", b"of the reference\r\nnet1")
    network.gc_without_list()
    assert listed(network) == ["10.1.0.3", "10.1.0.6", "10.1.0.7", "last_reserved_ip.0", "lock"]


# STATUS -------------------------------------------------------------------------------------------------------------


def test_status_full(folder: str) -> None:
    network = Network(folder, ranges=[[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/126"}]])
    network.status()
    assert os.listdir(folder) == []
    network.add("c1")
    network.status()
    network.add("c2")
    with pytest.raises(CniError) as caught:
        network.status()
    assert caught.value.code == PLUGIN_UNAVAILABLE
    assert caught.value.msg == "no IP addresses available in range set: fd00::1-fd00::3"
    network.delete("c1")
    network.status()


def test_status_without_a_usable_folder(folder: str) -> None:
    network = Network(f"{folder}/file")
    with open(f"{folder}/file", "w"):
        pass
    with pytest.raises(CniError) as caught:
        network.status()
    assert caught.value.code == PLUGIN_UNAVAILABLE
    assert f"{folder}/file is not a folder" in caught.value.msg


def test_status_with_a_bad_configuration(folder: str) -> None:
    with pytest.raises(CniError) as caught:
        Network(folder, subnet="x").status()
    assert caught.value.code == INVALID_CONFIG


# Any command --------------------------------------------------------------------------------------------------------


def test_the_lock_is_the_reference_plugins(folder: str) -> None:
    """While another process holds flock(2) on `lock`, ADD waits. (A second open file is another process to flock.)"""
    network = Network(folder)
    network.add("c1")
    with (
        FileLock(f"{network.folder}/lock"),
        pytest.raises(CniError),
        FileLock(f"{network.folder}/lock", timeout_s=0.05),
    ):
        pass


def test_without_ipam(folder: str) -> None:
    network = Network(folder)
    without = conf({})
    with pytest.raises(CniError, match="IPAM config missing 'ipam' key"):
        network.handlers.add(request(), without, network.log.logger)
    network.add()
    network.handlers.delete(request(), without, network.log.logger)
    assert listed(network) == ["last_reserved_ip.0", "lock"]
