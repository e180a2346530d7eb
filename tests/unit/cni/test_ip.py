"""IP addresses as users write them: what `ipaddress` reads, minus what would give an address two forms."""

from __future__ import annotations

import ipaddress

import pytest

from cni.protocol import ip

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
    assert ip.address_or_none(text) == ipaddress.ip_address(text)


@pytest.mark.parametrize("text", [*NOT_WRITTEN, "fe80::1%eth0", "10.1.2.3/24"], ids=ascii)
def test_not_an_address(text: str) -> None:
    assert ip.address_or_none(text) is None
    with pytest.raises(ValueError, match=r"."):
        ip.parse_address(text)


MAPPED = [("::ffff:10.1.2.3", "10.1.2.3"), ("::ffff:a01:203", "10.1.2.3"), ("::10.1.2.3", "::a01:203"), ("::1", "::1")]


@pytest.mark.parametrize(("text", "address"), MAPPED)
def test_ipv4_in_ipv6(text: str, address: str) -> None:
    assert str(ip.parse_address(text)) == address


INTERFACES = {
    "10.1.2.3/24": "10.1.2.3/24", "10.1.2.3/0": "10.1.2.3/0", "10.1.2.3/32": "10.1.2.3/32",
    "fd00::1:2/64": "fd00::1:2/64", "fd00::1/128": "fd00::1/128", "::/0": "::/0",
    "::ffff:10.1.2.3/120": "10.1.2.3/24", "::ffff:10.1.2.3/96": "10.1.2.3/0",
}  # fmt: skip


@pytest.mark.parametrize(("text", "interface"), INTERFACES.items())
def test_interface_and_network(text: str, interface: str) -> None:
    assert ip.parse_interface(text) == ipaddress.ip_interface(interface)
    assert ip.parse_network(text) == ipaddress.ip_interface(interface).network


NO_INTERFACES = [
    "10.1.2.3", "10.1.2.3/", "10.1.2.3/33", "10.1.2.3/-1", "10.1.2.3/255.255.255.0", "10.1.2.3/x", "10.1.2.3/2 ",
    "10.1.2.3/\u0662", "/24", "10.1/16", "fd00::1/129", "::ffff:10.1.2.3/95", "fe80::1%eth0/64",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_INTERFACES, ids=ascii)
def test_not_an_interface(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ip.parse_interface(text)
    with pytest.raises(ValueError, match=r"."):
        ip.parse_network(text)


def test_made_of_an_address() -> None:
    made = [ip.interface(ipaddress.ip_address(address), 24) for address in ("10.1.2.3", "fd00::1")]
    assert made == [ipaddress.ip_interface("10.1.2.3/24"), ipaddress.ip_interface("fd00::1/24")]
