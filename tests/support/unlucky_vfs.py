"""What goes wrong with a VF between ADD and DEL: a rig, which is what each plugin has of its own, and the tests."""

from __future__ import annotations

import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import disk, net, vfs
from tests.support.bad_luck import (
    ANSWERS,
    NAMESPACES,
    Happening,
    bind_again,
    bind_to_none,
    bind_to_stub,
    bind_to_vfio,
    change_boot,
    collect_garbage,
    deleted,
    given_to_another,
    make_pool,
    plain_file,
    remove_vfs,
    wait_for_the_vf,
    without_mac,
)
from tests.support.net import HOST, Space
from tests.support.plugin import Attachment, Outcome
from tests.support.vfs import PF, VF, without_permanent_mac

MakePod = Callable[[], Space]

MAC, OTHER_MAC = "02:00:00:00:00:2a", "02:00:00:00:00:2b"
IPAM = {"type": "host-local", "subnet": "10.6.0.0/24", "routes": [{"dst": "10.60.0.0/16"}]}
NOBODY = "/run/netns/nobody"
MTU = 1450
"""Of a VF that an administrator has set up."""


@dataclass(frozen=True)
class Asked:
    """What a pod asks for. conf: of the network. seen: what `Rig.seen` tells then, as far as it has to."""

    conf: dict[str, Any]
    seen: dict[str, Any]

    def without_mac(self) -> Asked:
        """Return the same without an address of the VF."""
        conf, seen = ({key: value for key, value in x.items() if key != "mac"} for x in (self.conf, self.seen))
        return Asked(conf, seen)


