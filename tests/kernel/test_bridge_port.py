"""A representor as a port of a bridge, on the real kernel; veths play the representors.

What concerns VLANs, which not every kernel has, is in the lab, tests/lab/test_bridge_vlans.py.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cni.linux import netns
from cni.linux.netlink import bridge
from cni.linux.netlink.socket import NetlinkError
from cni.linux.netns import NetNS
from cni.protocol.errors import CniError
from plugins.accelerated_bridge import uplink
from plugins.accelerated_bridge.port import RepresentorPort
from tests.support import net
from tests.support.bridging import Machine
from tests.support.log import Lines
from tests.support.net import HOST, unique
from tests.support.ports import connected, disconnected, found, port


@pytest.fixture
def host() -> Iterator[NetNS]:
    """The session's namespace."""
    with netns.own() as opened:
        yield opened


@pytest.fixture
def machine(host: NetNS) -> Iterator[Machine]:
    """The session's namespace with what a test makes in it."""
    kernel = Machine(host)
    yield kernel
    kernel.close()


@pytest.fixture
def br(machine: Machine) -> str:
    """A bridge."""
    return machine.add(unique("br"), "bridge", up=True)


@pytest.fixture
def other(machine: Machine) -> str:
    """Another bridge."""
    return machine.add(unique("br"), "bridge", up=True)


@pytest.fixture
def rep(machine: Machine) -> str:
    """A representor."""
    return machine.add(unique("rep"))


BEFORE: dict[str, dict[str, Any]] = {
    "down": {},
    "up": {"up": True},
    "another MTU": {"mtu": 2000},
    "up, another MTU": {"mtu": 1280, "up": True},
}


@pytest.mark.parametrize("mtu", [0, 1280, 1500, 9000])
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("where", ["in no bridge", "in the bridge", "in another bridge"])
def test_there_and_back(
    machine: Machine, br: str, other: str, rep: str, where: str, before: dict[str, Any], mtu: int
) -> None:
    """In the bridge, up, with the MTU that was asked for; then as it was, and what else is on the host unchanged."""
    master = {"in the bridge": br, "in another bridge": other}.get(where, "")
    machine.set(rep, **before, **({"master": master} if master else {}))
    was = HOST.link(rep), machine.seen(rep)
    made = connected(machine, port(machine, rep, br, mtu=mtu))
    assert machine.seen(rep) == {"master": br, "mtu": mtu or was[1]["mtu"], "up": True}
    disconnected(machine, made)
    assert machine.seen(rep) == was[1]
    assert HOST.settings(rep)["mac"] == (was[0] or {})["address"]
    disconnected(machine, made)
    assert machine.seen(rep) == was[1]


def _nothing(machine: Machine, names: dict[str, str]) -> None:
    pass


def _bridge_deleted(machine: Machine, names: dict[str, str]) -> None:
    machine.delete(names["br"])


def _bridge_renamed(machine: Machine, names: dict[str, str]) -> None:
    machine.rename(names["br"], unique("renamed"))


def _bridge_made_anew(machine: Machine, names: dict[str, str]) -> None:
    machine.delete(names["br"])
    machine.add(names["br"], "bridge")
    machine.set(names["rep"], master=names["br"])


def _taken_out(machine: Machine, names: dict[str, str]) -> None:
    machine.set(names["rep"], master="")


def _put_elsewhere(machine: Machine, names: dict[str, str]) -> None:
    machine.set(names["rep"], master=names["other"])


def _changed(machine: Machine, names: dict[str, str]) -> None:
    machine.set(names["rep"], up=False, mtu=1300)


MEANWHILE: dict[str, tuple[Callable[[Machine, dict[str, str]], None], str]] = {
    "nothing": (_nothing, ""),
    "bridge deleted": (_bridge_deleted, ""),
    "bridge renamed": (_bridge_renamed, ""),
    "bridge made anew": (_bridge_made_anew, ""),
    "taken out": (_taken_out, ""),
    "put elsewhere": (_put_elsewhere, "other"),
    "MTU and state changed": (_changed, ""),
}


