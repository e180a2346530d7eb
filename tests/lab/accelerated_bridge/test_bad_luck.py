"""What goes wrong on nodes between ADD and DEL: VF, representor, bridge and uplink are as before, whatever it was.

The stories that are told of both plugins for VFs, with representor, bridge and uplink in what must be as before; and
those that only a representor has.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import disk, net, switchdev, vfs
from tests.support.bad_luck import Happening, change_boot, collect_garbage, deleted, lives, remove_vfs, renamed
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome
from tests.support.switchdev import NATIVE, Nic
from tests.support.unlucky_vfs import IPAM, MAC, OTHER_MAC, Asked, BadLuck, Rig, wait_for_carrier
from tests.support.vfs import VF, wait_for

Attach = Callable[..., Attachment]
MakePod = Callable[[], Space]

TRUNK: dict[int, set[str]] = {7: set(), 200: set(), 201: set(), 202: set(), 203: set()}
SETTINGS: dict[str, Any] = {
    **{"mtu": 1400, "trust": "on", "spoofchk": "off", "ipam": IPAM, "mac": MAC},
    **{"vlan": 100, "trunk": [{"id": 7}, {"minID": 200, "maxID": 203}], "setUplinkVlan": True},
}
OTHERS: dict[str, Any] = {"mac": OTHER_MAC, "vlan": 100, "setUplinkVlan": True, "ipam": IPAM}
"""What another pod asks for."""


class BridgeRig(Rig):
    """A VF and its representor, which becomes a port of the NIC's bridge; that gets VLANs on the uplink."""

    folder = disk.ACCELERATED_BRIDGE
    settings = Asked(
        SETTINGS,
        {
            **{"trust": True, "spoofchk": False, "mac": MAC, "mtu": 1400},
            **{"vlans": {**TRUNK, 100: NATIVE}, "uplink": {1, 100, *TRUNK}},
        },
    )
    others = Asked(
        OTHERS, {"trust": False, "spoofchk": True, "mac": OTHER_MAC, "vlans": {100: NATIVE}, "uplink": {1, 100}}
    )
    changed = Asked(
        {"mtu": 1300, "spoofchk": "off", "ipam": IPAM, "vlan": 300, "setUplinkVlan": True},
        {"trust": False, "spoofchk": False, "mtu": 1300, "vlans": {300: NATIVE}, "uplink": {1, 300}},
    )
    damage = ('"vlans":{}', '"vlans": {"x": 1}')

    def __init__(self, vf: VF, attach: Attach, nics: list[Nic], bridges: tuple[str, str]) -> None:
        super().__init__(vf, attach)
        self.links = [*(nic.pf.name for nic in nics), *bridges]
        (number,) = (number for number, nic in enumerate(nics) if nic.pf is vf.pf)
        self.nic, self.bridge, self.bridges = nics[number], bridges[number], bridges
        self.representor = self.nic.representor(vf)

    @property
    def around(self) -> dict[str, Any]:
        """See `Rig`."""
        return {"bridge": self.bridge}

    @property
    def namesake(self) -> str:
        """See `Rig`."""
        return self.representor

    def set_up(self) -> None:
        """See `Rig`."""
        super().set_up()
        HOST.ip("link", "set", self.representor, "up", "mtu", "1700")

    def change(self) -> None:
        """See `Rig`. The representor is in the very bridge that the network names."""
        super().change()
        HOST.batch(f"link set {self.representor} master {self.bridge} mtu 1600")
        in_vlans = f"{self.representor} vid 100 pvid untagged", f"{self.nic.pf.name} vid 100"
        HOST.batch(*(f"vlan add dev {x}" for x in in_vlans), program=("bridge",))

    def snapshot(self) -> str:
        """See `Rig`."""
        return self.nic.snapshot(self.vf, *self.bridges)

    def beside(self) -> dict[str, Any]:
        """See `Rig`."""
        assert "master" not in self._port()
        port = HOST.settings(self.representor)
        return {**super().beside(), "representor": port, "vlans": switchdev.vlans_shown()}

    def seen(self) -> dict[str, Any]:
        """See `Rig`."""
        port = self._port()
        assert port.get("master") == self.bridge
        vlans = {"vlans": switchdev.vlans(self.representor), "uplink": set(switchdev.vlans(self.nic.pf.name))}
        return {**super().seen(), "mtu": port["mtu"], **vlans}

    def everything(self, pod: Space) -> dict[str, Any]:
        """See `Rig`."""
        return {**super().everything(pod), "vlans of all": switchdev.vlans_shown()}

    def records(self, *attached: Attachment) -> list[str]:
        """See `Rig`."""
        return sorted(f"{one.conf['name']}-{one.container_id}-{one.ifname}" for one in attached)

    def wait_for_carriers(self) -> None:
        """See `Rig`. The NICs are wired to each other."""
        for link in self.links:
            wait_for_carrier(link)

    def assert_kept(self, one: Attachment) -> None:
        """See `Rig`. As long as the pod can send, its representor is in no bridge, nor where it was before."""
        super().assert_kept(one)
        self._assert_no_port()
        assert set(switchdev.vlans(self.nic.pf.name)) == {1}

    def assert_free(self) -> None:
        """See `Rig`."""
        super().assert_free()
        self._assert_no_port()

    def _assert_no_port(self) -> None:
        port = self._port()
        assert ("master" in port, "UP" in port["flags"]) == (False, False)

    def assert_unrecorded(self, check: Outcome) -> None:
        """See `Rig`."""
        assert check.error(999)["msg"].endswith(f"has no usable record in {self.folder}")

    def _port(self) -> dict[str, Any]:
        return switchdev.port(self.representor)


