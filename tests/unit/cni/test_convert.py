"""Results in every version of the specification, compared with golden files that hold every member.

tests/golden/results/<case>.<version>.json is what `case` looks like in that version, member order included.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from cni.protocol.convert import parse_result, render_result
from cni.protocol.errors import GENERIC, INVALID_CONFIG, CniError
from cni.protocol.result import DNS, Interface, IPConfig, Result, Route
from cni.protocol.version import SUPPORTED

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "..", "golden", "results")


def _full() -> Result:
    return Result(
        [
            Interface(
                "net1",
                mac="02:00:00:00:00:01",
                mtu=1400,
                sandbox="/run/netns/pod",
                socket_path="/run/vhost.sock",
                pci_id="0000:03:00.1",
            ),
            Interface("host0"),
        ],
        [
            IPConfig(ip_interface("10.0.0.5/24"), ip_address("10.0.0.1"), 0),
            IPConfig(ip_interface("10.1.0.5/16"), None, 1),
            IPConfig(ip_interface("fd00::5/64"), ip_address("fd00::1")),
        ],
        [
            Route(ip_network("0.0.0.0/0")),
            Route(ip_network("10.9.0.0/16"), ip_address("10.0.0.9"), 1300, 1260, 50, 100, 200),
            Route(ip_network("192.0.2.0/24"), table=0, scope=0),
            Route(ip_network("::/0"), ip_address("fd00::1"), priority=7),
        ],
        DNS(["10.0.0.53", "fd00::53"], "cluster.local", ["svc.cluster.local"], ["ndots:5"]),
    )


def _address_only() -> Result:
    return Result(ips=[IPConfig(ip_interface("fd00::5/64"))], routes=[Route(ip_network("10.0.0.0/8"))])


CASES: dict[str, Callable[[], Result]] = {"full": _full, "address-only": _address_only}


def _golden(case: str, version: str) -> dict[str, object]:
    with open(os.path.join(GOLDEN, f"{case}.{version}.json"), encoding="utf-8") as file:
        value = json.load(file)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("case", CASES)
def test_written(case: str, version: str) -> None:
    written = render_result(CASES[case](), version)
    assert json.dumps(written) == json.dumps(_golden(case, version)), "members and their order"


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("case", CASES)
def test_read_back(case: str, version: str) -> None:
    """What a version can express survives, whether the version stands in the result or is told."""
    golden = _golden(case, version)
    assert render_result(parse_result(golden), version) == golden
    unnamed = {key: value for key, value in golden.items() if key != "cniVersion"}
    assert render_result(parse_result(unnamed, version), version) == golden


@pytest.mark.parametrize("version", SUPPORTED)
def test_read_to_the_current_form(version: str) -> None:
    """Reading the oldest and writing the newest gives what the newest has in common with the oldest."""
    current = render_result(parse_result(_golden("address-only", version)), "1.1.0")
    expected = {"cniVersion": "1.1.0", "ips": [{"address": "fd00::5/64"}], "dns": {}}
    if version not in ("0.1.0", "0.2.0"):  # there, a route needs an address of its family
        expected["routes"] = [{"dst": "10.0.0.0/8"}]
    assert current == expected


def test_every_member_is_in_the_newest_golden_file() -> None:
    golden = json.dumps(_golden("full", "1.1.0"))
    members = "name mac mtu sandbox socketPath pciID interface address gateway dst gw advmss priority table scope"
    for member in (*members.split(), "nameservers", "domain", "search", "options"):
        assert f'"{member}": ' in golden


@pytest.mark.parametrize("version", [version for version in SUPPORTED if version > "0.2.0"])
def test_empty(version: str) -> None:
    assert render_result(Result(), version) == {"cniVersion": version, "dns": {}}
    assert render_result(parse_result({}, version), version) == {"cniVersion": version, "dns": {}}


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_no_address_before_030(version: str) -> None:
    with pytest.raises(CniError, match=r"^cannot convert: no valid IP addresses$") as caught:
        render_result(Result(), version)
    assert caught.value.code == GENERIC


@pytest.mark.parametrize(
    ("raw", "version", "expected"),
    [
        ({"IP4": {"IP": "10.0.0.1/8"}}, "", "10.0.0.1/8"),
        ({"cniVersion": "1.0.0", "IPs": [{"Address": "10.0.0.1/8"}]}, "0.2.0", "10.0.0.1/8"),
        ({"ips": [{"version": "4", "address": "10.0.0.1/8", "interface": None, "new": 1}]}, "0.4.0", "10.0.0.1/8"),
        ({"ips": [{"address": "10.0.0.1/8", "gateway": ""}], "interfaces": None}, "0.4.0", "10.0.0.1/8"),
    ],
    ids=["no-version", "own-version", "unknown-member", "without-ip-version"],
)
def test_lenient(raw: object, version: str, expected: str) -> None:
    result = parse_result(raw, version)
    assert [str(ip.address) for ip in result.ips] == [expected]
    assert (result.ips[0].gateway, result.ips[0].interface) == (None, None)


@pytest.mark.parametrize(
    ("raw", "version", "message"),
    [
        (5, "", "prevResult: 5 is not allowed; it must be an object"),
        ({"cniVersion": 5}, "", "prevResult.cniVersion: 5 is not allowed; it must be a string"),
        ({"cniVersion": "9.1"}, "", 'prevResult.cniVersion: "9.1" is not allowed; it must be one of 0.1.0,'),
        ({"ip4": 5}, "0.2.0", "prevResult.ip4: 5 is not allowed; it must be an object"),
        ({"ip4": {}}, "0.2.0", 'prevResult.ip4: {} is not allowed; it must be an object with "ip"'),
        ({"ip6": {"ip": "x"}}, "0.2.0", 'prevResult.ip6.ip: "x" is not allowed'),
        ({"ip4": {"ip": "10.0.0.1/8", "gateway": 5}}, "0.2.0", "prevResult.ip4.gateway: 5 is not allowed"),
        ({"ip4": {"ip": "10.0.0.1/8", "routes": [{}]}}, "0.2.0", "prevResult.ip4.routes[0]: {} is not allowed"),
        ({"ips": 5}, "0.4.0", "prevResult.ips: 5 is not allowed; it must be a list of objects"),
        ({"ips": [5]}, "1.0.0", "prevResult.ips[0]: 5 is not allowed; it must be an object"),
        ({"ips": [{"address": "10.0.0.1"}]}, "1.0.0", 'prevResult.ips[0].address: "10.0.0.1" is not allowed'),
        ({"ips": [{"address": "10.0.0.1/8", "interface": "0"}]}, "1.0.0", "prevResult.ips[0].interface"),
        ({"interfaces": [{"name": 5}]}, "1.0.0", "prevResult.interfaces[0].name: 5 is not allowed"),
        ({"interfaces": [{"mtu": "x"}]}, "1.1.0", "prevResult.interfaces[0].mtu"),
        ({"routes": [{"gw": "10.0.0.1"}]}, "1.0.0", 'it must be an object with "dst"'),
        ({"routes": [{"dst": "::/0", "table": -1}]}, "1.1.0", "prevResult.routes[0].table: -1 is not allowed"),
        ({"routes": [{"dst": "::/0", "scope": 256}]}, "1.1.0", "prevResult.routes[0].scope: 256 is not allowed"),
        ({"dns": {"nameservers": [5]}}, "1.1.0", "prevResult.dns.nameservers[0]: 5 is not allowed"),
    ],
)
def test_refused(raw: object, version: str, message: str) -> None:
    with pytest.raises(CniError) as caught:
        parse_result(raw, version, "prevResult")
    assert caught.value.code == INVALID_CONFIG
    assert message in caught.value.msg