@pytest.mark.parametrize(("happen", "stays_in"), MEANWHILE.values(), ids=MEANWHILE)
def test_meanwhile(
    machine: Machine,
    br: str,
    other: str,
    rep: str,
    happen: Callable[[Machine, dict[str, str]], None],
    stays_in: str,
) -> None:
    """Whatever has happened, MTU and state are restored; in a bridge that somebody else put it in, it stays, and up."""
    machine.set(rep, mtu=2000)
    made = connected(machine, port(machine, rep, br, mtu=1400))
    happen(machine, {"br": br, "other": other, "rep": rep})
    log = disconnected(machine, made)
    assert machine.seen(rep) == {"master": other if stays_in else "", "mtu": 2000, "up": bool(stays_in)}
    assert (f"is a port of {other} by now" in log.text("info")) is bool(stays_in)


def test_the_former_bridge_deleted(machine: Machine, br: str, other: str, rep: str) -> None:
    """A bridge that is gone cannot have it back; that is said."""
    machine.set(rep, master=other)
    made = connected(machine, port(machine, rep, br))
    machine.delete(other)
    log = disconnected(machine, made)
    said = f"representor {rep} is not in bridge {other} again, where it was before: there is no such link any more"
    assert said in log.text("warning")
    assert machine.seen(rep)["master"] == ""


def test_representor_deleted(machine: Machine, br: str, rep: str) -> None:
    """With the representor, all of it is gone, and that is said."""
    made = connected(machine, port(machine, rep, br))
    machine.delete(rep)
    assert f"representor {rep} is gone" in disconnected(machine, made).text("info")


def test_representor_renamed(machine: Machine, br: str, rep: str) -> None:
    """It is found by its index."""
    made = connected(machine, port(machine, rep, br, mtu=1400))
    renamed = unique("renamed")
    machine.rename(rep, renamed)
    made.verify(machine.host)
    disconnected(machine, made)
    assert machine.seen(renamed) == {"master": "", "mtu": 1500, "up": False}


def test_another_link_with_the_name_of_the_representor(machine: Machine, br: str, rep: str) -> None:
    """A link that is called as the representor was, but is another port, is left alone."""
    made = port(machine, rep, br, mtu=1400)
    made.original.port = "pf0vf3"
    machine.set(rep, master=br, mtu=1400, up=True)
    assert "is gone" in disconnected(machine, made).text("info")
    assert machine.seen(rep) == {"master": br, "mtu": 1400, "up": True}


def _wrong_mtu(machine: Machine, names: dict[str, str]) -> None:
    machine.set(names["rep"], mtu=1300)


def _down(machine: Machine, names: dict[str, str]) -> None:
    machine.set(names["rep"], up=False)


def _rep_deleted(machine: Machine, names: dict[str, str]) -> None:
    machine.delete(names["rep"])


WRONG: dict[str, tuple[Callable[[Machine, dict[str, str]], None], str]] = {
    "taken out": (_taken_out, "representor {rep} is in no bridge, ADD made it a port of {br}"),
    "put elsewhere": (_put_elsewhere, "representor {rep} is a port of {other}, ADD made it a port of {br}"),
    "bridge deleted": (_bridge_deleted, "representor {rep} is in no bridge, ADD made it a port of {br}"),
    "down": (_down, "representor {rep} is down"),
    "MTU": (_wrong_mtu, "representor {rep} has MTU 1300, ADD set 1400"),
    "deleted": (_rep_deleted, "representor {rep} is missing on the host"),
}


@pytest.mark.parametrize(("happen", "said"), WRONG.values(), ids=WRONG)
def test_verify(
    machine: Machine, br: str, other: str, rep: str, happen: Callable[[Machine, dict[str, str]], None], said: str
) -> None:
    """What is not as it was made is named, with what it is and what it should be."""
    names = {"br": br, "other": other, "rep": rep}
    made = connected(machine, port(machine, rep, br, mtu=1400))
    happen(machine, names)
    with pytest.raises(CniError) as caught:
        made.verify(machine.host)
    assert caught.value.msg == said.format(**names)


def _connect(machine: Machine, made: RepresentorPort) -> CniError:
    with pytest.raises(CniError) as caught:
        made.connect(machine.host, Lines())
    return caught.value


def test_what_vanishes_during_add(machine: Machine, br: str, rep: str) -> None:
    """Neither is taken for something else, and nothing is left of it."""
    made = port(machine, rep, br)
    machine.delete(br)
    assert _connect(machine, made).msg == f"{br} has vanished from the host during ADD"
    assert machine.seen(rep) == {"master": "", "mtu": 1500, "up": False}
    machine.delete(rep)
    assert _connect(machine, made).msg == f"{rep} has vanished from the host during ADD"


