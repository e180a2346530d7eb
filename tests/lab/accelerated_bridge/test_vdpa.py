"""VFs with a vDPA device, in accelerated-bridge, sriov and host-device, and VFs for DPDK programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import disk, net, vdpa
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.switchdev import NATIVE, Nic, port, vlans
from tests.support.vfs import VF, wait_for, without_altnames, without_permanent_mac

IPAM = {"type": "host-local", "subnet": "10.6.0.0/24"}
MAC = "02:00:00:00:00:2a"
TYPES = ["accelerated-bridge", "sriov"]


def read(path: str) -> dict[str, Any]:
    """Return what a device-info file holds."""
    with open(path) as file:
        content = json.load(file)
    assert isinstance(content, dict)
    return content


def information(device: vdpa.Vdpa, nic: Nic, vf: VF, driver: str) -> dict[str, Any]:
    """Return the device information of a VF with a vDPA device, whole."""
    path = f"/dev/{device.made}" if driver == "vhost" else f"/sys/bus/virtio/devices/{device.made}"
    return {
        "type": "vdpa",
        "version": "1.1.0",
        "vdpa": {
            "parent-device": device.name,
            "driver": driver,
            "path": path,
            "pci-address": vf.address,
            "pf-pci-address": vf.pf.address,
            "representor-device": nic.representor(vf),
        },
    }


def snapshot(nic: Nic, vf: VF, bridge: str) -> str:
    """Return a snapshot without what differs where the VF's folder in sysfs is covered."""
    return without_altnames(nic.snapshot(vf, bridge))


@pytest.mark.parametrize("plugin", TYPES)
@pytest.mark.parametrize("is_gone", [False, True], ids=["pod lives", "pod is gone"])
def test_vhost(
    is_gone: bool,
    plugin: str,
    nic: Nic,
    vf: VF,
    bridge: str,
    pod: Space,
    attach: Callable[..., Attachment],
    device_info: str,
) -> None:
    """The VF's own link is moved as ever; the program gets its character device from the device plugin."""
    before = snapshot(nic, vf, bridge)
    with vdpa.on(vf, "vhost") as device:
        conf = {"type": plugin, "mac": MAC, "ipam": IPAM}
        one = attach(vf, **conf, runtimeConfig={"CNIDeviceInfoFile": device_info})
        result = one.add()
        assert pod.addresses("net1") == [result["ips"][0]["address"]]
        assert vf.table()["address"] == MAC
        assert read(device_info) == information(device, nic, vf, "vhost")
        one.check().ok()
        if is_gone:
            pod.delete()
            wait_for(lambda: bool(vf.name), "link on the host")
        one.delete()
    assert snapshot(nic, vf, bridge) == before
    assert disk.reserved("lab") == {}
    assert not records(plugin)


@pytest.mark.parametrize("plugin", TYPES)
@pytest.mark.parametrize("is_gone", [False, True], ids=["pod lives", "pod is gone"])
def test_vhost_without_a_link(
    is_gone: bool,
    plugin: str,
    nic: Nic,
    vf: VF,
    bridge: str,
    pod: Space,
    attach: Callable[..., Attachment],
    device_info: str,
) -> None:
    """A VF whose driver makes no link but a vDPA device: IPAM is asked, nothing is moved."""
    vf.bind("")
    before = snapshot(nic, vf, bridge)
    with vdpa.on(vf, "vhost") as device:
        one = attach(vf, type=plugin, ipam=IPAM, runtimeConfig={"CNIDeviceInfoFile": device_info})
        result = one.add()
        assert pod.links() == []
        assert [x["pciID"] for x in result["interfaces"]] == [vf.address]
        assert len(result["ips"]) == 1
        assert read(device_info) == information(device, nic, vf, "vhost")
        if plugin == "accelerated-bridge":
            assert port(nic.representor(vf))["master"] == bridge
        one.check().ok()
        if is_gone:
            pod.delete()
        one.delete()
    assert snapshot(nic, vf, bridge) == before
    assert disk.reserved("lab") == {}
    assert not records(plugin)


