"""static: where addresses come from, which win, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cni.protocol.errors import BAD_ENVIRONMENT, GENERIC, INVALID_CONFIG, CniError
from ipam.static import commands
from tests.unit.ipam.calls import Log, conf, request

HERE = {"addresses": [{"address": "10.1.0.5/24", "gateway": "10.1.0.1"}]}
JUNK = {"addresses": [{"address": "junk"}]}


def given(ipam: dict[str, Any], cni_args: str = "", version: str = "1.1.0", **top: Any) -> str:
    """ADD; return the addresses with their gateways as one text."""
    parsed = conf({"type": "static", **ipam}, version, **top)
    result = commands.add(request(args=cni_args), parsed, Log().logger)
    return " ".join(f"{ip.address}>{ip.gateway}" if ip.gateway else str(ip.address) for ip in result.ips)


@pytest.mark.parametrize(
    ("ipam", "cni_args", "top", "expected"),
    [
        pytest.param(HERE, "", {}, "10.1.0.5/24>10.1.0.1", id="addresses"),
        pytest.param({}, "", {}, "", id="none"),
        pytest.param(
            {"addresses": [{"address": "10.1.0.5/24", "gateway": "0.0.0.0"}]}, "", {}, "10.1.0.5/24>0.0.0.0",
            id="gateway 0.0.0.0",
        ),
        pytest.param(
            {"addresses": [{"address": "10.1.0.5/24", "gateway": "10.9.0.1"}, {"address": "fd::5/64", "gateway": ""}]},
            "", {}, "10.1.0.5/24>10.9.0.1 fd::5/64", id="gateway elsewhere, empty gateway",
        ),
        pytest.param(
            {"addresses": [{"address": "::ffff:10.1.0.5/120", "gateway": "::ffff:10.1.0.1"}]}, "", {},
            "10.1.0.5/24>10.1.0.1", id="IPv4 as IPv6",
        ),
        pytest.param(HERE, "IP=10.2.0.5/24", {}, "10.1.0.5/24>10.1.0.1 10.2.0.5/24", id="CNI_ARGS adds"),
        pytest.param(
            HERE, "IP=10.2.0.5/24, fd00::3/64;GATEWAY=10.2.0.1, fd00::1", {},
            "10.1.0.5/24>10.1.0.1 10.2.0.5/24>10.2.0.1 fd00::3/64>fd00::1", id="CNI_ARGS, two with gateways",
        ),
        pytest.param(HERE, "GATEWAY=10.1.0.9", {}, "10.1.0.5/24>10.1.0.1", id="GATEWAY is for the addresses of IP"),
        pytest.param({}, "IP=10.2.0.5/24;GATEWAY=10.9.0.9", {}, "10.2.0.5/24", id="GATEWAY of no address"),
        pytest.param({}, "IP=;GATEWAY=;K8S_POD_NAME=x", {}, "", id="CNI_ARGS empty"),
        pytest.param(
            HERE, "IP=10.2.0.5/24", {"args": {"cni": {"ips": ["10.4.0.5/24"]}}}, "10.4.0.5/24", id="args.cni replaces"
        ),
        pytest.param(
            HERE, "IP=10.2.0.5/24;GATEWAY=10.3.0.1",
            {"args": {"cni": {"ips": ["10.4.0.5/24"]}}, "runtimeConfig": {"ips": ["10.3.0.5/24", "fd00::5/64"]}},
            "10.3.0.5/24 fd00::5/64", id="runtimeConfig replaces all",
        ),
        pytest.param(HERE, "", {"args": {"cni": {"ips": []}}}, "10.1.0.5/24>10.1.0.1", id="an empty list is none"),
        pytest.param(JUNK, "", {"runtimeConfig": {"ips": ["10.3.0.5/24"]}}, "10.3.0.5/24", id="replaced placeholder"),
    ],
)  # fmt: skip
def test_precedence(ipam: dict[str, Any], cni_args: str, top: dict[str, Any], expected: str) -> None:
    assert given(ipam, cni_args, **top) == expected


@pytest.mark.parametrize(
    ("ipam", "top", "words"),
    [
        pytest.param(JUNK, {}, ["ipam.addresses[0].address", '"junk"', "CIDR notation"], id="junk"),
        pytest.param({"addresses": [{}]}, {}, ["ipam.addresses[0]", 'an object with "address"'], id="missing"),
        pytest.param({"addresses": [{"address": "10.1.0.5"}]}, {}, ["ipam.addresses[0].address"], id="without length"),
        pytest.param({"addresses": [{"address": 5}]}, {}, ["ipam.addresses[0].address", "5", "string"], id="number"),
        pytest.param({"addresses": [{"address": "::ffff:1.2.3.4/64"}]}, {}, ["ipam.addresses[0]"], id="mapped short"),
        pytest.param({"addresses": "x"}, {}, ["ipam.addresses", '"x"', "list"], id="no list"),
        pytest.param(
            {"addresses": [{"address": "10.1.0.5/24", "gateway": "foo"}]}, {}, ["ipam.addresses[0].gateway", '"foo"'],
            id="gateway",
        ),
        pytest.param({"routes": [{"dst": "x"}]}, {}, ["ipam.routes[0].dst", '"x"'], id="route"),
        pytest.param({"dns": {"nameservers": "1.1.1.1"}}, {}, ["ipam.dns.nameservers", '"1.1.1.1"'], id="dns"),
        pytest.param(
            HERE, {"args": {"cni": {"ips": ["x"]}}, "runtimeConfig": {"ips": ["10.1.0.5/24"]}},
            ["args.cni.ips[0]", '"x"'], id="args.cni.ips, though replaced",
        ),
        pytest.param(HERE, {"runtimeConfig": {"ips": ["10.1.0.5"]}}, ["runtimeConfig.ips[0]", '"10.1.0.5"'], id="ips"),
    ],
)  # fmt: skip
def test_refused(ipam: dict[str, Any], top: dict[str, Any], words: list[str]) -> None:
    parsed = conf({"type": "static", **ipam}, **top)
    for handler in (commands.validate, lambda r, c: commands.status(r, c, Log().logger)):
        with pytest.raises(CniError) as caught:
            handler(request(), parsed)
        assert caught.value.code == INVALID_CONFIG
        assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize(
    "cni_args",
    [
        "IP=10.2.0.5",
        "IP=10.2.0.5/24,",
        "IP=foo",
        "IP=10.2.0.5/24;GATEWAY=foo",
        "IP=10.2.0.5/24;GATEWAY=10.2.0.1,",
        "X=1",
    ],
)
def test_bad_cni_args(cni_args: str) -> None:
    with pytest.raises(CniError) as caught:
        given({}, cni_args)
    assert caught.value.code == BAD_ENVIRONMENT
    assert "CNI_ARGS" in caught.value.msg


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_old_versions_have_room_for_one_address_a_family(version: str) -> None:
    six = {"addresses": [*HERE["addresses"], {"address": "fd00::5/64"}]}
    assert given(six, version=version) == "10.1.0.5/24>10.1.0.1 fd00::5/64"
    with pytest.raises(CniError, match=f"CNI version {version} does not support more than 1 address per family"):
        given(HERE, "IP=10.2.0.5/24", version)


def test_routes_and_dns() -> None:
    dns = {"nameservers": ["1.1.1.1"], "domain": "d", "search": ["s"], "options": ["o"]}
    parsed = conf(
        {
            "type": "static",
            **HERE,
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.9.0.0/16", "gw": "10.1.0.2"}],
            "dns": dns,
        },
        dns={"nameservers": ["9.9.9.9"]},
    )
    result = commands.add(request(), parsed, Log().logger)
    assert [(str(route.dst), str(route.gw)) for route in result.routes] == [
        ("0.0.0.0/0", "None"),
        ("10.9.0.0/16", "10.1.0.2"),
    ]
    assert [getattr(result.dns, name) for name in dns] == list(dns.values())


@pytest.mark.parametrize(
    ("given_ips", "fault"),
    [
        pytest.param([{"address": "10.1.0.5/24", "gateway": "10.1.0.1"}, {"address": "10.9.0.1/24"}], "", id="there"),
        pytest.param([], "no such address", id="gone"),
        pytest.param([{"address": "10.1.0.6/24", "gateway": "10.1.0.1"}], "no such address", id="another"),
        pytest.param([{"address": "10.1.0.5/24", "gateway": "10.1.0.2"}], "10.1.0.2", id="another gateway"),
        pytest.param([{"address": "10.1.0.5/24"}], "gateway None", id="no gateway"),
    ],
)
def test_check(given_ips: list[dict[str, str]], fault: str) -> None:
    parsed = conf({"type": "static", **HERE}, prevResult={"cniVersion": "1.1.0", "ips": given_ips})
    if not fault:
        commands.check(request(), parsed, Log().logger)
        return
    with pytest.raises(CniError, match=r"static: Failed to match addr 10\.1\.0\.5 on interface net1") as caught:
        commands.check(request(), parsed, Log().logger)
    assert caught.value.code == GENERIC
    assert fault in caught.value.details


def test_delete_and_gc_never_fail() -> None:
    parsed = conf({"type": "static", **JUNK})
    commands.delete(request(), parsed, Log().logger)
    commands.gc(request(), parsed, Log().logger)