def test_names_that_others_have_got_since(machine: Machine, br: str, rep: str) -> None:
    """udev renames links while they appear: what was looked up and recorded is connected, not what has its name now."""
    made, names = port(machine, rep, br, mtu=1400), [unique("rep"), unique("br")]
    machine.rename(rep, names[0])
    machine.rename(br, names[1])
    machine.add(rep)
    machine.add(br, "bridge", up=True)
    made.connect(machine.host, Lines())
    assert machine.seen(names[0]) == {"master": names[1], "mtu": 1400, "up": True}
    assert machine.seen(rep) == {"master": "", "mtu": 1500, "up": False}
    disconnected(machine, made)
    assert machine.seen(names[0]) == {"master": "", "mtu": 1500, "up": False}


def test_an_mtu_that_the_representor_refuses(machine: Machine, br: str, rep: str) -> None:
    """The error names the representor, the bridge and the MTU; afterwards everything is as before."""
    made = port(machine, rep, br, mtu=67)
    error = _connect(machine, made)
    assert error.msg.startswith(f"cannot make representor {rep} a port of bridge {br} with MTU 67: Invalid argument")
    assert error.details == f"errno {errno.EINVAL}"
    disconnected(machine, made)
    assert machine.seen(rep) == {"master": "", "mtu": 1500, "up": False}


def test_no_bridge(machine: Machine, rep: str) -> None:
    """A link that takes no ports refuses, and the kernel's words are passed on."""
    made = port(machine, rep, machine.add(unique("plain")))
    assert _connect(machine, made).msg.startswith(f"cannot make representor {rep} a port of bridge {made.bridge}: ")
    assert machine.seen(rep)["master"] == ""


def test_ports(machine: Machine, br: str, other: str, host: NetNS) -> None:
    """All ports and bridges, each with its bridge, and no other link."""
    names = [machine.add(unique("rep"), master=master) for master in (br, br, other, "")]
    shown = {entry["ifindex"]: entry for entry in HOST.json("link", "show")}
    expected = {index: entry["master"] for index, entry in shown.items() if entry.get("master") in (br, other)}
    found_ports = bridge.ports(host.netlink)
    bridges = {found(machine, name).index for name in (br, other)}
    assert {i: shown[port.master]["ifname"] for i, port in found_ports.items() if i not in bridges} == expected
    assert set(found_ports) == set(expected) | bridges
    assert found(machine, names[-1]).index not in found_ports
    assert len(expected) == 3


def test_many_ports(machine: Machine, br: str, host: NetNS) -> None:
    """More than one message of the kernel's."""
    names = [unique("rep") for _ in range(120)]
    HOST.batch(*(f"link add {name} type veth peer name {unique('far')}" for name in names))
    HOST.batch(*(f"link set {name} master {br}" for name in names))
    indices = {entry["ifindex"] for entry in HOST.json("link", "show", "master", br)}
    assert set(bridge.ports(host.netlink)) - {found(machine, br).index} == indices
    assert len(indices) == 120
    HOST.batch(*(f"link del {name}" for name in names))


@pytest.mark.parametrize("vlans", [{7: 0}, {7: 0, 8: 0}, {100: 6}], ids=["one", "a range", "native"])
def test_vlans_of_a_link_that_is_no_port(machine: Machine, rep: str, host: NetNS, vlans: dict[int, int]) -> None:
    """The kernel refuses both."""
    index = found(machine, rep).index
    with pytest.raises(NetlinkError) as caught:
        bridge.add_vlans(host.netlink, index, vlans)
    assert caught.value.errno == errno.EOPNOTSUPP
    with pytest.raises(NetlinkError) as caught:
        bridge.delete_vlans(host.netlink, index, list(vlans))
    assert caught.value.errno == errno.EOPNOTSUPP


def test_vlans_of_a_link_that_is_gone(host: NetNS) -> None:
    """ENODEV for both."""
    with pytest.raises(NetlinkError) as caught:
        bridge.add_vlans(host.netlink, 1 << 30, {7: 0})
    assert caught.value.errno == errno.ENODEV
    with pytest.raises(NetlinkError) as caught:
        bridge.delete_vlans(host.netlink, 1 << 30, [7])
    assert caught.value.errno == errno.ENODEV


