"""IP addresses: read, written and reckoned with as `ipaddress` does."""

from __future__ import annotations

import ipaddress
import random

import pytest

from cni.protocol.ip import IPAddress, IPInterface, IPNetwork, ip_address, ip_interface, ip_network

WRITTEN = [
    "0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "1::", "fe80::1", "2001:db8:0:0:1:0:0:1", "2001:DB8::A",
    "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::1.2.3.4", "::ffff:1.2.3.4", "64:ff9b::1.2.3.4",
    "::ffff:0:1", "::1:0", "0:0:0:0:0:0:0:0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]  # fmt: skip

NOT_WRITTEN = [
    "", " ", "x", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\n", "0x1.2.3.4",
    "1..2.3", "\u0661.2.3.4", "1.2.3.4\0", ":", ":::", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7", "::1.2.3", "::1 ",
    "1:2:3:4:5:6:7:8:9", "[::1]", "::ffff:1.2.3.256", "-1.2.3.4", "+1.2.3.4",
]  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_address(text: str) -> None:
    ours, theirs = ip_address(text), ipaddress.ip_address(text)
    assert str(ours) == str(theirs)
    assert (ours.version, int(ours), ours.packed) == (theirs.version, int(theirs), theirs.packed)
    assert ours.is_unspecified == theirs.is_unspecified
    assert ip_address(theirs.packed) == ours == ip_address(str(ours))


@pytest.mark.parametrize("text", NOT_WRITTEN, ids=ascii)
def test_not_an_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ipaddress.ip_address(text)
    with pytest.raises(ValueError, match=r"."):
        ip_address(text)


def test_zone() -> None:
    """It means nothing in another namespace."""
    with pytest.raises(ValueError, match="not an IP address"):
        ip_address("fe80::1%eth0")


def test_random_addresses() -> None:
    """Zeros in all places: where the two dots of IPv6 go is the difficult part of its notation."""
    rng = random.Random(5)
    for _ in range(3000):
        packed = b"".join(rng.choice((b"\0\0", b"\0\0", b"\xff\xff", rng.randbytes(2))) for _ in range(8))
        for value in (packed, packed[:4]):
            assert str(ip_address(value)) == str(ipaddress.ip_address(value))


def test_random_damage() -> None:
    """What `ipaddress` reads we read the same, what it refuses we refuse."""
    rng = random.Random(6)
    for _ in range(5000):
        text = list(rng.choice(WRITTEN))
        for _ in range(rng.randrange(1, 4)):
            text[rng.randrange(len(text))] = rng.choice("0123456789abcdefg.:/ ")
        damaged = "".join(text)
        try:
            expected = str(ipaddress.ip_address(damaged))
        except ValueError:
            with pytest.raises(ValueError, match=r"."):
                ip_address(damaged)
            continue
        assert str(ip_address(damaged)) == expected


@pytest.mark.parametrize("text", ["10.1.2.3/24", "10.1.2.3/0", "10.1.2.3/32", "fd00::1:2/64", "fd00::1/128", "::/0"])
def test_interface_and_network(text: str) -> None:
    ours, theirs = ip_interface(text), ipaddress.ip_interface(text)
    assert str(ours) == str(theirs)
    assert (str(ours.ip), ours.version) == (str(theirs.ip), theirs.version)
    network = ours.network
    assert str(network) == str(theirs.network) == str(ip_network(text))
    assert (network.prefixlen, network.max_prefixlen) == (theirs.network.prefixlen, theirs.network.max_prefixlen)
    assert str(network.broadcast_address) == str(theirs.network.broadcast_address)
    assert ours.ip in network
    assert network.broadcast_address in network


NO_INTERFACES = [
    "10.1.2.3", "10.1.2.3/", "10.1.2.3/33", "10.1.2.3/-1", "10.1.2.3/255.255.255.0", "10.1.2.3/x", "10.1.2.3/2 ",
    "10.1.2.3/\u0662", "/24", "10.1/16", "fd00::1/129",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_INTERFACES, ids=ascii)
def test_not_an_interface(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ip_interface(text)


def test_membership() -> None:
    network = ip_network("10.1.2.0/23")
    assert [ip_address(x) in network for x in ("10.1.1.255", "10.1.2.0", "10.1.3.255", "10.1.4.0", "::a01:200")] == [
        False, True, True, False, False,
    ]  # fmt: skip


def test_arithmetic() -> None:
    assert str(ip_address("10.0.0.255") + 1) == "10.0.1.0"
    assert str(ip_address("fd00::") - 1) == "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    with pytest.raises(OverflowError):
        ip_address("255.255.255.255") + 1
    with pytest.raises(OverflowError):
        ip_address("::") - 1


def test_mapped() -> None:
    assert str(ip_address("::ffff:10.1.2.3").ipv4_mapped) == "10.1.2.3"
    assert [ip_address(x).ipv4_mapped for x in ("10.1.2.3", "::10.1.2.3", "::fffe:10.1.2.3")] == [None, None, None]


def test_equality() -> None:
    assert ip_address("::1") != ip_address("0.0.0.1")
    assert len({ip_address("::1"), ip_address("0:0::1"), IPAddress(6, 1)}) == 1
    assert len({ip_network("10.1.2.3/8"), IPNetwork(ip_address("10.0.0.0"), 8)}) == 1
    assert len({ip_interface("10.1.2.3/8"), IPInterface(ip_address("10.1.2.3"), 8), ip_interface("10.1.2.3/9")}) == 2
    assert ip_network("10.0.0.0/8") != ip_network("10.0.0.0/9")
    assert repr([ip_address("::1"), ip_interface("::1/8"), ip_network("::1/8")]) == (
        "[IPAddress('::1'), IPInterface('::1/8'), IPNetwork('::/8')]"
    )


@pytest.mark.parametrize("packed", [b"", b"\1\2\3", bytes(5), bytes(17)])
def test_wrong_length(packed: bytes) -> None:
    with pytest.raises(ValueError, match="not an IP address"):
        ip_address(packed)
