"""Who and what keeps a PF from being changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plumbline.errors import Status, VerbError
from plumbline.node.model import LinkState, Node, Owner, Pf, Pod, Source, State, Vf
from plumbline.node.roots import Roots
from plumbline.node.wish import Wish
from plumbline.prepare import in_use, locks, session
from plumbline.prepare.change import Change, Terms
from plumbline.prepare.places import Places
from plumbline.prepare.plan import plan
from tests.unit.operator.made_up import ADDRESS, pf

POD = Pod("web", "front-1", "0815")


def _vf(state: State, owner: Owner | None = None, netns: str = "") -> Vf:
    link = LinkState("net1", 7, "02:00:00:00:00:07", 1500, True, True, netns=netns) if netns else None
    return Vf("ens3", 0, "0000:03:02.0", "iavf", link=link, owner=owner, state=state)


USERS: dict[str, tuple[Vf, str, str]] = {
    "free": (_vf(State.FREE), "", ""),
    "unbound": (_vf(State.UNBOUND), "", ""),
    "in a pod": (
        _vf(State.POD, Owner(Source.RECORD, POD, alive=True)),
        "is in pod web/front-1",
        "is in pod web/front-1",
    ),
    "open": (
        _vf(State.BUSY, Owner(Source.VFIO, program="4711 qemu-system-x86")),
        "is open in process 4711 qemu-system-x86",
        "is open in process 4711 qemu-system-x86",
    ),
    "somewhere": (_vf(State.FOREIGN, netns="/run/netns/x"), "is in /run/netns/x", "is in /run/netns/x"),
    "allocated by the kubelet": (_vf(State.STRAY, Owner(Source.KUBELET, POD)), "is allocated to web/front-1", ""),
    "allocated in sriov-cni's way": (
        _vf(State.STRAY, Owner(Source.ALLOCATION, netns="/run/netns/p", alive=True)),
        "is allocated to /run/netns/p",
        "",
    ),
    "allocated to what is gone": (
        _vf(State.STRAY, Owner(Source.ALLOCATION, netns="/run/netns/p", alive=False)),
        "",
        "",
    ),
    "dead": (_vf(State.DEAD, Owner(Source.RECORD, POD, alive=False)), "`plumbline gc` gives it back", ""),
}
"""By what it is: a VF, who has it, and who has it at boot."""


@pytest.mark.parametrize("name", USERS)
def test_users(name: str) -> None:
    """Nobody's, or somebody's: at boot, what others have written down is of the boot before."""
    vf, said, at_boot = USERS[name]
    for found, expected in ((in_use.user(vf, False), said), (in_use.user(vf, True), at_boot)):
        assert (found == "") == (expected == "")
        assert expected in found


def test_refused_with_the_names() -> None:
    """Status 4; of many, the first ones."""
    vfs = [_vf(State.POD, Owner(Source.RECORD, Pod("web", f"front-{n}"), alive=True)) for n in range(10)]
    with pytest.raises(
        VerbError, match="make ens3 have 2 VFs: refused, since VFs are in use; nothing was chang"
    ) as caught:
        in_use.refuse("make ens3 have 2 VFs", vfs)
    assert caught.value.status == Status.IN_USE
    assert all(f"web/front-{n}" in caught.value.hint for n in range(8))
    assert "and 2 more" in caught.value.hint
    in_use.refuse("x", [_vf(State.FREE)])


def test_pods_of_this_boot(tmp_path: Path) -> None:
    """What the kubelet wrote before the boot tells nothing of now; a retry after its start has to believe it."""
    roots = Roots(checkpoint=str(tmp_path / "checkpoint"), results=(str(tmp_path / "results"),))
    assert in_use.is_first_of_boot(roots)
    (tmp_path / "checkpoint").write_text("{}")
    assert not in_use.is_first_of_boot(roots)
    os.utime(tmp_path / "checkpoint", (1, 1))
    assert in_use.is_first_of_boot(roots)
    (tmp_path / "results").mkdir()
    assert not in_use.is_first_of_boot(roots)


def test_what_a_route_stands_on(tmp_path: Path) -> None:
    """A VLAN on a bond in a bridge is on the bond's ports; a bridge of Open vSwitch on all of its datapath."""
    for name, lower in (("br0", "bond0.5"), ("bond0.5", "bond0"), ("bond0", "ens3"), ("bond0", "ens4"), ("ens5", "")):
        folder = tmp_path / "class/net" / name
        folder.mkdir(parents=True, exist_ok=True)
        if lower:
            (folder / f"lower_{lower}").mkdir()
    roots = Roots(sysfs=str(tmp_path))
    assert session.beneath("br0", {}, {}, roots) == {"br0", "bond0.5", "bond0", "ens3", "ens4"}
    masters = {"ens3": "ovs-system", "ens5": "br0"}
    assert session.beneath("br-ex", masters, {"br-ex": "openvswitch"}, roots) == {"br-ex", "ens3"}
    assert session.beneath("br-ex", masters, {}, roots) == {"br-ex"}


