"""Giving a VF back: which link it is that comes back, and what is said of failures."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cni.attach.attachment import Owner
from cni.attach.call import Call
from cni.attach.give_back import give_back
from cni.attach.records import Records
from cni.linux.log import Logger
from cni.linux.netlink import codec, link
from cni.linux.netlink.link import Link
from cni.linux.netlink.socket import NetlinkError, NetlinkSocket, RequestError
from cni.linux.netns import NetNS
from cni.protocol.config import NetConf
from cni.protocol.errors import GENERIC, CniError
from cni.protocol.request import Request
from ipam.delegate import Delegate
from plugins.sriov.plugin import Sriov
from plugins.vf import returning
from plugins.vf.attachment import Beside, VfAttachment
from plugins.vf.config import VfConfig
from plugins.vf.pf import NO_MAC, Entry
from tests.support import sysfstree
from tests.support.log import Lines
from tests.support.messages import Recorder

PF, VF = "0000:03:00.0", "0000:03:00.2"


class Stuck(Beside):
    """A connection that cannot be cut."""

    __slots__ = ()

    def disconnect(
        self, host: NetNS, others: Callable[[], list[VfAttachment]], errors: list[CniError], log: Logger
    ) -> None:
        """Fail."""
        errors.append(CniError(GENERIC, "cannot take rep0 out of br0: Device or resource busy"))


class Busy(Recorder):
    """A pod whose links the kernel does not list."""

    def dump(self, kind: int, body: bytes, question: str) -> list[bytes]:
        """Refuse."""
        raise NetlinkError(errno.EBUSY, os.strerror(errno.EBUSY))


@pytest.mark.parametrize(
    ("vfs", "second"),
    [
        ({0: VF}, f"cannot fetch ens2f0v0 ({VF}): Device or resource busy"),
        ({}, f'deviceID: "{VF}" is not allowed; its physical function {PF} does not list it'),
    ],
    ids=["the link cannot be fetched", "the PF does not know the VF"],
)
def test_both_failures_are_said(tmp_path: Path, vfs: dict[int, str], second: str) -> None:
    """The connection that still stands, and what kept the VF from being given back."""
    tree = sysfstree.pf(PF, vfs) | {sysfstree.folder(VF, "physfn"): f"-> ../{PF}"}
    root = sysfstree.build(tmp_path, tree)
    original = Link(7, "ens2f0v0")
    claim = VfAttachment(Owner("c0ffee", "net1", "blue"), original, VfConfig(VF), "", 0, None)
    claim.beside = Stuck()
    host, pod = NetNS("host", -1, Recorder()), NetNS("pod", -1, Busy())
    plugin, log, conf = Sriov(root), Lines(), NetConf({"cniVersion": "1.1.0", "name": "blue"})
    call = Call(Request("DEL", "c0ffee", "", "net1"), conf, host, Delegate(), log, Records(plugin, log))
    way = plugin.returning(claim, call)
    with pytest.raises(CniError) as caught:
        give_back(way, pod, 0)
    assert caught.value.msg == f"giving back ens2f0v0 ({VF}): 2 steps failed"
    assert "cannot take rep0 out of br0: Device or resource busy" in caught.value.details
    assert second in caught.value.details


class Silent(Recorder):
    """A host whose kernel refuses every change, or does not answer to any. sent: what was asked for."""

    def __init__(self, error: RequestError) -> None:
        super().__init__()
        self.error = error

    def change(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Fail."""
        super().change(kind, body, flags)
        raise self.error


@pytest.mark.parametrize(
    ("error", "asked"),
    [(NetlinkError(errno.EINVAL, "Invalid argument"), 2), (RequestError(errno.ENOBUFS, "No buffer space"), 1)],
    ids=["refused", "not answered"],
)
def test_the_administrative_mac(error: RequestError, asked: int) -> None:
    """A driver that takes no empty one gets the VF's own instead, for good. A lost answer is no such driver."""
    host = Silent(error)
    original = Link(7, "ens2f0v0")
    original.mac = "02:00:5e:10:00:01"
    claim = VfAttachment(Owner("c0ffee", "net1", "blue"), original, VfConfig(VF), "ens2f0", 0, None)
    claim.wanted.mac = "02:00:5e:10:00:02"
    entry = Entry(NetNS("host", -1, host), "ens2f0", 3, VF, 0)
    log = Lines()
    if asked == 1:
        with pytest.raises(CniError, match=r"cannot set mac .*: No buffer space"):
            returning._set_admin_mac(claim, entry, NO_MAC, log)
    else:
        returning._set_admin_mac(claim, entry, NO_MAC, log)
    assert len(host.sent) == asked


class Links(NetlinkSocket):
    """A host with some links. parents: the names of the devices behind them, by their names."""

    def __init__(self, parents: dict[str, str]) -> None:
        self.parents = parents

    def get(self, kind: int, body: bytes, question: str) -> bytes:
        """Return the link that is asked for."""
        name = codec.os_text(dict(codec.attributes(body, link.IFINFOMSG.size))[link.IFLA_IFNAME])
        if name not in self.parents:
            raise NetlinkError(errno.ENODEV, os.strerror(errno.ENODEV))
        shown = codec.text(link.IFLA_IFNAME, name) + codec.text(link.IFLA_PARENT_DEV_NAME, self.parents[name])
        return link.IFINFOMSG.pack(0, 0, 7, 0, 0) + shown


OWN, VIRTIO = {"ens2f0v0": VF}, {"eth0": "virtio0"}


@pytest.mark.parametrize("driver", ["virtio_vdpa", "vhost_vdpa", ""])
@pytest.mark.parametrize("attached", [OWN, VIRTIO], ids=["the VF's own", "the vDPA device's"])
@pytest.mark.parametrize("on_host", [{}, OWN, VIRTIO, OWN | VIRTIO], ids=["none", "own", "virtio", "both"])
def test_the_link_that_comes_back(
    tmp_path: Path, on_host: dict[str, str], attached: dict[str, str], driver: str
) -> None:
    """The one that was attached, whatever the vDPA device has been bound to since."""
    tree = sysfstree.pf(PF, {0: VF}) | sysfstree.netdev(sysfstree.folder(VF), "ens2f0v0")
    tree |= sysfstree.vdpa(sysfstree.folder(VF), "vdpa0", driver, "virtio0")
    tree |= sysfstree.netdev(sysfstree.folder(VF, "vdpa0", "virtio0"), "eth0")
    ((name, parent),) = attached.items()
    original = Link(7, name)
    original.parent = parent
    claim = VfAttachment(Owner("c0ffee", "net1", "blue"), original, VfConfig(VF), "", 0, None)
    host = NetNS("host", -1, Links(on_host))
    assert returning.is_back(claim, host, 0, sysfstree.build(tmp_path, tree)) is (name in on_host)