@pytest.mark.parametrize("plugin", TYPES)
def test_no_driver(
    plugin: str, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Callable[..., Attachment], device_info: str
) -> None:
    """A vDPA device that is bound to nothing: the VF's own link is what the pod gets, and it is told of a PCI device. A
    VF without one is of no use.
    """
    before = snapshot(nic, vf, bridge)
    with vdpa.on(vf, "") as device:
        assert not os.path.exists(f"{vf.folder}/{device.name}/driver")
        one = attach(vf, type=plugin, ipam=IPAM, runtimeConfig={"CNIDeviceInfoFile": device_info})
        result = one.add()
        assert pod.addresses("net1") == [result["ips"][0]["address"]]
        content = read(device_info)
        assert (content["type"], content["pci"]["pci-address"]) == ("pci", vf.address)
        one.check().ok()
        one.delete()
    assert snapshot(nic, vf, bridge) == before
    vf.bind("")
    without_driver = snapshot(nic, vf, bridge)
    with vdpa.on(vf, ""):
        assert "the VF is bound to no driver" in one.call("ADD").error(7)["msg"]
    assert snapshot(nic, vf, bridge) == without_driver
    assert disk.reserved("lab") == {}
    assert not records(plugin)


@pytest.mark.parametrize("plugin", TYPES)
def test_vhost_whose_link_is_elsewhere(
    plugin: str, nic: Nic, vf: VF, bridge: str, make_pod: Callable[[], Space], attach: Callable[..., Attachment]
) -> None:
    """Somebody has the VF's link, and nobody knows who: that is not to have none, and no other pod gets the VF."""
    name, somewhere = vf.name, make_pod()
    HOST.ip("link", "set", name, "netns", str(somewhere.name))
    with vdpa.on(vf, "vhost"):
        before = nic.snapshot(vf, bridge)
        error = attach(vf, make_pod(), type=plugin, ipam=IPAM).call("ADD").error(11)
        assert error["msg"] == f"VF {vf.address} has no link on the host, though it is bound to igbvf"
        assert nic.snapshot(vf, bridge) == before
        somewhere.ip("link", "set", name, "netns", "1")
    assert disk.reserved("lab") == {}
    assert not records(plugin)


@pytest.mark.parametrize("plugin", TYPES)
@pytest.mark.parametrize("is_gone", [False, True], ids=["pod lives", "pod is gone"])
def test_virtio(
    is_gone: bool,
    plugin: str,
    nic: Nic,
    vf: VF,
    bridge: str,
    pod: Space,
    attach: Callable[..., Attachment],
    device_info: str,
) -> None:
    """The virtio link is the one to move, and comes back under its name; the VF's own stays."""
    with vdpa.on(vf, "virtio") as device:
        own, name = vf.name, device.link
        before = snapshot(nic, vf, bridge), HOST.settings(name)
        conf = {"type": plugin, "mac": MAC, "mtu": 1400, "ipam": IPAM}
        one = attach(vf, **conf, runtimeConfig={"CNIDeviceInfoFile": device_info})
        result = one.add()
        assert (vf.name, device.link) == (own, "")
        assert pod.links() == ["net1"]
        assert pod.addresses("net1") == [result["ips"][0]["address"]]
        inside = pod.link("net1")
        assert inside is not None
        assert (inside["parentdev"], inside["mtu"], inside["address"]) == (device.made, 1400, MAC)
        assert vf.table()["address"] == MAC
        assert read(device_info) == information(device, nic, vf, "virtio")
        one.check().ok()
        if is_gone:
            pod.delete()
            wait_for(lambda: bool(device.link), "link on the host")
        one.delete()
        assert (snapshot(nic, vf, bridge), HOST.settings(name)) == before
    assert disk.reserved("lab") == {}
    assert not records(plugin)


@pytest.mark.parametrize("plugin", TYPES)
def test_virtio_vdpa_was_bound_meanwhile(
    plugin: str, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Callable[..., Attachment]
) -> None:
    """The pod had the VF's own link, so that is what comes back from it, whatever ADD would take now."""
    before = snapshot(nic, vf, bridge)
    one = attach(vf, type=plugin, ipam=IPAM, mtu=1400)
    one.add()
    with vdpa.on(vf, "virtio") as device:
        virtio = HOST.settings(device.link)
        pod.delete()
        wait_for(lambda: bool(vf.name), "link on the host")
        one.delete()
        assert HOST.settings(device.link) == virtio
    assert snapshot(nic, vf, bridge) == before
    assert not records(plugin)


def records(plugin: str) -> list[str]:
    """Return what a plugin has recorded."""
    return disk.records(disk.SRIOV if plugin == "sriov" else disk.ACCELERATED_BRIDGE)


