"""Devices by the names that an operator gives them."""

from __future__ import annotations

import pytest

from plumbline.errors import Status, VerbError
from plumbline.node import names
from plumbline.node.model import Node
from tests.unit.operator import nodes


@pytest.mark.parametrize("text", ["eth0", "0000:03:00.0", "alteth0"])
def test_pf(text: str) -> None:
    """By its link, its address, or its link's other name."""
    node = nodes.full()
    assert names.pf(node, text) is node.pfs[0]
    assert names.find_pf(node, text) is node.pfs[0]


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
    assert names.vf(node, "net1") is host
    host.link = None
    assert names.vf(node, "net1") is pod


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


def test_no_pf() -> None:
    """The error says which PFs there are."""
    with pytest.raises(VerbError) as caught:
        names.pf(nodes.full(), "eth0v2")
    assert caught.value.hint == "PFs: eth0, eth9"
    with pytest.raises(VerbError) as caught:
        names.pf(Node("node", "6.12"), "eth0")
    assert (caught.value.status, caught.value.hint) == (10, "PFs: none")