def test_no_ports(host: NetNS) -> None:
    """On a host without bridges there are none."""
    assert net.run("bridge", "-j", "link", "show") in ("", "[]\n", "[]")
    assert bridge.ports(host.netlink) == {}


def test_uplinks(machine: Machine, br: str, host: NetNS) -> None:
    """A PF in a bridge is the uplink itself; one in no bridge is none."""
    pf = machine.add(unique("pf"))
    assert uplink.find(found(machine, pf), host) is None
    machine.set(pf, master=br)
    joined = uplink.find(found(machine, pf), host)
    assert joined is not None
    assert (joined[0].name, joined[1].name) == (pf, br)


def test_an_uplink_that_is_in_no_bridge(machine: Machine, rep: str, host: NetNS) -> None:
    """There is nothing to give back, and no way to set anything."""
    log, port_ = Lines(), found(machine, rep)
    uplink.remove(port_, [7], 0, lambda _: None, host, log)
    assert [line for _, line in log.lines] == [
        f"uplink {rep} has left its bridge, and with that the VLANs that it had there"
    ]
    with pytest.raises(CniError, match=f"cannot set VLANs 7-8, 100 on uplink {rep}: ") as caught:
        uplink.add(port_, [100, 8, 7], host)
    assert caught.value.details == f"errno {errno.EOPNOTSUPP}"


def test_a_former_bridge_that_is_none_any_more(machine: Machine, br: str, rep: str) -> None:
    """Another link has its name: DEL goes on, and says it. The next pod can have the VF."""
    former = machine.add(unique("br"), "bridge")
    machine.set(rep, master=former)
    made = connected(machine, port(machine, rep, br))
    machine.delete(former)
    machine.add(former)
    log = disconnected(machine, made)
    assert machine.seen(rep)["master"] == ""
    assert f"{rep} is not in bridge {former} again" in log.text("warning")
    assert "it is veth, not a bridge, any more" in log.text("warning")


def test_the_former_bridge_refuses_it(machine: Machine, br: str, other: str, rep: str) -> None:
    """Something else uses the representor by then: an error, so that there is another DEL, which puts it back."""
    machine.set(rep, master=other, up=True)
    made = connected(machine, port(machine, rep, br, mtu=1400))
    log, errors = Lines(), list[CniError]()
    made.disconnect(machine.host, list, errors, log)
    HOST.ip("link", "add", "mv0", "link", rep, "type", "macvlan")
    made.restore(machine.host, errors, log)
    (error,) = errors
    assert error.msg == f"cannot make representor {rep} a port of bridge {other} again: Device or resource busy"
    assert machine.seen(rep) == {"master": "", "mtu": 1500, "up": True}
    machine.delete("mv0")
    disconnected(machine, made)
    assert machine.seen(rep) == {"master": other, "mtu": 1500, "up": True}


def test_another_link_has_the_name_of_the_representor(machine: Machine, br: str, rep: str) -> None:
    """Known by its index, the representor that was renamed leaves the bridge; the other link, whose port may have the
    same name on another NIC, is left alone.
    """
    made = connected(machine, port(machine, rep, br))
    renamed = unique("rep")
    machine.rename(rep, renamed)
    machine.add(rep, master=br, up=True)
    made.verify(machine.host)
    disconnected(machine, made)
    assert machine.seen(renamed) == {"master": "", "mtu": 1500, "up": False}
    assert machine.seen(rep) == {"master": br, "mtu": 1500, "up": True}


def test_ports_are_complete_while_others_come_and_go(machine: Machine, br: str, host: NetNS) -> None:
    """The kernel's list comes in parts and is not marked when it changes in between: no port that stays is missed."""
    names = [machine.add(unique("port"), master=br) for _ in range(140)]
    stay = {found(machine, name).index for name in names[70:]}
    commands = [f"link set {name} {where}" for name in names[:20] for where in ("nomaster", f"master {br}")] * 20
    done = threading.Event()

    def churn() -> None:
        while not done.is_set():
            HOST.batch(*commands)

    with ThreadPoolExecutor(1) as pool:
        churning = pool.submit(churn)
        try:
            missed = [stay - bridge.ports(host.netlink).keys() for _ in range(300)]
        finally:
            done.set()
        churning.result()
    assert missed == [set()] * 300
