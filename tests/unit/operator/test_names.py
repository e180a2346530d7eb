"""Devices by the names that an operator gives them."""

from __future__ import annotations

import pytest

from cni.attach.attachment import Owner
from cni.linux.netlink.link import Link
from plugins.host_device.attachment import HostAttachment
from plugins.host_device.plugin import HostDevicePlugin
from plumbline.errors import Status, VerbError
from plumbline.node import names
from plumbline.node.model import Node, Pod
from plumbline.node.roots import Roots
from plumbline.repair import release
from plumbline.repair.dead import Left
from tests.unit.operator import nodes


@pytest.mark.parametrize("text", ["eth0", "0000:03:00.0", "alteth0"])
def test_pf(text: str) -> None:
    """By its link, its address, or its link's other name."""
    node = nodes.full()
    assert names.pf(node, text) is node.pfs[0]
    assert names.find_pf(node, text) is node.pfs[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing", 'there is no PF "nothing" on this node'),
        ("eth0:2", '"eth0:2" is a VF of eth0, and no PF'),
        ("altens7", '"altens7" is a link of this node, and no PF: its device can have no VFs, as it is set now'),
    ],
)
def test_no_pf(text: str, said: str) -> None:
    """What is called so is no PF: it is said what it is."""
    node = nodes.full()
    node.links.append(nodes.link("ens7"))
    with pytest.raises(VerbError) as caught:
        names.pf(node, text)
    assert (caught.value.status, caught.value.message) == (Status.NO_DEVICE, said)
    assert "PFs: eth0" in caught.value.hint


@pytest.mark.parametrize("text", ["0000:03:02.2", "eth0:2", "0000:03:00.0:2", "eth0v2", "alteth0v2"])
def test_vf(text: str) -> None:
    """By its address, its PF and index, its link, or its link's other name."""
    node = nodes.full()
    assert names.vf(node, text) is node.pfs[0].vfs[2]


def test_a_link_on_the_host_comes_first() -> None:
    """A pod may call its link as another VF's is called on the host."""
    node = nodes.full()
    pod, host = node.pfs[0].vfs[0], node.pfs[0].vfs[6]
    pod.link, host.link = nodes.link("net1", netns="/run/netns/pod1"), nodes.link("net1")
    assert names.vf(node, "net1") is names.find_vf(node, "net1") is host
    host.link = None
    assert names.find_vf(node, "net1") is pod


def test_names_in_pods_change_nothing() -> None:
    """A pod calls its link as it likes: who is to change a VF is told which ones have the name, be it only one."""
    node = nodes.full()
    first, second = node.pfs[0].vfs[0], node.pfs[0].vfs[1]
    first.link = second.link = nodes.link("net1", netns="/run/netns/pod1")
    for which in ((first, second), (first,)):
        with pytest.raises(VerbError) as caught:
            names.vf(node, "net1")
        assert caught.value.status is Status.USAGE
        assert [f"{x.name}, in /run/netns/pod1" in caught.value.hint for x in which] == [True] * len(which)
        second.link = None


def _left(node: Node, index: int, name: str) -> Left:
    """Return a record of a VF that was called so on the host."""
    address = node.pfs[0].vfs[index].address
    assert address is not None
    attachment = HostAttachment(Owner("c0ffee", "net1", "blue"), Link(7, name, parent=address), f"/sys/{address}", True)
    return Left(HostDevicePlugin(), attachment, nodes.owner())


def test_release_of_one_of_several() -> None:
    """A name on the host that a recorded device had, and another one has by now, is either's; an address is one's."""
    node = nodes.full()
    everything = [_left(node, 0, "eth0v2")]
    with pytest.raises(VerbError) as caught:
        release.find("eth0v2", node, everything, Roots())
    assert caught.value.status is Status.USAGE
    assert all(f"0000:03:02.{index}" in caught.value.hint for index in (0, 2))
    for index in (0, 2):
        assert release.find(f"0000:03:02.{index}", node, everything, Roots()).vf is node.pfs[0].vfs[index]
        assert release.find(f"eth0:{index}", node, everything, Roots()).vf is node.pfs[0].vfs[index]


def test_release_of_a_name_of_several_pods() -> None:
    """Virtual links have no address: those of two pods may have had one name on the host, one after the other."""
    links = [HostAttachment(Owner(x, "net1", "blue"), Link(7, "veth0"), "", False) for x in ("c1", "c2")]
    plugin, pods = HostDevicePlugin(), (nodes.owner(), nodes.owner(pod=Pod("default", "other")))
    first, second = (Left(plugin, link, pod) for link, pod in zip(links, pods, strict=True))
    with pytest.raises(VerbError) as caught:
        release.find("veth0", nodes.bare(), [first, second], Roots())
    assert caught.value.status is Status.USAGE
    assert caught.value.hint.startswith("default/web\ndefault/other\n")
    second = Left(plugin, links[1], nodes.owner(alive=False))
    assert release.find("veth0", nodes.bare(), [first, second], Roots()).left == [first, second]


def test_release_by_a_name_in_a_pod() -> None:
    """No pod's VF is taken since its link is called so; the name that it had on the host is its own."""
    node = nodes.full()
    everything = [_left(node, 0, "ens7")]
    with pytest.raises(VerbError) as caught:
        release.find("net1", node, everything, Roots())
    assert caught.value.status is Status.USAGE
    found = release.find("ens7", node, everything, Roots())
    assert (found.vf, found.left) == (node.pfs[0].vfs[0], everything)


def test_an_address_comes_before_a_name() -> None:
    """A pod cannot pass its link off for another VF."""
    node = nodes.full()
    node.pfs[0].vfs[0].link = nodes.link("eth0v2", netns="/run/netns/pod1")
    assert names.vf(node, "0000:03:02.2") is node.pfs[0].vfs[2]
    assert names.vf(node, "eth0v2") is node.pfs[0].vfs[2]


@pytest.mark.parametrize(
    "text", ["", ":", "eth0:", ":0", "eth0:7", "eth0:-1", "eth0:02", "eth1:0", "0000:03:02.7", "x"]
)
def test_no_vf(text: str) -> None:
    """Anything else is none, and the error names it."""
    assert names.find_vf(nodes.full(), text) is None
    with pytest.raises(VerbError) as caught:
        names.vf(nodes.full(), text)
    assert caught.value.status is Status.NO_DEVICE
    assert f'"{text}"' in caught.value.message
