"""Links as the operator's command reads them, beside what ip(8) says of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plumbline.node import links
from plumbline.node.model import LinkState
from tests.support import net
from tests.support.net import HOST, Space

EVIL = b"a\x1b\xff"


def named(found: list[LinkState], name: str) -> LinkState:
    """Return the link with this name."""
    return next(link for link in found if link.name == name)


def test_of_host(device: str) -> None:
    """All that there is to be told of a link: name, address, MTU, state, bridge, alias, other names, kind."""
    bridge = net.unique("bridge")
    HOST.batch(
        f"link add {bridge} type bridge",
        f"link set {device} master {bridge} mtu 1400 up alias told",
        f"link property add dev {device} altname another{device}",
    )
    try:
        told = HOST.link(device)
        assert told is not None
        found = named(links.of_host(), device)
        assert (found.index, found.mac, found.mtu) == (told["ifindex"], told["address"], 1400)
        assert (found.up, found.carrier, found.master) == (True, "LOWER_UP" in told["flags"], bridge)
        assert (found.alias, found.altnames, found.kind) == ("told", (f"another{device}",), "veth")
        assert (found.netns, found.parent) == ("", "")
        assert named(links.of_host(), bridge).kind == "bridge"
    finally:
        HOST.ip("link", "del", bridge)


def test_a_link_that_is_down_has_no_carrier(device: str) -> None:
    """Whatever the kernel remembers of it."""
    HOST.ip("link", "set", device, "down")
    found = named(links.of_host(), device)
    assert (found.up, found.carrier) == (False, False)


def test_of_a_pod(device: str, pod: Space) -> None:
    """The path of the namespace is told with each link; addresses are those inside, with their prefixes."""
    HOST.ip("link", "set", device, "netns", str(pod.name), "name", "net1")
    pod.without_dad()
    pod.batch("addr add 10.1.0.2/24 dev net1", "addr add fd00::2/64 dev net1", "link set net1 up")
    found = named(links.of_namespace(pod.path), "net1")
    assert found.netns == pod.path
    assert [x for x in links.addresses(found) if not x.startswith("fe80")] == ["10.1.0.2/24", "fd00::2/64"]
    assert links.addresses(named(links.of_namespace(pod.path), "lo")) == ["127.0.0.1/8", "::1/128"]
    assert "net1" not in {link.name for link in links.of_host()}


def test_any_name(device: str, pod: Space) -> None:
    """A pod may call its link by what is no text, and by what moves a cursor."""
    HOST.ip("link", "set", device, "netns", str(pod.name))
    net.run("ip", "-n", str(pod.name), "link", "set", device, "name", os.fsdecode(EVIL))
    assert named(links.of_namespace(pod.path), os.fsdecode(EVIL)).kind == "veth"


@pytest.mark.parametrize("what", ["absent", "file", "own"])
def test_no_namespace(what: str, tmp_path: Path) -> None:
    """What is none, or our own, is an error that names it."""
    (tmp_path / "file").touch()
    path = {"absent": str(tmp_path / "x"), "file": str(tmp_path / "file"), "own": "/proc/self/ns/net"}[what]
    with pytest.raises(OSError, match=path):
        links.of_namespace(path)


def test_a_namespace_that_has_gone_stays_away(pod: Space) -> None:
    """Asking for it is an error, and does not make a new one, by which a dead pod would seem to live."""
    (lo,) = links.of_namespace(pod.path)
    pod.delete()
    with pytest.raises(OSError, match=pod.path):
        links.addresses(lo)
    with pytest.raises(OSError, match=pod.path):
        links.of_namespace(pod.path)
    assert not os.path.exists(pod.path)


def test_no_table(device: str) -> None:
    """A link that is no PF has no VFs."""
    assert links.table(named(links.of_host(), device)) == {}
