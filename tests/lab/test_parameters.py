"""Every parameter of sriov, as the kernel shows it: on igb, or on netdevsim's VF table where igb refuses it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import disk
from tests.support.cases import try_each
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.simulator import in_place_of_pf
from tests.support.vf_page import pf_unbound
from tests.support.vfs import VF

Attach = Callable[..., Attachment]
MAC = "02:00:00:00:00:2a"


def entry_of(vf: VF) -> dict[str, Any]:
    """Return what of the VF's entry the parameters set."""
    return flat(vf.table())


def flat(table: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of `ip -j link show` without its nesting."""
    vlan = (table.get("vlan_list") or [{}])[0]
    return {
        "mac": table["address"],
        "vlan": vlan.get("vlan", 0),
        "qos": vlan.get("qos", 0),
        "protocol": vlan.get("protocol", "802.1Q").lower(),
        "spoofchk": table.get("spoofchk"),
        "trust": table.get("trust"),
        "link_state": table.get("link_state"),
        "min": table["rate"]["min_tx"],
        "max": table["rate"]["max_tx"],
    }


IGB: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "vlan": ({"vlan": 100}, {"vlan": 100}),
    "vlan and priority": ({"vlan": 4094, "vlanQoS": 7}, {"vlan": 4094, "qos": 7}),
    "no vlan": ({"vlan": 0}, {}),
    "protocol": ({"vlan": 5, "vlanProto": "802.1Q"}, {"vlan": 5}),
    "spoofchk off": ({"spoofchk": "off"}, {"spoofchk": False}),
    "spoofchk on": ({"spoofchk": "ON"}, {"spoofchk": True}),
    "trust": ({"trust": "on"}, {"trust": True}),
    "mac": ({"mac": "02-00-00-00-00-2A"}, {"mac": MAC}),
    "mac of a trusted VF": ({"mac": MAC, "trust": "on"}, {"mac": MAC, "trust": True}),
    "mac by the runtime": ({"mac": "02:00:00:00:00:01", "runtimeConfig": {"mac": MAC}}, {"mac": MAC}),
    "link state as it is": ({"link_state": "auto"}, {"link_state": "auto"}),
    "rate": ({"max_tx_rate": 100}, {"max": 100}),
    "rates as they are": ({"min_tx_rate": 0, "max_tx_rate": 0}, {}),
    "all": (
        {"vlan": 7, "vlanQoS": 2, "mac": MAC, "spoofchk": "off", "trust": "on", "mtu": 1400, "max_tx_rate": 200},
        {"vlan": 7, "qos": 2, "mac": MAC, "spoofchk": False, "trust": True, "max": 200},
    ),
}


@pytest.mark.parametrize("name", IGB)
def test_on_igb(name: str, vf: VF, pod: Space, attach: Attach) -> None:
    """The table has what was asked for and nothing else has changed, CHECK is content; DEL makes all what it was."""
    conf, expected = IGB[name]
    before, table = vf.snapshot(), entry_of(vf)
    one = attach(vf, **conf)
    result = one.add()["interfaces"][0]
    assert entry_of(vf) == {**table, **expected}
    link = pod.link("net1")
    assert link is not None
    assert (link["address"], link["mtu"]) == (expected.get("mac", table["mac"]), conf.get("mtu", 1500))
    assert (result["mac"], result["mtu"], result["pciID"]) == (link["address"], link["mtu"], vf.address)
    assert "UP" in link["flags"]
    one.check().ok()
    one.delete()
    assert vf.snapshot() == before


SIMULATED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "802.1ad": ({"vlan": 100, "vlanQoS": 4, "vlanProto": "802.1AD"}, {"vlan": 100, "qos": 4, "protocol": "802.1ad"}),
    "802.1q": ({"vlan": 100}, {"vlan": 100}),
    "link state enable": ({"link_state": "enable"}, {"link_state": "enable"}),
    "link state disable": ({"link_state": "Disable"}, {"link_state": "disable"}),
    "minimum": ({"min_tx_rate": 50}, {"min": 50}),
    "both rates": ({"min_tx_rate": 50, "max_tx_rate": 1000}, {"min": 50, "max": 1000}),
    "trust and spoofchk": ({"trust": "on", "spoofchk": "on"}, {"trust": True, "spoofchk": True}),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_on_netdevsim(name: str, vf: VF, attach: Attach) -> None:
    """What igb refuses, on a table that takes it."""
    conf, expected = SIMULATED[name]
    with in_place_of_pf(vf) as simulated:
        before = simulated.table()
        one = attach(vf, **conf)
        one.add()
        assert flat(simulated.table()) == {**flat(before), **expected}
        one.check().ok()
        one.delete()
        assert simulated.table() == before


def test_the_last_of_256_vfs(vf: VF, attach: Attach) -> None:
    """A table of some 50 KB is read and written at its last entry, and nowhere else."""
    with in_place_of_pf(vf, vfs=256, index=255) as simulated:
        before = simulated.whole_table()
        assert len(before) == 256
        one = attach(vf, vlan=100, vlanQoS=2, mac=MAC, trust="on", min_tx_rate=10)
        one.add()
        table = simulated.whole_table()
        assert table[:255] == before[:255]
        assert table[255] == {"mac": MAC, "vlan": 100, "qos": 2, "trust": 1, "min": 10, "max": 0}
        one.check().ok()
        one.delete()
        assert simulated.whole_table() == before


REFUSED: dict[str, tuple[dict[str, Any], str, int]] = {
    "link state": ({"link_state": "enable"}, "link_state enable", 95),
    "more than the link's speed": ({"max_tx_rate": 50_000}, "max_tx_rate 50000", 22),
    "minimum": ({"min_tx_rate": 10}, "min_tx_rate 10", 22),
    "802.1ad": ({"vlan": 5, "vlanProto": "802.1ad"}, "vlan 5, vlanQoS 0, vlanProto 802.1ad", 93),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_igb_refuses(name: str, vf: VF, pod: Space, attach: Attach) -> None:
    """The error names attribute, value, VF and PF, and the VF is as it was found, also what was set before it."""
    conf, named, errno = REFUSED[name]
    before = vf.snapshot()
    one = attach(vf, trust="on", spoofchk="off", ipam={"type": "host-local", "subnet": "10.5.0.0/24"}, **conf)
    error = one.call("ADD").error(999)
    assert f"on VF {vf.index} ({vf.address}) of {vf.pf.name}" in error["msg"]
    assert named in error["msg"]
    assert f"errno {errno}" in error["details"]
    assert vf.snapshot() == before
    assert pod.links() == []
    assert disk.reserved("lab") == {}
    assert [path for path in disk.files(disk.SRIOV) if not path.endswith(".lock")] == []
    assert os.listdir(f"{disk.SRIOV}/pci") == ["vf_lock"]


CHANGED: dict[str, tuple[list[str], str]] = {
    "vlan": (["vlan", "6"], "vlan"),
    "trust": (["trust", "off"], "trust"),
    "spoofchk": (["spoofchk", "on"], "spoofchk"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_check_sees_what_was_changed_at_the_pf(name: str, vf: VF, attach: Attach) -> None:
    """CHECK compares the VF's settings at the PF with what was asked for."""
    arguments, attribute = CHANGED[name]
    before = vf.snapshot()
    one = attach(vf, vlan=5, trust="on", spoofchk="off")
    one.add()
    one.check().ok()
    HOST.ip("link", "set", vf.pf.name, "vf", str(vf.index), *arguments)
    assert attribute in one.check().error(999)["msg"]
    one.delete()
    assert vf.snapshot() == before


def test_check_sees_what_was_changed_in_the_pod(vf: VF, pod: Space, attach: Attach) -> None:
    """Addresses, and the link itself. Its MTU may be that of a plugin later in the chain, and is no fault."""
    before = vf.snapshot()
    one = attach(vf, mtu=1400, ipam={"type": "static", "addresses": [{"address": "10.5.0.9/24"}]})
    one.add()
    one.check().ok()
    pod.ip("link", "set", "net1", "mtu", "1300")
    one.check().ok()
    pod.ip("addr", "del", "10.5.0.9/24", "dev", "net1")
    assert "10.5.0.9/24" in one.check().error(999)["msg"]
    pod.ip("addr", "add", "10.5.0.9/24", "dev", "net1")
    one.check().ok()
    pod.ip("link", "set", "net1", "down")
    pod.ip("link", "set", "net1", "name", "net9")
    assert "net1 is missing" in one.check().error(999)["msg"]
    one.delete()
    assert vf.snapshot() == before


def test_cni_args_give_the_mac_address(vf: VF, pod: Space, attach: Attach) -> None:
    """MAC= of CNI_ARGS goes before `mac`."""
    before = vf.snapshot()
    one = attach(vf, mac="02:00:00:00:00:01")
    one.args = f"IgnoreUnknown=1;K8S_POD_NAME=x;MAC={MAC}"
    assert one.add()["interfaces"][0]["mac"] == MAC
    one.delete()
    assert vf.snapshot() == before


def test_attached_without_a_mac_and_then_with_one(vf: VF, attach: Attach) -> None:
    """igbvf refuses an address that the PF has set until it is reset; sriov-cni fails here."""
    before = vf.snapshot()
    conf: dict[str, Any]
    for conf in ({}, {"mac": MAC}, {}, {"mac": "02:00:00:00:00:2b"}):
        one = attach(vf, **conf)
        mac = one.add()["interfaces"][0]["mac"]
        assert mac == conf.get("mac", mac)
        one.delete()
        assert vf.snapshot() == before


def test_status(vf: VF, attach: Attach) -> None:
    """STATUS without a device, as runtimes ask, with one, and with one that is not there."""
    one = attach(vf)
    one.call("STATUS").ok()
    del one.conf["deviceID"]
    one.call("STATUS").ok()
    one.conf["deviceID"] = "0000:ff:1f.7"
    assert "0000:ff:1f.7" in one.call("STATUS").error(50)["msg"]


PLUGINS: dict[str, dict[str, Any]] = {"sriov": {}, "accelerated-bridge": {"bridge": "br-status"}}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_status_when_add_could_not_work(plugin: str, vf: VF, attach: Attach) -> None:
    """Records that cannot be written, an address pool that is used up, an IPAM plugin that is not there, and a PF
    without a link, each with its code.
    """
    folder = f"{disk.CNI}/{plugin}"
    subnet = {"type": "host-local", "subnet": "10.6.0.0/30"}  # with one address for pods
    HOST.ip("link", "add", "br-status", "type", "bridge")
    try:
        one = attach(vf, type=plugin, **PLUGINS[plugin], ipam=subnet)
        one.call("STATUS").ok()
        with pf_unbound(vf):
            assert vf.pf.address in one.call("STATUS").error(50)["msg"]
        pool = f"{disk.NETWORKS}/lab"
        os.makedirs(pool)
        with open(f"{pool}/10.6.0.2", "w") as file:
            file.write("another\r\nnet1")
        assert "no IP addresses available" in one.call("STATUS").error(50)["msg"]
        one.conf["ipam"] = {"type": "nowhere7"}
        assert "nowhere7" in one.call("STATUS").error(50)["msg"]
        del one.conf["ipam"]
        one.call("STATUS").ok()
        shutil.rmtree(folder, ignore_errors=True)
        with open(folder, "x"):
            pass
        assert f"cannot keep records in {folder}" in one.call("STATUS").error(50)["msg"]
        os.unlink(folder)
    finally:
        HOST.ip("link", "del", "br-status")


DEVICE_INFO = "/var/run/k8s.cni.cncf.io/devinfo/cni/plumbline-test.json"


def test_device_information(vf: VF, attach: Attach) -> None:
    """Written whole where there is no file, completed where the device plugin wrote one."""
    one = attach(vf, runtimeConfig={"CNIDeviceInfoFile": DEVICE_INFO})
    by_device_plugin = {"type": "pci", "version": "1.0.0", "pci": {"pci-address": vf.address, "vendor": "8086"}}
    try:
        for written in ({}, by_device_plugin):
            if written:
                os.unlink(DEVICE_INFO)
                with open(DEVICE_INFO, "w") as file:
                    json.dump(written, file)
            one.add()
            with open(DEVICE_INFO) as file:
                info = json.load(file)
            known = {"pci-address": vf.address, "pf-pci-address": vf.pf.address}
            known |= {"vendor": "8086"} if written else {}
            assert info == {"type": "pci", "version": "1.0.0", "pci": known}
            assert os.stat(DEVICE_INFO).st_mode & 0o777 == 0o444
            one.delete()
    finally:
        os.unlink(DEVICE_INFO)


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "vlan too large": ({"vlan": 4095}, ["vlan", "4095"]),
    "vlan negative": ({"vlan": -1}, ["vlan", "-1"]),
    "vlan as text": ({"vlan": "100"}, ["vlan", '"100"']),
    "qos too large": ({"vlan": 5, "vlanQoS": 8}, ["vlanQoS", "8"]),
    "qos without vlan": ({"vlanQoS": 3}, ["vlanQoS", "3"]),
    "unknown protocol": ({"vlan": 5, "vlanProto": "802.1x"}, ["vlanProto", "802.1x"]),
    "protocol without vlan": ({"vlanProto": "802.1ad"}, ["vlanProto", "802.1ad"]),
    "rate negative": ({"max_tx_rate": -5}, ["max_tx_rate", "-5"]),
    "rates crossed": ({"min_tx_rate": 200, "max_tx_rate": 100}, ["min_tx_rate", "200"]),
    "rate as text": ({"min_tx_rate": "10"}, ["min_tx_rate", '"10"']),
    "no such device": ({"deviceID": "0000:ff:1f.7"}, ["deviceID", "0000:ff:1f.7"]),
    "no PCI address": ({"deviceID": "eth0"}, ["deviceID", "eth0"]),
    "a PF": ({"deviceID": "0000:01:00.0"}, ["deviceID", "physical function"]),
    "no device": ({"deviceID": ""}, ["VF pci addr is required"]),
    "multicast MAC": ({"mac": "01:00:5e:00:00:01"}, ["mac", "01:00:5e:00:00:01"]),
    "zero MAC": ({"mac": "00:00:00:00:00:00"}, ["mac", "00:00:00:00:00:00"]),
    "garbage MAC": ({"mac": "zz:00:00:00:00:01"}, ["mac", "zz:00:00:00:00:01"]),
    "bad MAC by the runtime": ({"runtimeConfig": {"mac": "02:00"}}, ["runtimeConfig.mac", "02:00"]),
    "spoofchk": ({"spoofchk": "yes"}, ["spoofchk", "yes"]),
    "spoofchk as boolean": ({"spoofchk": True}, ["spoofchk", "true"]),
    "trust": ({"trust": "1"}, ["trust", "1"]),
    "link state": ({"link_state": "up"}, ["link_state", "up"]),
    "MTU": ({"mtu": 10}, ["mtu", "10"]),
}


def test_bad_input(vf: VF, pod: Space, attach: Attach) -> None:
    """Code 7, field and value named, and nothing touched."""
    before = vf.snapshot()

    def trial(name: str) -> None:
        conf, named = BAD[name]
        error = attach(vf, **{"trust": "on", **conf}).call("ADD").error(7)
        assert all(word in error["msg"] for word in named), error
        assert vf.name, "the VF's link is on the host"
        assert disk.files(disk.CNI) == {}

    try_each(BAD, trial)
    assert vf.snapshot() == before
    assert pod.links() == []
