"""Which link is a VF's representor, where names are given to other links at the wrong moment."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cni.attach.call import Call
from cni.attach.records import Records
from cni.linux.netlink import codec, link
from cni.linux.netlink.link import Link
from cni.linux.netlink.socket import NetlinkError, NetlinkSocket
from cni.linux.netns import NetNS
from cni.protocol.config import NetConf
from cni.protocol.errors import CniError
from cni.protocol.request import Request
from ipam.delegate import Delegate
from plugins.accelerated_bridge.plugin import AcceleratedBridge
from plugins.accelerated_bridge.port import RepresentorPort
from tests.support import sysfstree
from tests.support.log import Lines

PF, VF = "0000:03:00.0", "0000:03:00.3"
SWITCH = "b8cef603003f2a98"
BRIDGE = 12


class Links(NetlinkSocket):
    """A host with a PF, a bridge, and other links. ports: the names of theirs, by the links' names, at each question.

    changed: the indexes of links that were to be changed.
    """

    def __init__(self, *ports: dict[str, str]) -> None:
        self.ports = list(ports)
        self.changed: list[int] = []

    def get(self, kind: int, body: bytes, question: str) -> bytes:
        """Return the link that is asked for; where it is not the PF or the bridge, this is the next question."""
        asked = dict(codec.attributes(body, link.IFINFOMSG.size)).get(link.IFLA_IFNAME)
        name = codec.os_text(asked) if asked is not None else ""
        shown = codec.text(link.IFLA_IFNAME, name)
        if name == "br1":
            info = codec.attribute(link.IFLA_INFO_KIND, b"bridge\0")
            return link.IFINFOMSG.pack(0, 0, BRIDGE, 0, 0) + shown + codec.attribute(link.IFLA_LINKINFO, info)
        if name == "ens2f0":
            return link.IFINFOMSG.pack(0, 0, 3, 0, 0) + shown
        ports = self.ports.pop(0) if len(self.ports) > 1 else self.ports[0]
        if name not in ports:
            raise NetlinkError(errno.ENODEV, os.strerror(errno.ENODEV))
        shown += codec.text(link.IFLA_PHYS_PORT_NAME, ports[name])
        return link.IFINFOMSG.pack(0, 0, 9, link.IFF_UP, 0) + shown

    def change(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Note it."""
        self.changed.append(link.IFINFOMSG.unpack_from(body)[2])


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A sysfs with a PF, its VF 1, and the representor of that."""
    tree = sysfstree.pf(PF, {1: VF}) | sysfstree.netdev(sysfstree.folder(PF), "ens2f0", "p0", SWITCH)
    return sysfstree.build(tmp_path, tree | sysfstree.netdev(sysfstree.folder(PF), "eth0", "pf0vf1", SWITCH))


def beside(root: str, *ports: dict[str, str]) -> RepresentorPort:
    """Return what is to be connected for VF 1. ports: as in `Links`."""
    plugin, log = AcceleratedBridge(root), Lines()
    conf = NetConf({"cniVersion": "1.1.0", "name": "blue", "deviceID": VF, "bridge": "br1"})
    call = Call(
        Request("ADD", "c0ffee", "", "net1"),
        conf,
        NetNS("host", -1, Links(*ports)),
        Delegate(),
        log,
        Records(plugin, log),
    )
    device = plugin.device(conf, "")
    device.find()
    return device.beside(None, call)


OTHER, OWN = {"eth0": "pf0vf0"}, {"eth0": "pf0vf1"}


@pytest.mark.parametrize("at_first", [OTHER, {}], ids=["another VF's has its name", "nobody has its name"])
def test_renamed_while_it_is_looked_up(root: str, at_first: dict[str, str]) -> None:
    """It is looked up again."""
    assert beside(root, at_first, OWN).original.port == "pf0vf1"


@pytest.mark.parametrize("always", [OTHER, {}], ids=["another VF's", "none"])
def test_never_another(root: str, always: dict[str, str]) -> None:
    """Rather none than that of another VF, which may be a pod's."""
    with pytest.raises(CniError, match=f"VF {VF} has no representor"):
        beside(root, always)


@pytest.mark.parametrize(("port", "is_it"), [("pf0vf1", True), ("", True), ("pf0vf2", False), ("c1pf0vf2", False)])
def test_a_go_record_of_a_vf_that_is_gone(tmp_path: Path, port: str, is_it: bool) -> None:
    """It knows the representor's name only, which the kernel may have given to another VF's, in a living pod's use."""
    made = RepresentorPort(Link(0, "eth0"), "br1", {}, 0, "ens2f0", str(tmp_path), str(tmp_path))
    made.vf, made.vf_index = VF, 1
    links, log = Links({"eth0": port}), Lines()
    made.disconnect(NetNS("host", -1, links), list, [], log)
    assert (links.changed != []) is is_it
    assert ("representor eth0 is gone" in log.text("info")) is not is_it
