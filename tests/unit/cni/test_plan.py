"""What ADD decides to do: which steps, in which order, each with its undo. No kernel is asked: none answers here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni.attach.attaching import Attaching
from cni.attach.attachment import Attachment, Owner
from cni.attach.call import Call
from cni.attach.claims import Claims
from cni.attach.plugin import Device, Plugin
from cni.attach.records import Records
from cni.linux.netlink.link import Link
from cni.linux.netlink.vf import VF
from cni.linux.netns import NetNS
from cni.protocol.config import NetConf
from cni.protocol.request import Request
from ipam.delegate import Delegate
from plugins.accelerated_bridge.plugin import AcceleratedBridge
from plugins.accelerated_bridge.port import RepresentorPort
from plugins.host_device.attachment import HostAttachment
from plugins.host_device.plugin import HostDevicePlugin
from plugins.sriov.plugin import Sriov
from plugins.vf.attachment import VfAttachment
from plugins.vf.device import VfDevice
from plugins.vf.pf import Entry
from tests.support import sysfstree
from tests.support.log import Lines
from tests.support.messages import Recorder

PF, ADDRESS, POD = "0000:03:00.0", "0000:03:00.2", "/run/netns/pod1"
HOST_LOCAL = {"type": "host-local", "subnet": "10.1.0.0/24"}
INFO = {"CNIDeviceInfoFile": "/var/run/k8s.cni.cncf.io/devinfo/dp/x"}

RECORD = ["record what ens5 is like", "undo: give ens5 back"]
MOVE = [f"move ens5 into {POD} as net1", "undo: end the move"]
MOVE_AND_CHOOSE = [
    f"move ens5 into {POD} as net1 and take addresses from host-local meanwhile",
    *("undo: release the addresses", "undo: end the move"),
]
DETACH, UP = "detach what sees the packets of net1", "bring net1 up"
ADDRESSES, ROUTES, ANNOUNCE = "give net1 its addresses", "give net1 its routes", "announce the addresses of net1"
RESULT, PUBLISH = "make the result", "publish device information"
OF_VF = "on VF 0 of ens2f0"


def attaching(plugin: Plugin, conf: dict[str, Any], has_link: bool) -> Attaching:
    """Return an ADD of which all is known, and nothing is done."""
    log, quiet = Lines(), Recorder()
    whole = NetConf({"cniVersion": "1.1.0", "name": "blue", "deviceID": ADDRESS, **conf})
    call = Call(
        Request("ADD", "c0ffee", POD, "net1"), whole, NetNS("host", -1, quiet), Delegate(), log, Records(plugin, log)
    )
    device = plugin.device(whole, "")
    device.find()
    made = attached(device, has_link)
    return Attaching(call, device, made, NetNS(POD, -1, quiet), Claims(plugin, call))


def attached(device: Device, has_link: bool) -> Attachment:
    """Return what is recorded of a device."""
    owner, original = Owner("c0ffee", "net1", "blue", POD), Link(5, "ens5")
    if not isinstance(device, VfDevice):
        return HostAttachment(owner, original, "", True)
    device._entry = Entry(NetNS("host", -1, Recorder()), "ens2f0", 3, ADDRESS, 0)
    table = VF(0)
    table.trust, table.spoofchk, table.mac = False, True, "02:00:00:00:00:01"
    made = VfAttachment(owner, original if has_link else None, device.wanted, "ens2f0", 0, table)
    if device.optional:
        made.beside = RepresentorPort(Link(9, "ens2f0_0"), "br1", {}, 0, "ens2f0", "")
    return made


def shown(made: Attaching) -> list[str]:
    """Return the steps in words, each followed by its undos."""
    lines = []
    for step in (*made.claiming(), *made.steps()):
        lines += [step.does, *(f"undo: {does}" for does, _ in step.undos)]
    return lines


CASES: dict[str, tuple[type[Plugin], dict[str, Any], list[str]]] = {
    "a host device without addresses": (
        HostDevicePlugin,
        {"device": "ens5", "deviceID": ""},
        [*RECORD, *MOVE, DETACH, UP, RESULT, ROUTES, ANNOUNCE],
    ),
    "with addresses that are chosen while it moves": (
        HostDevicePlugin,
        {"device": "ens5", "ipam": HOST_LOCAL, "runtimeConfig": INFO},
        [*RECORD, *MOVE_AND_CHOOSE, DETACH, ADDRESSES, UP, RESULT, ROUTES, ANNOUNCE, PUBLISH],
    ),
    "with addresses from a server, which is asked through the link": (
        HostDevicePlugin,
        {"device": "ens5", "ipam": {"type": "dhcp"}},
        [*RECORD, *MOVE, DETACH, UP, "take addresses from dhcp", "undo: release the addresses", ADDRESSES, RESULT,
         ROUTES, ANNOUNCE],
    ),
    "a VF with nothing to set": (
        Sriov,
        {"trust": "off", "spoofchk": "on"},
        [*RECORD, *MOVE, DETACH, UP, RESULT, ROUTES, ANNOUNCE],
    ),
    "a VF with all": (
        Sriov,
        {"vlan": 7, "trust": "on", "spoofchk": "off", "mac": "02:00:00:00:00:2a", "mtu": 1400, "ipam": HOST_LOCAL},
        [*RECORD, f"set trust on {OF_VF}", f"set spoofchk off {OF_VF}", f"set mac 02:00:00:00:00:2a {OF_VF}",
         f"set vlan 7, vlanQoS 0, vlanProto 802.1q {OF_VF}", *MOVE_AND_CHOOSE, DETACH,
         "give net1 the MAC address 02:00:00:00:00:2a", "give net1 the MTU 1400", ADDRESSES, UP, RESULT, ROUTES,
         ANNOUNCE],
    ),
    "a VF that a program drives": (
        Sriov,
        {"vlan": 7, "ipam": HOST_LOCAL, "runtimeConfig": INFO},
        [f"record what {ADDRESS} is like", f"undo: give {ADDRESS} back",
         f"set vlan 7, vlanQoS 0, vlanProto 802.1q {OF_VF}", "take addresses from host-local",
         "undo: release the addresses", RESULT, PUBLISH],
    ),
    "a VF whose representor goes to a bridge first": (
        AcceleratedBridge,
        {"bridge": "br1", "mtu": 9000},
        [*RECORD, "make representor ens2f0_0 a port of bridge br1", *MOVE, DETACH, "give net1 the MTU 9000", UP, RESULT,
         ROUTES, ANNOUNCE],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("plugin", "conf", "expected"), CASES.values(), ids=CASES)
def test_plan(tmp_path: Path, plugin: type[Plugin], conf: dict[str, Any], expected: list[str]) -> None:
    """The claim comes first, the undo of each step before the next."""
    tree = sysfstree.pf(PF, {0: ADDRESS}) | sysfstree.netdev(sysfstree.folder(PF), "ens2f0")
    root = sysfstree.build(tmp_path, tree)
    has_link = f"record what {ADDRESS} is like" not in expected
    assert shown(attaching(plugin(root), conf, has_link)) == expected