class Rig(ABC):
    """A VF and what is around it. attach: the fixture.

    folder: of the plugin's records. settings: what the pods here ask for, which is all that can be had; others: what
    another pod asks for; changed: what comes of settings when the runtime gives ADD once more. damage: which part of a
    record is replaced, and by what, so that it is of no use though it is JSON.
    """

    folder: str
    settings: Asked
    others: Asked
    changed: Asked
    damage: tuple[str, str]

    def __init__(self, vf: VF, attach: Callable[..., Attachment]) -> None:
        self.vf = vf
        self._attach = attach

    @property
    def around(self) -> dict[str, Any]:
        """What every configuration says of what is around the VF."""
        return {}

    @property
    def namesake(self) -> str:
        """The name of a link of the host that stays there."""
        return self.vf.pf.name

    @property
    def taken(self) -> str:
        """What the pod is told that asks for a VF that another has."""
        return f"pci address {self.vf.address} is already allocated"

    def set_up(self) -> None:
        """Do what an administrator does before any ADD: what was there has to be restored, not what is usual."""
        self.set_up_link()

    def set_up_link(self) -> None:
        """Do what has to be done again when the VF gets a new link."""
        HOST.batch(f"link set {self.vf.name} mtu {MTU}", f"link set {self.vf.name} alias spare")

    def change(self) -> None:
        """Do what an administrator does later: nobody is to undo it."""
        self.vf.pf.set(self.vf.index, "vlan", "9")
        HOST.ip("link", "set", self.vf.name, "mtu", "1350")

    def snapshot(self) -> str:
        """Return all that has to be as before in the end."""
        return self.vf.snapshot()

    def beside(self) -> dict[str, Any]:
        """Return what has to be as before though the VF is not there any more. Nothing is connected to it."""
        return {"pf": HOST.settings(self.vf.pf.name)}

    def seen(self) -> dict[str, Any]:
        """Return what the host has set for the VF's attachment."""
        entry = self.vf.table()
        names = {"mac": "address", "vlan": "vlan_list", "trust": "trust", "spoofchk": "spoofchk"}
        return {"table": entry, **{name: entry[key] for name, key in names.items()}}

    def holds(self, pod: Space) -> dict[str, Any]:
        """Return what a pod has of the VF: what the host has set for it, the link, addresses and routes."""
        inside = {"link": pod.settings("net1"), "addresses": pod.addresses("net1"), "routes": pod.routes("net1")}
        return {**self.seen(), **inside}

    def everything(self, pod: Space) -> dict[str, Any]:
        """Return that, and what else nobody but the pod's own DEL may change: the host, and what is on disk."""
        return {
            **self.holds(pod),
            **{"host": self.snapshot(), "records": disk.records(self.folder), "reserved": disk.reserved("lab")},
        }

    def attach(
        self, asked: Asked, pod: Space | None = None, container_id: str = "", ifname: str = "net1", **conf: Any
    ) -> Attachment:
        """Return an attachment of the VF, by default to the pod of the fixture."""
        return self._attach(self.vf, pod, container_id, ifname, **{**self.around, **asked.conf, **conf})

    @abstractmethod
    def records(self, *attached: Attachment) -> list[str]:
        """Return the paths of what the plugin writes of attachments, sorted; the first is the only one's record."""

    def left(self) -> list[str]:
        """Return what is recorded, allocated or reserved."""
        return [*disk.records(self.folder), *disk.reserved("lab")]

    def die(self, pod: Space) -> None:
        """Delete a pod's namespace and wait until the kernel has saved the VF."""
        pod.delete()
        vfs.wait_for(lambda: bool(self.vf.name), f"a link of {self.vf.address} on the host")

    def wait_for_carriers(self) -> None:
        """Wait for the carriers that come back some time later when VFs have been made: that resets the PF."""
        wait_for_carrier(self.vf.pf.name)

    def assert_set(self, asked: Asked) -> None:
        """Assert that the host has set for the VF what was asked for."""
        seen = self.seen()
        assert {key: seen[key] for key in asked.seen} == asked.seen

    def assert_as(self, before: str) -> None:
        """Assert that all is as it was, and that no record, no allocation and no address is held."""
        assert self.snapshot() == before
        assert self.left() == []

    def assert_kept(self, one: Attachment) -> None:
        """Assert that a VF that nobody can reach is nobody else's, and does no harm; its addresses are free."""
        assert (self.vf.name, self.left()) == ("", self.records(one))

    def assert_free(self) -> None:
        """Assert that the VF is on the host, and that nothing there has to do with an attachment any more, but for its
        settings and for its name, which may be another one.
        """
        assert self.vf.name not in ("", "net1")
        assert self.left() == []

    def assert_unrecorded(self, check: Outcome) -> None:
        """Assert that CHECK of an attachment without a record says what it has to."""
        check.ok()


def wait_for_carrier(name: str) -> None:
    """Wait until a link of the host has carrier."""
    vfs.wait_for(lambda: "LOWER_UP" in (HOST.link(name) or {})["flags"], f"carrier of {name}")


def alone(everything: dict[str, Any], one: Attachment) -> dict[str, Any]:
    """Return what comes of `Rig.everything` when no other attachment's addresses are reserved any more."""
    owner = f"{one.container_id}\r\n{one.ifname}"
    reserved = {address: whose for address, whose in everything["reserved"].items() if whose == owner}
    assert [f"{address}/24" for address in reserved] == everything["addresses"]
    return {**everything, "reserved": reserved}


