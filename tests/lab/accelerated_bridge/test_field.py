"""What people do with accelerated-bridge in the field, step by step as a runtime does it."""

from __future__ import annotations

import json
import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import disk, net, switchdev, vdpa
from tests.support.net import Space
from tests.support.plugin import REPOSITORY, Attachment
from tests.support.switchdev import NATIVE, Nic
from tests.support.vfs import VF, without_altnames

SCENARIOS = Path(REPOSITORY, "tests", "golden", "scenarios")


def scenario(name: str) -> dict[str, Any]:
    """Return one of the configurations, as Multus passes it to the plugin. It names VFs and bridges of the lab."""
    loaded = json.loads((SCENARIOS / f"{name}.json").read_text())
    assert isinstance(loaded, dict)
    return loaded


def written_by_the_device_plugin(conf: dict[str, Any], vf: VF, device: vdpa.Vdpa) -> dict[str, Any]:
    """Write the device-info file as the device plugin does for a vDPA device, and return what is in it."""
    info = {
        "type": "vdpa",
        "version": "1.0.0",
        "vdpa": {
            "parent-device": device.name,
            "driver": "vhost",
            "path": f"/dev/{device.made}",
            "pci-address": vf.address,
            "pf-pci-address": vf.pf.address,
        },
    }
    path = conf["runtimeConfig"]["CNIDeviceInfoFile"]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(info, file)
    return info


def mark_in_kernel_log() -> str:
    """Write a line to the kernel's log, for `kernel_log_since`."""
    mark = f"mark {uuid.uuid4()}"
    with open("/dev/kmsg", "w") as file:
        file.write(mark)
    return mark


def kernel_log_since(mark: str) -> str:
    """Return what the kernel has said since a mark."""
    _, found, since = net.run("dmesg").partition(mark)
    assert found
    return since


def ports() -> dict[str, tuple[str, str]]:
    """Return what bridge(8) says of all ports: name, and its bridge and state."""
    return {port["ifname"]: (port["master"], port["state"]) for port in json.loads(net.run("bridge", "-j", "link"))}


def test_two_networks_on_two_nics(
    nics: list[Nic], bridges: tuple[str, str], vf: VF, far_vf: VF, make_pod: Callable[[], Space]
) -> None:
    """The field story: two PFs, two bridges, MAC addresses from runtimeConfig, a vDPA device on each VF, as
    the device plugin knows it; after DEL bridges, VLANs, representors, VFs and PFs are as they were, to the letter
    (but for alternative names, which udev gives).
    """
    vfs, pods = (vf, far_vf), (make_pod(), make_pod())
    before = [without_altnames(nic.snapshot(x, *bridges)) for nic, x in zip(nics, vfs, strict=True)]
    confs = [scenario("vdpa-net30"), scenario("vdpa-net31")]
    attached = [Attachment(conf, net.unique("container"), pod.path) for conf, pod in zip(confs, pods, strict=True)]
    addresses = ["192.168.30.64/24", "192.168.30.128/24"]
    with vdpa.on_each([vf, far_vf], "vhost") as devices:
        infos = [
            written_by_the_device_plugin(conf, x, device) for conf, x, device in zip(confs, vfs, devices, strict=True)
        ]
        mark = mark_in_kernel_log()
        results = [one.add() for one in attached]
        said, now = kernel_log_since(mark), ports()
        for nic, x, pod, conf, info, result, address in zip(
            nics, vfs, pods, confs, infos, results, addresses, strict=True
        ):
            mac, bridge, representor = conf["runtimeConfig"]["mac"], conf["bridge"], nic.representor(x)
            assert result == {
                "cniVersion": "0.3.1",
                "interfaces": [{"name": "net1", "mac": mac, "sandbox": pod.path}],
                "ips": [{"version": "4", "interface": 0, "address": address, "gateway": "192.168.30.1"}],
                "dns": {},
            }
            inside = pod.link("net1")
            assert inside is not None
            assert (inside["address"], "UP" in inside["flags"]) == (mac, True)
            assert pod.addresses("net1") == [address]
            table = x.table()
            assert (table["address"], table["trust"], table["spoofchk"]) == (mac, True, False)
            port = switchdev.port(representor)
            assert (port["master"], "UP" in port["flags"], port["mtu"]) == (bridge, True, 1500)
            assert now[representor] == now[nic.pf.name] == (bridge, "forwarding")
            assert switchdev.vlans(representor) == {1: NATIVE}
            assert f"{bridge}: port 2({representor}) entered forwarding state" in said
            path = conf["runtimeConfig"]["CNIDeviceInfoFile"]
            with open(path) as file:
                completed = json.load(file)
            assert completed == {
                **info,
                "version": "1.1.0",
                "vdpa": {**info["vdpa"], "representor-device": representor},
            }
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o444
        for one in attached:
            one.delete()
    assert [without_altnames(nic.snapshot(x, *bridges)) for nic, x in zip(nics, vfs, strict=True)] == before
    assert [disk.reserved(conf["name"]) for conf in confs] == [{}, {}]
    assert disk.records(disk.ACCELERATED_BRIDGE) == []


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
    assert "bytes from" in pods[0].run("ping", "-c", "1", "-i", "0.3", "-w", "5", addresses[1], check=False)
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