@pytest.fixture
def make_rig(nics: list[Nic], bridges: tuple[str, str], attach: Attach) -> Callable[[VF], Rig]:
    """A function that returns the rig of a VF."""
    return lambda vf: BridgeRig(vf, attach, nics, bridges)


class TestAcceleratedBridge(BadLuck):
    """All of it, and what it is like with a representor that was in a bridge before."""

    @pytest.fixture(params=[deleted, lives], ids=lambda x: x.__name__)
    def happens_at_boot(self, request: pytest.FixtureRequest) -> Happening:
        """See `BadLuck`. Only records tell whose a VF is: the namespace may as well be the very one."""
        happens: Happening = request.param
        return happens

    @pytest.mark.parametrize("number", [0, 1], ids=["the same bridge", "another bridge"])
    def test_a_process_keeps_the_namespace_of_a_port(
        self, number: int, rig: Rig, nic: Nic, bridges: tuple[str, str], make_pod: MakePod
    ) -> None:
        """As the test without a port, which looks at both bridges, too."""
        HOST.ip("link", "set", nic.representor(rig.vf), "master", bridges[number])
        self.test_a_process_keeps_the_namespace(rig, make_pod)


def nothing_left() -> bool:
    """Return whether no record and no address is held."""
    return disk.records(disk.ACCELERATED_BRIDGE) == [] and disk.reserved("lab") == {}


@pytest.fixture
def nic(nic: Nic, vf: VF, bridge: str) -> Nic:
    """A NIC whose representor an administrator has set up: what was there has to be restored, not what is usual."""
    HOST.ip("link", "set", nic.representor(vf), "up", "mtu", "1700")
    return nic


