"""What must hold of each of our plugins under cnitool, with reference plugins behind it in the list, told once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk
from tests.support.cnitool import DEBIAN, NETWORK, NEWEST, Cnitool, cached
from tests.support.net import Space

MAC, OTHER_MAC = "02:00:00:00:00:2a", "02:00:00:00:00:2b"
ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=router-0"
DEVICE_INFO = "/var/run/k8s.cni.cncf.io/devinfo/cni/cnitool.json"
IPAM = {"type": "host-local", "subnet": "10.8.0.0/24", "routes": [{"dst": "10.9.0.0/16"}]}
SYSCTL = "net/ipv4/conf/net1/arp_filter"
SBR = {"type": "sbr"}
UNLUCKY = """#!/bin/sh
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion": "1.0.0", "code": 105, "msg": "no luck", "details": "today"}'
exit 1
"""


@dataclass(slots=True)
class Rig:
    """A device and its plugin. plugin: its part of the list. folder: its records. named_by: the capabilities that name
    the device; empty where the configuration does. snapshot: all that the kernel says of the device on the host.
    settings: what else the network asks of ours, that tuning then changes. member: by which a configuration names it.
    """

    plugin: dict[str, Any]
    folder: str
    snapshot: Callable[[], Any]
    named_by: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    member: str = "deviceID"


def tuning(folder: Path, **settings: Any) -> dict[str, Any]:
    """Return tuning's part of the list, which keeps what it is to restore in a folder of the test's."""
    return {"type": "tuning", "dataDir": str(folder / "tuning"), **settings}


class Stories:
    """The stories. A fixture `rig` is to be given."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Where the network is."""
        return tmp_path

    @pytest.mark.parametrize("version", [NEWEST, DEBIAN])
    def test_what_a_caller_gives_arrives(self, version: str, rig: Rig, pod: Space, folder: Path) -> None:
        """Capabilities and arguments; the result is that of all plugins together; CHECK, STATUS and DEL go by it."""
        before, cnitool = rig.snapshot(), Cnitool(version, folder)
        declared = {name: True for name in ("mac", "ips", "CNIDeviceInfoFile", *rig.named_by)}
        cnitool.write(
            {**rig.plugin, "capabilities": declared, "ipam": IPAM},
            tuning(folder, capabilities={"mac": True}, sysctl={SYSCTL.replace("/", "."): "1"}),
            SBR,
        )
        given = {**rig.named_by, "mac": MAC, "ips": ["10.8.0.77/24"], "CNIDeviceInfoFile": DEVICE_INFO}
        result = cnitool("add", pod, given, args=ARGS).ended(0).json
        assert [x["address"] for x in result["ips"]] == pod.addresses("net1") == ["10.8.0.77/24"]
        assert result["interfaces"][0]["mac"] == pod.settings("net1")["mac"] == MAC
        assert pod.run("cat", f"/proc/sys/{SYSCTL}").strip() == "1"
        assert pod.json("rule", "show", "from", "10.8.0.77")  # sbr's
        assert list(disk.reserved(NETWORK)) == ["10.8.0.77"]
        assert any(b"router-0" in content for content in disk.files(rig.folder).values())
        if rig.named_by:
            with open(DEVICE_INFO) as file:
                assert json.load(file)["pci"]["pci-address"] == rig.named_by["deviceID"]
            os.unlink(DEVICE_INFO)  # as it is the caller's to do
        assert len(cached()) == 1

        cnitool("check", pod, given, args=ARGS).ended(0)
        if version == NEWEST:
            cnitool("status", pod).ended(0)
        cnitool("del", pod, given, args=ARGS).ended(0)
        assert (pod.links(), cached(), disk.reserved(NETWORK), disk.records(rig.folder)) == ([], [], {}, [])
        assert not os.path.exists(DEVICE_INFO)
        assert rig.snapshot() == before

    def test_what_plugins_behind_change_is_no_fault(self, rig: Rig, pod: Space, folder: Path) -> None:
        """CHECK of ours has nothing against it (CNI specification 1.1.0, CHECK), though the network asks us for another
        MAC address and MTU; tuning's own sees what the pod changes later. DEL restores what was before ADD.
        """
        before, cnitool = rig.snapshot(), Cnitool(NEWEST, folder)
        self.write_tuned(cnitool, rig, sbr=True)
        cnitool("add", pod, rig.named_by).ended(0)
        inside = pod.link("net1")
        assert inside is not None
        assert (inside["address"], inside["mtu"], inside["txqlen"]) == (OTHER_MAC, 1300, 500)
        assert {"PROMISC", "ALLMULTI"} <= set(inside["flags"])
        cnitool("check", pod, rig.named_by).ended(0)

        pod.ip("link", "set", "net1", "mtu", "1280")
        assert "MTU of net1 is 1300, current value is 1280" in cnitool("check", pod, rig.named_by).ended(1).stderr
        pod.ip("link", "set", "net1", "mtu", "1300")
        pod.ip("addr", "del", "10.8.0.2/24", "dev", "net1")
        assert "10.8.0.2/24 is missing on net1" in cnitool("check", pod, rig.named_by).ended(1).stderr

        cnitool("del", pod, rig.named_by).ended(0)
        assert (pod.links(), cached(), disk.reserved(NETWORK), disk.records(rig.folder)) == ([], [], {}, [])
        assert rig.snapshot() == before

    @pytest.mark.parametrize("version", [NEWEST, DEBIAN])
    def test_a_plugin_behind_fails(self, version: str, rig: Rig, pod: Space, folder: Path) -> None:
        """libcni undoes nothing and caches nothing: the caller gives DEL, which has no result of ADD, or ADD again."""
        before, cnitool = rig.snapshot(), Cnitool(version, folder)
        program = folder / "unlucky"
        program.write_text(UNLUCKY)
        program.chmod(0o755)
        cnitool.path += f":{folder}"
        ours = {**rig.plugin, "capabilities": dict.fromkeys(rig.named_by, True), "ipam": IPAM}
        cnitool.write(ours, tuning(folder, mtu=1300), {"type": "unlucky"})
        assert "no luck; today" in cnitool("add", pod, rig.named_by).ended(1).stderr
        assert (pod.links(), cached(), len(disk.reserved(NETWORK))) == (["net1"], [], 1)
        cnitool("del", pod, rig.named_by).ended(0)
        assert (pod.links(), disk.reserved(NETWORK), disk.records(rig.folder)) == ([], {}, [])
        assert rig.snapshot() == before

        cnitool("add", pod, rig.named_by).ended(1)
        cnitool.write(ours)
        cnitool("add", pod, rig.named_by).ended(0)
        assert len(disk.reserved(NETWORK)) == 1
        cnitool("check", pod, rig.named_by).ended(0)
        cnitool("del", pod, rig.named_by).ended(0)
        assert (pod.links(), disk.reserved(NETWORK), disk.records(rig.folder)) == ([], {}, [])
        assert rig.snapshot() == before

    def test_gc_takes_off_all_that_is_cached(self, rig: Rig, pod: Space, folder: Path) -> None:
        """cnitool names no attachment as valid: libcni gives DEL for each in its cache, then GC without a list."""
        before, cnitool = rig.snapshot(), Cnitool(NEWEST, folder)
        cnitool.write({**rig.plugin, "capabilities": dict.fromkeys(rig.named_by, True), "ipam": IPAM}, SBR)
        cnitool("add", pod, rig.named_by).ended(0)
        cnitool("gc", pod).ended(0)
        assert (pod.links(), cached(), disk.reserved(NETWORK), disk.records(rig.folder)) == ([], [], {}, [])
        assert rig.snapshot() == before
        cnitool("gc", pod).ended(0)

    def test_gc_without_a_cache_spares_the_living(self, rig: Rig, pod: Space, folder: Path) -> None:
        """What libcni does not know of is nobody's to take: GC comes without a list, which is not an empty one."""
        before, cnitool = rig.snapshot(), Cnitool(NEWEST, folder)
        cnitool.write({**rig.plugin, "capabilities": dict.fromkeys(rig.named_by, True), "ipam": IPAM})
        cnitool("add", pod, rig.named_by).ended(0)
        [file] = cached()
        os.unlink(f"{disk.CNI}/results/{file}")
        cnitool("gc", pod).ended(0)
        assert (pod.links(), len(disk.reserved(NETWORK))) == (["net1"], 1)
        cnitool("del", pod, rig.named_by).ended(0)
        assert rig.snapshot() == before

    def write_tuned(self, cnitool: Cnitool, rig: Rig, sbr: bool) -> None:
        """Write a network in which tuning changes all that it can of what ours has set."""
        declared = dict.fromkeys(rig.named_by, True)
        cnitool.write(
            {**rig.plugin, **rig.settings, "capabilities": declared, "ipam": IPAM},
            tuning(cnitool.folder, mac=OTHER_MAC, mtu=1300, promisc=True, allmulti=True, txQLen=500),
            *([SBR] if sbr else []),
        )


