"""What people do with accelerated-bridge in the field, step by step as a runtime does it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from typing import Any

from tests.support import disk, net, switchdev
from tests.support.net import Space
from tests.support.plugin import Attachment
from tests.support.switchdev import NATIVE, Nic
from tests.support.vfs import VF

FOLDER = "/var/run/k8s.cni.cncf.io/devinfo/cni"


def scenario(name: str, vf: VF, bridge: str, mac: str, start: str, end: str) -> dict[str, Any]:
    """Return scenarios/vdpa-net30.json and vdpa-net31.json, which differ in these, as Multus passes them."""
    return {
        "type": "accelerated-bridge",
        "cniVersion": "0.3.1",
        "name": name,
        "bridge": bridge,
        "trust": "on",
        "spoofchk": "off",
        "deviceID": vf.address,
        "pciBusID": vf.address,
        "capabilities": {"mac": True, "CNIDeviceInfoFile": True},
        "runtimeConfig": {"mac": mac, "CNIDeviceInfoFile": f"{FOLDER}/{name}-net1.json"},
        "ipam": {"type": "host-local", "subnet": "192.168.30.0/24", "rangeStart": start, "rangeEnd": end},
    }


def written_by_the_device_plugin(conf: dict[str, Any], vf: VF, number: int) -> dict[str, Any]:
    """Write the device-info file as the device plugin does for a vDPA device, and return what is in it."""
    info = {
        "type": "vdpa",
        "version": "1.0.0",
        "vdpa": {
            "parent-device": f"vdpa{number}",
            "driver": "vhost",
            "path": f"/dev/vhost-vdpa-{number}",
            "pci-address": vf.address,
            "pf-pci-address": vf.pf.address,
        },
    }
    os.makedirs(FOLDER, exist_ok=True)
    with open(conf["runtimeConfig"]["CNIDeviceInfoFile"], "w") as file:
        json.dump(info, file)
    return info


def test_two_networks_on_two_nics(
    nics: list[Nic], bridges: tuple[str, str], vf: VF, far_vf: VF, make_pod: Callable[[], Space]
) -> None:
    """The field story: two PFs, two bridges, MAC addresses from runtimeConfig, device information of type vdpa; after
    DEL bridges, VLANs, representors, VFs and PFs are as they were, to the letter.
    """
    vfs = (vf, far_vf)
    before = [nic.snapshot(x, *bridges) for nic, x in zip(nics, vfs, strict=True)]
    macs = ("ca:fe:c0:ff:ee:11", "ca:fe:c0:ff:ee:12")
    confs = [
        scenario("sriov-vdpa30", vf, bridges[0], macs[0], "192.168.30.64", "192.168.30.127"),
        scenario("sriov-vdpa31", far_vf, bridges[1], macs[1], "192.168.30.128", "192.168.30.191"),
    ]
    pods = make_pod(), make_pod()
    infos = [written_by_the_device_plugin(conf, x, n) for n, (conf, x) in enumerate(zip(confs, vfs, strict=True))]
    attached = [Attachment(conf, net.unique("container"), pod.path) for conf, pod in zip(confs, pods, strict=True)]
    for one in attached:
        one.add()
    assert [pod.addresses("net1") for pod in pods] == [["192.168.30.64/24"], ["192.168.30.128/24"]]
    for nic, x, bridge, mac, pod, conf, info in zip(nics, vfs, bridges, macs, pods, confs, infos, strict=True):
        inside, representor = pod.link("net1"), nic.representor(x)
        assert inside is not None
        assert (inside["address"], "UP" in inside["flags"]) == (mac, True)
        table = x.table()
        assert (table["address"], table["trust"], table["spoofchk"]) == (mac, True, False)
        port = switchdev.port(representor)
        assert (port["master"], "UP" in port["flags"], port["mtu"]) == (bridge, True, 1500)
        assert port["linkinfo"]["info_slave_data"]["state"] == "forwarding"
        assert switchdev.vlans(representor) == {1: NATIVE}
        assert f"{bridge}: port 2({representor}) entered forwarding state" in net.run("dmesg")
        path = conf["runtimeConfig"]["CNIDeviceInfoFile"]
        with open(path) as file:
            now = json.load(file)
        assert now == {**info, "version": "1.1.0", "vdpa": {**info["vdpa"], "representor-device": representor}}
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o444
    for one in attached:
        one.delete()
    assert [nic.snapshot(x, *bridges) for nic, x in zip(nics, vfs, strict=True)] == before
    assert disk.reserved("sriov-vdpa30") == disk.reserved("sriov-vdpa31") == {}
    assert not [name for name in os.listdir(disk.ACCELERATED_BRIDGE) if "container" in name]


def test_pods_talk_through_the_wire(
    nics: list[Nic], bridges: tuple[str, str], vf: VF, far_vf: VF, make_pod: Callable[[], Space]
) -> None:
    """The VFs themselves work: here igb, not a switch, takes what they send to the wire."""
    pods = make_pod(), make_pod()
    attached = []
    for x, bridge, pod in zip((vf, far_vf), bridges, pods, strict=True):
        ipam = {"type": "host-local", "subnet": "10.5.0.0/24"}
        conf = {"cniVersion": "1.1.0", "name": "wire", "type": "accelerated-bridge", "bridge": bridge, "ipam": ipam}
        attached.append(Attachment({**conf, "deviceID": x.address}, net.unique("container"), pod.path))
    addresses = [one.add()["ips"][0]["address"].partition("/")[0] for one in attached]
    assert "bytes from" in pods[0].run("ping", "-c", "5", "-i", "0.3", "-W", "1", addresses[1], check=False)
    for one in attached:
        one.check().ok()
        one.delete()


def test_device_information_is_written_whole(
    nic: Nic, vf: VF, attach: Callable[..., Attachment], device_info: str
) -> None:
    """Where the device plugin has written none."""
    one = attach(vf, runtimeConfig={"CNIDeviceInfoFile": device_info})
    one.add()
    with open(device_info) as file:
        assert json.load(file) == {
            "type": "pci",
            "version": "1.1.0",
            "pci": {
                "pci-address": vf.address,
                "pf-pci-address": vf.pf.address,
                "representor-device": nic.representor(vf),
            },
        }
    one.delete()
