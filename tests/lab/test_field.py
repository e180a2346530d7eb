"""What people do with sriov in the field, step by step as a runtime does it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import disk, net
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import NO_MAC, PF, VF, reset

HOST_LOCAL = {
    "cniVersion": "0.3.1",
    "name": "sriov-network",
    "type": "sriov",
    "ipam": {
        "type": "host-local",
        "subnet": "172.16.91.0/24",
        "routes": [{"dst": "0.0.0.0/0"}],
        "gateway": "172.16.91.1",
    },
}
"""scenarios/sriov-host-local.json; Multus puts the VF in, as deviceID and as pciBusID."""

CALICO = {
    "cniVersion": "0.3.1",
    "name": "sriov-attach",
    "type": "sriov",
    "ipam": {"type": "calico-ipam", "range": "222.0.0.0/8"},
}
"""scenarios/sriov-calico-ipam.json."""


def attachment(conf: dict[str, Any], vf: VF, pod: Space, path: str | None = None, **extra: Any) -> Attachment:
    """Return the attachment of a VF to a pod as Multus asks for it."""
    whole = {**conf, "deviceID": vf.address, "pciBusID": vf.address, **extra}
    return Attachment(whole, net.unique("container"), pod.path, path=path)


def answers(sender: Space, address: str, within_s: int = 5) -> bool:
    """Return whether an address answers to one of some pings, as soon as it does."""
    return "bytes from" in sender.run("ping", "-c", "1", "-i", "0.3", "-w", str(within_s), address, check=False)


@pytest.mark.parametrize("vlan", [{}, {"vlan": 100}, {"vlan": 200, "vlanQoS": 3}], ids=["untagged", "vlan", "qos"])
def test_two_pods_on_vfs_of_different_nics_talk(
    vlan: dict[str, Any], vf: VF, far_vf: VF, make_pod: Callable[[], Space]
) -> None:
    """The field story: two pods, host-local with default route and gateway, ping and iperf3 through the VFs, and after
    DEL PF and VF are as they were, to the letter.
    """
    before = vf.snapshot(), far_vf.snapshot()
    pods = make_pod(), make_pod()
    attached = [attachment(HOST_LOCAL, x, pod, **vlan) for x, pod in zip((vf, far_vf), pods, strict=True)]
    addresses = []
    for one, pod in zip(attached, pods, strict=True):
        result = one.add()
        addresses.append(result["ips"][0]["address"].split("/")[0])
        assert pod.addresses("net1") == [result["ips"][0]["address"]]
        assert result["interfaces"][0]["sandbox"] == pod.path
        assert {(x["dst"], x["gateway"]) for x in pod.routes("net1") if "gateway" in x} == {("default", "172.16.91.1")}
    assert answers(pods[0], addresses[1])
    assert answers(pods[1], addresses[0])
    assert transferred_bytes(pods[0], pods[1], addresses[1]) > 1_000_000
    if vlan:
        assert [(x["vlan"], x.get("qos", 0)) for x in vf.table()["vlan_list"]] == [
            (vlan["vlan"], vlan.get("vlanQoS", 0))
        ]
    for one in attached:
        one.delete()
    assert (vf.snapshot(), far_vf.snapshot()) == before
    assert disk.reserved("sriov-network") == {}
    assert not any(name.startswith("container") for name in os.listdir(disk.SRIOV))


def transferred_bytes(client: Space, server: Space, address: str) -> int:
    """Return how many bytes iperf3 got from one pod to the other in a second."""
    inside = ["ip", "netns", "exec", str(server.name), "iperf3", "--server", "--one-off", "--json"]
    with subprocess.Popen(inside, stdout=subprocess.DEVNULL) as listener:
        try:
            for _ in range(20):
                shown = client.run("iperf3", "--client", address, "--time", "1", "--json", check=False)
                if shown and "error" not in json.loads(shown):
                    return int(json.loads(shown)["end"]["sum_received"]["bytes"])
        finally:
            listener.terminate()
    raise AssertionError(f"iperf3 could not talk to {address}: {shown}")


def test_a_vf_in_another_vlan_does_not_answer(vf: VF, far_vf: VF, make_pod: Callable[[], Space]) -> None:
    """The same two pods, in VLANs 100 and 101."""
    pods = make_pod(), make_pod()
    first = attachment(HOST_LOCAL, vf, pods[0], vlan=100)
    second = attachment(HOST_LOCAL, far_vf, pods[1], vlan=101)
    first.add()
    address = second.add()["ips"][0]["address"].split("/")[0]
    assert not answers(pods[0], address, within_s=2)
    second.delete()
    second.conf["vlan"] = 100
    address = second.add()["ips"][0]["address"].split("/")[0]
    assert answers(pods[0], address)
    first.delete()
    second.delete()


CALICO_IPAM = """#!/bin/sh
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME" >>{log}
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{{"cniVersion":"0.3.1","ips":[{{"version":"4","address":"222.0.0.7/32"}}]}}'
"""


def test_ipam_by_a_third_party(vf: VF, pod: Space, tmp_path: Any) -> None:
    """The configuration from the field with calico-ipam, played by a program that notes how it was called."""
    log = tmp_path / "calls"
    program = tmp_path / "calico-ipam"
    program.write_text(CALICO_IPAM.format(log=log))
    program.chmod(0o755)
    before = vf.snapshot()
    one = attachment(CALICO, vf, pod, path=str(tmp_path))
    result = one.add()
    assert result["ips"][0]["address"] == "222.0.0.7/32"
    assert pod.addresses("net1") == ["222.0.0.7/32"]
    one.delete()
    assert vf.snapshot() == before
    assert log.read_text().split() == ["ADD", one.container_id, "net1", "DEL", one.container_id, "net1"]


def test_vfs_that_were_made_while_their_pf_was_down(pfs: list[PF], make_pod: Callable[[], Space]) -> None:
    """igbvf could not tell the PF its address then, and would get nothing: ADD sees to it."""
    for pf in pfs:
        pf.make_vfs(0)
        HOST.ip("link", "set", pf.name, "down")
        pf.make_vfs()
    pods = make_pod(), make_pod()
    attached = [attachment(HOST_LOCAL, pf.vfs[3], pod) for pf, pod in zip(pfs, pods, strict=True)]
    assert [pf.vfs[3].table()["address"] for pf in pfs] == [NO_MAC, NO_MAC]
    for one in attached:
        one.add()
    assert answers(pods[0], pods[1].addresses("net1")[0].split("/")[0])
    for one in attached:
        one.delete()
    assert [pf.vfs[3].table()["address"] for pf in pfs] == [NO_MAC, NO_MAC]
    reset(*(vf for pf in pfs for vf in pf.vfs))
