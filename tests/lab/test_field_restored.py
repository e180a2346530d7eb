"""What a pod does to a VF does not stay with it: faults that an attack on the binaries found, chapter 2, on a real VF.

| fault | tests |
| --- | --- |
| 2 each property that a pod changes | test_each |
| 2 what this driver refuses, all others at once | test_all_but_what_is_refused |
| 2 whatever else this kernel lets anybody change, and what a newer one adds | test_everything |
| 2 after GC, and before the next ADD | test_each_gives_back |
| 2 an attacker's program sees the host's packets | test_each[XDP], [classifier], test_a_program_that_a_link_holds |
| 2 XDP is detached at ADD | test_a_program_of_the_host |
| 2 a VF that the kernel saved from a dying pod | test_everything[dead] |
| 2 CHECK says nothing | test_check |

igbvf takes all that `properties.CHANGES` has, but for one thing. tests/binary/test_field_restored.py has veth and
macvlan, tests/lab/accelerated_bridge/test_field_faults.py the other plugin.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support import disk, links, properties
from tests.support.field import index_in, state
from tests.support.links import Netns
from tests.support.net import Space
from tests.support.plugin import Attachment
from tests.support.vfs import VF

Attach = Callable[..., Attachment]
VALID_NONE: dict[str, Any] = {"cni.dev/valid-attachments": []}

REFUSED = {"MAC": errno.EADDRNOTAVAIL}
"""What igbvf lets nobody change on a VF that its PF has given an address, and how it says so."""


@contextmanager
def opened(pod: Space) -> Iterator[Netns]:
    """Open a pod, for requests of the kernel's own kind. It dies no sooner than this is closed."""
    space = Netns(os.open(pod.path, os.O_RDONLY | os.O_CLOEXEC))
    try:
        yield space
    finally:
        space.forget()


@pytest.fixture
def inside(pod: Space) -> Iterator[Netns]:
    """The pod, opened."""
    with opened(pod) as space:
        yield space


def seen(inside: Netns, index: int) -> dict[str, object]:
    """Return what can be seen in the pod of what a pod changes."""
    return {**properties.link(inside, index).state(), "classifiers": links.classifiers(inside, index)}


@pytest.mark.parametrize("change", properties.CHANGES)
def test_each(change: str, vf: VF, inside: Netns, attach: Attach) -> None:
    """A property that the pod changed is as it was, and so are PF and VF in the words of ip(8)."""
    before = vf.snapshot(), state(vf)
    one = attach(vf, vlan=100)
    one.add()
    index = index_in(inside)
    was = seen(inside, index)
    properties.CHANGES[change](inside, index)
    assert seen(inside, index) != was
    one.delete()
    assert vf.snapshot() == before[0]
    assert links.differences(before[1], state(vf)) == {}
    assert disk.records(disk.SRIOV) == []


def test_all_but_what_is_refused(vf: VF, inside: Netns, attach: Attach) -> None:
    """All properties at once, on a VF with an address from its PF."""
    before = vf.snapshot(), state(vf)
    one = attach(vf, vlan=100, mac="02:00:00:00:00:2a", mtu=1400)
    one.add()
    index, refused = index_in(inside), {}
    for change, make in properties.CHANGES.items():
        try:
            make(inside, index)
        except OSError as e:
            refused[change] = e.errno
    assert refused == REFUSED
    one.delete()
    assert vf.snapshot() == before[0]
    assert links.differences(before[1], state(vf)) == {}


@pytest.mark.parametrize("command", ["GC", "the next ADD"])
def test_each_gives_back(command: str, vf: VF, inside: Netns, attach: Attach) -> None:
    """What gives back is one piece of code: properties of different kinds show that it is called."""
    before = vf.snapshot(), state(vf)
    one = attach(vf, vlan=100)
    one.add()
    index = index_in(inside)
    for change in ("promiscuous", "ARP off", "queue length", "MTU", "altname", "XDP", "classifier"):
        properties.CHANGES[change](inside, index)
    if command == "GC":
        one.call("GC", **VALID_NONE).ok()
    else:
        one.add()
        assert inside.links()[-1].flags & (links.NOARP | links.PROMISC) == 0
        one.delete()
    assert vf.snapshot() == before[0]
    assert links.differences(before[1], state(vf)) == {}
    assert disk.records(disk.SRIOV) == []


@pytest.mark.parametrize("dead", [False, True], ids=["living", "dead"])
def test_everything(dead: bool, vf: VF, pod: Space, attach: Attach) -> None:
    """All at once, whatever else there is to be changed, features, and what stays when the pod's namespace dies."""
    before = vf.snapshot(), state(vf)
    one = attach(vf, vlan=100, trust="on")
    one.add()
    with opened(pod) as inside:
        index = index_in(inside)
        changed = properties.everything(inside, index)
        assert {"TXQLEN", "GROUP", "GSO_MAX_SEGS", "GRO_MAX_SIZE", "LINKMODE"} <= changed.keys()
        assert {f"flag {flag:#x}" for flag in (links.NOARP, links.PROMISC, links.ALLMULTICAST)} <= changed.keys()
        on = links.features(inside, "net1")
        assert links.features(inside, "net1", GRO | CHECKSUM) != on
        for change in ("MAC", "broadcast address", "alias", "altname", "XDP", "classifier"):
            properties.CHANGES[change](inside, index)
    if dead:
        pod.delete()
    one.delete()
    assert links.differences(before[1], state(vf)) == {}, f"the pod changed {changed}"
    assert vf.snapshot() == before[0]
    assert disk.records(disk.SRIOV) == []


GRO, CHECKSUM = 1 << 14, 1 << 3
"""NETIF_F_GRO, NETIF_F_HW_CSUM (linux/netdev_features.h)."""


def test_a_program_that_a_link_holds(vf: VF, inside: Netns, attach: Attach) -> None:
    """An XDP program that its owner holds, as a process of the pod's may that lives on."""
    before = vf.snapshot(), state(vf)
    one = attach(vf)
    one.add()
    held = links.link_program(inside, links.load_program(), index_in(inside))
    try:
        one.delete()
        assert vf.snapshot() == before[0]
        assert links.differences(before[1], state(vf)) == {}
    finally:
        os.close(held)


def test_a_program_of_the_host(vf: VF, pod: Space, attach: Attach) -> None:
    """What the last pod, which another plugin cleaned up after, has left does not see this pod's packets."""
    host = Netns.own()
    index = index_in(host, vf.name)
    for change in ("XDP", "classifier"):
        properties.CHANGES[change](host, index)
    host.forget()
    one = attach(vf)
    outcome = one.call("ADD")
    outcome.ok()
    assert "xdp" not in (pod.link("net1") or {})
    assert "detached the XDP program" in outcome.stderr
    assert "classifier" in outcome.stderr
    one.delete()


@pytest.mark.parametrize(("change", "said"), [("ARP off", "ARP is off"), ("multicast off", "multicast is off")])
def test_check(change: str, said: str, vf: VF, inside: Netns, attach: Attach) -> None:
    """CHECK tells what keeps a link from working and no plugin of a chain changes."""
    one = attach(vf)
    one.add()
    one.check().ok()
    properties.CHANGES[change](inside, index_in(inside))
    assert said in one.check().error(999)["msg"]
    one.delete()