def test_the_bridge_is_gone(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """Representor and VF are as before all the same; CHECK says it."""
    one = attach(vf, **SETTINGS)
    HOST.ip("link", "del", bridge)
    before = nic.snapshot(vf)
    HOST.batch(f"link add {bridge} type bridge vlan_filtering 1", f"link set {nic.pf.name} master {bridge}")
    one.add()
    HOST.ip("link", "del", bridge)
    assert bridge in one.check().error()["msg"]
    one.delete()
    assert nic.snapshot(vf) == before
    assert nothing_left()


def test_the_bridge_was_renamed(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """It is known by its index, too."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()
    with renamed(bridge, "renamed7"):
        one.check().ok()
        one.delete()
    wait_for(lambda: nic.snapshot(vf, bridge) == before, "snapshot as before")
    assert nothing_left()


@pytest.mark.parametrize("is_back", [False, True], ids=["gone", "new ones"])
def test_the_representors_are_gone(is_back: bool, nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """The switch was set to legacy mode, and back after DEL or before it: uplink and VF are as before; the
    representors are new ones. DEL knows the new one by its name, and makes it what the old one was: up, with its MTU,
    and in no bridge, though somebody has put it in again.
    """
    rep, before = nic.representor(vf), (vf.snapshot(), switchdev.vlans(vf.pf.name))
    was = HOST.settings(rep)
    one = attach(vf, **SETTINGS)
    one.add()
    try:
        set_mode(nic, "legacy")
        assert HOST.link(rep) is None
        assert rep in one.check().error()["msg"]
        if is_back:
            set_mode(nic, "switchdev")
            assert rep in one.check().error()["msg"]
            HOST.ip("link", "set", rep, "master", bridge)
            net.run("bridge", "vlan", "add", "dev", rep, "vid", "100", "pvid", "untagged")
        one.delete()
        assert (vf.snapshot(), switchdev.vlans(vf.pf.name)) == before
        assert nothing_left()
        if is_back:
            assert "master" not in switchdev.port(rep)
            assert {**HOST.settings(rep), "mac": was["mac"]} == was
    finally:
        set_mode(nic, "switchdev")
    again = nic.snapshot(vf, bridge)
    one.add()
    one.check().ok()
    one.delete()
    assert nic.snapshot(vf, bridge) == again


def set_mode(nic: Nic, mode: str) -> None:
    """Set the mode of the NIC's switch."""
    net.run("devlink", "dev", "eswitch", "set", f"netdevsim/{nic.switch}", "mode", mode)
    vfs.settle()


def test_vfs_and_representors_are_gone(nics: list[Nic], bridges: tuple[str, str], far_vf: VF, attach: Attach) -> None:
    """The uplink loses the VLANs all the same. Where VF and representor have been made anew, they are usable."""
    nic, pf, rep, before = nics[1], far_vf.pf, nics[1].representor(far_vf), switchdev.vlans_shown()
    one = attach(far_vf, bridge=bridges[1], **SETTINGS)
    try:
        one.add()
        remove_vfs(pf)
        set_mode(nic, "legacy")
        assert HOST.link(rep) is None
        one.delete()
        assert switchdev.vlans_shown() == before
        assert nothing_left()
        set_mode(nic, "switchdev")
        pf.make_vfs(2)
        for link in (pf.name, bridges[1]):  # making VFs resets the PF, whose carrier comes back some time later
            wait_for_carrier(link)
        anew = nic.snapshot(far_vf, bridges[1])
        one.add()
        one.check().ok()
        one.delete()
        assert nic.snapshot(far_vf, bridges[1]) == anew
    finally:
        set_mode(nic, "switchdev")
        pf.make_vfs()
        vfs.reset(*pf.vfs)


def test_the_representor_was_put_elsewhere(
    nic: Nic, vf: VF, bridge: str, bridges: tuple[str, str], attach: Attach
) -> None:
    """An administrator's decision: it stays there; all else is as before."""
    rep = nic.representor(vf)
    one = attach(vf, **SETTINGS)
    before = vf.snapshot(), switchdev.vlans(vf.pf.name)
    one.add()
    HOST.ip("link", "set", rep, "master", bridges[1])
    one.delete()
    assert switchdev.port(rep)["master"] == bridges[1]
    assert (vf.snapshot(), switchdev.vlans(vf.pf.name)) == before
    assert nothing_left()


@pytest.mark.parametrize("number", [0, 1], ids=["the same bridge", "another bridge"])
def test_the_representor_was_in_a_bridge_before(
    number: int, nic: Nic, vf: VF, bridge: str, bridges: tuple[str, str], attach: Attach
) -> None:
    """It goes back there, into the VLANs that it had."""
    rep = nic.representor(vf)
    HOST.ip("link", "set", rep, "master", bridges[number])
    net.run("bridge", "vlan", "add", "dev", rep, "vid", "55")
    net.run("bridge", "vlan", "add", "dev", rep, "vid", "66", "pvid", "untagged")
    before = nic.snapshot(vf, *bridges)
    one = attach(vf, **SETTINGS)
    one.add()
    assert switchdev.port(rep)["master"] == bridge
    assert switchdev.vlans(rep)[100] == NATIVE
    one.check().ok()
    for _ in range(2):  # the second has no record, and leaves the port alone
        one.delete()
        assert nic.snapshot(vf, *bridges) == before


def test_a_refused_add_changes_nothing(nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """The owner has put its VF into a namespace within its own: nobody sees it, and it is the owner's all the same."""
    pods = make_pod(), make_pod()
    one, two = attach(vf, pods[0], **SETTINGS), attach(vf, pods[1], **OTHERS)
    before = nic.snapshot(vf, bridge)
    one.add()
    inner = net.new_space("inner")
    pods[0].ip("link", "set", "net1", "netns", str(inner.name))
    held = (
        switchdev.vlans_shown(),
        HOST.settings(nic.representor(vf)),
        vf.table(),
        disk.records(disk.ACCELERATED_BRIDGE),
    )
    assert two.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    assert (
        switchdev.vlans_shown(),
        HOST.settings(nic.representor(vf)),
        vf.table(),
        disk.records(disk.ACCELERATED_BRIDGE),
    ) == held
    inner.ip("link", "set", "net1", "netns", str(pods[0].name))
    one.delete()
    inner.delete()
    assert nic.snapshot(vf, bridge) == before


@pytest.mark.parametrize(
    ("driver", "left"), [("vfio-pci", None), ("vfio-pci", ""), ("igbvf", None)], ids=["DPDK", "DPDK, damaged", "link"]
)
def test_del_without_a_record_of_a_pod_that_is_gone(
    driver: str, left: str | None, nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """No link tells that there was an attachment: a damaged record does, or the VLANs of the port."""
    name = vf.name
    if driver != "igbvf":
        vf.bind(driver)
    pod = make_pod()
    one = attach(vf, pod, **SETTINGS)
    one.add()
    (record,) = disk.records(disk.ACCELERATED_BRIDGE)
    os.unlink(f"{disk.ACCELERATED_BRIDGE}/{record}")
    if left is not None:
        with open(f"{disk.ACCELERATED_BRIDGE}/{record}", "w") as file:
            file.write(left)
    # A late DEL of another attachment tells the same, but for the VF's link: that is in a pod which it is not about.
    if driver == "igbvf":
        attach(vf, make_pod(), **SETTINGS).delete()
        assert switchdev.port(nic.representor(vf))["master"] == bridge
    pod.delete()
    wait_for(lambda: driver != "igbvf" or bool(vf.name), "link on the host")
    one.netns = ""
    one.delete()
    port = switchdev.port(nic.representor(vf))
    assert ("master" in port, "UP" in port["flags"]) == (False, False)
    assert nothing_left()
    if vf.name not in ("", name):  # the pod's
        vf.bind(driver)


def test_a_record_of_another_boot_blocks_nobody(
    nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach
) -> None:
    """A VF without a link, whose record names a namespace that lives: the path was given to another pod since."""
    vf.bind("vfio-pci")
    one, two = attach(vf, make_pod(), ipam=IPAM), attach(vf, make_pod(), vlan=100)
    one.add()
    (record,) = disk.records(disk.ACCELERATED_BRIDGE)
    assert two.call("ADD").error(11)["msg"] == f"pci address {vf.address} is already allocated"
    change_boot(f"{disk.ACCELERATED_BRIDGE}/{record}")
    two.add()
    assert switchdev.vlans(nic.representor(vf)) == {100: NATIVE}
    two.delete()
    one.delete()
    assert nothing_left()


def test_the_representor_was_renamed(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """It is known by its index, and given back."""
    before = nic.snapshot(vf, bridge)
    one = attach(vf, **SETTINGS)
    one.add()
    with renamed(nic.representor(vf), "renamed7"):
        one.check().ok()
        one.delete()
    assert nic.snapshot(vf, bridge) == before


def test_the_uplink_left_the_bridge(nic: Nic, vf: VF, bridge: str, attach: Attach) -> None:
    """Its VLANs have gone with it: nothing to give back."""
    one = attach(vf, **SETTINGS)
    HOST.ip("link", "set", nic.pf.name, "nomaster")
    before = nic.snapshot(vf, bridge)
    HOST.ip("link", "set", nic.pf.name, "master", bridge)
    one.add()
    HOST.ip("link", "set", nic.pf.name, "nomaster")
    one.delete()
    assert nic.snapshot(vf, bridge) == before
    assert nothing_left()


def test_gc_among_three(three: list[VF], nic: Nic, vf: VF, bridge: str, make_pod: MakePod, attach: Attach) -> None:
    """VFs that share VLANs on the uplink: one is valid, one is not though it lives, the pod of one is dead. The uplink
    keeps what the valid one needs, until a GC for which nothing is valid.
    """
    before = [nic.snapshot(x, bridge) for x in three]
    vlans = [
        {"vlan": 100, "trunk": [{"id": 7}]},
        {"vlan": 7, "trunk": [{"id": 200}]},
        {"vlan": 100, "trunk": [{"id": 200}]},
    ]
    pods = [make_pod() for _ in three]
    valid, invalid, dead = (
        attach(x, pod, ipam=IPAM, setUplinkVlan=True, **conf) for x, pod, conf in zip(three, pods, vlans, strict=True)
    )
    for one in (dead, invalid, valid):
        one.add()
    assert set(switchdev.vlans(nic.pf.name)) == {1, 7, 100, 200}
    pods[2].delete()
    wait_for(lambda: bool(three[2].name), "link on the host")
    collect_garbage(valid, valid)
    assert set(switchdev.vlans(nic.pf.name)) == {1, 7, 100}
    assert [bool(x.name) for x in three] == [False, True, True]
    assert len(disk.records(disk.ACCELERATED_BRIDGE)) == len(disk.reserved("lab")) == 1
    valid.check().ok()
    collect_garbage(valid)
    assert [nic.snapshot(x, bridge) for x in three] == before
    assert nothing_left()