class BadLuck:
    """The tests, which are the same for each plugin; its module has a fixture `make_rig`: a rig of a VF."""

    @pytest.fixture
    def rig(self, vf: VF, make_rig: Callable[[VF], Rig]) -> Rig:
        """A rig with a VF of the first PF, which an administrator has set up."""
        made = make_rig(vf)
        made.set_up()
        return made

    @pytest.fixture
    def neighbours(self, pfs: list[PF], make_rig: Callable[[VF], Rig]) -> Iterator[list[Rig]]:
        """Two more with VFs of the same PF."""
        two = pfs[0].vfs[1:3]
        with vfs.lent(*two):
            yield [make_rig(vf) for vf in two]

    @pytest.fixture
    def far_rig(self, far_vf: VF, make_rig: Callable[[VF], Rig]) -> Rig:
        """One with a VF of the second PF."""
        return make_rig(far_vf)

    @pytest.mark.parametrize("happens", NAMESPACES, ids=lambda x: x.__name__)
    def test_the_namespace(self, happens: Happening, rig: Rig, pod: Space) -> None:
        """One DEL, wherever the namespace has got to; two more find nothing to do. Another pod keeps its link."""
        before = rig.snapshot()
        one = rig.attach(rig.settings)
        one.add()
        rig.assert_set(rig.settings)
        happens(pod, one)
        wait_for_the_vf(happens, rig.vf)
        links = pod.json("link", "show") if happens is given_to_another else []
        for _ in range(3):
            one.delete()
            rig.assert_as(before)
        if happens is given_to_another:
            assert pod.links() == ["other", "net1"]
            assert pod.json("link", "show") == links
        elif happens is plain_file:
            os.unlink(pod.path)

    def test_a_process_keeps_the_namespace(self, rig: Rig, make_pod: MakePod) -> None:
        """Nobody can reach the link then. It keeps its VLAN, or is cut off, and is nobody else's. A DEL takes it back
        when it comes.
        """
        before = rig.snapshot()
        pod = make_pod()
        one, two = rig.attach(rig.settings, pod), rig.attach(rig.others, make_pod())
        one.add()
        with subprocess.Popen(["ip", "netns", "exec", str(pod.name), "sleep", "600"]) as holder:
            try:
                inside = os.stat(pod.path).st_ino
                vfs.wait_for(lambda: os.stat(f"/proc/{holder.pid}/ns/net").st_ino == inside, "process in the pod")
                pod.delete()
                one.delete()
                rig.assert_kept(one)
                assert two.call("ADD").error(11)["msg"] == rig.taken
                rig.assert_kept(one)
            finally:
                holder.kill()
        vfs.wait_for(lambda: bool(rig.vf.name), "link on the host")
        one.delete()
        rig.assert_as(before)

    @pytest.mark.parametrize(
        ("bind", "with_mac"),
        [
            *((bind_to_none, True), (bind_to_none, False), (bind_again, False)),
            *((bind_to_vfio, True), (bind_to_stub, True)),
        ],
        ids=["unbound", "unbound, no mac", "bound again", "vfio-pci", "pci-stub"],
    )
    def test_the_driver_was_unbound(self, bind: Callable[[VF], None], with_mac: bool, rig: Rig, pod: Space) -> None:
        """CHECK says it. All but the link is as before, and the VF is usable on its driver, for this pod and others."""
        vf, before, table, name = rig.vf, rig.snapshot(), rig.vf.pf.shown(), rig.vf.name
        asked = rig.settings if with_mac else rig.settings.without_mac()
        one = rig.attach(asked)
        one.add()
        bind(vf)
        driver = vf.driver
        assert one.check().error(999)["msg"] == f"net1 is missing in {pod.path}"
        one.delete()
        assert vf.pf.shown() == table
        assert rig.left() == []
        assert vf.driver == driver
        if bind is bind_again:
            assert vf.name == name
        else:
            vf.bind("igbvf")
        rig.set_up_link()
        again = rig.snapshot()
        assert without_permanent_mac(again) == without_permanent_mac(before)
        assert again == before or bind is bind_again  # igbvf makes an address up
        for each, what in (one, asked), (rig.attach(rig.settings), rig.settings):
            each.add()
            rig.assert_set(what)
            assert pod.links() == ["net1"]
            each.check().ok()
            each.delete()
            rig.assert_as(again)

    def test_the_vfs_were_removed(self, far_rig: Rig) -> None:
        """DEL succeeds where the VF is gone. Where it has been made anew, nothing is left set on it, and it is usable.
        What is around it is as before each time.
        """
        rig, vf, pf = far_rig, far_rig.vf, far_rig.vf.pf
        name, fresh, beside = vf.name, without_mac(vf), rig.beside()
        one = rig.attach(rig.settings)
        try:
            one.add()
            remove_vfs(pf)
            one.delete()
            assert (pf.table(), rig.beside(), rig.left()) == ([], beside, [])
            pf.make_vfs(1)
            assert (vf.name, without_mac(vf)) == (name, fresh)
            one.add()
            rig.assert_set(rig.settings)
            pf.make_vfs(2)
            one.delete()
            assert (rig.beside(), rig.left()) == (beside, [])
            assert (vf.name, without_mac(vf)) == (name, fresh)
            rig.wait_for_carriers()
            before = rig.snapshot()
            one.add()
            rig.assert_set(rig.settings)
            one.check().ok()
            one.delete()
            rig.assert_as(before)
        finally:
            pf.make_vfs()
            vfs.reset(*pf.vfs)

    @pytest.mark.parametrize("gone", [False, True], ids=["living", "gone"])
    @pytest.mark.parametrize("with_mac", [True, False], ids=["mac", "without mac"])
    def test_the_pod_changed_everything(self, with_mac: bool, gone: bool, rig: Rig, pod: Space) -> None:
        """Name, address, MTU, alias, alternative name, addresses: DEL finds the link and restores it all.

        The name is that of a link of the host, so that the kernel cannot let the VF keep it there.
        """
        before, links = rig.snapshot(), sorted(HOST.links())
        one = rig.attach(rig.settings if with_mac else rig.settings.without_mac())
        one.add()
        name = rig.namesake
        pod.batch(
            "link set net1 down",
            f"link set net1 name {name}",
            f"link set {name} mtu 1280",
            f"link set {name} alias mine",
            f"link property add dev {name} altname mine-too",
            f"link set {name} up",
            f"addr add 10.77.0.9/16 dev {name}",
            f"addr add fd00:77::9/64 dev {name}",
            "route add 10.78.0.0/16 via 10.77.0.1",
        )
        # igb refuses it to a VF that was given an address through the PF.
        pod.ip("link", "set", name, "address", OTHER_MAC, check=not with_mac)
        if not with_mac:
            assert rig.vf.table()["address"] == OTHER_MAC
        if gone:
            rig.die(pod)
        one.delete()
        rig.assert_as(before)
        assert sorted(HOST.links()) == links

    @pytest.mark.parametrize("gone", [False, True], ids=["living", "gone"])
    @pytest.mark.parametrize("as_altname", [False, True], ids=["name", "altname"])
    def test_the_host_name_is_taken(self, as_altname: bool, gone: bool, rig: Rig, pod: Space) -> None:
        """DEL succeeds and says what the VF is called now, which is not what it was called in the pod; all else is as
        it was, and so is the link that has the name.
        """
        vf, before, name = rig.vf, rig.snapshot(), rig.vf.name
        one = rig.attach(rig.settings)
        one.add()
        taker = "taker" if as_altname else name
        HOST.ip("link", "add", taker, "type", "veth", "peer", "name", "takers-peer")
        try:
            if as_altname:
                HOST.ip("link", "property", "add", "dev", taker, "altname", name)
            vfs.settle()
            taken = HOST.settings(taker)
            if gone:
                rig.die(pod)
            outcome = one.call("DEL")
            outcome.ok()
            assert vf.name not in ("", name, "net1")
            assert any(name in line and vf.name in line for line in outcome.stderr.splitlines())
            assert HOST.settings(taker) == taken
            assert rig.left() == []
        finally:
            vfs.settle()  # udev, which wants to give the VF the name as well, must not meet it free while we do
            HOST.ip("link", "del", taker)
            if vf.name not in ("", name):
                HOST.ip("link", "set", vf.name, "name", name)
        assert rig.snapshot() == before

    @pytest.mark.parametrize(
        ("path", "recorded"), [("its own", False), ("its own", True), ("the new pod's", True), ("none", True)]
    )
    def test_a_late_del(self, path: str, recorded: bool, rig: Rig, make_pod: MakePod) -> None:
        """The VF went from a pod that was killed to another: the first pod's DELs change nothing for the second.

        The first pod's record may still be there, and its path may be the second pod's.
        """
        before = rig.snapshot()
        pods = [make_pod(), make_pod()]
        one = rig.attach(rig.settings, pods[0])
        one.add()
        record = f"{rig.folder}/{rig.records(one)[0]}"
        content, written = disk.files(rig.folder)[rig.records(one)[0]], os.stat(record).st_mtime_ns
        assert rig.attach(rig.others, pods[1]).call("ADD").error(11)["msg"] == rig.taken
        rig.die(pods[0])
        if path == "the new pod's":
            net.run("ip", "netns", "add", str(pods[0].name))
            pods[1] = pods[0]
        two = rig.attach(rig.others, pods[1])
        two.add()
        rig.assert_set(rig.others)
        now = rig.everything(pods[1])
        assert (now["link"]["mac"], now["link"]["mtu"]) == (OTHER_MAC, rig.others.conf.get("mtu", MTU))
        assert now["records"] == rig.records(two)
        if recorded:
            with open(record, "wb") as file:
                file.write(content)
            os.utime(record, ns=(written, written))
        if path == "none":
            one.netns = ""
        for _ in range(2):
            one.delete()
            assert rig.everything(pods[1]) == alone(now, two)
        two.check().ok()
        two.delete()
        rig.assert_as(before)

    @pytest.mark.at_once
    def test_two_adds_at_once(self, rig: Rig, make_pod: MakePod) -> None:
        """One gets the VF, the other is told who has it, and its DEL, which the runtime gives then, takes nothing away.
        They ask for the same, and for what differs.
        """
        before = rig.snapshot()
        pods = make_pod(), make_pod()
        for asked in (rig.settings, rig.settings), (rig.settings, rig.others):
            both = [rig.attach(what, pod) for what, pod in zip(asked, pods, strict=True)]
            started = [one.start("ADD") for one in both]
            for one, process in zip(both, started, strict=True):
                assert process.stdin is not None
                process.stdin.write(json.dumps(one.conf).encode())
            for process in started:
                assert process.stdin is not None
                process.stdin.close()
            outputs = [json.loads(process.stdout.read()) for process in started if process.stdout is not None]
            assert sorted(process.wait() for process in started) == [0, 1]
            winner, loser = sorted((0, 1), key=lambda number: started[number].returncode)
            assert (outputs[loser]["code"], outputs[loser]["msg"]) == (11, rig.taken)
            assert pods[loser].links() == []
            now = rig.everything(pods[winner])
            assert now["addresses"] == [outputs[winner]["ips"][0]["address"]]
            assert [f"{address}/24" for address in now["reserved"]] == now["addresses"]
            rig.assert_set(asked[winner])
            both[loser].delete()
            assert rig.everything(pods[winner]) == now
            both[winner].result = outputs[winner]
            both[winner].check().ok()
            both[winner].delete()
            rig.assert_as(before)

    @pytest.mark.parametrize("ifname", ["net1", "net2"], ids=["another pod", "the same pod"])
    def test_the_vf_of_a_living_pod(self, ifname: str, rig: Rig, pod: Space, make_pod: MakePod) -> None:
        """ADD is refused in the words users know, for other pods and for the one that has it; the DEL after it is
        idle.
        """
        before = rig.snapshot()
        one = rig.attach(rig.settings)
        one.add()
        now = rig.everything(pod)
        other = pod if ifname == "net2" else make_pod()
        two = rig.attach(rig.others, other, one.container_id if ifname == "net2" else "", ifname)
        assert two.call("ADD").error(11)["msg"] == rig.taken
        two.delete()
        assert rig.everything(pod) == now
        assert other.links() == (["net1"] if other is pod else [])
        one.check().ok()
        one.delete()
        rig.assert_as(before)

    def test_del_without_add(self, rig: Rig) -> None:
        """Nothing is changed, not even with a configuration that asks for much, or for what an administrator did."""
        rig.change()
        before = rig.snapshot()
        rig.attach(rig.settings).delete()
        rig.assert_as(before)

    def test_del_three_times(self, rig: Rig, pod: Space) -> None:
        """The first gives all back. The others, and one when the pod is gone, leave alone what has been done since."""
        before = rig.snapshot()
        one = rig.attach(rig.settings)
        one.add()
        one.delete()
        rig.assert_as(before)
        rig.change()
        changed = rig.snapshot()
        for _ in range(2):
            one.delete()
            rig.assert_as(changed)
        pod.delete()
        one.delete()
        rig.assert_as(changed)

    @pytest.mark.parametrize("left", ["no record", "empty", "damaged", "of no use"])
    def test_del_without_a_record(self, left: str, rig: Rig, pod: Space) -> None:
        """CHECK says it, if it needs one. The VF comes back to the host, with settings that nobody remembers, and what
        it was connected to is free: the next pod can have both. Another pod's DEL does not take them.
        """
        vf, one, name = rig.vf, rig.attach(rig.settings), rig.vf.name
        one.add()
        path = f"{rig.folder}/{rig.records(one)[0]}"
        with open(path) as file:
            content = file.read()
        assert rig.damage[0] in content
        os.unlink(path)
        instead = {"empty": "", "damaged": "{", "of no use": content.replace(*rig.damage)}
        if left in instead:
            with open(path, "w") as file:
                file.write(instead[left])
        rig.assert_unrecorded(one.check())
        other = rig.attach(rig.settings, container_id="another")
        other.netns = NOBODY
        other.delete()
        assert pod.links() == ["net1"]
        rig.assert_set(rig.settings)
        outcome = one.call("DEL")
        outcome.ok()
        assert "has no record" in outcome.stderr
        assert pod.links() == []
        rig.assert_free()
        one.add()
        rig.assert_set(rig.settings)
        one.delete()
        assert rig.left() == []
        if vf.name != name:
            HOST.batch(f"link set {vf.name} down", f"link set {vf.name} name {name}")

    @pytest.fixture(params=[deleted], ids=lambda x: x.__name__)
    def happens_at_boot(self, request: pytest.FixtureRequest) -> Happening:
        """What becomes of the path of the namespace: such names come again."""
        happens: Happening = request.param
        return happens

    @pytest.fixture
    def before_reboot(self, happens_at_boot: Happening, rig: Rig, pod: Space) -> Attachment:
        """An attachment of before a reboot: its files are there, and the VF is a new one, on which, and around which,
        the administrator has set something else this time.
        """
        one = rig.attach(rig.settings)
        one.add()
        files = disk.files(disk.CNI)
        one.delete()
        for path, content in files.items():
            with open(f"{disk.CNI}/{path}", "wb") as file:
                file.write(content)
        change_boot(f"{rig.folder}/{rig.records(one)[0]}")
        happens_at_boot(pod, one)
        rig.vf.bind("")
        rig.vf.pf.set(rig.vf.index, "mac", vfs.NO_MAC)
        rig.vf.reset()
        rig.change()
        return one

    def test_del_after_a_reboot(self, before_reboot: Attachment, rig: Rig) -> None:
        """The boot has reset everything: DEL changes nothing, and forgets the attachment."""
        before = rig.snapshot()
        assert disk.records(rig.folder) == rig.records(before_reboot)
        assert len(disk.reserved("lab")) == 1
        before_reboot.delete()
        rig.assert_as(before)

    def test_add_after_a_reboot(self, before_reboot: Attachment, rig: Rig, make_pod: MakePod) -> None:
        """A new pod gets the VF, and DEL gives it back as it was after the boot and not as it was before."""
        before = rig.snapshot()
        pod = make_pod()
        two = rig.attach(rig.settings, pod)
        two.add()
        rig.assert_set(rig.settings)
        now = rig.everything(pod)
        before_reboot.delete()
        assert rig.everything(pod) == alone(now, two)
        two.check().ok()
        two.delete()
        rig.assert_as(before)

    def test_gc(self, rig: Rig, neighbours: list[Rig], far_rig: Rig, make_pod: MakePod) -> None:
        """VFs and addresses of invalid attachments come back, of living and of dead pods. A valid one and one of
        another network stay, and so does a VF that nobody has attached.
        """
        every = [rig, *neighbours, far_rig]
        before = [each.snapshot() for each in every]
        freed = [(each.vf.name, each.vf.table()) for each in neighbours]
        pods = [make_pod() for _ in every]
        asked = rig.settings.without_mac()
        stays, living, dead = (x.attach(asked, pod) for x, pod in zip((rig, *neighbours), pods, strict=False))
        foreign = far_rig.attach(far_rig.settings, pods[3], name="another")
        results = [one.add() for one in (stays, living, dead, foreign)]
        now = [rig.holds(pods[0]), far_rig.holds(pods[3])]
        neighbours[1].die(pods[2])

        def assert_both_stay() -> None:
            assert [rig.holds(pods[0]), far_rig.holds(pods[3])] == now
            assert [f"{address}/24" for address in disk.reserved("lab")] == [results[0]["ips"][0]["address"]]
            assert len(disk.reserved("another")) == 1
            assert disk.records(rig.folder) == rig.records(stays, foreign)
            stays.check().ok()

        collect_garbage(living, stays)
        assert pods[1].links() == []
        assert [(each.vf.name, each.vf.table()) for each in neighbours] == freed
        assert_both_stay()
        collect_garbage(rig.attach(asked, name="others"))
        assert_both_stay()

        collect_garbage(living)
        collect_garbage(foreign)
        assert [each.snapshot() for each in every] == before
        assert rig.left() == []
        assert disk.reserved("another") == {}

    @pytest.mark.parametrize("where", ["the same", "another", "another, the first gone"])
    def test_add_is_repeated(self, where: str, rig: Rig, make_pod: MakePod) -> None:
        """The runtime has forgotten the first ADD. Only what the second asks for is set; DEL restores what was before
        the first.
        """
        before = rig.snapshot()
        pods = make_pod(), make_pod()
        first = rig.attach(rig.settings, pods[0])
        first.add()
        target = pods[0] if where == "the same" else pods[1]
        if where == "another, the first gone":
            rig.die(pods[0])
        one = rig.attach(rig.changed, target, first.container_id)
        result = one.add()
        rig.assert_set(rig.changed)
        link = target.settings("net1")
        assert rig.vf.table()["address"] == link["mac"] != MAC
        assert (link["mtu"], target.links()) == (rig.changed.conf["mtu"], ["net1"])
        assert target.addresses("net1") == [result["ips"][0]["address"]]
        assert len(disk.reserved("lab")) == 1
        assert disk.records(rig.folder) == rig.records(one)
        if where == "another":
            assert pods[0].links() == []
        one.check().ok()
        one.delete()
        rig.assert_as(before)

    @pytest.mark.parametrize("answer", ANSWERS)
    def test_add_fails_late(self, answer: str, rig: Rig, pod: Space, tmp_path: Path) -> None:
        """IPAM is asked when the VF is in the pod and all is configured. All of that is undone, and IPAM is told."""
        log = make_pool(tmp_path, answer)
        before = rig.snapshot()
        one = rig.attach(rig.settings, ipam={"type": "pool"})
        one.path = str(tmp_path)
        _, code, message = ANSWERS[answer]
        error = one.call("ADD").error(code)
        assert message in error["msg"] + error.get("details", "")
        assert log.read_text().split() == ["ADD", "DEL"]
        rig.assert_as(before)
        assert pod.links() == []
        one.delete()
        rig.assert_as(before)

    def test_the_pod_has_such_a_link(self, rig: Rig, pod: Space) -> None:
        """CNI_IFNAME is taken in the pod: nothing is changed, here or there."""
        before = rig.snapshot()
        pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "other")
        there = pod.json("link", "show")
        one = rig.attach(rig.settings)
        assert "net1" in one.call("ADD").error(4)["msg"]
        rig.assert_as(before)
        one.delete()
        rig.assert_as(before)
        assert pod.json("link", "show") == there
