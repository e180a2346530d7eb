"""host-local's configuration: what is understood, and what is refused with which words."""

from __future__ import annotations

from typing import Any

import pytest

from cni.protocol.errors import BAD_ENVIRONMENT, INVALID_CONFIG, CniError
from cni.protocol.limits import ADDRESSES, RANGE_SETS, RANGES, ROUTES
from ipam.host_local import add, config
from tests.unit.ipam.calls import conf, request

SUBNET = {"subnet": "10.1.0.0/24"}
V4, V6 = [{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/64"}]


def parsed(ipam: dict[str, Any], cni_args: str = "", version: str = "1.1.0", **top: Any) -> config.HostLocalConfig:
    return config.parse(request(args=cni_args), conf({"type": "host-local", **ipam}, version, **top))


@pytest.mark.parametrize(
    ("ipam", "top", "expected"),
    [
        pytest.param(SUBNET, {}, ["10.1.0.1-10.1.0.254"], id="old single form"),
        pytest.param(
            {**SUBNET, "rangeStart": "10.1.0.5", "rangeEnd": "10.1.0.6", "gateway": "10.1.0.5"}, {},
            ["10.1.0.5-10.1.0.6"], id="old single form, whole",
        ),
        pytest.param({"ranges": [V4, V6]}, {}, ["10.1.0.1-10.1.0.254", "fd00::1-fd00::ffff:ffff:ffff:ffff"], id="sets"),
        pytest.param(
            {"ranges": [[{**SUBNET, "rangeEnd": "10.1.0.9"}, {**SUBNET, "rangeStart": "10.1.0.20"}]]}, {},
            ["10.1.0.1-10.1.0.9,10.1.0.20-10.1.0.254"], id="two ranges in a set",
        ),
        pytest.param(
            {"subnet": "10.2.0.0/29", "ranges": [V4]}, {"runtimeConfig": {"ipRanges": [[{"subnet": "10.3.0.0/29"}]]}},
            ["10.3.0.1-10.3.0.6", "10.2.0.1-10.2.0.6", "10.1.0.1-10.1.0.254"], id="runtime, single, ranges",
        ),
        pytest.param({"rangeStart": "10.9.0.1", "ranges": [V4]}, {}, ["10.1.0.1-10.1.0.254"], id="start alone"),
        pytest.param({**SUBNET, "rangeStart": "", "gateway": ""}, {}, ["10.1.0.1-10.1.0.254"], id="empty strings"),
        pytest.param({**SUBNET, "rangeStart": "::ffff:10.1.0.9"}, {}, ["10.1.0.9-10.1.0.254"], id="IPv4 as IPv6"),
        pytest.param({"subnet": "::ffff:10.1.0.0/120"}, {}, ["10.1.0.1-10.1.0.254"], id="IPv4 subnet as IPv6"),
    ],
)  # fmt: skip
def test_ranges(ipam: dict[str, Any], top: dict[str, Any], expected: list[str]) -> None:
    assert [str(one) for one in parsed(ipam, **top).range_sets] == expected


@pytest.mark.parametrize(
    ("args", "top", "expected"),
    [
        pytest.param("", {}, "", id="none"),
        pytest.param("IP=10.1.0.9", {}, "10.1.0.9", id="CNI_ARGS"),
        pytest.param("IP=10.1.0.9/16", {}, "10.1.0.9", id="CNI_ARGS with length"),
        pytest.param("IP=;K8S_POD_NAME=a", {}, "", id="CNI_ARGS empty"),
        pytest.param("IgnoreUnknown=1;X=y;IP=10.1.0.9", {}, "10.1.0.9", id="CNI_ARGS with others"),
        pytest.param("", {"args": {"cni": {"ips": ["10.1.0.9", "fd00::9/64"]}}}, "10.1.0.9 fd00::9", id="args.cni"),
        pytest.param("", {"runtimeConfig": {"ips": ["10.1.0.9/24"]}}, "10.1.0.9", id="runtimeConfig"),
        pytest.param(
            "IP=10.1.0.7", {"args": {"cni": {"ips": ["10.1.0.8"]}}, "runtimeConfig": {"ips": ["10.1.0.9", "10.1.0.7"]}},
            "10.1.0.7 10.1.0.8 10.1.0.9", id="all three, each once",
        ),
    ],
)  # fmt: skip
def test_requested(args: str, top: dict[str, Any], expected: str) -> None:
    assert " ".join(str(address) for address in parsed(SUBNET, args, **top).requested) == expected


@pytest.mark.parametrize(
    ("ipam", "top", "words"),
    [
        pytest.param({}, {}, ["no IP ranges specified"], id="no ranges"),
        pytest.param({"ranges": []}, {}, ["no IP ranges specified"], id="empty ranges"),
        pytest.param({"ranges": [[]]}, {}, ["invalid range set 0", "empty range set"], id="empty set"),
        pytest.param({"ranges": [V4, [{}]]}, {}, ["invalid range set 1", "ipam.ranges[1][0]"], id="no subnet"),
        pytest.param({"ranges": V4}, {}, ["ipam.ranges[0]", "list"], id="ranges without inner list"),
        pytest.param({"ranges": "x"}, {}, ["ipam.ranges", '"x"'], id="ranges is a string"),
        pytest.param({"subnet": 5}, {}, ["ipam.subnet", "5", "string"], id="subnet is a number"),
        pytest.param({"subnet": "foo"}, {}, ["ipam.subnet", '"foo"'], id="subnet is no subnet"),
        pytest.param({"subnet": ""}, {}, ["ipam.subnet", '""'], id="subnet is empty"),
        pytest.param({"subnet": "10.1.0.0"}, {}, ["ipam.subnet", '"10.1.0.0"'], id="subnet without length"),
        pytest.param({"subnet": "10.1.0.0/33"}, {}, ["ipam.subnet", '"10.1.0.0/33"'], id="length beyond 32"),
        pytest.param({"subnet": "10.1.0.0/255.255.0.0"}, {}, ["ipam.subnet"], id="netmask"),
        pytest.param({"subnet": "10.1.0.7/24"}, {}, ["ipam.subnet", "host bits", "10.1.0.0/24"], id="host bits"),
        pytest.param({"subnet": "10.1.0.1/31"}, {}, ["ipam.subnet", "host bits", "10.1.0.0/31"], id="/31"),
        pytest.param(
            {"ranges": [[{"subnet": f"10.{n}.0.0/24"}] for n in range(RANGE_SETS + 1)]}, {},
            ["ipam.ranges", f"{RANGE_SETS + 1} entries", f"the limit is {RANGE_SETS}"], id="range sets",
        ),
        pytest.param(
            {**SUBNET, "ranges": [[{"subnet": f"10.{n}.0.0/24"}] for n in range(2, RANGE_SETS + 2)]}, {},
            ["ipam.ranges", f"{RANGE_SETS + 1} entries", f"the limit is {RANGE_SETS}"], id="range sets in two places",
        ),
        pytest.param(
            {"ranges": [[{"subnet": f"10.1.0.{n % 256}/32"} for n in range(RANGES + 1)]]}, {},
            ["ipam.ranges[0]", f"{RANGES + 1} entries", f"the limit is {RANGES}"], id="ranges",
        ),
        pytest.param(
            {**SUBNET, "routes": [{"dst": "0.0.0.0/0"}] * (ROUTES + 1)}, {},
            ["ipam.routes", f"{ROUTES + 1} entries", f"the limit is {ROUTES}"], id="routes",
        ),
        pytest.param(
            SUBNET, {"runtimeConfig": {"ips": ["10.1.0.9"] * (ADDRESSES + 1)}},
            ["runtimeConfig.ips", f"{ADDRESSES + 1} entries", f"the limit is {ADDRESSES}"], id="requested addresses",
        ),
        pytest.param({**SUBNET, "rangeStart": "foo"}, {}, ["ipam.rangeStart", '"foo"'], id="start is no address"),
        pytest.param({**SUBNET, "rangeStart": 1}, {}, ["ipam.rangeStart", "string"], id="start is a number"),
        pytest.param(
            {**SUBNET, "rangeStart": "10.2.0.1"}, {}, ["ipam.rangeStart", "10.2.0.1 not in network 10.1.0.0/24"],
            id="start outside",
        ),
        pytest.param(
            {**SUBNET, "rangeEnd": "10.2.0.1"}, {}, ["ipam.rangeEnd", "10.2.0.1 not in network 10.1.0.0/24"],
            id="end outside",
        ),
        pytest.param({**SUBNET, "rangeEnd": "fd00::9"}, {}, ["ipam.rangeEnd", "fd00::9 not in network"], id="end IPv6"),
        pytest.param(
            {**SUBNET, "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.5"}, {},
            ["ipam.rangeStart", "10.1.0.9", "10.1.0.5"], id="start after end",
        ),
        pytest.param({**SUBNET, "gateway": "foo"}, {}, ["ipam.gateway", '"foo"'], id="gateway is no address"),
        pytest.param({**SUBNET, "gateway": "fd00::1"}, {}, ["ipam.gateway", "fd00::1", "IPv4"], id="gateway IPv6"),
        pytest.param({"ranges": [V4 + V6]}, {}, ["invalid range set 0", "mixed address families"], id="mixed families"),
        pytest.param(
            {"ranges": [[*V4, {"subnet": "10.1.0.0/16"}]]}, {},
            ["invalid range set 0", "subnets 10.1.0.1-10.1.0.254 and 10.1.0.1-10.1.255.254 overlap"],
            id="overlap in a set",
        ),
        pytest.param({"ranges": [V4, V6, V4]}, {}, ["range set 0 overlaps with 2"], id="overlap of sets"),
        pytest.param({**SUBNET, "routes": 5}, {}, ["ipam.routes", "5"], id="routes is a number"),
        pytest.param({**SUBNET, "routes": [{}]}, {}, ["ipam.routes[0]", "dst"], id="route without dst"),
        pytest.param({**SUBNET, "routes": [{"dst": "10.1.1.1"}]}, {}, ["ipam.routes[0].dst", '"10.1.1.1"'], id="dst"),
        pytest.param(
            {**SUBNET, "routes": [{"dst": "0.0.0.0/0", "gw": "x"}]}, {}, ["ipam.routes[0].gw", '"x"'], id="route gw"
        ),
        pytest.param({**SUBNET, "dataDir": 5}, {}, ["ipam.dataDir", "5"], id="dataDir is a number"),
        pytest.param({**SUBNET, "dataDir": "/a\0b"}, {}, ["ipam.dataDir"], id="dataDir with NUL"),
        pytest.param({**SUBNET, "resolvConf": []}, {}, ["ipam.resolvConf"], id="resolvConf is a list"),
        pytest.param(SUBNET, {"args": {"cni": {"ips": ["x"]}}}, ["args.cni.ips[0]", '"x"'], id="args.cni.ips"),
        pytest.param(SUBNET, {"args": {"cni": {"ips": "10.1.0.9"}}}, ["args.cni.ips"], id="args.cni.ips is a string"),
        pytest.param(
            SUBNET, {"runtimeConfig": {"ips": ["10.1.0.9", ""]}}, ["runtimeConfig.ips[1]", '""'], id="empty address"
        ),
        pytest.param(
            SUBNET, {"runtimeConfig": {"ips": ["10.1.0.9/99"]}}, ["runtimeConfig.ips[0]", "10.1.0.9/99"], id="length"
        ),
        pytest.param(
            SUBNET, {"runtimeConfig": {"ipRanges": [[{"subnet": "x"}]]}},
            ["runtimeConfig.ipRanges[0][0].subnet", '"x"'], id="ipRanges",
        ),
        pytest.param(
            SUBNET, {"runtimeConfig": {"ips": ["10.2.0.1", "10.2.0.2"]}},
            ["failed to allocate all requested IPs: 10.2.0.1 10.2.0.2"], id="requested outside",
        ),
        pytest.param(
            SUBNET, {"runtimeConfig": {"ips": ["10.1.0.8", "10.1.0.9"]}},
            ["failed to allocate all requested IPs: 10.1.0.9"], id="two requested of one set",
        ),
        pytest.param(
            SUBNET, {"runtimeConfig": {"ips": ["10.1.0.1"]}},
            ["failed to allocate for range 0: requested ip 10.1.0.1 is subnet's gateway"], id="requested gateway",
        ),
        pytest.param(
            {**SUBNET, "rangeStart": "10.1.0.0"}, {"runtimeConfig": {"ips": ["10.1.0.0"]}},
            ["requested ip 10.1.0.0 is the network address of 10.1.0.0/24"], id="requested network",
        ),
        pytest.param(
            {**SUBNET, "rangeEnd": "10.1.0.255"}, {"runtimeConfig": {"ips": ["10.1.0.255"]}},
            ["requested ip 10.1.0.255 is the broadcast address of 10.1.0.0/24"], id="requested broadcast",
        ),
    ],
)  # fmt: skip
def test_refused(ipam: dict[str, Any], top: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(CniError) as caught:
        add.prepare(request(), conf({"type": "host-local", **ipam}, **top))
    assert caught.value.code == INVALID_CONFIG
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_old_versions_have_room_for_one_address_a_family(version: str) -> None:
    assert len(parsed({"ranges": [V4, V6]}, version=version).range_sets) == 2
    with pytest.raises(CniError, match=f"CNI version {version} does not support more than 1 address per family"):
        parsed({"ranges": [V4, [{"subnet": "10.2.0.0/24"}]]}, version=version)


@pytest.mark.parametrize("args", ["IP=foo", "IP=10.1.0.9,10.1.0.10", "IP", "X=1", "IP=10.1.0.1/"])
def test_bad_cni_args(args: str) -> None:
    with pytest.raises(CniError) as caught:
        parsed(SUBNET, args)
    assert caught.value.code == BAD_ENVIRONMENT
    assert "CNI_ARGS" in caught.value.msg


def test_keys_without_regard_to_case() -> None:
    assert [str(one) for one in parsed({"Ranges": [[{"Subnet": "10.1.0.0/29"}]]}).range_sets] == ["10.1.0.1-10.1.0.6"]