def test_session_of_an_ancestor(tmp_path: Path) -> None:
    """sudo drops the variable, the shell above it has it."""
    told = "192.0.2.9 40000 192.0.2.1 22"
    roots = Roots(proc=str(tmp_path))
    assert session.connection({"SSH_CONNECTION": told}, roots) == told.split()
    assert session.connection({}, roots) == []
    for process, parent, environment in (
        (str(os.getppid()), "77", "A=1\0"),
        ("77", "1", f"B=2\0SSH_CONNECTION={told}\0"),
    ):
        (tmp_path / process).mkdir()
        (tmp_path / process / "stat").write_text(f"{process} (su do) S {parent} 1 1")
        (tmp_path / process / "environ").write_text(environment)
    assert session.connection({}, roots) == told.split()


def test_needed_links() -> None:
    """The PF's or a VF's on the host; one in a pod is not what the host needs."""
    found = pf("iavf").link
    inside, outside = (LinkState("net1", 7, "02:00:00:00:00:07", 1500, True, True, netns=x) for x in ("/run/n", ""))
    with pytest.raises(
        VerbError, match="x: refused, since ens3 carries the default route; nothing was changed"
    ) as caught:
        session.refuse("x", [None, found], {"ens3": "carries the default route"})
    assert caught.value.status == Status.IN_USE
    session.refuse("x", [found, inside], {"net1": "carries your SSH session"})
    with pytest.raises(VerbError, match="net1 carries your SSH session"):
        session.refuse("x", [found, outside], {"net1": "carries your SSH session"})


def test_one_at_a_time(tmp_path: Path) -> None:
    """Somebody else is waited for, and said."""
    places = Places(Roots(run=str(tmp_path)))
    with (
        locks.of_node(places),
        pytest.raises(VerbError, match="somebody else is changing PFs") as caught,
        locks.of_node(places, 0.05),
    ):
        pass
    assert caught.value.status == Status.TIMED_OUT
    assert "holds it" in caught.value.hint
    with locks.of_node(places, 0.05):
        pass


def test_a_default_route_at_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry finds a network that is up: VFs of a PF that has none are made, and nothing is taken from its link."""
    monkeypatch.setattr(session, "needed", lambda *_: {"ens3": "carries the default route"})
    change = Change(Roots(etc=str(tmp_path), checkpoint=str(tmp_path / "x"), results=()), {})

    def refused(found: Pf, wish: Wish, terms: Terms) -> bool:
        try:
            change.refuse("x", found, plan(found, wish), Node("n", "6.12", [found]), terms)
        except VerbError as e:
            return "ens3 carries the default route" in e.message
        return False

    make, switch = Wish(ADDRESS, 2), Wish(ADDRESS, 2, mode="switchdev")
    boot = Terms(at_boot=True)
    assert not refused(pf(), make, boot)
    assert refused(pf(), make, Terms())
    assert refused(pf("igbvf"), make, boot)
    assert refused(pf(), switch, boot)
    assert not refused(pf(), switch, Terms(force=True))