class StoriesOfVfs(Stories):
    """Those whose device outlives its pod."""

    def test_the_pod_is_gone(self, rig: Rig, pod: Space, folder: Path) -> None:
        """tuning cannot restore what it changed then: ours does."""
        before, cnitool = rig.snapshot(), Cnitool(NEWEST, folder)
        self.write_tuned(cnitool, rig, sbr=False)
        cnitool("add", pod, rig.named_by).ended(0)
        pod.delete()
        cnitool("del", pod, rig.named_by).ended(0)
        assert (cached(), disk.reserved(NETWORK), disk.records(rig.folder)) == ([], {}, [])
        assert rig.snapshot() == before

    def test_a_plugin_behind_cannot_do_del(self, rig: Rig, pod: Space, folder: Path) -> None:
        """Without a namespace, sbr's DEL fails (it makes a file at its path), and libcni goes no further: ours is not
        asked. Its next command takes the device back all the same, such as cnitool's GC, which fails at sbr, too.
        """
        before, cnitool = rig.snapshot(), Cnitool(NEWEST, folder)
        self.write_tuned(cnitool, rig, sbr=True)
        cnitool("add", pod, rig.named_by).ended(0)
        pod.delete()
        assert 'type="sbr" failed (delete)' in cnitool("del", pod, rig.named_by).ended(1).stderr
        assert disk.records(rig.folder)
        cnitool("gc", pod).ended(1)
        assert (disk.reserved(NETWORK), disk.records(rig.folder)) == ({}, [])
        assert rig.snapshot() == before

    def test_status(self, rig: Rig, pod: Space, folder: Path) -> None:
        """It fails where the VF that the configuration names is not there; libcni of before STATUS has no such verb."""
        cnitool = Cnitool(NEWEST, folder)
        cnitool.write({**rig.plugin, rig.member: rig.named_by["deviceID"], "ipam": IPAM}, SBR)
        cnitool("status", pod).ended(0)
        cnitool.write({**rig.plugin, rig.member: "0000:01:1f.6", "ipam": IPAM}, SBR)
        assert "0000:01:1f.6" in cnitool("status", pod).ended(1).stderr
