"""Whose link it is, told by what a pod cannot write: faults that an attack on the binaries found, chapter 1, on a VF.

| fault | tests |
| --- | --- |
| 1.1 an impostor under the pod's name, with mark and address; lo under it | test_an_impostor |
| 1.1 the VF under another index | test_moved_and_back |
| 1.1 no match while the pod lives | test_hidden |
| 1.1, 3.1 the pod's own namespace dies, and the VF is on the host under the pod's name for it | test_hidden |

A VF is known by the device behind its link. tests/binary/test_field_identity.py has links that are tied to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import disk, vfs
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment
from tests.support.vfs import PF, VF

Attach = Callable[..., Attachment]
MakePod = Callable[[], Space]

IPAM = {"type": "host-local", "subnet": "10.6.0.0/24"}
SETTINGS = {"vlan": 100, "trust": "on", "spoofchk": "off", "mtu": 1400, "ipam": IPAM}
MAC = "02:00:00:00:00:2a"
VALID_NONE: dict[str, Any] = {"cni.dev/valid-attachments": []}


@pytest.fixture
def neighbour(pfs: list[PF]) -> Iterator[VF]:
    """Another VF of the same PF."""
    with vfs.lent(pfs[0].vfs[1]):
        yield pfs[0].vfs[1]


def nothing_left() -> bool:
    """Return whether no record, no allocation and no address is held."""
    return disk.records(disk.SRIOV) == [] and disk.reserved("lab") == {}


@pytest.mark.parametrize("command", ["DEL", "GC"])
@pytest.mark.parametrize("name", ["veth", "lo"])
def test_an_impostor(name: str, command: str, vf: VF, pod: Space, attach: Attach) -> None:
    """The pod renames the VF's link, and another link gets its name, its mark and its address: that one stays."""
    before, host_name = vf.snapshot(), vf.name
    one = attach(vf, **SETTINGS)
    one.add()
    mac = pod.settings("net1")["mac"]
    pod.batch("link set net1 down", "link set net1 name mine", "link set mine alias ''")
    if name == "lo":
        pod.batch("link set lo down", "link set lo name net1", f"link set net1 alias {host_name}")
    else:
        pod.batch(
            f"link add net1 address {mac} type veth peer name evil",
            *(f"link set net1 alias {host_name}", "link set net1 up"),
        )
    impostor = pod.settings("net1")
    one.call(command, **(VALID_NONE if command == "GC" else {})).ok()
    assert vf.snapshot() == before
    assert pod.settings("net1") == impostor
    assert nothing_left()


@pytest.mark.parametrize("mac", [{}, {"mac": MAC}], ids=["", "mac"])
def test_moved_and_back(mac: dict[str, str], vf: VF, pod: Space, make_pod: MakePod, attach: Attach) -> None:
    """The pod moves the VF's link to a namespace of its own and back, under another index and another name, and gives
    the one that it had to another link.
    """
    before, host_name, cover = vf.snapshot(), vf.name, make_pod()
    one = attach(vf, **SETTINGS, **mac)
    one.add()
    index = pod.json("link", "show", "dev", "net1")[0]["ifindex"]
    pod.ip("link", "set", "net1", "netns", str(cover.name))
    pod.batch(
        f"link add net1 index {index} type veth peer name evil", f"link set net1 alias {host_name}", "link set net1 up"
    )
    cover.ip("link", "set", "net1", "name", "back", "netns", str(pod.name))
    assert pod.json("link", "show", "dev", "back")[0]["ifindex"] != index
    one.delete()
    assert vf.snapshot() == before
    assert sorted(pod.links()) == ["evil", "net1"]
    assert nothing_left()


@pytest.mark.parametrize("after", ["ADD of another", "DEL of another", "DEL", "GC of another network"])
def test_hidden(after: str, vf: VF, neighbour: VF, make_pod: MakePod, attach: Attach) -> None:
    """The pod hides the VF's link in a namespace that nobody knows: the record stays, with a warning; the address is
    released. When that namespace dies, whoever comes next finds the VF on the host, and puts it right.
    """
    before, name = vf.snapshot(), vf.name
    pod, cover, other = make_pod(), make_pod(), make_pod()
    one, next_one = attach(vf, pod, **SETTINGS, mac=MAC), attach(neighbour, other, vlan=200, ipam=IPAM)
    one.add()
    pod.ip("link", "set", "net1", "netns", str(cover.name))
    pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "evil")
    outcome = one.call("DEL")
    outcome.ok()
    assert f"{name} ({vf.address}, driver igbvf) has no link on the host yet" in outcome.stderr
    assert "its record stays" in outcome.stderr
    assert "net1 (index" in outcome.stderr
    assert vf.table()["vlan_list"] == [{"vlan": 100}], "what it sends is in its VLAN"
    assert disk.reserved("lab") == {}
    assert f"{one.container_id}-net1" in disk.records(disk.SRIOV)
    assert sorted(pod.links()) == ["evil", "net1"]
    # While the pod lives, others leave it alone.
    next_one.call("DEL").ok()
    assert f"{one.container_id}-net1" in disk.records(disk.SRIOV)
    pod.delete()
    cover.delete()
    vfs.wait_for(lambda: bool(vf.name), "link on the host")
    if after == "ADD of another":
        next_one.add()
        assert neighbour.table()["vlan_list"] == [{"vlan": 200}]
        next_one.check().ok()
        next_one.delete()
    elif after == "DEL of another":
        next_one.delete()
    elif after == "DEL":
        one.delete()
    else:
        next_one.call("GC", name="another", **VALID_NONE).ok()
    assert vf.snapshot() == before
    assert HOST.links().count("net1") == 0
    assert nothing_left()


def test_hidden_and_wanted(vf: VF, make_pod: MakePod, attach: Attach) -> None:
    """The pod's own namespace dies, and the pod lives on. The VF, which is on the host under the pod's name for it, is
    that pod's until its DEL: nobody else gets it, nor with what the pod left on it.
    """
    before = vf.snapshot()
    pod, cover, other = make_pod(), make_pod(), make_pod()
    one, two = attach(vf, pod, **SETTINGS, mac=MAC), attach(vf, other, vlan=200, ipam=IPAM)
    one.add()
    pod.ip("link", "set", "net1", "netns", str(cover.name))
    cover.delete()
    vfs.wait_for(lambda: bool(vf.name), "link on the host")
    assert two.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    assert vf.table()["vlan_list"] == [{"vlan": 100}]
    one.delete()
    assert vf.snapshot() == before
    two.add()
    two.delete()
    assert vf.snapshot() == before
    assert nothing_left()