@pytest.mark.parametrize("plugin", TYPES)
def test_the_vdpa_device_was_deleted(
    plugin: str, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Callable[..., Attachment]
) -> None:
    """Its link has gone with it, in the pod: nothing is waited for, and the VF's own link is left alone."""
    with vdpa.on(vf, "virtio") as device:
        before, own = snapshot(nic, vf, bridge), HOST.settings(vf.name)
        one = attach(vf, type=plugin, ipam=IPAM, mtu=1400)
        one.add()
        net.run("vdpa", "dev", "del", device.name)
        assert pod.links() == []
        one.delete()
        assert (snapshot(nic, vf, bridge), HOST.settings(vf.name)) == (before, own)
    assert disk.reserved("lab") == {}
    assert not records(plugin)


@pytest.mark.parametrize("is_gone", [False, True], ids=["pod lives", "pod is gone"])
def test_vfio(is_gone: bool, nic: Nic, vf: VF, bridge: str, pod: Space, attach: Callable[..., Attachment]) -> None:
    """A VF for a DPDK program: its representor is connected, the uplink gets the VLANs, nothing is moved; another pod
    cannot have it.
    """
    vf.bind("vfio-pci")
    before, rep = nic.snapshot(vf, bridge), nic.representor(vf)
    one = attach(vf, vlan=100, trunk=[{"id": 7}], setUplinkVlan=True, mtu=1400, mac=MAC, ipam=IPAM)
    result = one.add()
    assert pod.links() == []
    assert result["interfaces"][0]["mac"] == vf.table()["address"] == MAC
    assert (port(rep)["master"], port(rep)["mtu"]) == (bridge, 1400)
    assert vlans(rep) == {100: NATIVE, 7: set()}
    assert set(vlans(nic.pf.name)) == {1, 7, 100}
    assert attach(vf, container_id="another").call("ADD").error(11)["msg"] == (
        f"pci address {vf.address} is already allocated"
    )
    one.check().ok()
    if is_gone:
        pod.delete()
        one.netns = ""
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert disk.reserved("lab") == {}
    assert not records("accelerated-bridge")


def test_vfio_where_the_pod_is_gone_and_the_driver_another(
    nic: Nic, vf: VF, bridge: str, pod: Space, attach: Callable[..., Attachment]
) -> None:
    """The VF has a link by then, which is nobody's and is left alone; all else is as before."""
    before = nic.snapshot(vf, bridge)
    vf.bind("vfio-pci")
    one = attach(vf, vlan=100, setUplinkVlan=True, trust="on", ipam=IPAM)
    one.add()
    pod.delete()
    vf.bind("igbvf")
    one.delete()
    # igbvf makes a permanent address up each time that it is bound.
    assert without_permanent_mac(nic.snapshot(vf, bridge)) == without_permanent_mac(before)
    assert disk.reserved("lab") == {}
    assert not records("accelerated-bridge")


def test_host_device_publishes_device_information(nic: Nic, vf: VF, pod: Space, device_info: str) -> None:
    """One module for all three plugins."""
    conf = {"cniVersion": "1.1.0", "name": "lab", "type": "host-device", "pciBusID": vf.address}
    one = Attachment({**conf, "runtimeConfig": {"CNIDeviceInfoFile": device_info}}, "c0ffee", pod.path)
    one.add()
    assert read(device_info)["pci"] == {
        "pci-address": vf.address,
        "pf-pci-address": vf.pf.address,
        "representor-device": nic.representor(vf),
    }
    one.delete()


@pytest.mark.parametrize("is_there", [False, True], ids=["no file", "the device plugin's"])
def test_host_device_publishes_a_vdpa_device(
    is_there: bool, nic: Nic, vf: VF, bridge: str, pod: Space, device_info: str
) -> None:
    """With the VF's own link in the pod; what the device plugin has written is completed."""
    conf = {"cniVersion": "1.1.0", "name": "lab", "type": "host-device", "pciBusID": vf.address}
    one = Attachment({**conf, "runtimeConfig": {"CNIDeviceInfoFile": device_info}}, "c0ffee", pod.path)
    before = snapshot(nic, vf, bridge)
    with vdpa.on(vf, "vhost") as device:
        expected = information(device, nic, vf, "vhost")
        if is_there:
            known = {key: expected["vdpa"][key] for key in ("parent-device", "driver", "path")}
            os.makedirs(os.path.dirname(device_info), exist_ok=True)
            with open(device_info, "w") as file:
                json.dump({"type": "vdpa", "version": "1.0.0", "vdpa": {**known, "theirs": "stays"}}, file)
            expected["vdpa"]["theirs"] = "stays"
        one.add()
        assert pod.links() == ["net1"]
        assert read(device_info) == expected
        one.delete()
    assert snapshot(nic, vf, bridge) == before
